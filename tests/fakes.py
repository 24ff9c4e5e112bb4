"""FAKES of the ports. None of them is the real thing, and no result of theirs is a measurement.

They are scripted: a test says what the policy writes and what the executor answers, and reads
back what was asked of them.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from azr.config.run import RunConfig
from azr.errors import ExecutorUnavailable
from azr.game.judge.profiles import profile_jobs, profile_of
from azr.game.modes import rules_of
from azr.game.modes.prompts import Prompts
from azr.game.rewards.appraiser import Appraiser
from azr.game.table import Table
from azr.game.tasks.buffers import TaskBuffers
from azr.game.tasks.difficulty import Band
from azr.types import (
    Answer,
    Case,
    Experience,
    Grade,
    Mode,
    Profile,
    Prompt,
    Proposal,
    Role,
    Rollout,
    Ruling,
    Task,
    Verdict,
)
from sandbox_wasm.grading import Check as ProgramCheck
from sandbox_wasm.types import CallResult, Job, JobResult, Outcome


def count_words(text: str) -> int:
    """A fake tokenizer: one token a word."""
    return len(text.split())


def make_task(mode: Mode = Mode.DEDUCTION, number: int = 0, *, born_step: int = 0) -> Task:
    """A small task; tasks with different numbers differ."""
    program = f"def f(x):\n    return x + {number}"
    count = 4 if mode is Mode.INDUCTION else 1
    outputs = [str(x + number) for x in range(count)]
    if mode is Mode.ERROR:
        outputs = ["'NoError'"]
    cases = tuple(Case(str(x), outputs[x]) for x in range(count))
    message = f"Add {number}." if mode is Mode.INDUCTION else ""
    return Task(mode=mode, program=program, cases=cases, message=message, born_step=born_step)


def make_rollout(
    text: str,
    *,
    mode: Mode = Mode.DEDUCTION,
    role: Role = Role.PROPOSER,
    envelope: str = "none",
    task: Task | None = None,
    num_inputs: int = 1,
    prefill: str = "",
    truncated: bool = False,
    tokens: int = 1,
) -> Rollout:
    """A rollout whose completion is `text`."""
    prompt = Prompt(
        role=role, mode=mode, text="", prefill=prefill, envelope=envelope, task=task,
        num_inputs=num_inputs,
    )  # fmt: skip
    return complete(prompt, text, truncated=truncated, tokens=tokens)


def complete(prompt: Prompt, text: str, *, truncated: bool = False, tokens: int = 1) -> Rollout:
    """The prompt, completed by `text`."""
    return Rollout(
        prompt=prompt,
        prompt_ids=(1,),
        completion_ids=(2,) * tokens,
        rollout_logprobs=(-1.0,) * tokens,
        completion=text,
        policy_version=0,
        truncated=truncated,
    )


def make_experience(
    reward: float,
    mode: Mode = Mode.DEDUCTION,
    role: Role = Role.SOLVER,
    tokens: int = 1,
    group: str = "",
) -> Experience:
    """An experience with a reward, as the learner sees it."""
    rollout = make_rollout("", mode=mode, role=role, tokens=tokens)
    return Experience(rollout=rollout, verdict=Verdict.PASSED, reward=reward, group=group)


@dataclass
class ScriptedPolicy:
    """FAKE policy: writes what the script says; keeps the prompts and how many were under way."""

    script: Callable[[Prompt], str]
    prompts: list[Prompt] = field(default_factory=list[Prompt])
    under_way: int = 0
    most_under_way: int = 0
    version: int = 0

    async def sample(self, prompt: Prompt) -> Rollout:
        self.prompts.append(prompt)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        return complete(prompt, self.script(prompt))

    async def adopt(self, weights: object, version: int) -> None:
        self.version = version

    def close(self) -> None:
        pass


@dataclass
class ScriptedJudge:
    """FAKE judge: runs nothing; admits and passes as the script says."""

    admits: Callable[[Proposal], bool] = lambda _: True
    passes: Callable[[Task, Answer], bool] = lambda _task, _answer: True
    is_broken: bool = False
    refuted: Callable[[Task], bool] = lambda _: False
    passes_check: Callable[[str, ProgramCheck], bool] = lambda _program, _check: False
    composed: list[tuple[tuple[str, ...], int]] = field(
        default_factory=list[tuple[tuple[str, ...], int]]
    )

    async def admit(self, proposal: Proposal, born_step: int) -> Ruling:
        await self._answer()
        if not self.admits(proposal):
            return Ruling(verdict=Verdict.FAILED, reason="raised: ValueError")
        outputs = ["0"] * len(proposal.inputs)
        task = rules_of(proposal.mode).task_of(proposal, outputs, born_step)
        return Ruling(verdict=Verdict.PASSED, task=task)

    async def grade(self, task: Task, answer: Answer) -> Grade:
        await self._answer()
        passed = self.passes(task, answer)
        verdict = Verdict.PASSED if passed else Verdict.FAILED
        return Grade(verdict=verdict, score=float(passed))

    async def grade_program(self, program: str, check: ProgramCheck) -> Grade:
        await self._answer()
        passed = self.passes_check(program, check)
        verdict = Verdict.PASSED if passed else Verdict.FAILED
        return Grade(verdict=verdict, score=float(passed))

    async def refutes(self, task: Task, seed: int) -> bool:
        del seed
        await self._answer()
        return self.refuted(task)

    async def compose(self, programs: Sequence[str], count: int) -> tuple[str, ...]:
        await self._answer()
        self.composed.append((tuple(programs), count))
        return tuple(f"def g_{n}(x):\n    return x" for n in range(min(count, len(programs))))

    async def profile(self, programs: Sequence[str]) -> list[Profile | None]:
        await self._answer()
        return [profile_here(program) for program in programs]

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.is_broken:
            raise ExecutorUnavailable("the fake was told to be broken")


@dataclass
class FakeLearner:
    """FAKE learner: keeps what it was given and learns nothing."""

    updates: list[tuple[list[Experience], list[float]]] = field(
        default_factory=list[tuple[list[Experience], list[float]]]
    )

    is_exact = True

    @property
    def weights(self) -> "FakeLearner":
        return self

    def probe_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        return [0.0] * (len(token_ids) - 1)

    def probe_rounding(self, token_ids: Sequence[int], logprobs: Sequence[float]) -> float:
        del token_ids, logprobs
        return 0.0

    def penalised(
        self, experiences_N: Sequence[Experience]
    ) -> tuple[Sequence[Experience], Mapping[str, float]]:
        return experiences_N, {}

    def update(
        self, experiences_N: Sequence[Experience], advantages_N: Sequence[float]
    ) -> Mapping[str, float]:
        self.updates.append((list(experiences_N), list(advantages_N)))
        return {"loss": 0.0}


@dataclass
class FakeRecorder:
    """FAKE recorder: keeps the steps in memory."""

    steps: list[int] = field(default_factory=list[int])

    untrained: list[Mapping[str, float]] = field(default_factory=list[Mapping[str, float]])

    def record(self, step: int, *_: object) -> None:
        self.steps.append(step)

    def record_untrained(self, scores: Mapping[str, float]) -> None:
        self.untrained.append(scores)


class InProcessExecutor:
    """FAKE sandbox: runs the test's own programs in this process, without any isolation.

    For programs written in the tests alone. Unlike the sandbox it spells a value by `repr`.
    """

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    async def arun(self, jobs: Sequence[Job]) -> list[JobResult]:
        self.jobs.extend(jobs)
        return [JobResult(id=job.id, calls=_run_here(job)) for job in jobs]


def _run_here(job: Job) -> tuple[CallResult, ...]:
    return tuple(_call_here(job.source, job.entry, call) for call in job.calls)


def profile_here(program: str) -> Profile | None:
    """A program of a test's, profiled by the real analysis program in this process."""
    [job] = profile_jobs(iter(["0"]), [program])
    return profile_of(_call_here(job.source, job.entry, job.calls[0]))


