"""The proof that the engine samples from the learner's weights, made after every update.

Two ways in, because the engine has two: a whole prompt at once (most layers, all positions),
and a prompt continued token by token, whose keys and values may come from the prefix cache and
whose log-probabilities come out of the sampler, as a rollout's do.
"""

import math
from collections.abc import Sequence

from azr.config import RolloutConfig
from azr.errors import StaleWeights
from azr.policy.engine import Engine, Request
from azr.ports import Weights

__all__ = ["Probe"]

NUM_SAMPLED = 8
KEY = -1
"""The request's name; those of rollouts count up from 0."""


class Probe:
    """Compares an engine with the learner on one known text."""

    def __init__(self, token_ids: Sequence[int], config: RolloutConfig) -> None:
        self._ids = tuple(token_ids)[: max(2, len(token_ids) - NUM_SAMPLED)]
        self._config = config

    def check(self, engine: Engine, weights: Weights, version: int) -> dict[str, float]:
        """Return the differences found.

        Raises:
            StaleWeights: They are above rollout.probe_tolerance (or _bf16).
        """
        sampled_ids, sampled = self._continue(engine)
        expected = weights.probe_logprobs(self._ids + sampled_ids)
        found = engine.prompt_logprobs(self._ids) + sampled
        differences = [abs(a - b) for a, b in zip(found, expected, strict=True)]
        mean, worst = sum(differences) / len(differences), max(differences)
        name, value, limit = (
            ("largest", worst, self._config.probe_tolerance)
            if engine.is_exact and weights.is_exact
            else ("mean", mean, self._config.probe_tolerance_bf16)
        )
        if not (value <= limit and math.isfinite(mean)):  # max() can lose a nan, a sum cannot
            raise StaleWeights(
                f"after version {version} was pushed, the engine's log-probabilities differ from"
                f" the learner's: {name} difference {value:.2g}, tolerance {limit:.2g}, over"
                f" {len(differences)} tokens (mean {mean:.2g}, largest {worst:.2g}). The engine"
                " does not sample from the weights that are trained: stop, and see"
                ' azr/policy/vllm_engine.py; rollout.engine = "transformers" works without it'
            )
        return {"sync/probe_mean_abs": mean, "sync/probe_max_abs": worst}

    def _continue(self, engine: Engine) -> tuple[tuple[int, ...], list[float]]:
        request = Request(
            prompt_ids=self._ids, max_tokens=NUM_SAMPLED, seed=0, temperature=1.0, stop=()
        )
        engine.add(KEY, request)
        while engine.num_running:
            for _, sampled in engine.step():
                return sampled.ids, list(sampled.logprobs)
        return (), []
