"""The model makes its own first tasks, starting from the identity program; it needs no data.

All proposals of a round run at once. Modes that share seeds are filled together: deduction and
abduction are about the same triplets. If a mode's proposers are shown programs of other modes, as
in induction, those other modes are filled first.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from azr.errors import ModelError
from azr.game.modes import rules_of
from azr.game.selfplay import propose
from azr.game.table import Table
from azr.game.tasks.buffers import TaskBuffers
from azr.gather import all_or_nothing
from azr.seeds import derive_seed
from azr.types import Mode, Ruling, Task

__all__ = ["SeedingProgress", "seed_buffers"]

logger = logging.getLogger(__name__)

MAX_BARREN_ROUNDS = 8
"""After so many rounds in a row without a new task, the model is taken to have no more."""

SEED_STEP = 0
"""Seeds are born before step 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedingProgress:
    """The state of seeding after a round."""

    modes: tuple[Mode, ...]
    """The modes whose buffers this phase fills."""
    round: int
    """Counts from 1 in every phase."""
    proposals: int
    """Proposals of this round."""
    valid: int
    """Valid proposals of this round, including repetitions."""
    tasks: int
    """Tasks in the emptiest of those buffers."""
    target: int
    reasons: tuple[str, ...] = ()
    """Why the other proposals of this round are not tasks; one word each, in order."""


async def seed_buffers(
    table: Table,
    buffers: TaskBuffers,
    on_progress: Callable[[SeedingProgress], None] | None = None,
) -> None:
    """Fill each mode's buffer up to buffers.seed_tasks, as far as the model can.

    If the model falls short of the target, this only warns: self-play keeps growing the buffers,
    and solvers get only tasks that exist.

    Args:
        table: Its `buffers` are the same object.
        buffers: Tasks that are there already (from a seed file) count.
        on_progress: Called after every round.

    Raises:
        ModelError: The model made no valid task at all for some mode.
        ExecutorUnavailable: The machinery failed.
    """
    played = table.config.selfplay.modes
    phases = _phases(played)
    buffers.add_zero_tasks([mode for filled in phases for mode in filled])
    for filled in phases:
        # modes whose programs another one needs are filled though none of them is in play
        asked = tuple(mode for mode in filled if mode in played) or filled
        await _fill(table, buffers, asked, filled, on_progress)


def _phases(played: Sequence[Mode]) -> list[tuple[Mode, ...]]:
    """Which buffers are filled together, one after another."""
    needed = [
        need for mode in Mode if mode in played for need in (*rules_of(mode).programs_from, mode)
    ]
    return list(dict.fromkeys(rules_of(mode).seeds_for for mode in needed))


async def _fill(
    table: Table,
    buffers: TaskBuffers,
    asked: Sequence[Mode],
    filled: Sequence[Mode],
    on_progress: Callable[[SeedingProgress], None] | None,
) -> None:
    """Propose in the modes `asked` until every buffer of `filled` has reached the target."""
    config = table.config
    target = config.buffers.seed_tasks
    barren = number = 0
    while _fewest(buffers, filled) < target:
        if number == config.buffers.max_seed_rounds or barren == MAX_BARREN_ROUNDS:
            _stop_short(buffers, filled, number, target)
            return
        number += 1
        rulings = await _round(table, asked, filled[0], number)
        tasks = [ruling.task for ruling in rulings if ruling.task is not None]
        tasks = await table.appraiser.storable(tasks)
        room = target - _fewest(buffers, filled)
        new = _add(buffers, tasks, filled, room)
        barren = 0 if new else barren + 1
        if on_progress is not None:
            on_progress(
                SeedingProgress(
                    modes=tuple(filled),
                    round=number,
                    proposals=len(rulings),
                    valid=len(tasks),
                    tasks=_fewest(buffers, filled),
                    target=target,
                    reasons=tuple(r.reason for r in rulings if r.reason),
                )
            )


async def _round(table: Table, asked: Sequence[Mode], filled: Mode, number: int) -> list[Ruling]:
    """One batch of proposals, all at once; the modes take turns.

    All become tasks of the mode `filled`, whose buffer says what is novel.
    """
    await table.appraiser.begin(table.config.selfplay.batch_size)
    slots = [
        propose(table, asked[slot % len(asked)], SEED_STEP, _seed(table, number, slot))
        for slot in range(table.config.selfplay.batch_size)
    ]
    rulings = [ruling for _, ruling in await all_or_nothing(slots)]
    rulings = [
        r if r.task is None else replace(r, task=replace(r.task, mode=filled)) for r in rulings
    ]
    return await table.appraiser.screen_all(rulings)


def _seed(table: Table, number: int, slot: int) -> int:
    return derive_seed(table.config.seed, "seeding", number, slot)


def _add(buffers: TaskBuffers, tasks: Sequence[Task], filled: Sequence[Mode], room: int) -> int:
    """Add up to `room` new tasks, each to every one of the buffers; returns how many are new."""
    added = 0
    for task in tasks:
        if added == room:
            break
        added += buffers.add([replace(task, mode=mode) for mode in filled]) > 0
    return added


def _fewest(buffers: TaskBuffers, modes: Sequence[Mode]) -> int:
    return min(buffers.count(mode) for mode in modes)


def _stop_short(buffers: TaskBuffers, modes: Sequence[Mode], rounds: int, target: int) -> None:
    """Warn, or raise where there is nothing but the zero task."""
    tasks = _fewest(buffers, modes)
    names = " and ".join(modes)
    if tasks <= 1:
        raise ModelError(
            f"the model made no valid {names} task in {rounds} rounds: small models need"
            " selfplay.envelope = 'completion', others more rollout.max_completion_tokens;"
            " or start from buffers.seed_file"
        )
    logger.warning(
        "seeding stopped at %d of %d %s tasks after %d rounds", tasks, target, names, rounds
    )
