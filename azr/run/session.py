"""A run, assembled: what it needs is opened in order and closed in reverse, come what may."""

import asyncio
import logging
import signal
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from azr.cluster.fleet import open_fleet
from azr.cluster.leader import LeadingLearner, open_learner
from azr.cluster.workers import Workers
from azr.config.run import RunConfig, SandboxConfig
from azr.errors import ConfigError, ExecutorUnavailable, Interrupted
from azr.evaluation.examination import claim_folder, prepare
from azr.evaluation.in_training import TrainingEvaluation, training_suites
from azr.evaluation.request import EvaluationRequest
from azr.evaluation.subject import find_subject
from azr.game.anchors import check_anchors
from azr.game.grounding import check_documents
from azr.game.judge.judge import SandboxJudge
from azr.game.modes.prompts import Prompts
from azr.game.rewards.appraiser import Appraiser
from azr.game.seeding import SeedingProgress, seed_buffers
from azr.game.selfplay import Table
from azr.game.tasks.buffers import TaskBuffers
from azr.game.tasks.seed_files import check_seed_file, import_seeds, write_tasks
from azr.learner.learner import TorchLearner
from azr.models.checkpoint import Checkpoint
from azr.models.pretrained import local_model, resolve_model
from azr.models.process_group import ALONE, Ranks
from azr.records.run_folder import RunFolder, take_lock
from azr.records.sinks import MetricsWriter
from azr.rollout.opening import open_policy
from azr.rollout.policy import EnginePolicy
from azr.rollout.prompt_tokens import context_of
from azr.run.display import Display
from azr.run.planning import find_shape, on_gpus, refuse
from azr.run.recorder import RunRecorder
from azr.run.restart import find_cut
from azr.run.task_file import open_buffers
from azr.run.torch_trace import StepProfiler
from azr.run.trainer import Run, train
from azr.types import Mode
from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.client.local_server import start_local_server
from sandbox_wasm.errors import BadJob, SandboxUnavailable
from sandbox_wasm.types import Job

__all__ = ["run_evaluation", "run_seeding", "run_training"]

EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Players:
    """What stays open for as long as a run plays."""

    table: Table
    policy: EnginePolicy
    judge: SandboxJudge
    learner: TorchLearner | LeadingLearner
    buffers: TaskBuffers
    executor: SandboxClient


def run_training(
    config: RunConfig,
    *,
    resume: bool,
    overwrite: bool,
    display: Display,
    workers: Workers | None = None,
    checkpoint: int | None = None,
) -> int:
    """Train until the step budget is spent; returns the exit code (0, or 130 when interrupted).

    Args:
        config: The whole run.
        resume: Continue at the newest checkpoint of the run folder; start anew if there is none.
        overwrite: Delete the run that is in the folder.
        display: Told of all that happens.
        workers: The other processes of the run, if there are any; this one is the leader.
        checkpoint: The step whose checkpoint a resume goes on from; None: the newest.
    """
    if workers is not None:  # torchrun's number, which the run folder is to name
        config = on_gpus(config, workers.ranks.size)
    has_cut = resume and any((config.folder / "checkpoints").glob("step_*"))
    refuse_what_is_missing(config, is_new=not has_cut)
    refuse_what_cannot_fit(config, ALONE if workers is None else workers.ranks)
    suites = training_suites(config)  # a missing file is told before anything is opened
    with RunFolder.open(config, resume=resume, overwrite=overwrite) as folder, logging_to(folder):
        for line in (*folder.news, *nothing_proposed(config)):
            display.message(line)
        cut = find_cut(folder, checkpoint, display.message) if resume else None
        first_step = 1 if cut is None else cut.step + 1
        if resume:
            for line in folder.rewind(first_step - 1):
                display.message(line)
        with (
            open_players(config, folder.tasks_file, display, cut, workers) as players,
            closing(MetricsWriter(folder.path, config, first_step - (cut is None))) as writer,
        ):
            recorder = RunRecorder(
                config=config,
                folder=folder,
                writer=writer,
                display=display,
                learner=players.learner,
                buffers=players.buffers,
                policy=players.policy,
                judge=players.judge,
            )
            run = Run(
                table=players.table,
                policy=players.policy,
                learner=players.learner,
                recorder=recorder,
                first_step=first_step,
                profiled=StepProfiler(folder.path / "profile", config.logging.profile_steps).over,
                evaluation=TrainingEvaluation(
                    config=config,
                    suites=suites,
                    policy=players.policy,
                    executor=players.executor,
                    folder=folder.path / "eval" / "training",
                    knows_untrained=folder.knows_untrained(),
                ),
            )
            try:
                with closing_in_peace(workers):
                    asyncio.run(play(run, players, recorder, display, is_new=cut is None))
            except Interrupted:
                if workers is not None:
                    workers.check()  # a launcher stops us too when it sees that one is lost
                if cut is None and recorder.saved_step < 0:
                    # half the seeds make no run that could go on as if nothing had happened
                    display.message("stopped while seeding; --resume starts it again")
                    return EXIT_INTERRUPTED
                recorder.checkpoint(recorder.last_step)
                display.message(f"stopped after step {recorder.last_step}; go on with --resume")
                return EXIT_INTERRUPTED
    return 0


