"""Judge all that a run has stored once more, and compare: a verdict is the same on any machine.

    python scripts/judge_again.py RUN_FOLDER

Completions are read and run anew, in a sandbox of this machine, as the run did. Prints what differs
and exits with status 1 if anything does. Induction's proposals are left out: a record does not say
which program was shown.
"""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from azr.config.loading import load
from azr.config.run import RunConfig
from azr.game.judge.judge import SandboxJudge
from azr.game.modes import rules_of
from azr.game.rewards.rewards import answer_reward, proposal_reward
from azr.gather import all_or_nothing
from azr.records.rollouts import mode_of, read_rollouts, task_of
from azr.records.run_folder import rollout_files
from azr.run.players import open_executor
from azr.types import Grade, Mode, ParseFailure, Prompt, Role, Rollout, Verdict

NOT_OF_THE_JUDGE = ("too long to ask",)
"""Reasons for which the game refuses what the judge has admitted."""


def rollout_of(record: Mapping[str, Any], config: RunConfig) -> Rollout:
    """As much of it as a reader of the completion needs."""
    role = Role(record["stream"].partition("/")[0])
    prompt = Prompt(
        role=role,
        mode=mode_of(record),
        text=record["prompt"],
        prefill=record["prefill"],
        envelope=config.selfplay.envelope,
        task=task_of(record) if role is Role.SOLVER else None,
    )
    return Rollout(
        prompt=prompt,
        prompt_ids=(),
        completion_ids=(),
        rollout_logprobs=(),
        completion=record["completion"],
        policy_version=record["policy_version"],
        truncated=record["truncated"],
    )


async def score(
    judge: SandboxJudge, record: Mapping[str, Any], config: RunConfig
) -> tuple[Verdict, float]:
    """Verdict and reward, as the game gives them; what a task is worth is not measured again."""
    rollout = rollout_of(record, config)
    rules, rewards = rules_of(rollout.prompt.mode), config.rewards
    if rollout.prompt.role is Role.PROPOSER:
        proposal = rules.read_proposal(rollout)
        verdict = Verdict.ILL_FORMED
        if not isinstance(proposal, ParseFailure):
            verdict = (await judge.admit(proposal, record["step"])).verdict
        return verdict, proposal_reward(verdict, record["solve_rate"] or 0.0, rewards)
    answer, task = rules.read_answer(rollout), rollout.prompt.task
    assert task is not None, "a solver's record has its task"
    grade = Grade(verdict=Verdict.ILL_FORMED)
    if not isinstance(answer, ParseFailure):
        grade = await judge.grade(task, answer)
    return grade.verdict, answer_reward(grade, rewards)


def is_judged(record: Mapping[str, Any]) -> bool:
    """Whether the record holds all that the judge was given."""
    is_shown = record["stream"] == f"{Role.PROPOSER}/{Mode.INDUCTION}"
    return not is_shown and record["reason"] not in NOT_OF_THE_JUDGE


async def judged_again(folder: Path) -> tuple[int, list[str]]:
    """How many records were judged, and what is said of each that differs."""
    config, num_judged, told = load([folder / "config.toml"]), 0, list[str]()
    with open_executor(config.executor) as client:
        judge = SandboxJudge(client, config.sandbox, config.parsing)
        for file in rollout_files(folder).values():
            records = [record for record in read_rollouts(file) if is_judged(record)]
            found = await all_or_nothing([score(judge, record, config) for record in records])
            num_judged += len(records)
            told += [
                f"step {record['step']}, {record['stream']} {record['group']}: stored"
                f" {record['verdict']} {record['reward']:g}, now {verdict.value} {reward:g}"
                for record, (verdict, reward) in zip(records, found, strict=True)
                if (record["verdict"], record["reward"]) != (verdict.value, reward)
            ]
    return num_judged, told


def main() -> int:
    """Print what differs."""
    num_judged, told = asyncio.run(judged_again(Path(sys.argv[1])))
    print(*told, f"{num_judged} judged again, {len(told)} differ", sep="\n")
    return bool(told)


if __name__ == "__main__":
    sys.exit(main())
