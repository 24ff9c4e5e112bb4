"""stderr and tracebacks for a model: what CPython would show, with the lines of the source."""

import pytest

from sandbox_wasm import CallResult, Job, Limits, Outcome, Sandbox

pytestmark = pytest.mark.guest

LIMITS = Limits(fuel=2_000_000_000)


def told(sandbox: Sandbox, source: str, **way: object) -> CallResult:
    job = Job("1", source, limits=LIMITS, want_stderr=True, **way)  # type: ignore[arg-type]
    [call] = sandbox.run([job])[0].calls
    assert call.stderr is not None
    return call


PROGRAM = """\
import sys
print("before", file=sys.stderr)
sys.stderr.write("no end of line")
def g(x):
    return 1 // x   # é

def f(x):
    return g(x - 1)
"""
FRAMES = """\
  File "<program>", line 8, in f
    return g(x - 1)
  File "<program>", line 5, in g
    return 1 // x   # é
ZeroDivisionError: division by zero
"""
HEAD = "before\nno end of lineTraceback (most recent call last):\n"


def test_a_call_an_expression_and_tests_tell_where_they_failed(sandbox: Sandbox) -> None:
    assert told(sandbox, PROGRAM, calls=["1"]).stderr == HEAD + FRAMES
    shown = '  File "<expression>", line 1, in <module>\n    f(1) + 1\n'
    assert told(sandbox, PROGRAM, expressions=["f(1) + 1"]).stderr == HEAD + shown + FRAMES
    shown = '  File "<tests>", line 2, in <module>\n    assert f(1) == 2\n'
    assert told(sandbox, PROGRAM, tests="\nassert f(1) == 2").stderr == HEAD + shown + FRAMES
    assert told(sandbox, PROGRAM, calls=["2"]).stderr == "before\nno end of line"


def test_nobody_who_does_not_ask_is_told(sandbox: Sandbox) -> None:
    plain = Job("1", PROGRAM, calls=["1"], limits=LIMITS)
    [call] = sandbox.run([plain])[0].calls
    assert call.stderr is None
    asked = told(sandbox, PROGRAM, calls=["1"])
    assert (asked.outcome, asked.error) == (call.outcome, call.error)
    assert asked.fuel < call.fuel + 1_000_000  # and it is cheap


WHOLE = {
    "exit with words": ("import sys\nsys.exit('sorry')", "sorry\n"),
    "exit with a number": ("import sys\nsys.exit(3)", ""),
    "exit handlers come after": (
        "import atexit, sys\natexit.register(lambda: print('bye', file=sys.stderr))\n1 / 0",
        ("Traceback (most recent call last):\n  File \"<program>\", line 3, in <module>\n"
        "    1 / 0\nZeroDivisionError: division by zero\nbye\n"),
    ),
    "a stderr of its own": (
        "import io, sys\nsys.stderr = io.StringIO()\nraise KeyError('k')",
        ("Traceback (most recent call last):\n  File \"<program>\", line 3, in <module>\n"
        "    raise KeyError('k')\nKeyError: 'k'\n"),
    ),
    "all line ends": (
        "a = 1\r\nb = 2\rc = '\x0c\u2028'\nraise ValueError(a)",
        ("Traceback (most recent call last):\n  File \"<program>\", line 4, in <module>\n"
        "    raise ValueError(a)\nValueError: 1\n"),
    ),
    "notes": (
        "e = OSError('x')\ne.add_note('see\\nhere')\nraise e",
        ("Traceback (most recent call last):\n  File \"<program>\", line 3, in <module>\n"
        "    raise e\nOSError: x\nsee\nhere\n"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_program_tells_as_an_interpreter_does(sandbox: Sandbox, name: str) -> None:
    source, stderr = WHOLE[name]
    assert told(sandbox, source, stdin="").stderr == stderr


def test_causes_and_contexts_are_told_first(sandbox: Sandbox) -> None:
    source = (
        "def f():\n    try:\n        try:\n            {}['k']\n        except KeyError as e:\n"
        "            raise ValueError('v') from e\n    except ValueError:\n        int('x')\n"
    )
    text = told(sandbox, source, calls=[""]).stderr or ""
    order = ["KeyError: 'k'", "direct cause", "ValueError: v", "During handling", "ValueError: inv"]
    assert sorted(order, key=text.index) == order
    ring = "def f():\n    e = ValueError('v')\n    e.__cause__ = e\n    raise e"
    assert (told(sandbox, ring, calls=[""]).stderr or "").count("ValueError: v") == 1


def test_what_is_told_is_bounded(sandbox: Sandbox) -> None:
    deep = "def f(x):\n    return f(x + 1)"
    text = told(sandbox, deep, calls=["1"]).stderr or ""
    assert text.count("in f\n") == 24
    assert text.rstrip().endswith("maximum recursion depth exceeded")
    long = f"def f(x): return x[{' ' * 9000}1]  # {'é' * 90_000}"
    assert len(told(sandbox, long, calls=["[]"]).stderr or "") < 1000
    loud = "import sys\nsys.stderr.write('x' * 10**6)\nraise ValueError('seen')"
    text = told(sandbox, loud, stdin="").stderr or ""
    assert len(text) < 70_000
    assert text.endswith("ValueError: seen\n")
    many = (
        "class E(Exception):\n    def __str__(s): return 'é' * 10**6\n"
        "def f(n):\n    try:\n        if n: f(n - 1)\n    finally:\n        raise E\n"
    )
    assert len((told(sandbox, many, calls=["40"]).stderr or "").encode()) <= 16_500


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("x = 1\n  y = = 2", '  File "<program>", line 2\n'),
        ("def f(:\n    pass", '    def f(:\n          ^\nSyntaxError: invalid syntax\n'),
        ("x = '\0'", "SyntaxError: source code string cannot contain null bytes\n"),
        ("x = (1,\n" + "y" * 5000, "SyntaxError: '(' was never closed\n"),
    ],
)  # fmt: skip
def test_a_syntax_error_shows_its_line(sandbox: Sandbox, source: str, shown: str) -> None:
    call = told(sandbox, source, calls=["1"])
    assert call.outcome is Outcome.SYNTAX_ERROR
    assert shown in (call.stderr or "")
    plain = sandbox.run([Job("1", source, calls=["1"])])[0].calls[0]
    assert (plain.error, plain.stderr) == (call.error, None)
    assert "\0" not in (call.error or "")


HOSTILE = {
    "a property that lies": "class E(Exception):\n    __traceback__ = 5\nraise E",
    "a chain without end": "class E(OSError):\n    __cause__ = property(lambda s: E())\nraise E",
    "notes without end": "e = OSError()\ne.__notes__ = iter(str, 1)\nraise e",
    "patched words": "import os\nos.write = None\nlen = str = isinstance = None\nraise OSError",
    "a frame to the trace": "import os\nos.write(1000004, b'V' * 10**6)\nraise OSError('x')",
    "its own reply": "import os\nos.write(1000003, b'Ve')\nraise OSError('x')",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_exception_gains_nothing(sandbox: Sandbox, name: str) -> None:
    call = told(sandbox, HOSTILE[name], stdin="")
    assert call.outcome in (Outcome.RAISED, Outcome.OUT_OF_FUEL, Outcome.OUT_OF_MEMORY,
                            Outcome.TRAPPED)  # fmt: skip
    assert call.value is None
    assert len(call.stderr or "") <= 81_920
    assert sandbox.stats()["restore_check_failures"] == 0
