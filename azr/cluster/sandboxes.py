"""A sandbox server on every node, as actors: programs run where there are cores for them.

Nothing goes through Ray but keys and addresses: the driver's client speaks to the servers as it
does to any (ZeroMQ with CURVE), and sends again what a server that died has not answered.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import os
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import ray
import zmq.auth
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from azr.cluster.actors.broadcast import free_port
from azr.cluster.calls import all_answers
from azr.cluster.nodes import name_of
from azr.config.run import SandboxConfig
from sandbox_wasm.children import PYTHON

__all__ = ["SandboxActor", "opened_sandboxes"]

READY_S: Final = 120.0


class SandboxActor:
    """Keeps one server running on its node, on one port."""

    def __init__(self, secret: str, client: str, workers: int, images: int) -> None:
        """Args: the server's key file, the client's public one, `sandbox.workers` and `images`."""
        self._folder = Path(tempfile.mkdtemp(prefix="azr-sandbox-"))  # of mode 0700
        (self._folder / "server.key_secret").write_text(secret)
        (self._folder / "server.key_secret").chmod(0o600)
        (self._folder / "allow").mkdir()
        (self._folder / "allow" / "driver.key").write_text(client)
        self.endpoint = f"tcp://{ray.util.get_node_ip_address()}:{free_port()}"
        self._command = [
            *PYTHON, "-m", "sandbox_wasm.cli.main", "serve", "--bind", self.endpoint,
            "--curve-secret", str(self._folder / "server.key_secret"),
            "--curve-allow", str(self._folder / "allow"), "--images", str(images),
            "--watch-parent", str(os.getpid()),
            *(("--workers", str(workers)) if workers else ()),
        ]  # fmt: skip
        self._server: subprocess.Popen[bytes] | None = None

    def address(self) -> str:
        """Where the server listens."""
        return self.endpoint

    def keep(self) -> None:
        """Start the server, and start it anew whenever it ends; does not return."""
        while True:
            self._server = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=2)  # noqa: S603 - our own command
            self._server.wait()
            time.sleep(1.0)


@contextmanager
def opened_sandboxes(config: SandboxConfig) -> Generator[SandboxConfig]:
    """The section with the addresses of servers on all nodes.

    It is left as it is where servers are named, and on a cluster of one node, whose server is the
    driver's own.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if config.endpoints or len(nodes) == 1:
        yield config
        return
    with tempfile.TemporaryDirectory(prefix="azr-keys-") as folder:
        for name in ("server", "driver"):
            zmq.auth.create_certificates(folder, name)  # pyright: ignore[reportUnknownMemberType]
        keys = Path(folder)
        for secret in keys.glob("*.key_secret"):
            secret.chmod(0o600)
        words = ((keys / "server.key_secret").read_text(), (keys / "driver.key").read_text())
        actors = [at(node).remote(*words, config.workers, config.images) for node in nodes]
        calls = {
            f"the sandbox of {name_of(node)}": actor.address.remote()
            for node, actor in zip(nodes, actors, strict=True)
        }
        endpoints = tuple(all_answers(calls, READY_S).values())
        for actor in actors:
            actor.keep.remote()
        try:
            yield config.changed(
                endpoints=endpoints,
                server_key=str(keys / "server.key"),
                client_key=str(keys / "driver.key_secret"),
            )
        finally:
            for actor in actors:
                ray.kill(actor)


def at(node: dict[str, Any]) -> Any:
    """What makes the actor of a node; where the node is lost the others go on without it."""
    place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    make: Any = ray.remote(SandboxActor)
    return make.options(num_cpus=0, max_concurrency=2, scheduling_strategy=place)
