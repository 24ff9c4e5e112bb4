"""An evaluation as a whole: suites in, files and a table out. The caller opens the engine."""

import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azr.atomic_write import written
from azr.config.run import RunConfig
from azr.errors import ConfigError
from azr.evaluation.grading.graders import Graders
from azr.evaluation.ledger import Ledger
from azr.evaluation.lm_eval import write_lm_eval
from azr.evaluation.maths.grader import MathsGrader
from azr.evaluation.request import EvaluationRequest, template_of
from azr.evaluation.results import SuiteResult, agree_on_plan, write_suite
from azr.evaluation.runner import Examiner, Plan, attempt_suite
from azr.evaluation.subject import Subject
from azr.evaluation.suites.data import SuiteData, load_suite
from azr.evaluation.suites.items import Attempt, Status
from azr.evaluation.summary import parts_of, summarize, table_of
from azr.game.judge.judge import Executor
from azr.models.model_folder import weights_digest
from azr.records.run_folder import environment
from azr.rollout.asking import AskingPolicy
from azr.rollout.opening import build_here, choose_engine

__all__ = ["Examination", "claim_folder", "command_line", "prepare"]

MAX_PROMPT_TOKENS = 8192
REPORT_EVERY_S = 10.0
LEFT_OUT_SHOWN = 10

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Everything that is known before anything slow starts."""

    config: RunConfig
    """The configuration, with the limits that an evaluation needs."""
    subject: Subject
    suites: Sequence[SuiteData]
    plan: Plan
    folder: Path
    engine: str
    """The engine that samples here: azr.rollout.opening.build_here."""

    async def run(self, policy: AskingPolicy, executor: Executor, show: Say, say: Say) -> None:
        """Attempt every suite, `show` the table and write the results.

        Raises:
            CheckpointError: There is no room for attempts or results. A new start continues.
            ExecutorUnavailable: The machinery failed. A new start continues.
        """
        async with AsyncExitStack() as opened:
            maths = await opened.enter_async_context(MathsGrader())
            examiner = Examiner(
                policy=policy,
                grader=Graders(executor, self.config.sandbox, maths),
                count_tokens=policy.count_tokens,
                max_prompt_tokens=self.config.rollout.max_prompt_tokens,
                max_concurrent=self.config.rollout.max_concurrent,
            )
            results = [await self._attempt(data, examiner, say) for data in self.suites]
        self.conclude(results, show, say)

    def conclude(self, results: Sequence[SuiteResult], show: Say, say: Say) -> None:
        """Show the table first, which needs no room on a disk, then write the results.

        Raises:
            CheckpointError: There is no room for the results.
        """
        show(table_of([(data.suite.title, summary) for data, summary, _ in results]))
        with written(self.folder):
            self._write(results, say)

    async def _attempt(self, data: SuiteData, examiner: Examiner, say: Say) -> SuiteResult:
        with Ledger(self.folder / data.suite.name / "attempts.jsonl") as ledger:
            watch = Watch(data, self.plan, ledger, say)
            await attempt_suite(data, self.plan, examiner, ledger, watch.attempted)
            by_item = [[ledger[key] for key in self.plan.keys(item)] for item in data.items]
        return data, summarize(by_item, parts_of(data.items)), by_item

    def _write(self, results: Sequence[SuiteResult], say: Say) -> None:
        plan = self.description()
        here = {**environment(), "command": command_line()}
        for result in results:
            say(f"result      {write_suite(self.folder, result, plan, here)}")
        now = datetime.now(UTC)
        say(f"for lm-eval {write_lm_eval(self.folder, self.subject.name, self.plan, results, now)}")

    def identity(self) -> dict[str, Any]:
        """Return what must be the same for attempts to belong together."""
        return {
            "model": self.subject.name,
            "weights": weights_digest(self.subject.folder),
            "template": self.plan.template.name,
            "temperature": self.plan.temperature,
            "max_tokens": self.plan.max_tokens,
            "engine": self.engine,
            "dtype": self.config.rollout.dtype,
        }

    def description(self) -> dict[str, Any]:
        """Return the whole plan, for the results."""
        return {
            **self.identity(),
            "step": self.subject.step,
            "samples": self.plan.samples,
            "seeds": list(self.plan.seeds),
        }


def prepare(
    request: EvaluationRequest, config: RunConfig, subject: Subject, context: int
) -> Examination:
    """Read the suites and fit the configuration to them.

    Args:
        request: The command line.
        config: The run's configuration, or the defaults, with all overrides.
        subject: The model or checkpoint to evaluate.
        context: Tokens of the model's context.

    Raises:
        ConfigError: A suite's file is missing, or the context is too short for the completions.
        DataUnavailable: A suite must be fetched and cannot be.
        ModelError: The requested engine cannot be used.
    """
    room = context - request.max_tokens
    if room < 1:
        raise ConfigError(
            f"--max-tokens must leave room for a prompt in the model's context of {context} tokens,"
            f" got {request.max_tokens}"
        )
    plan = request.plan(template_of(config))
    kind = "greedy" if plan.temperature == 0 else f"t{plan.temperature:g}"
    suites = [load_suite(suite, request.data).first(request.limit) for suite in request.suites]
    engine = choose_engine(config.rollout.engine)
    rollout = config.rollout.changed(
        engine=engine,
        max_completion_tokens=request.max_tokens,
        max_prompt_tokens=min(room, MAX_PROMPT_TOKENS),
    )
    return Examination(
        config=config.changed(rollout=rollout),
        subject=subject,
        suites=suites,
        plan=plan,
        folder=request.output or subject.results / f"{plan.template.name}-{kind}",
        engine=build_here(engine),
    )


def command_line() -> str:
    """Return this process's command line, in a form that can be typed again."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def claim_folder(examination: Examination, *, overwrite: bool) -> None:
    """Make the results' folder, or continue in an existing one.

    Raises:
        CheckpointError: It holds another evaluation, or cannot be written.
        ConfigError: It should be overwritten but is not ours, or it cannot be made.
    """
    folder = examination.folder
    if overwrite and folder.exists():
        if not (folder / "plan.json").exists() and any(folder.iterdir()):
            raise ConfigError(f"--overwrite would delete {folder}, which holds no evaluation")
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"--output {folder} cannot be a folder: {reason}") from error
    with written(folder):
        agree_on_plan(folder, examination.identity())
        for data in examination.suites:  # of the hub and of a folder, items of one name differ
            agree_on_plan(folder / data.suite.name, {"data_sha256": data.sha256}, "data.json")


class Watch:
    """Reports a suite's progress, at most every few seconds."""

    def __init__(self, data: SuiteData, plan: Plan, ledger: Ledger, say: Say) -> None:
        keys = [key for item in data.items for key in plan.keys(item)]
        there = [ledger[key] for key in keys if key in ledger]
        self._say = say
        self._name = data.suite.name
        self._total = len(keys)
        self._done = len(there)
        self._right = sum(attempt.mark.status is Status.PASSED for attempt in there)
        self._last = time.monotonic()
        if data.left_out:
            ids = ", ".join(data.left_out[:LEFT_OUT_SHOWN])
            more = ", ..." if len(data.left_out) > LEFT_OUT_SHOWN else ""
            count = len(data.left_out)
            say(f"{self._name}: {count} items without a test are left out: {ids}{more}")
        say(f"{self._name}: {self._total} attempts, {self._done} of them done before")

    def attempted(self, attempt: Attempt) -> None:
        """Count one more attempt."""
        self._done += 1
        self._right += attempt.mark.status is Status.PASSED
        now = time.monotonic()
        if self._done == self._total or now - self._last >= REPORT_EVERY_S:
            self._last = now
            self._say(f"{self._name}: {self._done} of {self._total}, {self._right} right")
