r"""The game: one coroutine per proposal, from the first token to the last trial; no phases.

    propose -> admit -> novel? -> G trials at once -> learnability (+ intrinsic terms)
                              \-> one solver attempt, on the new task or on one drawn from the past

With selfplay.train_on_trials the trials themselves are the attempts at the new task.

All coroutines of a step run together. The engine's continuous batching and the sandbox client's
micro-batching do the rest; only the update waits, or, with rollout.max_staleness, not even that
(azr.game.ahead). One exception: if solver tasks are drawn for a
whole mode, from buffers that hold this step's proposals (selfplay.solver_tasks), they wait until
these are measured.
"""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from azr.game.anchors import play_anchors
from azr.game.composite import functions_to_build_on
from azr.game.grounding import theme_of
from azr.game.modes import rules_of
from azr.game.rewards.intrinsic import with_intrinsic
from azr.game.rewards.rewards import answer_reward, proposal_reward
from azr.game.schedule import (
    block_start,
    draws_batches,
    dropout_of,
    horizon,
    over_the_curriculum,
    proposes,
    solves_after_proposing,
)
from azr.game.table import Table
from azr.game.tasks.difficulty import Band
from azr.game.tasks.drawing import is_stored
from azr.gather import all_or_nothing
from azr.ports import Past
from azr.seeds import derive_seed
from azr.types import (
    Experience,
    Grade,
    Mode,
    ParseFailure,
    Prompt,
    Rollout,
    Ruling,
    Task,
    Verdict,
)

__all__ = ["Played", "play", "play_step", "propose", "settle", "solve"]


@dataclass(frozen=True, slots=True)
class Played:
    """A step's experiences before they change the buffers, and before rewards are compared."""

    experiences: Sequence[Experience]
    anchored: Sequence[Experience]


async def play_step(table: Table, step: int) -> list[Experience]:
    """Play every slot of every mode, and the step's anchors beside them; then settle."""
    return await settle(table, step, await play(table, step))


async def play(table: Table, step: int) -> Played:
    """Play a step; the buffers stay as they are."""
    return Played(*await all_or_nothing([play_slots(table, step), play_anchors(table, step)]))


async def settle(table: Table, step: int, played: Played) -> list[Experience]:
    """Let a step that was played change the buffers; return what is learned from it.

    Steps settle in their order, whichever was played first.
    """
    selfplay = table.config.selfplay
    if not solves_after_proposing(selfplay, step):
        await store(table, played.experiences)
    refuted = await recheck(table, step)
    # Nothing is awaited from here on: an interrupt finds all of the step's changes, or none.
    remeasure(table, step, played.experiences)
    if refuted:
        table.buffers.remove(refuted)
        table.appraiser.forget()
    experiences = [*table.appraiser.price_repetition(played.experiences), *played.anchored]
    if not selfplay.train_proposer:
        return [e for e in experiences if e.stream[0] == "solver"]
    return experiences


async def play_slots(table: Table, step: int) -> list[Experience]:
    """Play every slot of every mode."""
    selfplay = table.config.selfplay
    slots = [(mode, slot) for mode in selfplay.modes for slot in range(selfplay.batch_size)]
    if proposes(selfplay, step):
        await table.appraiser.begin(selfplay.batch_size, table.before)
    if solves_after_proposing(selfplay, step):
        return await play_in_turns(table, step, slots)
    tasks = solver_tasks(table, step) if draws_batches(selfplay) else [None] * len(slots)
    return await together(
        [
            play_slot(table, mode, step, slot, task)
            for (mode, slot), task in zip(slots, tasks, strict=True)
        ]
    )


async def play_in_turns(
    table: Table, step: int, slots: Sequence[tuple[Mode, int]]
) -> list[Experience]:
    """Play all proposals, store the valid ones, then draw solver tasks and play them."""
    places = [
        (derive_seed(table.config.seed, step, mode, slot), f"{mode}/{slot}") for mode, slot in slots
    ]
    proposed = await together(
        [
            propose_and_measure(table, mode, step, slot, seed, group)
            for (mode, slot), (seed, group) in zip(slots, places, strict=True)
        ]
    )
    await store(table, proposed)
    solved = await together(
        [
            solve(table, task, [derive_seed(seed, "solve")], group)
            for task, (seed, group) in zip(solver_tasks(table, step), places, strict=True)
        ]
    )
    return proposed + solved


