"""Weights from the learners to engines, and the proof that each engine has them.

A push is all or nothing for those that take part: where one of them dies, the rest hold a mixture
of two versions, and nobody may sample from any of them before it has been started anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from azr.cluster.actors.learner import Sent
from azr.cluster.calls import is_told, lost, outcomes
from azr.cluster.learners import Learners
from azr.config.run import RunConfig
from azr.models.checksums import Receipt
from azr.rollout.weight_proof import Probe, check_receipt

__all__ = ["Engine", "PushTorn", "State", "push"]

MEETING_S: Final = 120.0
"""All are up when they are to meet. Whoever waits longer waits for an engine that has died."""


class State(Enum):
    """Whether an engine may sample."""

    LIVE = "live"
    """It has the policy's weights, and has proved it."""
    QUARANTINED = "quarantined"
    """It is starting, or it is there with weights that nobody has proved."""
    GONE = "gone"
    """It does not come back."""


@dataclass(slots=True, eq=False)
class Engine:
    """One engine as the policy sees it."""

    number: int
    actor: Any
    state: State = State.QUARANTINED
    pid: int = 0
    """Of the actor that answered last; another after a restart, 0 until it has answered."""
    ended: int = 0
    """The process that was ended last; it may answer until it has."""
    ended_s: float = 0.0
    """When that was, on the monotonic clock."""
    farewells: int = 0
    """How often in a row it was said to be dead."""
    open: int = 0
    """Requests that it has been given and has not answered."""

    @property
    def name(self) -> str:
        """For people."""
        return f"engine {self.number}"


class PushTorn(Exception):  # noqa: N818 - reads as an event
    """Engines were lost in the middle of a push; the learners are as they were."""


@dataclass(slots=True)
class Push:
    """One push of one version."""

    learners: Learners
    engines: Sequence[Engine]
    config: RunConfig
    version: int
    figures: dict[str, float] = field(default_factory=dict[str, float])

    def meet(self) -> None:
        """Let rank 0 and all workers find each other, unless they have."""
        members = tuple((engine.number, engine.pid) for engine in self.engines)
        if self.learners.met == members:
            return
        self.learners.met = ()
        workers = self.config.cluster.tensor_parallel
        timeout_s = min(MEETING_S, self.config.cluster.timeout_s)
        host, port = self.learners.first("address")
        size = 1 + workers * len(self.engines)
        place = {"host": host, "port": port, "size": size, "timeout_s": timeout_s}
        calls = self.learners.call_first("meet", host, port, size, timeout_s)
        for index, engine in enumerate(self.engines):
            calls[engine.name] = engine.actor.meet.remote({**place, "first": 1 + workers * index})
        # rank 0 can be asked for nothing before it has given up a meeting
        self._without_failure(outcomes(calls, 2 * timeout_s, grace_s=2 * timeout_s))
        self.learners.met = members

    def send(self) -> Mapping[str, int]:
        """Send all weights; returns the checksums of what was sent."""
        announcement = {
            "version": self.version,
            "dtype": self.config.rollout.dtype,
            "parameters": list(self.learners.shapes.items()),
        }
        calls = {engine.name: engine.actor.receive.remote(announcement) for engine in self.engines}
        ranks = self.learners.calls("send", self.config.rollout.dtype)
        found = outcomes({**calls, **ranks}, self.config.cluster.timeout_s)
        self._without_failure(found)
        sent: Sent = found[next(iter(ranks))]
        return sent.checksums

    def prove(self, checksums: Mapping[str, int], probe: Probe) -> None:
        """Compare receipts, then log-probabilities.

        Raises:
            StaleWeights: An engine was not given these weights, or does not compute with them.
        """
        sent = Receipt(self.version, checksums)
        for name, receipts in self._ask("receipts").items():
            for receipt in receipts:
                check_receipt(receipt, sent, name)
        sampled = self._ask("sample", probe.request)
        read = self._ask("prompt_logprobs", probe.ids)
        is_exact = self.config.rollout.dtype == "float32"
        for name, logprobs in read.items():
            ids = (*probe.ids, *sampled[name].ids)
            expected = self.learners.read(ids, is_exact=is_exact)
            found = [*logprobs, *sampled[name].logprobs]
            figures = probe.judge(found, expected.logprobs, self.version, expected.rounding)
            for figure, value in figures.items():
                self.figures[figure] = max(value, self.figures.get(figure, 0.0))

    def forget(self) -> None:
        """Let no engine read keys and values of old weights.

        With rollout.max_staleness they are in use, and later requests cannot find them.

        Raises:
            PushTorn: One cannot: a block is in use.
        """
        if self.config.rollout.max_staleness:
            return
        if stuck := [name for name, is_empty in self._ask("forget").items() if not is_empty]:
            raise PushTorn(f"{', '.join(stuck)} could not empty the prefix cache")

    def _ask(self, method: str, *arguments: Any) -> dict[str, Any]:
        calls = {
            engine.name: getattr(engine.actor, method).remote(*arguments) for engine in self.engines
        }
        found = outcomes(calls, self.config.cluster.timeout_s)
        self._without_failure(found)
        return found

    def _without_failure(self, found: Mapping[str, Any]) -> None:
        """Raise what ended the push, if anything did.

        Raises:
            WorkerLost: A learner.
            PushTorn: An engine.
        """
        mine = {engine.name for engine in self.engines}
        failed = {name: one for name, one in found.items() if isinstance(one, Exception)}
        torn = [name for name in failed if name in mine]
        sends = [one for one in found.values() if isinstance(one, Sent) and one.failure]
        for name, error in failed.items():
            # rank 0 fails to meet engines that are gone
            if name not in mine and not (torn and isinstance(error, RuntimeError)):
                raise error if is_told(error) else lost(name, error)
        if torn or sends:
            said = [str(lost(name, failed[name])) for name in torn] or [sends[0].failure]
            raise PushTorn("; ".join(said))


def push(
    learners: Learners, engines: Sequence[Engine], config: RunConfig, version: int, probe: Probe
) -> dict[str, float]:
    """Push the learners' weights to these engines and prove it; returns what the probe found.

    Raises:
        StaleWeights: An engine does not sample from them.
        PushTorn: An engine was lost; all of these must be started anew.
        WorkerLost: A learner was lost.
    """
    with learners.together():
        one = Push(learners, engines, config, version)
        try:
            one.meet()
            checksums = one.send()
            one.forget()
            one.prove(checksums, probe)
        except PushTorn:
            learners.met = ()
            raise
        return one.figures
