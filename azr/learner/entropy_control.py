"""An entropy bonus that keeps the policy's entropy at a target or above.

This is Skywork-OR1's adaptive entropy control (arXiv 2505.22312, MAGIC). A coefficient c rises by a
fixed step while the entropy is below the target, and falls while it is above. The bonus is c while
the entropy is at most the target, and 0 otherwise. In addition, c has an upper bound here, and the
entropy is that of the update before, as the learner measured it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from azr.config.run import LearnerConfig

__all__ = ["EntropyControl"]


@dataclass(slots=True)
class EntropyControl:
    """The controller. Its state depends on the entropies it has seen; checkpoints hold it."""

    target: float
    """Nats per token."""
    step: float
    limit: float
    """Largest value of c; the smallest is 0."""
    integrator: float
    """c."""
    entropy: float | None = None
    """Entropy of the last update; None before the first."""

    @classmethod
    def of(cls, config: LearnerConfig, entropy_coef: float) -> "EntropyControl | None":
        """Start at the run's own coefficient; None if the run has no target."""
        if config.entropy_target == 0:
            return None
        return cls(config.entropy_target, config.entropy_step, config.entropy_limit, entropy_coef)

    @property
    def coefficient(self) -> float:
        """Weight of the entropy bonus in the next update."""
        is_above = self.entropy is not None and self.entropy > self.target
        return 0.0 if is_above else self.integrator

    def observe(self, entropy: float) -> None:
        """Take note of an update's mean entropy, in nats per token."""
        self.entropy = entropy
        moved = self.integrator + (self.step if entropy < self.target else -self.step)
        if entropy != self.target:
            self.integrator = min(max(moved, 0.0), self.limit)

    def state(self) -> dict[str, float | None]:
        """Return what a resumed run needs."""
        return {"integrator": self.integrator, "entropy": self.entropy}

    def restore(self, state: Mapping[str, float | None]) -> None:
        """Continue from `state()`."""
        self.integrator, self.entropy = state["integrator"] or 0.0, state["entropy"]
