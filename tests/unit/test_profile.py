"""Profiles of programs: the analysis program (run here, on the tests' own text), and its jobs.

tests/guest/test_profile_guest.py runs it where it belongs, on hostile text as well.
"""

import asyncio
import re
from dataclasses import replace

import pytest
from complexipy import code_complexity
from hypothesis import given
from hypothesis import strategies as st
from radon.metrics import h_visit
from radon.visitors import ComplexityVisitor

from azr.config.run import SandboxConfig
from azr.errors import ExecutorUnavailable
from azr.game.judge.judge import SandboxJudge
from azr.game.judge.profiles import PROGRAMS_PER_JOB, halstead_effort, halstead_volume, profile_of
from azr.game.rewards.distance import is_closer, program_distance
from azr.types import Profile
from sandbox_wasm.errors import BadJob, SandboxUnavailable
from sandbox_wasm.types import CallResult, Job, JobResult, Outcome
from tests.fakes import InProcessExecutor, ScriptedExecutor, profile_here

HEAD = "def f(x, y=1, z=2):\n    "


def profile(program: str) -> Profile:
    found = profile_here(program)
    assert found is not None
    return found


COGNITIVE = [
    ("return x", 0),
    ("return not x", 0),
    ("return x and y and z", 1),
    ("return x and y or z", 2),
    ("return (x and y) or (z and x)", 3),
    ("return x and (y and z)", 1),
    ("return x if y else z", 1),
    ("return (x if y else z) if y else 2", 3),
    ("return [i for i in x if i and y]", 3),
    ("return [[j for j in i] for i in x]", 3),
    ("return [1 for i in x for j in y if i if j]", 4),
    ("return {i: 1 for i in x}", 1),
    ("return lambda a: a if a else 1", 2),
    ("while x and y:\n        x -= 1\n    else:\n        y = 1", 2),
    ("for i in x:\n        for j in y:\n            if j: continue", 6),
    ("if x: return 1\n    else: return 2", 2),
    ("if x: return 1\n    elif y: return 2\n    elif z: return 4\n    else: return 3", 4),
    ("if x: return 1\n    else:\n        if y: return 2", 4),
    ("if x:\n        if y: pass\n        elif z: pass\n        else: pass", 5),
    ("if not (x and y): pass", 2),
    ("try: x = 1\n    except A: x = 2\n    except B:\n        if x: pass\n    else: y = 1", 4),
    ("try: x = 1\n    finally:\n        if x: pass", 1),
    ("with x:\n        if y: pass", 1),
    ("match x:\n        case 1 if y:\n            if z: pass\n        case _: pass", 3),
    ("return f(x - 1)", 1),
    ("return f(x - 1) + f(x - 2)", 1),
    ("w = 1\n    def g(a):\n        if a: return 1\n    return g", 2),
    ("def g(a):\n        if a: return 1\n    return g", 1),
    ("class A:\n        def m(self):\n            if x: pass\n    return A", 1),
    ("return any(i == y for i in x)", 1),
    ("x: int = y and z", 1),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), COGNITIVE)
def test_cognitive_complexity_is_that_of_sonarsource_as_complexipy_counts(body: str, expected: int):
    """Feature 46: counted by hand, and by the reference's library."""
    assert profile(HEAD + body).cognitive == expected
    assert code_complexity(HEAD + body, with_plans=False).complexity == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return x[0 if y else 1]", 1),
        ("return (x and y) + (y or z)", 2),
        ("return f'{x if y else z}'", 1),
        ("return sorted(x, key=lambda a: a if a else 1)", 2),
        ("return sum(i for i in x) / 2", 1),
    ],
)
def test_expressions_that_complexipy_overlooks_count(body: str, expected: int):
    """Padding a program where nobody looks, or hiding in there, pays nothing."""
    assert profile(HEAD + body).cognitive == expected
    assert code_complexity(HEAD + body, with_plans=False).complexity < expected


