"""Profiles the programs of valid proposals, screens them for novelty, and values them.

If proposals of a step are compared with each other, each slot of a mode waits here until all slots
have brought theirs, and the order of slots decides. The result depends on the buffers and the
proposals alone, not on which coroutine came first.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from azr.config.run import RunConfig
from azr.game.modes import rules_of
from azr.game.rewards.history import History
from azr.game.rewards.intrinsic import program_merits
from azr.game.rewards.memory import with_likeness_paid
from azr.game.rewards.novelty import NOT_NOVEL, copy_key, objections, with_repetition_penalty
from azr.ports import Buffers, Judge
from azr.types import (
    Appraisal,
    Experience,
    Merits,
    Mode,
    Profile,
    Prompt,
    Role,
    Ruling,
    Task,
    Verdict,
)

__all__ = ["Appraiser"]

MAX_KNOWN = 65_536
"""Profiles kept in memory; a profile is a pure function of the program's text."""


class Barrier:
    """Where the rulings of one mode and step wait for each other."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._rulings: dict[int, Ruling] = {}
        self._screened: asyncio.Future[dict[int, Ruling]] | None = None

    async def bring(self, slot: int, ruling: Ruling, appraiser: "Appraiser") -> Ruling:
        """Wait until every slot has brought its ruling; return this one after screening."""
        if self._screened is None:
            self._screened = asyncio.get_running_loop().create_future()
        self._rulings[slot] = ruling
        if len(self._rulings) == self._slots:
            order = sorted(self._rulings)
            screened = await appraiser.screen_all([self._rulings[slot] for slot in order])
            self._screened.set_result(dict(zip(order, screened, strict=True)))
        return (await asyncio.shield(self._screened))[slot]


class Appraiser:
    """Keeps profiles and history; a run has one for each step that may be under way.

    `known` are profiles to begin with, by program; those that come are added.
    """

    def __init__(
        self,
        config: RunConfig,
        judge: Judge,
        buffers: Buffers,
        known: dict[str, Profile | None] | None = None,
    ) -> None:
        self._config = config
        self._judge = judge
        self._buffers = buffers
        self._known: dict[str, Profile | None] = {} if known is None else known
        self._history = History(buffers, self.profiles, config.novelty)
        self._barriers: dict[Mode, Barrier] = {}

    def another(self) -> "Appraiser":
        """One for another step: it shares the profiles, and has a history of its own."""
        return Appraiser(self._config, self._judge, self._buffers, self._known)

    async def profiles(self, programs: Sequence[str]) -> list[Profile | None]:
        """Return the programs' profiles, in order; the guest is asked for new ones."""
        profiles = {p: self._known[p] for p in programs if p in self._known}
        unknown = [p for p in dict.fromkeys(programs) if p not in profiles]
        asked = await self._judge.profile(unknown) if unknown else []
        found = dict(zip(unknown, asked, strict=True))
        self._known.update(found)
        while len(self._known) > MAX_KNOWN:  # others may wait for the guest meanwhile
            del self._known[next(iter(self._known))]
        profiles.update(found)
        return [profiles[p] for p in programs]

    async def profiles_of(self, tasks: Sequence[Task]) -> list[Profile | None]:
        """Return profiles of the tasks' own programs, without the functions that were given."""
        return await self.profiles([task.own_program for task in tasks])

    async def begin(self, slots: int, before: int | None = None) -> None:
        """Start a step or a round of seeding: catch up with the buffers.

        Args:
            slots: How many rulings of each mode `screen` will get, one per slot.
            before: Leave out the tasks born at this step or later; None = include all.
        """
        await self._history.catch_up(before)
        self._barriers = {mode: Barrier(slots) for mode in Mode}

    def forget(self) -> None:
        """Derive the history from the buffers once more: some of their tasks were taken out."""
        self._history.start_over()

    async def screen(self, mode: Mode, slot: int, ruling: Ruling) -> Ruling:
        """Return the ruling, or a refusal if the task is not novel.

        Returns at once unless proposals of a step are compared with each other.
        """
        if self._config.novelty.compares and rules_of(mode).writes_program:
            return await self._barriers[mode].bring(slot, ruling, self)
        return (await self.screen_all([ruling]))[0]

    async def screen_all(self, rulings: Sequence[Ruling]) -> list[Ruling]:
        """Do the same for several, in the order of their slots."""
        config, screened = self._config.novelty, list(rulings)
        if not (config.compares or config.min_nodes or config.require_use_of_input):
            return screened
        for mode in Mode:
            if not rules_of(mode).writes_program:
                continue
            valid = [(i, r.task) for i, r in enumerate(rulings) if r.task and r.task.mode is mode]
            places, tasks = [i for i, _ in valid], [task for _, task in valid]
            candidates = list(zip(tasks, await self.profiles_of(tasks), strict=True))
            reasons = objections(candidates, self._history.of(mode).past, config)
            for place, reason in zip(places, reasons, strict=True):
                if reason:
                    screened[place] = not_novel(reason)
        return screened

    async def appraise(self, prompt: Prompt, task: Task) -> Appraisal:
        """What the task that came of this proposer's prompt is like, and worth."""
        profile, *shown = await self.profiles_of([task, *prompt.references])
        rules, seen = rules_of(task.mode), self._history.of(task.mode)
        merits, likeness = Merits(), None
        if profile is not None and rules.writes_program:
            merits = program_merits(profile, [p for p in shown if p])
            likeness = seen.memory.likeness(profile)
        how = self._config.intrinsic.surprise
        counted = {"inputs": seen.inputs, "outputs": seen.outputs}
        diversities = {
            rarity.merit: counted[rarity.part].mean_surprise(rarity.texts, how)
            for rarity in rules.rarities(task)
        }
        merits = replace(merits, **diversities)
        return Appraisal(profile=profile, merits=merits, likeness=likeness)

    async def storable(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the tasks that enter the buffers; copies do not if novelty.dedupe = structure."""
        if self._config.novelty.dedupe != "structure":
            return list(tasks)
        await self._history.catch_up()  # nothing new in a step: of use to seed files
        profiles = await self.profiles_of(tasks)
        fresh: set[tuple[Mode, str]] = set()
        kept: list[Task] = []
        for task, profile in zip(tasks, profiles, strict=True):
            key = copy_key(task, profile)
            past = self._history.of(task.mode).past.copies
            is_copy = key in past or (task.mode, key) in fresh
            if not (is_copy and rules_of(task.mode).writes_program):
                kept.append(task)
                fresh.add((task.mode, key))
        return kept

    def price_repetition(self, experiences: Sequence[Experience]) -> list[Experience]:
        """A step's experiences, proposals paid less for being like others; same order."""
        paid = with_likeness_paid(experiences, self._config.novelty)
        batch_size = self._config.selfplay.batch_size
        if self._config.novelty.repetition_penalty == 0:
            return paid
        for mode in Mode:
            if not rules_of(mode).writes_program:
                continue
            places = [i for i, e in enumerate(paid) if e.stream == (Role.PROPOSER, mode)]
            dear = with_repetition_penalty(
                [paid[i] for i in places], batch_size, self._config.novelty
            )
            for place, experience in zip(places, dear, strict=True):
                paid[place] = experience
        return paid


def not_novel(reason: str) -> Ruling:
    """Refuse a valid proposal."""
    assert reason.startswith(NOT_NOVEL), reason
    return Ruling(verdict=Verdict.FAILED, reason=reason, is_novel=False)
