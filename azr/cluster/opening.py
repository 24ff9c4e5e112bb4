"""What a run on several processes is given in place of its own learner and engine."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import ray

from azr.cluster.actors.engine import EngineActor
from azr.cluster.actors.learner import LearnerActor
from azr.cluster.calls import all_answers
from azr.cluster.joining import joined_ray
from azr.cluster.learners import Learners
from azr.cluster.nodes import check_nodes
from azr.cluster.placement import Places
from azr.cluster.policy import ClusterPolicy
from azr.cluster.push import Engine
from azr.cluster.sandboxes import opened_sandboxes
from azr.config.run import RunConfig, SandboxConfig
from azr.errors import ConfigError, WorkerLost
from azr.models.checkpoint import Checkpoint
from azr.models.pretrained import local_model, resolve_model
from azr.rollout.prompt_tokens import open_renderer

__all__ = ["Cluster", "open_cluster"]

Say = Callable[[str], None]


@dataclass(slots=True)
class Cluster:
    """Engines for as long as the run lasts; learners for as long as none of them is lost."""

    config: RunConfig
    sandbox: SandboxConfig
    """With the addresses of servers on all nodes, where there are several."""
    places: Places
    policy: ClusterPolicy
    restarts: int = 0
    _learners: Learners | None = None
    _has_started: bool = False

    @contextmanager
    def opened_policy(self, cut: Checkpoint | None) -> Generator[ClusterPolicy]:
        """The policy, which stays: what it starts with is pushed before it samples.

        Raises:
            ModelError: vLLM does not start.
            WorkerLost: An engine is gone, or not there in time.
        """
        del cut
        if not self._has_started:  # later the run goes on with those that are left
            calls = {one.name: one.actor.ready.remote() for one in self.policy.fleet.engines}
            all_answers(calls, self.config.cluster.timeout_s)
            self._has_started = True
        yield self.policy

    def learner(self, cut: Checkpoint | None) -> Learners:
        """All ranks of the learner, as the checkpoint has it if there is one.

        Raises:
            WorkerLost: One did not start.
        """
        self.end_learners()
        size = self.config.cluster.learners
        make = ray.remote(LearnerActor)
        actors = [make.options(**self.places.learner(k)).remote(k, size) for k in range(size)]
        self._learners = Learners(self.config, actors, cut)
        return self._learners

    def end_learners(self) -> None:
        """End those that there are."""
        if self._learners is not None:
            self._learners.end()
            self._learners = None

    def close(self) -> None:
        """End all actors."""
        self.end_learners()
        for engine in self.policy.fleet.engines:
            ray.kill(engine.actor)
        self.policy.close()

    def goes_on_after(self, loss: WorkerLost) -> str | None:
        """What to say before the run goes on at its newest checkpoint; None if it must end."""
        if self.restarts >= self.config.cluster.restarts:
            return None
        self.restarts += 1
        count = f"restart {self.restarts} of cluster.restarts = {self.config.cluster.restarts}"
        return f"{loss}; going on from the newest checkpoint ({count})"


@contextmanager
def open_cluster(config: RunConfig, say: Say) -> Generator[Cluster]:
    """Join or start Ray, and start the engines.

    Raises:
        ConfigError: The cluster cannot hold the run, or a node differs from this one.
        ModelError: vLLM or the model cannot be used.
        WorkerLost: An engine does not start.
    """
    if config.rollout.engine == "transformers" or find_spec("vllm") is None:
        raise ConfigError(
            f"cluster.engines = {config.cluster.engines} are vLLM's, which"
            f" {'rollout.engine = transformers rules out' if find_spec('vllm') else 'is not here'}:"
            " without it a run has one process (cluster.learners = 0)"
        )
    model = local_model(config.model.name)
    if model is not None:  # actors start in another folder than this process
        config = config.changed(model=config.model.changed(name=str(model.absolute())))
    with joined_ray(config.cluster.address):
        places = Places(config.cluster)
        check_nodes(Path(config.runs).absolute(), model and model.absolute())
        with (
            opened_sandboxes(config.executor) as sandbox,
            closing(Cluster(config, sandbox, places, started(config, places))) as cluster,
        ):
            say(f"starting {config.cluster.engines} engines, {config.cluster.learners} learners")
            yield cluster


def started(config: RunConfig, places: Places) -> ClusterPolicy:
    """The policy; its engines start meanwhile."""
    folder: Path = resolve_model(config.model.name)
    renderer, max_model_len = open_renderer(config, folder)
    make = ray.remote(EngineActor)
    engines = [
        Engine(number, make.options(**places.engine(number)).remote(number, config, max_model_len))
        for number in range(config.cluster.engines)
    ]
    return ClusterPolicy(engines, renderer, config, max_model_len)
