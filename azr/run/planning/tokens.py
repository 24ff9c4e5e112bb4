"""How many rollouts and tokens one step costs: an upper bound that holds, and an assumed middle."""

from dataclasses import dataclass

from azr.config.run import RunConfig

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
    """Solver rollouts that measure how hard a new task is."""
    answers: float
    sampled: float
    """Completion tokens."""
    read: float
    """Prompt tokens, those of the engine's prefix cache included."""
    trained: float
    """Tokens of the rollouts that the update reads, in all epochs; shared prompts count anew."""

    @property
    def rollouts(self) -> float:
        """All of them."""
        return self.proposals + self.trials + self.answers


def step_tokens(config: RunConfig, assumed: Assumed | None = None) -> StepTokens:
    """At most, or with what is assumed."""
    share = assumed or Assumed(valid=1.0, prompt=1.0, completion=1.0)
    slots = len(config.selfplay.modes) * config.selfplay.batch_size
    play = config.selfplay
    proposals = slots if play.train_proposer else 0
    trials = proposals * share.valid * play.trials_per_task
    answers = float(slots)
    if play.train_on_trials and play.train_proposer:
        answers = slots * (1 - share.valid)  # where there is a new task, its trials are enough
    elif play.train_on_trials:
        answers = slots * play.trials_per_task
    learnt_from = proposals + answers + (trials if play.train_on_trials else 0)
    prompt = share.prompt * config.rollout.max_prompt_tokens
    completion = share.completion * config.rollout.max_completion_tokens
    rollouts = proposals + trials + answers
    return StepTokens(
        proposals=proposals,
        trials=trials,
        answers=answers,
        sampled=rollouts * completion,
        read=rollouts * prompt,
        trained=config.learner.epochs * learnt_from * (prompt + completion),
    )
