"""The order of AZR's code (trainer/ppo/azr_ray_trainer.py, `fit`), over azr's own parts.

For each mode propose, then the trials, then solve: nine calls in all. Each is given the newest
weights first, waits for its longest answer, and what it gave is then judged one program at a time.
"""

from collections.abc import Awaitable, Callable, Sequence

from azr.game.modes import rules_of
from azr.game.rewards.rewards import answer_reward, proposal_reward
from azr.game.selfplay import mean_score
from azr.game.table import Table
from azr.gather import all_or_nothing
from azr.seeds import derive_seed
from azr.types import Experience, Grade, Mode, ParseFailure, Rollout, Ruling, Task, Verdict

Sync = Callable[[], Awaitable[None]]
"""Gives the engine the newest weights."""


async def reference_step(table: Table, step: int, sync: Sync) -> list[Experience]:
    """Play a step in AZR's order; its tasks enter the buffers together, as in `play_step`."""
    experiences: list[Experience] = []
    for mode in table.config.selfplay.modes:
        experiences += await mode_in_three_calls(table, mode, step, sync)
    table.buffers.add([e.task for e in experiences if e.stream[0] == "proposer" and e.task])
    return experiences


async def mode_in_three_calls(
    table: Table, mode: Mode, step: int, sync: Sync
) -> list[Experience]:  # fmt: skip
    slots = range(table.config.selfplay.batch_size)
    seeds = [derive_seed(table.config.seed, step, mode, slot) for slot in slots]
    await sync()
    proposals = await all_or_nothing(
        [table.policy.sample(table.prompts.proposer(mode, table.buffers, seed)) for seed in seeds]
    )
    rulings = [await ruling_of(table, rollout, step) for rollout in proposals]
    await sync()
    rates = await solve_rates(table, rulings, seeds)
    await sync()
    tasks = [
        ruling.task or table.buffers.draw(mode, seed)
        for ruling, seed in zip(rulings, seeds, strict=True)
    ]
    answers = await graded(
        table,
        [(task, derive_seed(seed, "solve")) for task, seed in zip(tasks, seeds, strict=True)],
    )
    rewards = table.config.rewards
    return [
        Experience(
            rollout=rollout,
            verdict=ruling.verdict,
            reward=proposal_reward(ruling.verdict, rate, rewards),
            reason=ruling.reason,
            task=ruling.task,
            solve_rate=rate,
        )
        for rollout, ruling, rate in zip(proposals, rulings, rates, strict=True)
    ] + [
        Experience(
            rollout=rollout,
            verdict=grade.verdict,
            reward=answer_reward(grade, rewards),
            task=rollout.prompt.task,
        )
        for rollout, grade in answers
    ]


async def solve_rates(
    table: Table, rulings: Sequence[Ruling], seeds: Sequence[int]
) -> list[float | None]:
    """All trials in one call, then graded one by one."""
    num_trials = table.config.selfplay.trials_per_task
    asked = [
        (ruling.task, derive_seed(seed, "trial", trial))
        for ruling, seed in zip(rulings, seeds, strict=True)
        if ruling.task is not None
        for trial in range(num_trials)
    ]
    grades = iter([grade for _, grade in await graded(table, asked)])
    return [
        None if ruling.task is None else mean_score([next(grades) for _ in range(num_trials)])
        for ruling in rulings
    ]


async def graded(table: Table, asked: Sequence[tuple[Task, int]]) -> list[tuple[Rollout, Grade]]:
    """Ask all at once, wait for the longest, then run one program at a time."""
    rollouts = await all_or_nothing(
        [table.policy.sample(table.prompts.solver(task, table.buffers, s)) for task, s in asked]
    )
    return [
        (rollout, await grade_of(table, rollout, task))
        for rollout, (task, _) in zip(rollouts, asked, strict=True)
    ]


async def ruling_of(table: Table, rollout: Rollout, step: int) -> Ruling:
    proposal = rules_of(rollout.prompt.mode).read_proposal(rollout)
    if isinstance(proposal, ParseFailure):
        return Ruling(verdict=Verdict.ILL_FORMED, reason=proposal.reason)
    ruling = await table.judge.admit(proposal, step)
    if ruling.task is not None and not table.prompts.fits(ruling.task):
        return Ruling(verdict=Verdict.FAILED, reason="too long to ask")
    return ruling


async def grade_of(table: Table, rollout: Rollout, task: Task) -> Grade:
    answer = rules_of(task.mode).read_answer(rollout)
    if isinstance(answer, ParseFailure):
        return Grade(verdict=Verdict.ILL_FORMED, reason=answer.reason)
    return await table.judge.grade(rollout.prompt.task or task, answer)
