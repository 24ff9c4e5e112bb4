"""The only module of the game that talks to the executor.

Model text is parsed as literals or sent to the guest. It is never evaluated here, and the expected
values never leave this process. A failure of the machinery is `ExecutorUnavailable`, never a
verdict.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Protocol

from azr.config.run import ParsingConfig, SandboxConfig
from azr.errors import ExecutorUnavailable
from azr.game.judge.guest_programs import guest_program
from azr.game.judge.profiles import profile_jobs, profile_of
from azr.game.judge.programs import grade_program
from azr.game.judge.reasons import mismatch, why_failed, why_no_case, why_wrong
from azr.game.judge.rewriting import (
    Rewriting,
    objection_to_rewritten,
    read_rewritten,
    rewriting_job,
)
from azr.game.judge.structure import as_functions, as_reason, compose_call, objection_call
from azr.game.modes import rules_of
from azr.types import Answer, Check, Demands, Grade, Profile, Proposal, Ruling, Task, Verdict
from sandbox_wasm.errors import BadJob, SandboxUnavailable
from sandbox_wasm.grading import Check as ProgramCheck
from sandbox_wasm.literals import (
    LiteralError,
    canonical_arguments,
    parse_sequences,
    require_literal,
)
from sandbox_wasm.types import (
    DEFAULT_BANNED_MODULES,
    MAX_IMAGES,
    CallResult,
    Job,
    JobResult,
    Limits,
    Outcome,
)

__all__ = ["Executor", "JudgeStatistics", "SandboxJudge"]

logger = logging.getLogger(__name__)

NOT_A_LITERAL = "not a literal"


class Executor(Protocol):
    """The sandbox's async client; the judge does not know whether it is local or remote."""

    async def arun(self, jobs: Sequence[Job]) -> list[JobResult]:
        """Run all jobs and return the results in the jobs' order."""
        ...


@dataclass(slots=True)
class JudgeStatistics:
    """What the judge asked of the executor."""

    jobs: int = 0
    calls: int = 0
    waited_s: float = 0.0
    """Time from sending to result, summed over jobs; many wait at once."""
    fuel: int = 0
    profiles: int = 0
    """Programs analysed; their jobs and calls are not in the numbers above."""
    unprofiled: int = 0
    """Analyses without a result."""
    outcomes: Counter[str] = field(default_factory=Counter[str])
    not_deterministic: Counter[str] = field(default_factory=Counter[str])
    """Programs that differed between images, by the check that found it."""
    compared: Counter[str] = field(default_factory=Counter[str])
    """Programs that ran in several images, by the check that ran them."""
    rechecked: int = 0
    """Stored tasks that were run again."""
    refuted: int = 0
    """Of these, how many have other outputs than are stored."""

    def as_metrics(self) -> dict[str, float]:
        """Flat names and numbers."""
        numbers: dict[str, float] = {
            "judge/jobs": self.jobs,
            "judge/calls": self.calls,
            "judge/waited_s": self.waited_s,
            "judge/fuel": self.fuel,
            "judge/profiles": self.profiles,
            "judge/unprofiled": self.unprofiled,
        }
        for check in ("admission", "grading"):
            numbers[f"judge/not_deterministic/{check}"] = self.not_deterministic[check]
            if num_compared := self.compared[check]:
                share = self.not_deterministic[check] / num_compared
                numbers[f"judge/not_deterministic_share/{check}"] = share
        if self.rechecked:
            numbers["gate/rechecked"] = self.rechecked
            numbers["gate/refuted"] = self.refuted / self.rechecked
        return numbers | {f"judge/outcome/{name}": n for name, n in sorted(self.outcomes.items())}


