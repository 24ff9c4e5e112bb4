"""A run, assembled: what it needs is opened in order and closed in reverse, come what may."""

import asyncio
import logging
import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from azr.config.run import RunConfig
from azr.errors import Interrupted, WorkerLost
from azr.evaluation.examination import claim_folder, prepare
from azr.evaluation.in_training import TrainingEvaluation, training_suites
from azr.evaluation.request import EvaluationRequest
from azr.evaluation.subject import find_subject
from azr.evaluation.suites.data import SuiteData
from azr.game.anchors import check_anchors
from azr.game.grounding import check_documents
from azr.game.seeding import SeedingProgress, seed_buffers
from azr.game.tasks.seed_files import check_seed_file, import_seeds, write_tasks
from azr.models.lora.merging import base_of, whole_model
from azr.models.manifest import steps_in
from azr.models.pretrained import local_model
from azr.records.run_folder import RunFolder, refuse_taken, take_lock
from azr.records.sinks import MetricsWriter
from azr.report.curriculum import Curriculum
from azr.rollout.opening import open_policy
from azr.rollout.prompt_tokens import context_of
from azr.run.display import Display
from azr.run.interrupt import Interrupt
from azr.run.machines import Machines, ThisProcess, open_machines, refuse_what_cannot_fit
from azr.run.players import Players, open_executor, open_players
from azr.run.recorder import RunRecorder
from azr.run.restart import find_cut, refuse_other_adapters
from azr.run.torch_trace import StepProfiler
from azr.run.trainer import Run, train
from azr.types import Mode

__all__ = ["run_evaluation", "run_seeding", "run_training"]

EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""

logger = logging.getLogger(__name__)


def run_training(
    config: RunConfig,
    *,
    resume: bool,
    overwrite: bool,
    display: Display,
    checkpoint: int | None = None,
) -> int:
    """Train until the step budget is spent; returns the exit code (0, or 130 when interrupted).

    Args:
        config: The whole run.
        resume: Continue at the newest checkpoint of the run folder; start anew if there is none.
        overwrite: Delete the run that is in the folder.
        display: Told of all that happens.
        checkpoint: The step whose checkpoint a resume goes on from; None: the newest.
    """
    has_cut = resume and bool(steps_in(config.folder / "checkpoints"))
    refuse_what_is_missing(config, is_new=not has_cut)
    refuse_what_cannot_fit(config)
    if has_cut:
        refuse_other_adapters(config, checkpoint)
    suites = training_suites(config)  # a missing file is told before anything is opened
    if not resume and not overwrite:
        refuse_taken(config.folder)
    with (
        open_machines(config, display.message) as machines,  # before anything is written
        RunFolder.open(config, resume=resume, overwrite=overwrite) as folder,
        logging_to(folder),
    ):
        for line in (*folder.news, *nothing_proposed(config)):
            display.message(line)
        attempt = Attempt(config, folder, machines, display, suites)
        while True:
            try:
                return attempt.run(is_resumed=resume, checkpoint=checkpoint)
            except WorkerLost as loss:
                if attempt.interrupt.requested:
                    display.message(f"stopped ({loss}); --resume goes on from the last checkpoint")
                    return EXIT_INTERRUPTED
                going_on = machines.goes_on_after(loss)
                if going_on is None:
                    raise
            display.message(going_on)
            resume, checkpoint = True, None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run from where it stands to its end, unless a part of it is lost before."""

    config: RunConfig
    folder: RunFolder
    machines: Machines
    display: Display
    suites: Sequence[SuiteData]
    interrupt: Interrupt = field(default_factory=Interrupt)
    """One for all attempts: who asked to stop is not asked again when a part was lost."""

    def run(self, *, is_resumed: bool, checkpoint: int | None) -> int:
        """As `run_training`.

        Raises:
            WorkerLost: A process other than this one is lost.
        """
        config, folder, display = self.config, self.folder, self.display
        cut = find_cut(folder, checkpoint, display.message) if is_resumed else None
        first_step = 1 if cut is None else cut.step + 1
        if is_resumed:
            for line in folder.rewind(first_step - 1):
                display.message(line)
        with (
            open_players(config, folder.tasks_file, display, cut, self.machines) as players,
            closing(MetricsWriter(folder.path, config, first_step - (cut is None))) as writer,
        ):
            return self._play(players, writer, first_step, is_new=cut is None)

    def _play(
        self, players: Players, writer: MetricsWriter, first_step: int, *, is_new: bool
    ) -> int:
        display = self.display
        recorder = RunRecorder(
            config=self.config,
            folder=self.folder,
            writer=writer,
            display=display,
            learner=players.learner,
            buffers=players.buffers,
            policy=players.policy,
            judge=players.judge,
            curriculum=Curriculum.of(self.folder.path, display.message),
        )
        run = self._assembled(players, recorder, first_step)
        try:
            asyncio.run(play(run, players, recorder, display, is_new=is_new))
        except Interrupted:
            if is_new and recorder.saved_step < 0:
                # half the seeds make no run that could go on as if nothing had happened
                display.message("stopped while seeding; --resume starts it again")
                return EXIT_INTERRUPTED
            players.buffers.rewind(recorder.last_step)  # of what half a step has stored
            recorder.checkpoint(recorder.last_step)
            display.message(f"stopped after step {recorder.last_step}; go on with --resume")
            return EXIT_INTERRUPTED
        return 0

    def _assembled(self, players: Players, recorder: RunRecorder, first_step: int) -> Run:
        config, path = self.config, self.folder.path
        return Run(
            table=players.table,
            policy=players.policy,
            learner=players.learner,
            recorder=recorder,
            interrupt=self.interrupt,
            first_step=first_step,
            profiled=StepProfiler(path / "profile", config.logging.profile_steps).over,
            evaluation=TrainingEvaluation(
                config=config,
                suites=self.suites,
                policy=players.policy,
                executor=players.executor,
                folder=path / "eval" / "training",
                knows_untrained=self.folder.knows_untrained(),
            ),
        )


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
        with open_players(config, tasks, display, None, ThisProcess(config)) as players:

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
    examination = prepare(request, config, subject, context_of(base_of(subject.folder)))
    claim_folder(examination, overwrite=request.overwrite)
    with take_lock(examination.folder), open_executor(examination.config.sandbox) as client:
        say(f"loading {subject.name}")
        with (
            whole_model(subject.folder, examination.folder) as folder,
            closing(open_policy(examination.config, folder)) as policy,
        ):
            asyncio.run(examination.run(policy, client, show, say))


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