@contextmanager
def closing_in_peace(workers: Workers | None) -> Generator[None]:
    """Around the event loop, which catches SIGTERM while it runs: with workers nobody does then.

    torchrun sends it as soon as it sees that a rank is lost; the leader is to say why, and close.
    """
    try:
        yield
    finally:
        if workers is not None:
            with suppress(ValueError):  # not the main thread: a test, a notebook
                signal.signal(signal.SIGTERM, signal.SIG_IGN)


def nothing_proposed(config: RunConfig) -> tuple[str, ...]:
    """A line where the run is all pretraining: a control for some, a slip for others."""
    if not 0 < config.steps <= (pretrained := config.selfplay.pretrain_solver_steps):
        return ()
    key = f"selfplay.pretrain_solver_steps = {pretrained}"
    return (f"nothing will be proposed: {key} takes all steps; the solver learns from the seeds",)


def refuse_what_is_missing(config: RunConfig, *, is_new: bool) -> None:
    """Tell at once what would be told after sandbox, model and engine have started.

    Raises:
        ConfigError: The model's folder, a grounding file or a new run's seed file is not there.
    """
    local_model(config.model.name)
    check_documents(config.grounding)
    check_anchors(config.anchors)
    if is_new and config.buffers.seed_file:
        check_seed_file(config.buffers.seed_file)


def refuse_what_cannot_fit(config: RunConfig, ranks: Ranks) -> None:
    """Tell at once what a GPU would tell after the weights were downloaded and loaded.

    Raises:
        ConfigError: Exact sizes alone are more than this process's GPU has.
    """
    if not torch.cuda.is_available():
        return
    shape = find_shape(config.model.name)
    if shape is not None:
        _, memory = torch.cuda.mem_get_info(ranks.local_rank)
        refuse(on_gpus(config, ranks.size), shape, memory, only_if_certain=True)


