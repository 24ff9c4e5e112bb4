"""The proof that the engine samples from the learner's weights, made after every update.

Exact first: the engine's receipt must name this version, and for each parameter the checksum that
the learner's bits have (azr.models.checksums). A push, a layer or a rank that was missed is then
found in any precision.

Then as a floor what no checksum of what was sent can see, a packed head that stayed old or keys
and values of old weights: the engine's log-probabilities of a known text. Two ways in, because the
engine has two: a whole prompt at once (most layers, all positions), and a prompt continued token by
token, whose keys and values may come from the prefix cache and whose log-probabilities come out of
the sampler, as a rollout's do.

In 16 bits engine and learner never agree on these, and how far they are apart grows as training
makes the known text unlikely: 0.04 nats on average became 0.26 in 18 healthy steps, and ended a run
(docs/LOG.md). So the tolerance follows what rounding does to these very weights.
"""

import logging
import math
from collections.abc import Callable, Sequence

from azr.config.run import RolloutConfig
from azr.errors import StaleWeights
from azr.models.checksums import Receipt
from azr.models.weights import TorchWeights
from azr.rollout.engine import Engine
from azr.rollout.prompt_tokens import Renderer
from azr.rollout.requests import Request, Sampled

__all__ = ["Probe", "check_receipt"]

log = logging.getLogger(__name__)

MAX_TOKENS = 256
NUM_SAMPLED = 8
KEY = -1
"""The request's name; those of rollouts count up from 0."""
ROUNDINGS = 2.0
"""Engine and learner may be so many times further apart than the learner's own rounding: they
round in other places. Measured: 0.8 to 1.1 times."""

Answer = Callable[[int, Sampled], None]


def nobody(key: int, sampled: Sampled) -> None:
    """Of a proof beside which nothing else is under way."""
    raise AssertionError(f"request {key} is under way: {len(sampled.ids)} tokens would be lost")


class Probe:
    """Compares an engine with the learner on one known text."""

    def __init__(self, token_ids: Sequence[int], config: RolloutConfig) -> None:
        self.ids = tuple(token_ids)[: max(2, len(token_ids) - NUM_SAMPLED)]
        self._config = config

    @classmethod
    def of(cls, renderer: Renderer, config: RolloutConfig) -> "Probe":
        """The proof on the known text in a model's tokens: the same on every rank."""
        return cls(renderer.probe_ids(min(MAX_TOKENS, config.max_prompt_tokens)), config)

    def check(
        self,
        engine: Engine,
        weights: TorchWeights,
        version: int,
        answer: Answer = nobody,
    ) -> dict[str, float]:
        """Return the differences found; `answer` is told of other requests that finish meanwhile.

        Raises:
            StaleWeights: The engine was not given this version of these weights, or its
                log-probabilities differ by more than rollout.probe_tolerance (or _bf16, or twice
                what rounding does to these weights).
        """
        sampled_ids, sampled = self._continue(engine, answer)
        ids = self.ids + sampled_ids
        # on every rank, whatever it found: the learner's part may be a collective
        sent = Receipt(version, weights.checksums(self._config.dtype))
        expected = weights.probe_logprobs(ids)
        is_exact = engine.is_exact and weights.is_exact
        rounding = None if is_exact else weights.probe_rounding(ids, expected)
        check_receipt(engine.receipt, sent)
        return self.judge(engine.prompt_logprobs(self.ids) + sampled, expected, version, rounding)

    def judge(
        self,
        found: Sequence[float],
        expected: Sequence[float],
        version: int,
        rounding: float | None,
    ) -> dict[str, float]:
        """Return the differences of log-probabilities; `rounding` is None if both are in float32.

        Raises:
            StaleWeights: They are too large.
        """
        differences = [abs(a - b) for a, b in zip(found, expected, strict=True)]
        mean, worst = sum(differences) / len(differences), max(differences)
        figures = {"sync/probe_mean_abs": mean, "sync/probe_max_abs": worst}
        if rounding is None:
            name, value, limit = "largest", worst, self._config.probe_tolerance
        else:
            figures["sync/probe_rounding"] = rounding
            name, value, limit = "mean", mean, self._limit(rounding)
        if not (value <= limit and math.isfinite(mean)):  # max() can lose a nan, a sum cannot
            raise StaleWeights(
                f"after version {version} was pushed, the engine's log-probabilities differ from"
                f" the learner's: {name} difference {value:.2g}, tolerance {limit:.2g}, over"
                f" {len(differences)} tokens (mean {mean:.2g}, largest {worst:.2g}). The engine"
                " does not sample from the weights that are trained: stop, and see"
                ' azr/rollout/vllm_engine.py; rollout.engine = "transformers" works without it'
            )
        return figures

    def _limit(self, rounding: float) -> float:
        """The largest mean difference in 16 bits.

        Where rounding is no number, as in float16 beyond its range, nothing is known of it: the
        checksums have decided, and any number passes.
        """
        if not math.isfinite(rounding):
            log.warning(
                "event=no_rounding_known: the log-probabilities of the engine are not judged"
            )
            return math.inf
        return max(self._config.probe_tolerance_bf16, ROUNDINGS * rounding)

    @property
    def request(self) -> Request:
        """The known text, continued."""
        return Request(
            prompt_ids=self.ids, max_tokens=NUM_SAMPLED, seed=0, temperature=1.0, priority=-1
        )

    def _continue(self, engine: Engine, answer: Answer) -> tuple[tuple[int, ...], list[float]]:
        engine.add(KEY, self.request)
        mine: Sampled | None = None
        while mine is None and engine.num_running:
            for key, sampled in engine.step():
                if key == KEY:
                    mine = sampled
                else:
                    answer(key, sampled)
        return ((), []) if mine is None else (mine.ids, list(mine.logprobs))


def check_receipt(found: Receipt | None, sent: Receipt, name: str = "the engine") -> None:
    """Compare what an engine was given with what the learner has.

    Raises:
        StaleWeights: It missed the push, or a parameter of it, or was given other bits.
    """
    if found is None or found.version != sent.version:
        has = "no push that came to its end" if found is None else f"version {found.version}"
        raise StaleWeights(f"version {sent.version} was pushed, but {name} has {has}")
    wrong = [name for name, number in sent.checksums.items() if found.checksums.get(name) != number]
    if wrong:
        first = wrong[0]
        how = "other bits of" if first in found.checksums else "nothing of"
        raise StaleWeights(
            f"{name} was given {how} {first} when version {sent.version} was pushed"
            f" ({len(wrong)} of {len(sent.checksums)} parameters): it must not sample"
        )
