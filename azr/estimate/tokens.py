"""How many rollouts and tokens one step costs: an upper bound that holds, and an assumed middle."""

from dataclasses import dataclass

from azr.config import RunConfig

__all__ = ["ASSUMED", "StepTokens", "step_tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What nobody knows before a run. No source: take a run's own `valid/*` and `length/*`."""

    valid: float = 0.5
    """Share of the proposals that become tasks, whose trials are then sampled."""
    prompt: float = 0.25
    """A prompt's length, as a share of rollout.max_prompt_tokens."""
    completion: float = 0.125
    """A completion's, as a share of rollout.max_completion_tokens."""


ASSUMED = Assumed()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTokens:
    """Of one step."""

    proposals: int
    trials: float
    """Solver rollouts that only measure how hard a task is."""
    answers: int
    sampled: float
    """Completion tokens."""
    read: float
    """Prompt tokens, those of the engine's prefix cache included."""
    trained: float
    """Tokens of the rollouts that the update reads."""

    @property
    def rollouts(self) -> float:
        """All of them."""
        return self.proposals + self.trials + self.answers


def step_tokens(config: RunConfig, assumed: Assumed | None = None) -> StepTokens:
    """At most, or with what is assumed."""
    share = assumed or Assumed(valid=1.0, prompt=1.0, completion=1.0)
    slots = len(config.selfplay.modes) * config.selfplay.batch_size
    proposals = slots if config.selfplay.train_proposer else 0
    trials = proposals * share.valid * config.selfplay.trials_per_task
    prompt = share.prompt * config.rollout.max_prompt_tokens
    completion = share.completion * config.rollout.max_completion_tokens
    rollouts = proposals + trials + slots
    return StepTokens(
        proposals=proposals,
        trials=trials,
        answers=slots,
        sampled=rollouts * completion,
        read=rollouts * prompt,
        trained=config.rollouts_per_step * (prompt + completion),
    )
