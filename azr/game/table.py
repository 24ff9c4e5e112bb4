"""What the game is played with."""

from collections.abc import Callable
from dataclasses import dataclass

from azr.config.run import RunConfig
from azr.game.modes.prompts import Prompts
from azr.game.rewards.appraiser import Appraiser
from azr.ports import Buffers, Judge, Sampler
from azr.types import Experience

__all__ = ["Table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Everything the game needs."""

    config: RunConfig
    policy: Sampler
    judge: Judge
    buffers: Buffers
    prompts: Prompts
    """Writes prompts in the run's envelope, within its token budget."""
    appraiser: Appraiser
    """Screens valid proposals for novelty, and says what they are worth besides learnability."""
    watch: Callable[[Experience], None] = lambda _: None
    """Gets every experience as soon as it exists, for the live display."""
    before: int | None = None
    """Of a step that is played ahead: the first step whose tasks it does not know; None = it knows
    all that are stored."""
