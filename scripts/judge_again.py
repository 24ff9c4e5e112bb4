"""Judge all that a run has stored once more, and compare: a verdict is the same on any machine.

    python scripts/judge_again.py RUN_FOLDER

Completions are read and run anew, in a sandbox of this machine, as the run did. Prints what differs
and exits with status 1 if anything does. Left out are induction's proposals, whose record does not
say which program was shown, answers to anchors, whose record has no check, and what the game
refused for reasons of its own. In a run that pays for more than learnability ([intrinsic],
[novelty]) the rewards of proposals are not compared.
"""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from azr.config.loading import load
from azr.config.run import IntrinsicConfig, NoveltyConfig, RunConfig
from azr.errors import AzrError
from azr.game.judge.judge import SandboxJudge
from azr.game.modes import rules_of
from azr.game.rewards.novelty import NOT_NOVEL
from azr.game.rewards.rewards import answer_reward, proposal_reward
from azr.gather import all_or_nothing
from azr.records.rollouts import mode_of, read_rollouts, task_of
from azr.records.run_folder import rollout_files
from azr.run.players import open_executor
from azr.types import ANCHORS, Grade, Mode, ParseFailure, Prompt, Role, Rollout, Verdict

NOT_OF_THE_JUDGE = ("too long to ask", "over the curriculum", NOT_NOVEL)
"""How reasons begin for which the game refuses what the judge has admitted, or never saw."""


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
        if pays_for_more(config):
            return verdict, record["reward"]
        return verdict, proposal_reward(verdict, record["solve_rate"] or 0.0, rewards)
    answer, task = rules.read_answer(rollout), rollout.prompt.task
    assert task is not None, "a solver's record has its task"
    grade = Grade(verdict=Verdict.ILL_FORMED)
    if not isinstance(answer, ParseFailure):
        grade = await judge.grade(task, answer)
    return grade.verdict, answer_reward(grade, rewards)


def pays_for_more(config: RunConfig) -> bool:
    """Whether proposals may be paid for something that is not measured again."""
    return (config.intrinsic, config.novelty) != (IntrinsicConfig(), NoveltyConfig())


def is_judged(record: Mapping[str, Any]) -> bool:
    """Whether the verdict is the judge's, and the record holds all that the judge was given."""
    is_shown = record["stream"] == f"{Role.PROPOSER}/{Mode.INDUCTION}"
    is_anchor = record["group"].startswith(ANCHORS)
    return not (is_shown or is_anchor or record["reason"].startswith(NOT_OF_THE_JUDGE))


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
    if len(sys.argv) != 2:
        print("usage: python scripts/judge_again.py RUN_FOLDER", file=sys.stderr)
        return 2
    try:
        num_judged, told = asyncio.run(judged_again(Path(sys.argv[1])))
    except AzrError as error:
        print(error, file=sys.stderr)
        return 2
    print(*told, f"{num_judged} judged again, {len(told)} differ", sep="\n")
    return bool(told)


if __name__ == "__main__":
    sys.exit(main())