PROGRAMS = [
    *(HEAD + body for body, _ in COGNITIVE),
    HEAD + "x += 1\n    y = -x ** 2 // 3\n    return x.a + z.a + 1 + True + 1.0 + (x < y < z)",
    HEAD + "assert x and y\n    return ~x << 2 | y",
    "g = 1 + 2\nasync def f(x):\n    async for i in x: g = i + 1\n    return x @ x",
    "class A:\n    n = 1 + 1\n    def m(self): return self.n + 1\ndef f(x): return A().m() + x",
    HEAD + "for i in x: pass\n    else: y = 1\n    while y: y -= 1\n    else: pass",
    "def f(x): return 'a' + x + x + 'a'\ndef g(x): return 'a' + x",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_halstead_numbers_are_radons(program: str):
    """Feature 48."""
    report, mine = h_visit(program).total, profile(program)
    assert mine.volume == pytest.approx(report.volume)
    assert mine.effort == pytest.approx(report.effort)


@pytest.mark.parametrize(
    "program", [p for p in PROGRAMS if not re.search("    def g|class|assert", p)]
)
def test_cyclomatic_complexity_is_radons(program: str):
    """radon looks into no assert, and adds 1 for a class."""
    assert profile(program).cyclomatic == ComplexityVisitor.from_code(program).total_complexity


def test_functions_in_functions_count_where_radons_total_leaves_them_out():
    program = HEAD + "def g(a):\n        if a: return 1\n    return g"
    assert profile(program).cyclomatic == 2
    assert ComplexityVisitor.from_code(program).total_complexity == 1


def test_halstead_by_hand():
    """`x + y * 2`: operators Add, Mult; operands x, (y * 2), y, 2."""
    assert halstead_volume(2, 4, 2, 4) == pytest.approx(6 * 2.584962500721156)
    assert halstead_effort(2, 4, 2, 4) == pytest.approx(1.0 * 6 * 2.584962500721156)
    assert profile("def f(x, y):\n    return x + y * 2").volume == halstead_volume(2, 4, 2, 4)
    assert halstead_effort(0, 0, 0, 0) == halstead_volume(0, 0, 0, 0) == 0.0


BASE = (
    "def f(items, k):\n    total = 0\n    for x in items:\n        total += x * k\n    return total"
)
RENAMED = "def f(a, b):\n    c = 0\n    for d in a:\n        c += d * b\n    return c"


@pytest.mark.parametrize(
    "program",
    [
        RENAMED,
        f"# a comment\n{BASE}\n\n",
        BASE.replace("    ", "\t"),
        BASE.replace("items, k", "items: list[int], k: int = 0").replace(": int = 0", ": int"),
        BASE.replace("    total = 0", '    """Sum."""\n    total = 0'),
        BASE.replace("total = 0", "total = 0; 'no effect'"),
        BASE.replace("def f(items, k):", "def f(items, k) -> int:"),
    ],
)
def test_renaming_layout_and_annotations_change_neither_structure_nor_sequence(program: str):
    one, other = profile(BASE), profile(program)
    assert (one.structure, one.sequence) == (other.structure, other.sequence)
    assert program_distance(one, other) == 0.0


@pytest.mark.parametrize(
    ("program", "same_sequence"),
    [
        (BASE.replace("0", "1"), True),
        (BASE.replace("x * k", "k * x"), True),
        (BASE.replace("x * k", "x + k"), False),
        (BASE.replace("return total", "return k"), True),
        (BASE.replace("return total", "return max"), True),
    ],
)
def test_what_a_program_computes_is_in_its_structure(program: str, same_sequence: bool):
    one, other = profile(BASE), profile(program)
    assert one.structure != other.structure
    assert (one.sequence == other.sequence) is same_sequence


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x[1:]", "x[:1]"),
        ("x[1]", "x[1.0]"),
        ("x['a']", "x[b'a']"),
        ("sorted(x)", "list(x)"),
        ("x.a", "x.b"),
        ("(x, (1, 2))", "(x, 1, 2)"),
        ("f(x, x)", "f(x, *x)"),
    ],
)
def test_alike_is_not_the_same(one: str, other: str):
    assert (
        profile(f"def f(x): return {one}").structure
        != profile(f"def f(x): return {other}").structure
    )


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("def f(x): return x", True),
        ("def f(x): return None", False),
        ("def f(): return 1", False),
        ("def f(x):\n    x = 1\n    return 2", False),
        ("def f(x):\n    def g(): return x\n    return g()", True),
        ("def f(*a, **k): return k", True),
        ("def f(x): return x\ndef f(x): return 1", False),
        ("f = abs", True),
        ("def f(x=1, /, *, y=2): return y", True),
        ("def f(x):\n    _ = x\n    return 1", False),
        ("def f(x):\n    y = [x, (x, 2)]\n    z = y\n    x\n    return 1", False),
        ("def f(x):\n    y: int = x\n    x = y\n    return 1", False),
        ("def f(x):\n    y = x\n    z = y\n    return z", True),
        ("def f(x):\n    z = y = x\n    return y", True),
        ("def f(x):\n    _ = 1 / x\n    return 1", True),  # it can raise: an answer of error mode
        ("def f(x):\n    _ = g(x)\n    return 1", True),
        ("def f(x):\n    y[0] = x\n    return 1", True),
        ("def f(x):\n    a, b = x\n    return 1", True),  # as above
        ("def f(x):\n    y: int\n    return 1", False),
        ("def f(x):\n    y = x\n    def g(): return y\n    return g()", True),
    ],
)
def test_whether_the_input_is_read(program: str, expected: bool):
    assert profile(program).uses_input is expected


def test_nodes_and_lines_are_counted():
    found = profile("def f(x):\n\n    # why\n    return x")
    assert (found.nodes, found.lines) == (6, 3)
    assert len(found.sequence) == found.nodes


