"""What happens in which step: who plays, which past a draw may see, how long a program may be.

Everything is a function of (configuration, step), so a resumed run does what it would have done.
"""

from azr.config.run import CurriculumConfig, RunConfig, SelfPlayConfig
from azr.seeds import derive_seed
from azr.types import Dropout, Ruling, Verdict, count_lines

__all__ = [
    "block_start",
    "draws_batches",
    "dropout_of",
    "horizon",
    "line_limit",
    "over_the_curriculum",
    "proposes",
    "slots_in",
    "solves_after_proposing",
]

SAME_STEP = "same_step"
"""selfplay.solver_tasks: each slot solves its own proposal, so nothing is drawn for the batch."""


def proposes(config: SelfPlayConfig, step: int) -> bool:
    """Tell whether tasks are proposed in this step, to train the proposer or for the buffers.

    Not in the first selfplay.pretrain_solver_steps. (AZR's code: pretrain_pred)
    """
    is_pretraining = 1 <= step <= config.pretrain_solver_steps  # step 0 is seeding
    return (config.train_proposer or config.propose_untrained) and not is_pretraining


def slots_in(config: SelfPlayConfig, step: int) -> int:
    """Count the slots of all streams; each gives one experience, or the trials of a task."""
    return (1 + proposes(config, step)) * len(config.modes) * config.batch_size


def draws_batches(config: SelfPlayConfig) -> bool:
    """Tell whether a mode's solver tasks are drawn together, from the buffers."""
    return config.solver_tasks != SAME_STEP


def solves_after_proposing(config: SelfPlayConfig, step: int) -> bool:
    """Tell whether this step's tasks must be measured and stored before solvers get theirs."""
    return draws_batches(config) and config.same_step_tasks and proposes(config, step)


def block_start(config: SelfPlayConfig, step: int) -> int:
    """Return the first step of the block of selfplay.update_iteration steps that holds `step`.

    The prompts of a block are drawn from the buffers as they were before it. (AZR's code: fit
    makes the loaders of train_batch_size * update_iteration prompts once for so many updates.)
    """
    return step - (step - 1) % config.update_iteration


def horizon(config: RunConfig, step: int) -> int:
    """Return the first step whose tasks the prompts of `step` cannot be made of; seeds always can.

    It is the step itself, or the block's first; with rollout.max_staleness so many steps before it,
    since these may be under way when the play of this step begins.
    """
    return max(1, block_start(config.selfplay, step) - config.rollout.max_staleness)


def line_limit(config: CurriculumConfig, step: int) -> int | None:
    """Return the most non-blank lines that a program of this step may have; None = any number."""
    if not config.lines_from:
        return None
    share = min(max(step, 0) / config.steps, 1.0)
    return round(config.lines_from + share * (config.lines_to - config.lines_from))


def over_the_curriculum(config: CurriculumConfig, program: str, step: int) -> Ruling | None:
    """Refuse a program that is too long for this step; None if it is not."""
    limit = line_limit(config, step)
    if limit is None or count_lines(program) <= limit:
        return None
    return Ruling(verdict=Verdict.FAILED, reason="over the curriculum")


def dropout_of(config: RunConfig, step: int) -> Dropout | None:
    """The words that all proposers of a step do without (rollout.vocabulary_dropout)."""
    share = config.rollout.vocabulary_dropout
    return Dropout(share, derive_seed(config.seed, step, "vocabulary")) if share else None