async def store(table: Table, experiences: Sequence[Experience]) -> None:
    """Put the valid proposals into the buffers: those that buffers.store and dedupe let in."""
    valid = [
        (e.task, e.solve_rate)
        for e in experiences
        if e.stream[0] == "proposer"
        and e.task is not None
        and is_stored(table.config.buffers.store, e.solve_rate)
    ]
    kept = await table.appraiser.storable([task for task, _ in valid])
    rates = {id(task): rate for task, rate in valid}  # equal tasks may differ in their rates
    table.buffers.add(kept, [rates[id(task)] for task in kept])


def remeasure(table: Table, step: int, experiences: Sequence[Experience]) -> None:
    """Let the attempts at older tasks move their solve rates; trials have just measured the new."""
    if weight := table.config.buffers.rate_weight:
        attempts = [
            (e.task, e.verdict is Verdict.PASSED)
            for e in experiences
            if e.stream[0] == "solver" and e.task is not None and e.task.born_step < step
        ]
        table.buffers.remeasure(attempts, weight)


async def recheck(table: Table, step: int) -> list[Task]:
    """Run a sample of the stored tasks again; return those whose outputs do not come back.

    The data gate decides whether self-play lasts, whatever the reward (Survive or Collapse, arXiv
    2605.22217): `gate/refuted` shows what got past it.
    """
    config, buffers = table.config, table.buffers
    number = config.buffers.recheck
    seeds = {mode: derive_seed(config.seed, step, mode, "recheck") for mode in Mode if number}
    sample = [
        task
        for mode, seed in seeds.items()
        if buffers.count(mode)
        for task in dict.fromkeys(buffers.draw_batch(mode, number, seed, "uniform"))
    ]
    refuted = await all_or_nothing([table.judge.refutes(task, seeds[task.mode]) for task in sample])
    return [task for task, is_refuted in zip(sample, refuted, strict=True) if is_refuted]


def solver_tasks(table: Table, step: int) -> list[Task]:
    """Draw the tasks of all slots together, in their order.

    If the draw cannot see the step's own proposals (selfplay.same_step_tasks off, or nothing is
    proposed), the steps of a block share one draw, and each takes its part.
    """
    selfplay, buffers = table.config.selfplay, table.buffers
    n, window = selfplay.batch_size, selfplay.update_iteration
    own = solves_after_proposing(selfplay, step)
    first = step if own else block_start(selfplay, step)
    before = None if own else horizon(table.config, step)
    part = slice(n * (step - first), n * (step - first + 1))
    return [
        task
        for mode in selfplay.modes
        for task in buffers.draw_batch(
            mode,
            n if own else n * window,
            derive_seed(table.config.seed, first, mode, "tasks"),
            selfplay.solver_tasks,
            since=(before or first) - window + own,
            before=before,
        )[part]
    ]


def past_of(table: Table, step: int) -> Past:
    """Return the past that this step's proposers see, and solvers without a task of their own."""
    before = horizon(table.config, step) if step > 0 else None  # 0: seeding
    return table.buffers.past(table.config.buffers.reference_sampling, before)


async def together(parts: Sequence[Coroutine[Any, Any, list[Experience]]]) -> list[Experience]:
    """Run all parts at once; return their experiences in the order of the parts."""
    return [experience for part in await all_or_nothing(parts) for experience in part]


async def play_slot(
    table: Table, mode: Mode, step: int, slot: int, task: Task | None
) -> list[Experience]:
    """Play one proposal, its trials, and one solver attempt, unless the trials are the attempts.

    The attempt is at `task` if it was drawn beforehand.
    """
    seed = derive_seed(table.config.seed, step, mode, slot)
    group = f"{mode}/{slot}"
    selfplay = table.config.selfplay
    once, past = [derive_seed(seed, "solve")], past_of(table, step)
    if not proposes(selfplay, step):
        seeds = trial_seeds(table, seed) if selfplay.train_on_trials else once
        return await solve(table, task or past.draw(mode, seed), seeds, group)
    if task is not None or not selfplay.same_step_tasks:
        drawn = task or past.draw(mode, seed)
        return await together(
            [
                propose_and_measure(table, mode, step, slot, seed, group),
                solve(table, drawn, once, group),
            ]
        )
    rollout, ruling = await propose(table, mode, step, seed)
    ruling = await table.appraiser.screen(mode, slot, ruling)
    measured = measure(table, rollout, ruling, seed, group)
    if selfplay.train_on_trials and ruling.task is not None:
        proposal, *trials = await measured
        if Band(*table.config.buffers.band).holds(proposal.solve_rate):
            return [proposal, *trials]
        return [proposal, *await solve(table, past.draw(mode, seed), once, group)]
    task = ruling.task or past.draw(mode, seed)
    return await together([measured, solve(table, task, once, group)])