def test_a_long_program_has_a_bounded_sequence_and_all_of_its_nodes():
    found = profile("def f(x):\n" + "    x = x + 1\n" * 2000 + "    return x")
    assert len(found.sequence) == 2048
    assert found.nodes > 10_000


@pytest.mark.parametrize(
    "program",
    ["def f(x", "\x00", "x = '\ud800'", "x = " + "(" * 5000 + "1" + ")" * 5000, "return\nif"],
)
def test_what_does_not_parse_has_no_profile(program: str):
    assert profile_here(program) is None


@pytest.mark.parametrize(
    "result",
    [
        CallResult(outcome=Outcome.OUT_OF_FUEL),
        CallResult(outcome=Outcome.TRAPPED),
        CallResult(outcome=Outcome.TIMED_OUT),
        CallResult(outcome=Outcome.RAISED, error="RecursionError: x"),
        CallResult(outcome=Outcome.RETURNED),
        CallResult(outcome=Outcome.RETURNED, value="None"),
        CallResult(outcome=Outcome.RETURNED, value="not a literal"),
        CallResult(outcome=Outcome.RETURNED, value="(1, 2, 3, 4, (1, 1, 1), True, 'a', 'b')"),
        CallResult(outcome=Outcome.RETURNED, value="(1, 2, '3', 4, (1, 1, 1, 1), True, 'a', 'b')"),
    ],
)
def test_any_other_end_is_no_profile_and_no_verdict(result: CallResult):
    assert profile_of(result) is None


def test_programs_travel_as_arguments_many_to_a_job():
    executor = InProcessExecutor()
    judge = SandboxJudge(executor, SandboxConfig())
    programs = [f"def f(x): return x + {n}" for n in range(2 * PROGRAMS_PER_JOB + 1)]
    found = asyncio.run(judge.profile([*programs[:-1], "def"]))
    assert [p is None for p in found] == [False] * (2 * PROGRAMS_PER_JOB) + [True]
    assert len({p.structure for p in found if p}) == 2 * PROGRAMS_PER_JOB
    assert len(executor.jobs) == 3
    assert len({job.source for job in executor.jobs}) == 1  # the guest compiles it once
    assert all(job.images == 1 for job in executor.jobs)
    stats = judge.stats()
    assert (stats["judge/profiles"], stats["judge/unprofiled"]) == (2 * PROGRAMS_PER_JOB + 1, 1)
    assert (stats["judge/jobs"], stats["judge/calls"]) == (0, 0)


def test_no_programs_ask_nothing():
    executor = InProcessExecutor()
    assert asyncio.run(SandboxJudge(executor, SandboxConfig()).profile([])) == []
    assert executor.jobs == []


def ask(script) -> list[Profile | None]:
    judge = SandboxJudge(ScriptedExecutor(script), SandboxConfig())
    return asyncio.run(judge.profile(["def f(x): return x"]))


def raising(error: Exception):
    def script(job: Job) -> JobResult:
        raise error

    return script


@pytest.mark.parametrize(
    "script",
    [
        raising(SandboxUnavailable("gone")),
        lambda job: JobResult(id="another", calls=(CallResult(outcome=Outcome.RETURNED),)),
        lambda job: JobResult(id=job.id, calls=()),
    ],
)
def test_a_broken_machine_is_an_exception(script):
    with pytest.raises(ExecutorUnavailable):
        ask(script)


def test_a_job_the_sandbox_refuses_is_no_profile():
    assert ask(raising(BadJob("too long"))) == [None]


# ---------------------------------------------------------------- distance

SEQUENCES = st.text(alphabet="!\"#$%&'()", max_size=40)
SOME = profile("def f(x): return x")


def of(sequence: str) -> Profile:
    return replace(SOME, sequence=sequence)


@given(SEQUENCES, SEQUENCES)
def test_distance_is_symmetric_and_between_0_and_1(one: str, other: str):
    """Feature 47, D: difflib's ratio depends on which comes first."""
    there, back = program_distance(of(one), of(other)), program_distance(of(other), of(one))
    assert there == back
    assert 0.0 <= there <= 1.0
    assert program_distance(of(one), of(one)) == 0.0


@given(SEQUENCES, st.lists(SEQUENCES, max_size=6), st.floats(0, 1))
def test_closer_means_closer_than_the_nearest(one: str, others: list[str], distance: float):
    nearest = min((program_distance(of(one), of(other)) for other in others), default=2.0)
    assert is_closer(of(one), [of(other) for other in others], distance) == (nearest < distance)


def test_distance_grows_with_what_is_different():
    loop = profile("def f(x):\n    for i in x:\n        x = i\n    return x")
    assert 0 < program_distance(SOME, loop) < program_distance(SOME, profile("class A: pass")) <= 1