def _call_here(source: str, entry: str, call: str) -> CallResult:
    names: dict[str, object] = {}
    try:
        exec(source, names)  # trusted: the test wrote it
        value = eval(f"{entry}({call})", names)
    except Exception as error:  # noqa: BLE001 - any failure of the program is an outcome
        return CallResult(outcome=Outcome.RAISED, error=f"{type(error).__name__}: {error}")
    return CallResult(outcome=Outcome.RETURNED, value=repr(value), fuel=1)


@dataclass
class ScriptedExecutor:
    """FAKE sandbox: answers every job as the script says."""

    script: Callable[[Job], JobResult]
    jobs: list[Job] = field(default_factory=list[Job])

    async def arun(self, jobs: Sequence[Job]) -> list[JobResult]:
        self.jobs.extend(jobs)
        return [self.script(job) for job in jobs]


def make_table(
    config: RunConfig,
    policy: ScriptedPolicy,
    judge: ScriptedJudge | None = None,
    buffers: TaskBuffers | None = None,
) -> Table:
    """A table of fakes, with real prompts and real buffers in memory."""
    if buffers is None:
        band = Band(*config.buffers.band)
        buffers = TaskBuffers(":memory:", config.buffers.max_tasks, band=band)
        buffers.add_zero_tasks()
    prompts = Prompts(
        config.selfplay, config.rollout, count_words, config.parsing, config.composite
    )
    judge = judge or ScriptedJudge()
    return Table(
        config=config,
        policy=policy,
        judge=judge,
        appraiser=Appraiser(config, judge, buffers),
        buffers=buffers,
        prompts=prompts,
    )
