"""The serving bench: its problems, their mutants, and the peers that need no package."""

import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
PROGRAM = "def double(text):\n    return int(text) * 2\n\nprint(double(input()))\n"


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch):
    """The bench's modules, as its script sees them."""
    monkeypatch.syspath_prepend(BENCH)
    before = set(sys.modules)
    from serving import peers, problems  # noqa: PLC0415 - only beside the bench's script

    yield peers, problems
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"serving", "programs", "bench_http"}:
            del sys.modules[name]


def test_every_second_problem_is_a_mutant_and_python_says_which_are_right(serving):
    _, problems = serving
    cases = (problems.Case("1\n", "2"), problems.Case("21\n", "42"))
    same = [problems.Problem(name, PROGRAM, cases) for name in ("a", "b", "c", "d")]
    mixed = problems.judged(same, 2)
    assert [problem.is_right for problem in mixed] == [True, False, True, False]
    assert [problem.program == PROGRAM for problem in mixed] == [True, False, True, False]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # LiveCodeBench forks
def test_peers_without_a_package_agree_with_it(serving):
    peers, problems = serving
    right = problems.Problem("right", PROGRAM, (problems.Case("21\n", "42"),))
    wrong = problems.Problem("wrong", PROGRAM, (problems.Case("21\n", "43"),))
    hostile = problems.Problem("ends", "import sys\nsys.exit(0)", (problems.Case("", "1"),))
    assert peers.by_exec([right, wrong, hostile]) == [True, False, False]
    assert peers.by_processes([right, wrong, hostile]) == [True, False, False]


def test_own_problems_print_the_same_in_every_process(serving):
    _, problems = serving
    own = problems.own_problems()
    assert len(own) > 400
    assert not [problem for problem in own if "set(" in problem.cases[0].expected]