class SandboxJudge:
    """Judges by running programs in the sandbox."""

    def __init__(
        self, client: Executor, config: SandboxConfig, parsing: ParsingConfig | None = None
    ) -> None:
        self._client = client
        self._parsing = parsing or ParsingConfig()
        self._config = config
        self._limits = Limits(
            fuel=config.fuel, memory_bytes=config.memory_bytes, output_bytes=config.output_bytes
        )
        self._banned = (
            DEFAULT_BANNED_MODULES
            if config.banned_modules is None
            else frozenset(config.banned_modules)
        )
        self._ids = map(str, count(1))
        self.statistics = JudgeStatistics()
        """Since the last call of `stats`."""

    def stats(self) -> dict[str, float]:
        """Return what the judge asked of the executor since the last call: one step's share."""
        metrics = self.statistics.as_metrics()
        self.statistics = JudgeStatistics()
        return metrics

    async def admit(self, proposal: Proposal, born_step: int) -> Ruling:
        """Check caps and literals, then run under several hash seeds, clocks and entropies.

        If an option of [parsing] asks for it, the program is rewritten first. Seeds, which are born
        at step 0, have options of their own.
        """
        rules = rules_of(proposal.mode)
        read = self._readable(proposal)
        if not isinstance(read, str) and rules.writes_program:  # else it was one before
            read = await self._rewritten(
                read, Rewriting.of(self._parsing, is_seeding=not born_step)
            )
        if isinstance(read, str):
            return _refused(read)
        objection = rules.objection_to(read) or await self._structural_objection(read)
        if objection:
            return _refused(objection)
        results = await self._run(read.whole_program, read.inputs, "admission")
        if isinstance(results, str):
            return _refused(results)
        outputs: list[str] = []
        for result in results:
            output = rules.output_of(result) if result.differs is None else None
            if output is None:
                return _refused(why_no_case(result))
            if len(output.encode()) > self._config.output_bytes:
                return _refused("output too large")  # never cut: a cut output has no answer
            outputs.append(output)
        return Ruling(verdict=Verdict.PASSED, task=rules.task_of(read, outputs, born_step))

    async def compose(self, programs: Sequence[str], count: int) -> tuple[str, ...]:
        """Return the first `count` programs that can be built upon, as functions g_0, g_1, ..."""
        answer = await self._ask("compose", compose_call(programs, count))
        return as_functions(answer)

    async def _rewritten(self, proposal: Proposal, rewriting: Rewriting) -> Proposal | str:
        """The proposal with its program rewritten in the guest, or why there is none."""
        if not rewriting.is_needed:
            return proposal
        results = await self._results(rewriting_job(next(self._ids), proposal.program, rewriting))
        if isinstance(results, str):
            return f"rewriting: {results}"
        [result] = results
        reply = read_rewritten(result.value) if result.value is not None else None
        if reply is None:
            return f"rewriting: {why_failed(result) or 'no program'}"
        return objection_to_rewritten(reply, rewriting) or self._readable(
            replace(proposal, program=reply.program)
        )

    async def grade(self, task: Task, answer: Answer) -> Grade:
        """Compare typed values, outside the guest.

        An answer runs in as many images as a proposal. An answer that depends on chance, or an
        input that makes an admitted program depend on it, must be right in all of them.
        """
        check = rules_of(task.mode).check_of(task, answer)
        if not check.calls:
            return _graded([self._claim_matches(c, e) for c, e in _pairs(check.claimed, check)])
        if len(check.program) > self._config.max_program_chars:
            return _wrong("program too long")
        calls = self._canonical(check.calls)
        if isinstance(calls, str):
            return _wrong(calls)
        results = await self._run(check.program, calls, "grading")
        if isinstance(results, str):
            return _wrong(results)
        return _graded(
            [
                why_wrong(result, expected)
                for result, expected in zip(results, check.expected, strict=True)
            ]
        )

    async def grade_program(self, program: str, check: ProgramCheck) -> Grade:
        """See `azr.game.judge.programs`."""
        return await grade_program(self._client, program, check)

    async def refutes(self, task: Task, seed: int) -> bool:
        """Whether the task's program gives another output in some image that there is.

        Those that it was admitted in are among them; the others have hash seeds, clocks and
        addresses that it never ran under. Entropy depends on the text: a comment makes it new.
        """
        source, inputs = f"{task.program}\n# {seed}", [case.input for case in task.cases]
        results = await self._run(source, inputs, "recheck", MAX_IMAGES)
        output_of = rules_of(task.mode).output_of
        holds = not isinstance(results, str) and all(
            result.differs is None
            and (output := output_of(result)) is not None
            and not mismatch(output, case.output)
            for result, case in zip(results, task.cases, strict=True)
        )
        self.statistics.rechecked += 1
        self.statistics.refuted += not holds
        return not holds

    async def profile(self, programs: Sequence[str]) -> list[Profile | None]:
        """Return the programs' profiles, in order; None if an analysis does not finish.

        The guest parses the programs and runs none of them; a profile is a function of the text.

        Raises:
            ExecutorUnavailable: The machinery failed or broke its contract.
        """
        jobs = profile_jobs(self._ids, programs)
        results = await self._send(jobs) if jobs else []
        if results is None:
            return [None] * len(programs)
        profiles: list[Profile | None] = []
        for job, result in zip(jobs, results, strict=True):
            if len(result.calls) != len(job.calls):
                raise ExecutorUnavailable(f"job {job.id} was answered with another's result")
            profiles += map(profile_of, result.calls)
        self.statistics.profiles += len(programs)
        self.statistics.unprofiled += profiles.count(None)
        return profiles

    def _readable(self, proposal: Proposal) -> Proposal | str:
        """The proposal with canonical inputs, or why it cannot be one."""
        if len(proposal.whole_program) > self._config.max_program_chars:
            return "program too long"
        inputs = self._canonical(proposal.inputs)
        return inputs if isinstance(inputs, str) else replace(proposal, inputs=inputs)

    async def _structural_objection(self, proposal: Proposal) -> str:
        """What the program does against its demands; empty if nothing, or if it has none."""
        if proposal.demands == Demands():
            return ""
        return as_reason(
            await self._ask("objection", objection_call(proposal.program, proposal.demands))
        )

    async def _ask(self, question: str, arguments: str) -> object:
        """The guest's answer to a question of structure, as a value; None if it gave none.

        The programs in the arguments are texts there, too: parsed, never run.
        """
        limits = replace(self._limits, output_bytes=max(len(arguments.encode()) * 4, 4096))
        job = Job(
            id=next(self._ids),
            source=guest_program(question),
            calls=(arguments,),
            entry=question,
            limits=limits,
        )
        results = await self._results(job)
        if isinstance(results, str) or results[0].value is None:
            return None
        try:
            return parse_sequences(results[0].value)
        except LiteralError as error:
            raise ExecutorUnavailable(f"job {job.id} was answered with no literal") from error

    def _canonical(self, inputs: Sequence[str]) -> tuple[str, ...] | str:
        """Argument lists as literals in their one spelling, or why they are none."""
        if any(len(text) > self._config.max_input_chars for text in inputs):
            return "input too long"
        try:
            return tuple(map(canonical_arguments, inputs))
        except LiteralError:
            return NOT_A_LITERAL

    def _claim_matches(self, claimed: str, expected: str) -> str:
        """Empty if the claimed literal is the expected value, else the reason."""
        if len(claimed) > 4 * self._config.output_bytes:  # spelled with blanks, still bounded
            return "answer too long"
        try:
            require_literal(claimed)
        except LiteralError:
            return NOT_A_LITERAL
        return mismatch(claimed, expected)

    async def _run(
        self, program: str, calls: Sequence[str], purpose: str, images: int | None = None
    ) -> Sequence[CallResult] | str:
        """One result a call in the run's images, or why the program could not be called at all.

        Raises:
            ExecutorUnavailable: The machinery failed or broke its contract.
        """
        try:
            program.encode()
        except UnicodeEncodeError:
            return "not unicode"
        job = Job(
            id=next(self._ids),
            source=program,
            calls=tuple(calls),
            limits=self._limits,
            images=images or self._config.images,
            banned_modules=self._banned,
        )
        results = await self._results(job)
        if not isinstance(results, str):
            self.statistics.compared[purpose] += 1
            self.statistics.not_deterministic[purpose] += any(r.differs for r in results)
        return results

    async def _results(self, job: Job) -> Sequence[CallResult] | str:
        """One result a call of the job; see `_run`."""
        started = time.perf_counter()
        results = await self._send([job])
        if results is None:
            return "bad job"
        [result] = results
        self._count(result, time.perf_counter() - started)
        num_calls = len(job.calls)
        if len(result.calls) == num_calls:
            return result.calls
        if len(result.calls) == 1 and result.calls[0].outcome is not Outcome.RETURNED:
            return why_failed(result.calls[0])  # it failed before its first call
        raise ExecutorUnavailable(
            f"job {job.id} with {num_calls} calls was answered with {len(result.calls)} results"
        )

    async def _send(self, jobs: Sequence[Job]) -> list[JobResult] | None:
        """The result of each job; None if the sandbox refuses them.

        Raises:
            ExecutorUnavailable: The machinery failed, or answered with something else.
        """
        try:
            results = await self._client.arun(jobs)
        except SandboxUnavailable as error:
            raise ExecutorUnavailable(f"the sandbox did not answer: {error}") from error
        except BadJob as error:  # text chosen by a model must not be able to end the run
            logger.warning("the sandbox refused a job: %s", error)
            return None
        for job, result in zip(jobs, results, strict=True):
            if result.id != job.id:
                raise ExecutorUnavailable(
                    f"job {job.id} was answered with the result of {result.id}"
                )
        return results

    def _count(self, result: JobResult, waited_s: float) -> None:
        self.statistics.jobs += 1
        self.statistics.calls += len(result.calls)
        self.statistics.waited_s += waited_s
        for call in result.calls:
            self.statistics.outcomes[call.outcome.value] += 1
            self.statistics.fuel += call.fuel


def _pairs(texts: Sequence[str], check: Check) -> list[tuple[str, str]]:
    return list(zip(texts, check.expected, strict=True))


def _refused(reason: str) -> Ruling:
    return Ruling(verdict=Verdict.FAILED, reason=reason)


def _wrong(reason: str) -> Grade:
    return Grade(verdict=Verdict.FAILED, reason=reason)


def _graded(reasons: Sequence[str]) -> Grade:
    """Right where there is no reason; the first reason stands for all."""
    assert reasons, "a check compares at least one value"
    right = sum(not reason for reason in reasons)
    if right == len(reasons):
        return Grade(verdict=Verdict.PASSED, score=1.0)
    first = next(reason for reason in reasons if reason)
    return Grade(verdict=Verdict.FAILED, score=right / len(reasons), reason=first)
