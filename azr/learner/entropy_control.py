"""An entropy bonus that keeps the policy's entropy at a target or above.

This is Skywork-OR1's adaptive entropy control (arXiv 2505.22312, MAGIC). A coefficient c rises by a
fixed step while the entropy is below the target, and falls while it is above. The bonus is c while
the entropy is at most the target, and 0 otherwise. In addition, c has an upper bound here, and the
entropy is that of the update before, as the learner measured it.

With one control for all streams, one can take what another needs: proposers with much entropy keep
the mean above the target while solvers have none left. So each stream can have a control of its own
(learner.entropy_scope).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azr.config.run import LearnerConfig
from azr.types import STREAMS, stream_name

__all__ = ["ALL", "EntropyControl", "EntropyControls"]

ALL = ""
"""The scope of a control that looks at all tokens."""


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


class EntropyControls:
    """The controls of a run, by scope: the name of a stream, or ALL."""

    def __init__(self, config: LearnerConfig, entropy_coef: float) -> None:
        """Start all controls at the run's own coefficient; without a target there is none."""
        self._constant = entropy_coef
        self._is_by_stream = config.entropy_scope == "stream"
        scopes = map(stream_name, STREAMS) if self._is_by_stream else (ALL,)
        targets = {s: config.entropy_targets.get(s, config.entropy_target) for s in scopes}
        self._of = {
            scope: EntropyControl(target, config.entropy_step, config.entropy_limit, entropy_coef)
            for scope, target in targets.items()
            if target > 0
        }

    @property
    def are_on(self) -> bool:
        """Whether there is a control."""
        return bool(self._of)

    def scope_of(self, stream: str) -> str:
        """Return the scope whose coefficient a stream's tokens have."""
        return stream if self._is_by_stream else ALL

    def coefficient(self, scope: str) -> float:
        """Return the weight of this scope's entropy bonus in the next update."""
        return self._of[scope].coefficient if scope in self._of else self._constant

    def observe(self, totals: Mapping[str, float]) -> dict[str, float]:
        """Let an update's entropies move the coefficients of the next.

        Args:
            totals: `tokens <scope>` and `entropy <scope>` (a sum, in nats) of each scope.

        Returns:
            Metrics: the coefficients that the update used, and each stream's entropy.
        """
        metrics: dict[str, float] = {}
        for scope, control in self._of.items():
            if tokens := totals.get(f"tokens {scope}", 0.0):
                entropy = totals[f"entropy {scope}"] / tokens
                metrics[f"entropy_coef/{scope}".rstrip("/")] = control.coefficient
                if scope != ALL:
                    metrics[f"exact_entropy/{scope}"] = entropy
                control.observe(entropy)
        return metrics

    def state(self) -> dict[str, dict[str, float | None]]:
        """Return what a resumed run needs."""
        return {scope: control.state() for scope, control in self._of.items()}

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Continue from `state()`; a scope that had no control then starts anew.

        Args:
            state: In older checkpoints, the state of the one control, or None.
        """
        found = state or {}
        by_scope = {ALL: found} if "integrator" in found else found
        for scope in self._of.keys() & by_scope.keys():
            self._of[scope].restore(by_scope[scope])
