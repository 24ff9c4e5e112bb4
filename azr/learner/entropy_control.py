"""An entropy bonus that holds the policy's entropy up to a target.

Skywork-OR1's adaptive entropy control (arXiv 2505.22312, MAGIC): an integrator c rises by a
fixed step while the entropy is below the target and falls while it is above; the bonus is c
where the entropy is at most the target and 0 elsewhere. Here c has an upper bound too, and the
entropy is that of the update before, as the learner measured it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from azr.config.run import LearnerConfig

__all__ = ["EntropyControl"]


@dataclass(slots=True)
class EntropyControl:
    """Its state is a function of the entropies it has seen, and part of a checkpoint."""

    target: float
    """Nats a token."""
    step: float
    limit: float
    """Of c, which is at least 0."""
    integrator: float
    """c."""
    entropy: float | None = None
    """Of the last update; None before the first."""

    @classmethod
    def of(cls, config: LearnerConfig, entropy_coef: float) -> "EntropyControl | None":
        """Start at the run's own coefficient; None if no target is set."""
        if config.entropy_target == 0:
            return None
        return cls(config.entropy_target, config.entropy_step, config.entropy_limit, entropy_coef)

    @property
    def coefficient(self) -> float:
        """Weight of the entropy bonus in the next update."""
        is_above = self.entropy is not None and self.entropy > self.target
        return 0.0 if is_above else self.integrator

    def observe(self, entropy: float) -> None:
        """Take note of an update's mean entropy, in nats a token."""
        self.entropy = entropy
        moved = self.integrator + (self.step if entropy < self.target else -self.step)
        if entropy != self.target:
            self.integrator = min(max(moved, 0.0), self.limit)

    def state(self) -> dict[str, float | None]:
        """What a resumed run needs."""
        return {"integrator": self.integrator, "entropy": self.entropy}

    def restore(self, state: Mapping[str, float | None]) -> None:
        """Go on from `state()`."""
        self.integrator, self.entropy = state["integrator"] or 0.0, state["entropy"]
