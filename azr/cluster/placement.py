"""Where actors go: a GPU for each learner, `tensor_parallel` of one node for each engine.

On machines without GPUs all share the cores.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from collections.abc import Mapping
from typing import Any, Final

import ray
from ray.util.placement_group import placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from azr.config.run import ClusterConfig
from azr.errors import ConfigError
from azr.rollout.environment import DEFAULTS

__all__ = ["Places"]

RESERVED_S: Final = 60.0


class Places:
    """Room for all actors of a run.

    Raises:
        ConfigError: The cluster has fewer GPUs, or others use them.
    """

    def __init__(self, config: ClusterConfig) -> None:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        self.has_gpus = any(node.get("GPU", 0) for node in nodes)
        self._config = config
        self._group: Any = None
        if self.has_gpus:
            check_gpus(config, [int(node.get("GPU", 0)) for node in nodes])
            self._group = reserved(config)
        self._environment = environment(config, self.has_gpus, nodes)

    def learner(self, rank: int) -> dict[str, Any]:
        """Ray's options for a rank of the learner, which is never started anew alone."""
        return self._options(rank, 1)

    def engine(self, number: int) -> dict[str, Any]:
        """Ray's options for an engine, which Ray starts anew where it dies."""
        options = self._options(self._config.learners + number, self._config.tensor_parallel)
        # a request that is lost is asked again by whoever asked it, of an engine that may answer
        restarts = {"max_restarts": self._config.restarts, "max_task_retries": 0}
        return {**options, **restarts, "max_concurrency": 10_000}

    def _options(self, bundle: int, gpus: int) -> dict[str, Any]:
        environment = {"runtime_env": {"env_vars": self._environment}}
        if self._group is None:
            # who wants nothing is not spread: all would be on one node
            return {**environment, "num_cpus": 0.001, "scheduling_strategy": "SPREAD"}
        place = PlacementGroupSchedulingStrategy(self._group, placement_group_bundle_index=bundle)
        return {**environment, "num_cpus": 1, "num_gpus": gpus, "scheduling_strategy": place}


def check_gpus(config: ClusterConfig, gpus: list[int]) -> None:
    """Raise `ConfigError` unless the nodes have GPUs for all actors."""
    wanted = config.learners + config.engines * config.tensor_parallel
    if wanted > sum(gpus):
        raise ConfigError(
            f"cluster.learners + cluster.engines x cluster.tensor_parallel = {config.learners} +"
            f" {config.engines} x {config.tensor_parallel} = {wanted} GPUs, but the cluster has"
            f" {sum(gpus)}: lower one of them, or add nodes"
        )
    if config.tensor_parallel > max(gpus):
        raise ConfigError(
            f"cluster.tensor_parallel = {config.tensor_parallel}, but no node has more than"
            f" {max(gpus)} GPUs: an engine does not go beyond its node"
        )


def reserved(config: ClusterConfig) -> Any:
    """A placement group with a bundle for each actor, learners first and close to each other."""
    learner, engine = {"GPU": 1.0, "CPU": 1.0}, {"GPU": float(config.tensor_parallel), "CPU": 1.0}
    bundles = [learner] * config.learners + [engine] * config.engines
    group = placement_group(bundles, strategy="PACK")
    if not group.wait(RESERVED_S):
        raise ConfigError(
            f"the cluster has the GPUs, but {len(bundles)} actors found no room within"
            f" {RESERVED_S:g} s: others use them, `ray status` says who"
        )
    return group


def environment(
    config: ClusterConfig, has_gpus: bool, nodes: list[Mapping[str, Any]]
) -> dict[str, str]:
    """Variables of each actor, set before torch or vLLM is imported there."""
    own = dict(DEFAULTS)
    if has_gpus:
        del own["VLLM_ENABLE_V1_MULTIPROCESSING"]
        return own
    cores = sum(int(node.get("CPU", 1)) for node in nodes)
    threads = max(1, cores // (config.learners + config.engines))
    # several engines would bind their threads to the same cores
    return {**own, "OMP_NUM_THREADS": str(threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