async def play(
    run: Run, players: Players, recorder: RunRecorder, display: Display, *, is_new: bool
) -> None:
    """Prove the engine's weights, make the seeds if this is a new run, and train.

    A run that is resumed at step 0 has its seeds: more of them would make it another run.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, ValueError):  # not the main thread: a test, a notebook
            loop.add_signal_handler(number, run.interrupt.request)
    recorder.last_step = run.first_step - 1
    await run.policy.adopt(run.learner.weights, version=run.first_step - 1)
    if is_new:
        display.message("seeding: the model makes its own first tasks")
        await run.interrupt.guard(seed(players, display))
        recorder.checkpoint(0)
    if run.evaluates_untrained:
        display.message("evaluating the untrained model")
    display.step_started(run.first_step)
    await train(run)


async def seed(players: Players, display: Display) -> None:
    """Fill young buffers, from the seed file if there is one, then by the model itself."""

    def report(progress: SeedingProgress) -> None:
        display.message(
            f"seeding {'+'.join(progress.modes)}: round {progress.round},"
            f" {progress.valid} of {progress.proposals} proposals valid,"
            f" {progress.tasks} of {progress.target} tasks"
        )

    file = players.table.config.buffers.seed_file
    if file:
        table = players.table
        imported = await import_seeds(
            file, players.judge, players.buffers, table.prompts.fits, table.appraiser.storable
        )
        display.message(f"seed file {file}: {imported}")
    await seed_buffers(players.table, players.buffers, report)


def run_seeding(config: RunConfig, output: Path, display: Display | None = None) -> int:
    """Let the model make seed tasks and write them as JSON Lines; returns the exit code."""
    refuse_what_is_missing(config, is_new=True)
    display = display or Display(config)
    tasks = output.with_name(output.name + ".sqlite.partial")
    tasks.unlink(missing_ok=True)
    try:
        with open_players(config, tasks, display, None) as players:

            async def make() -> None:
                await players.policy.adopt(players.learner.weights, version=0)
                await seed(players, display)

            asyncio.run(make())
            write_tasks(output, (pair for m in Mode for pair in players.buffers.rated_tasks(m)))
    finally:
        for file in tasks.parent.glob(tasks.name + "*"):
            file.unlink()
    return 0


def run_evaluation(
    config: RunConfig,
    request: EvaluationRequest,
    show: Callable[[str], None],
    say: Callable[[str], None],
) -> None:
    """Measure a model on suites. Started again, it goes on where it stopped.

    Args:
        config: The run's, or the defaults, with all overrides.
        request: The command line.
        show: Given the table.
        say: Given one line of progress after another.
    """
    subject = find_subject(request.target, request.checkpoint)
    examination = prepare(request, config, subject, context_of(subject.folder))
    claim_folder(examination, overwrite=request.overwrite)
    with take_lock(examination.folder), open_executor(examination.config.sandbox) as client:
        say(f"loading {subject.name}")
        with closing(open_policy(examination.config, subject.folder)) as policy:
            asyncio.run(examination.run(policy, client, show, say))


@contextmanager
def open_players(
    config: RunConfig,
    tasks_file: Path,
    display: Display,
    cut: Checkpoint | None,
    workers: Workers | None = None,
) -> Generator[Players]:
    """Open sandbox, buffers, learner and engine; restore them from a checkpoint if there is one."""
    display.message(f"to watch: azr view {config.runs}")
    display.message("starting the sandbox")
    with (
        open_executor(config.executor) as client,
        closing(open_buffers(config, tasks_file, cut, display.message)) as b,
    ):
        model = resolve_model(config.model.name)
        display.message(f"loading {config.model.name}")
        learner = open_learner(config, model, cut, workers)
        if cut is not None:
            display.message(f"resuming after step {cut.step}")
        display.message("starting the engine")
        folder = model if cut is None else cut.model
        with closing(open_fleet(config, folder, workers)) as policy:
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
        started = start_local_server(config.workers or None, arguments=arguments)
        server = opened.enter_context(started)
        return server.client(timeout_s=config.timeout_s)
    return SandboxClient(
        config.endpoints,
        server_key=config.server_key or None,
        client_key=config.client_key or None,
        timeout_s=config.timeout_s,
    )


class Log(logging.FileHandler):
    """A log that cannot be written is no reason to stop, nor for a traceback a line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Let what cannot be written go."""

    def close(self) -> None:
        """Close the file, with what of it there is room for."""
        with suppress(OSError):
            super().close()


@contextmanager
def logging_to(folder: RunFolder) -> Generator[None]:
    """Write the log of this attempt into the run folder."""
    handler = Log(folder.log_file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    except Exception:
        logger.exception("event=run_failed")
        raise
    finally:
        root.removeHandler(handler)
        handler.close()
