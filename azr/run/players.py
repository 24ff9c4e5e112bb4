"""Who plays: sandbox, buffers, learner, policy and judge, opened in order and closed in reverse."""

from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from azr.config.run import RunConfig, SandboxConfig
from azr.errors import ConfigError, ExecutorUnavailable
from azr.game.judge.judge import SandboxJudge
from azr.game.modes.prompts import Prompts
from azr.game.rewards.appraiser import Appraiser
from azr.game.table import Table
from azr.game.tasks.buffers import TaskBuffers
from azr.models.checkpoint import Checkpoint
from azr.rollout.asking import AskingPolicy
from azr.run.display import Display
from azr.run.machines import Machines, Pupil
from azr.run.task_file import open_buffers
from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.client.local_server import start_local_server
from sandbox_wasm.errors import BadJob, SandboxUnavailable
from sandbox_wasm.types import Job

__all__ = ["Players", "open_executor", "open_players"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Players:
    """What stays open for as long as a run plays."""

    table: Table
    policy: AskingPolicy
    judge: SandboxJudge
    learner: Pupil
    buffers: TaskBuffers
    executor: SandboxClient


@contextmanager
def open_players(
    config: RunConfig,
    tasks_file: Path,
    display: Display,
    cut: Checkpoint | None,
    machines: Machines,
) -> Generator[Players]:
    """Open sandbox, buffers, learner and engine; restore them from a checkpoint if there is one."""
    display.message(f"to watch: azr view {config.runs}")
    display.message("starting the sandbox")
    with (
        open_executor(machines.sandbox) as client,
        closing(open_buffers(config, tasks_file, cut, display.message)) as b,
    ):
        display.message(f"loading {config.model.name}")
        learner = machines.learner(cut)
        if cut is not None:
            display.message(f"resuming after step {cut.step}")
        display.message("starting the engine")
        with machines.opened_policy(cut) as policy:
            policy.watch = display.sampled
            judge = SandboxJudge(client, config.sandbox, config.parsing)
            table = Table(
                config=config,
                policy=policy,
                judge=judge,
                buffers=b,
                prompts=Prompts(
                    config.selfplay,
                    config.rollout,
                    policy.count_tokens,
                    config.parsing,
                    config.composite,
                    config.sandbox.banned_modules,
                ),
                appraiser=Appraiser(config, judge, b),
                watch=display.played,
            )
            yield Players(
                table=table,
                policy=policy,
                judge=judge,
                learner=learner,
                buffers=b,
                executor=client,
            )


@contextmanager
def open_executor(config: SandboxConfig) -> Generator[SandboxClient]:
    """A client of the servers the configuration names, or of one of our own on this machine."""
    with ExitStack() as opened:
        try:
            client = opened.enter_context(connect(config, opened))
            client.wait_ready(config.timeout_s)
            client.run([Job("images", "", images=config.images)])
        except SandboxUnavailable as error:
            raise ExecutorUnavailable(f"the sandbox did not start: {error}") from error
        except BadJob as error:
            raise ConfigError(
                f"sandbox.images = {config.images}, but its servers load fewer; start them with"
                f" `azr-sandbox serve --images {config.images}` ({error})"
            ) from error
        except ValueError as error:
            raise ConfigError(f"sandbox: {error}") from error
        yield client


def connect(config: SandboxConfig, opened: ExitStack) -> SandboxClient:
    """The client; a server of our own is closed with `opened`."""
    if not config.endpoints:
        arguments = ("--images", str(config.images))
        server = opened.enter_context(
            start_local_server(config.workers or None, arguments=arguments)
        )
        return server.client(timeout_s=config.timeout_s)
    return SandboxClient(
        config.endpoints,
        server_key=config.server_key or None,
        client_key=config.client_key or None,
        timeout_s=config.timeout_s,
    )
