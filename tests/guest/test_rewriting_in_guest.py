"""Proposals rewritten where it belongs: inside the guest, asked for by the judge."""

import asyncio
import re
import time

import pytest

from azr.config.run import ParsingConfig, SandboxConfig
from azr.game.judge.judge import SandboxJudge
from azr.types import Mode, Proposal, Ruling
from sandbox_wasm import Sandbox
from tests.direct import DirectExecutor

pytestmark = [pytest.mark.guest]


def admit(
    sandbox: Sandbox, program: str, parsing: ParsingConfig, step: int = 1
) -> tuple[Ruling, int]:
    executor = DirectExecutor(sandbox)
    judge = SandboxJudge(executor, SandboxConfig(), parsing)
    proposal = Proposal(Mode.DEDUCTION, program, ("3",))
    return asyncio.run(judge.admit(proposal, step)), len(executor.jobs)


def program_of(ruling: Ruling) -> str:
    assert ruling.task is not None, ruling.reason
    return ruling.task.program


NOTED = 'LIMIT = 2\n\ndef f(x):\n    """Doc."""\n    print(x)  # see\n    return f"{x}#"'


STRIPS = ("comments", "globals", "prints")


def test_without_an_option_no_job_is_spent(sandbox: Sandbox) -> None:
    ruling, jobs = admit(sandbox, NOTED, ParsingConfig())
    assert program_of(ruling) == NOTED
    assert jobs == 1


def test_comments_globals_and_prints_are_taken_out(sandbox: Sandbox) -> None:
    """Feature 19."""
    parsing = ParsingConfig(strip=STRIPS)
    ruling, jobs = admit(sandbox, NOTED, parsing)
    assert program_of(ruling) == 'def f(x):\n    return f"{x}#"'
    assert jobs == 2


def test_seeds_are_stripped_by_the_options_of_seeding(sandbox: Sandbox) -> None:
    """Feature 25."""
    parsing = ParsingConfig(seeding_strip=["comments"])
    assert program_of(admit(sandbox, NOTED, parsing, step=1)[0]) == NOTED
    seed = program_of(admit(sandbox, NOTED, parsing, step=0)[0])
    assert seed == 'LIMIT = 2\n\ndef f(x):\n    print(x)\n    return f"{x}#"'


def test_the_entry_is_renamed_and_runs(sandbox: Sandbox) -> None:
    """Feature 17."""
    program = "def up(n):\n    return f'{n}' if n < 2 else f'{up(n - 1)}!'  # up"
    ruling, _ = admit(sandbox, program, ParsingConfig(entry="any_last"))
    assert program_of(ruling) == program.replace("up(", "f(")
    assert ruling.task is not None
    assert ruling.task.cases[0].output == "'1!!'"


def test_a_global_that_was_taken_out_is_missed(sandbox: Sandbox) -> None:
    """AZR tells the proposer so in its prompt; the program then fails like any other."""
    program = "LIMIT = 2\n\ndef f(x):\n    return x + LIMIT"
    ruling, _ = admit(sandbox, program, ParsingConfig(strip=["globals"]))
    assert ruling.reason == "raised: NameError"


def test_several_functions_are_refused_on_request_alone(sandbox: Sandbox) -> None:
    """Feature 16, A11."""
    program = "def f(x):\n    def g(y):\n        return y\n    return g(x)"
    assert program_of(admit(sandbox, program, ParsingConfig())[0]) == program
    ruling, jobs = admit(sandbox, program, ParsingConfig(reject_multiple_functions=True))
    assert (ruling.reason, jobs) == ("several functions", 1)


EVERYTHING = ParsingConfig(entry="not_first", strip=STRIPS)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def f(x:\n    return x", "syntax error"),
        ("def f(x):\n    return " + "(" * 5000 + "x" + ")" * 5000, ""),
        ("def f(x):\n    return " + "-" * 16_000 + "x", ""),
        ("def f(x):\n    return x" + "\n#" * 8_000, "passed"),
        ("def f(x):\n    return x" + "\nf;" * 500, "passed"),
        ("\n".join(f"def g{i}(x): return x" for i in range(150)), "passed"),
        ("def f(x):\n    return (" + "f," * 7_000 + ")", ""),
        ("x" * 16_000, ""),
        ("def f(x):\n    return x\nraise SystemExit", "passed"),
        ("\ud800", "not unicode"),
    ],
)
def test_no_text_holds_the_judge_up(sandbox: Sandbox, program: str, reason: str) -> None:
    """Text of a model can make its own proposal invalid, and nothing else."""
    started = time.perf_counter()
    ruling, _ = admit(sandbox, program, EVERYTHING)
    assert time.perf_counter() - started < 60
    if reason == "passed":
        assert ruling.task is not None, ruling.reason
    elif reason:
        assert ruling.reason in (reason, f"rewriting: {reason}", "rewriting: not a value")
    else:
        assert ruling.task is None


def test_what_a_program_says_is_not_done_while_it_is_rewritten(sandbox: Sandbox) -> None:
    """The text is data: closing the literal it travels in is beyond it."""
    for program in ("'), 1, '')\n", "\"\"\"'''", "\\", "{print(1)}", "def f(x): return 'a\\'"):
        ruling, _ = admit(sandbox, program, EVERYTHING)
        assert ruling.task is None
        assert re.match(r"syntax error|raised: ", ruling.reason), ruling.reason
