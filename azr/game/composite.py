"""Composite tasks: proposals that must build on programs of the past (paper, D.2).

    past programs -> functions g_0, g_1, ... (the judge renames them in the guest) -> prompt
    -> f, which calls them all -> the judge checks that, and runs functions and f as one program

The step decides how often and with how many functions; the seed decides which programs. Nothing
that is drawn is edited. (AZR's code renames shared records in place.)
"""

from dataclasses import dataclass
from random import Random

from azr.config.run import CompositeConfig
from azr.game.modes import rules_of
from azr.ports import Judge, Past
from azr.seeds import derive_seed
from azr.types import Mode

__all__ = ["Odds", "functions_to_build_on", "odds_at"]

MAX_CANDIDATES = 24
"""Tasks drawn to find programs to build on. Some are composite themselves; some cannot be renamed.
"""

GROWS_FROM, GROWS_EVERY = 101, 50
CHANCE_GAIN, MAX_CHANCE = 0.01, 0.8
MAX_FUNCTIONS = 3
"""The steps of the schedule, and how far it goes. (AZR: scheduler_step)"""


@dataclass(frozen=True, slots=True)
class Odds:
    """How a step's proposals are composed."""

    chance: float
    """Probability that a proposal must build on functions, in [0, 1]."""
    n_max: int
    """Most functions that a proposal gets."""


def odds_at(config: CompositeConfig, step: int) -> Odds:
    """Return the odds at a step: chance 0 before the start, then constant or growing as scheduled.

    With the schedule, both gain one increment at GROWS_FROM + k * GROWS_EVERY for each k >= 1, up
    to their caps. A configured value above its cap stays. (AZR's code: scheduler_step)
    """
    if config.start_step < 0 or step < config.start_step:
        return Odds(0.0, config.n_max)
    if not config.schedule:
        return Odds(config.chance, config.n_max)
    increments = max(step - GROWS_FROM, 0) // GROWS_EVERY
    chance = min(config.chance + increments * CHANCE_GAIN, MAX_CHANCE)
    n_max = min(config.n_max + increments, MAX_FUNCTIONS)
    return Odds(max(config.chance, chance), max(config.n_max, n_max))


async def functions_to_build_on(
    config: CompositeConfig, mode: Mode, past: Past, judge: Judge, *, step: int, seed: int
) -> tuple[str, ...]:
    """Return sources of g_0, g_1, ... for one proposal.

    Most proposals get none, and so do all if no program can be used. Programs are drawn as
    references are, from the mode's own tasks that are not composite.

    Raises:
        ExecutorUnavailable: The machinery failed.
    """
    odds = odds_at(config, step)
    if odds.chance == 0.0 or not rules_of(mode).writes_program:
        return ()
    draws = Random(derive_seed(seed, "composite"))  # noqa: S311 - not for secrets
    if draws.random() >= odds.chance:
        return ()
    count = draws.randint(config.n_min, odds.n_max)
    drawn = past.references(mode, MAX_CANDIDATES, derive_seed(seed, "composite", "tasks"))
    programs = dict.fromkeys(task.program for task in drawn if not task.functions)
    return await judge.compose(tuple(programs), count) if programs else ()