async def propose_and_measure(
    table: Table, mode: Mode, step: int, slot: int, seed: int, group: str
) -> list[Experience]:
    """Make a proposal and reward it; nobody waits for its task."""
    rollout, ruling = await propose(table, mode, step, seed)
    ruling = await table.appraiser.screen(mode, slot, ruling)
    return await measure(table, rollout, ruling, seed, group)


async def propose(table: Table, mode: Mode, step: int, seed: int) -> tuple[Rollout, Ruling]:
    """Ask for a new task and have it judged."""
    composite, past = table.config.composite, past_of(table, step)
    functions = await functions_to_build_on(
        composite, mode, past, table.judge, step=step, seed=seed
    )
    theme = theme_of(table.config.grounding, seed)
    prompt = table.prompts.proposer(mode, past, seed, functions, theme)
    rollout = await table.policy.sample(replace(prompt, dropout=dropout_of(table.config, step)))
    proposal = rules_of(mode).read_proposal(rollout)
    if isinstance(proposal, ParseFailure):
        return rollout, Ruling(verdict=Verdict.ILL_FORMED, reason=f"parse: {proposal.reason}")
    if rules_of(mode).writes_program and (  # else it was the proposer's to use
        refusal := over_the_curriculum(table.config.curriculum, proposal.program, step)
    ):
        return rollout, refusal
    ruling = await table.judge.admit(proposal, step)
    if ruling.task is not None and not table.prompts.fits(ruling.task):
        return rollout, Ruling(verdict=Verdict.FAILED, reason="too long to ask")
    return rollout, ruling


async def measure(
    table: Table, rollout: Rollout, ruling: Ruling, seed: int, group: str
) -> list[Experience]:
    """Reward a proposal by what its task can still teach: the solve rate of G trials.

    Returns the proposal and, with selfplay.train_on_trials, the trials after it.
    """
    config, trials = table.config, list[Experience]()
    solve_rate = appraisal = None
    if ruling.task is not None:
        seeds = trial_seeds(table, seed)
        graded = await all_or_nothing([attempt(table, ruling.task, one) for one in seeds])
        solve_rate = mean_score([grade for _, grade in graded])
        if config.selfplay.train_on_trials:
            trials = [answered(table, *one, group) for one in graded]
        appraisal = await table.appraiser.appraise(rollout.prompt, ruling.task)
    reward = proposal_reward(ruling.verdict, solve_rate, config.rewards, is_novel=ruling.is_novel)
    if appraisal is not None:
        reward = with_intrinsic(reward, appraisal.merits, config.intrinsic)
    experience = Experience(
        rollout=rollout,
        verdict=ruling.verdict,
        reward=reward,
        reason=ruling.reason,
        task=ruling.task,
        solve_rate=solve_rate,
        appraisal=appraisal,
        group=group,
    )
    table.watch(experience)
    return [experience, *trials]


def trial_seeds(table: Table, seed: int) -> list[int]:
    """Return one seed for each of the G attempts at the same task."""
    num_trials = table.config.selfplay.trials_per_task
    return [derive_seed(seed, "trial", trial) for trial in range(num_trials)]


async def solve(table: Table, task: Task, seeds: Sequence[int], group: str) -> list[Experience]:
    """Solve one task, once for each seed, all at once."""
    attempts = await all_or_nothing([attempt(table, task, seed) for seed in seeds])
    return [answered(table, rollout, grade, group) for rollout, grade in attempts]


def answered(table: Table, rollout: Rollout, grade: Grade, group: str) -> Experience:
    """Make an experience of an attempt; a solver is rewarded for being right."""
    experience = Experience(
        rollout=rollout,
        verdict=grade.verdict,
        reward=answer_reward(grade, table.config.rewards),
        reason=grade.reason,
        task=rollout.prompt.task,  # what was asked: another, if the task was too long to ask
        group=group,
    )
    table.watch(experience)
    return experience


async def attempt(table: Table, task: Task, seed: int) -> tuple[Rollout, Grade]:
    """Play one solver rollout and grade it; trials and solver attempts share this."""
    prompt: Prompt = table.prompts.solver(task, table.buffers.past("uniform", table.before), seed)
    rollout = await table.policy.sample(prompt)
    answer = rules_of(task.mode).read_answer(rollout)
    if isinstance(answer, ParseFailure):
        return rollout, Grade(verdict=Verdict.ILL_FORMED, reason=f"parse: {answer.reason}")
    return rollout, await table.judge.grade(prompt.task or task, answer)


def mean_score(grades: Sequence[Grade]) -> float:
    """Return the share of trials that passed, in [0, 1]."""
    return sum(grade.verdict is Verdict.PASSED for grade in grades) / len(grades)
