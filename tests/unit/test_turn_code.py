"""A turn's code is made without a tree where that gives the same: names, values, errors, lines."""

import ast
import random
import traceback
from pathlib import Path
from types import CodeType

import pytest

from sandbox_wasm.guest import compiler

ROOT = Path(__file__).parents[2]
NAME = "<turn 1>"

TEXTS = [
    "",
    "\n",
    "# only a comment",
    "x",
    "x = 1",
    "x = 1\nx",
    'x = 1\n"a=b";',
    "names = sorted(globals())\nx: int = 1",
    "missing\nx: int = 1",
    "x;",
    "x; ",
    "x; # shown",
    "1; 2",
    "x=1; x",
    "x = 1\nx; x + 1",
    "'doc'",
    "'doc'\n'last'",
    "'doc'\nx = 2",
    "x: int = 1",
    "a = 1\n\n\nb = 2\n# end\n",
    "def f():\n    return 1\nf()",
    "def f():\n    return 1",
    "@str\ndef f(): pass",
    "@str\n@repr\nclass A: pass\nf",
    "if x:\n    y = 1\nelse:\n    y = 2",
    "if x: y = 1\nelif y: y = 2\nelse: y = 3\ny",
    "if x: y = [\n1\n]; z = 3",
    "if 1: a = b = 2\nelsewhere = 3\nelsewhere",
    "def f(): pass\nfinally_ = 4",
    "def f(): pass\nexcepts = 1\nexcepts",
    "try:\n    1 / 0\nexcept ZeroDivisionError:\n    z = 1\nfinally:\n    w = 2",
    "for i in 'ab': j = i\nelse:\n    k = 1",
    "f = dict(\n    a=1,\n)\nf",
    "dict(\n    a=1,\n)",
    "dict(\na=1,\n)",
    "dict(a=2,\nb=1)",
    "x = [\n1,\n2\n]; y = 3; y",
    "x = '''\na = 1\nb\n'''",
    "'''\na = 1\nb\n'''",
    '"""a\nb = 1 # """',
    "'''a\nif b:\n    c'''",
    "x = 1 + \\\n2",
    "x = 1\n(x,\n x)",
    "a = 1, *[2]",
    "1, *[2]",
    "*[1], 2",
    "*[1],",
    "(y := 3)",
    "y := 3",
    "lambda: 1",
    "not 1",
    "-1\n",
    "[1][0]",
    "x = y = 5\n(x)\n",
    "import math",
    "import math; math.pi",
    "import math\nmath.pi",
    "from math import pi\npi",
    "import math as m; m.e; q = 1",
    "from __future__ import annotations\ndef f(x: y): pass\nf.__annotations__",
    "x = 1\nfrom __future__ import annotations",
    "x = 1\nglobal x",
    "global g\ng: int = 1",
    "def f():\n    global g\n    g = 1\nf(); g",
    "globals()['u'] = 1\nu",
    "x = (",
    "x = 1\n  y = 2",
    "return 1",
    "x = 1\nreturn x",
    "await x",
    "yield 1",
    "x = 1\nbreak",
    "del x\nx =",
    "1 +",
    "a b",
    "x = 1\r\nx",
    "x = 1\rx",
    "\fx = 1\n\fx",
    "x = 1\n\fy = 2\n",
    "\tx",
    " x",
    "x\n y",
    "if x:\n\ty = 1\n        z = 2",
    "\ufeffx = 1\nx",
    "match 1:\n    case 1: m = 1",
    "match = 1\nmatch",
    "with open('/dev/null') as f: pass\nf.closed",
    "type(1)",
    "print\n",
    "pass",
    "class A:\n    def f(self):\n        return 1 / 0\n\n\nA().f()",
    "x = 1\n\n\n1 / 0",
    "x = 1\n\nraise KeyError(x)",
    "assert 0",
    "del q",
    "def f():\n    '''text\nat column 0\n'''\n    return 1\nf()",
    "x = 1\n\\\nx",
    "é = 1\né",
    "x = 'é\u2028'\nx",
    "async def f(): pass\nf.__name__",
    "x = 1 # a\n# b\n\n",
    "while 0: pass\nelse: v = 1\nv",
    "x = 1;\nx;\n",
    "x = 1\nx ;",
    "x = 1\nx == 1",
    "x = 1\nx != 2\n#c",
    "if 1:\n    x = 3\n)",
    "x == 1 == 1;",
    "'a=b'",
    "f'{1=}'",
    "x = 1\nf'{x=}'",
    "dict(a=1); dict(b=2)",
]


def through_the_tree(text: str) -> tuple[CodeType, CodeType | None]:
    """What a turn's code is by definition."""
    tree, last = ast.parse(text, NAME), None
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not text.rstrip().endswith(";"):
        last = compile(ast.Expression(tree.body.pop().value), NAME, "eval", 0, True)
    return compile(tree, NAME, "exec", 0, True), last


def what_happens(compiles, text: str) -> object:
    """Names, value and error of a turn; for an error its type, its text and the lines it shows."""
    names: dict[str, object] = {"__name__": "__main__", "u": 0, "y": 7, "f": 1}
    value = error = None
    try:
        body, last = compiles(text)
        exec(body, names)
        value = None if last is None else eval(last, names)
    except Exception as exc:  # noqa: BLE001 - whatever it is
        frames = [(frame.lineno, frame.name) for frame in traceback.extract_tb(exc.__traceback__)
                  if frame.filename == NAME]  # fmt: skip
        error = (
            type(exc),
            str(exc),
            frames,
            getattr(exc, "lineno", None),
            getattr(exc, "text", None),
        )
    kept = {name: plain(value) for name, value in names.items() if name != "__builtins__"}
    return kept, plain(value), error


def plain(value: object) -> str:
    return repr(value).split(" at 0x")[0]


def fast(text: str) -> tuple[CodeType, CodeType | None]:
    return compiler.compiled(text, NAME, "turn")


@pytest.mark.parametrize("ending", ["", "\n", "\n\n# end\n"])
def test_each_kind_of_turn_does_the_same_as_through_its_tree(ending: str) -> None:
    for text in TEXTS:
        assert what_happens(fast, text + ending) == what_happens(through_the_tree, text + ending), (
            text
        )


def pieces() -> list[str]:
    """Lines and runs of lines of real sources, to be put together at random."""
    lines = []
    for path in sorted((ROOT / "sandbox_wasm" / "guest").glob("*.py")):
        lines += path.read_text().splitlines(keepends=True)
    rng = random.Random(3)
    runs = []
    for _ in range(400):
        start = rng.randrange(len(lines))
        runs.append("".join(lines[start : start + rng.choice([1, 1, 2, 5, 20])]))
    return [*runs, *(text + "\n" for text in TEXTS)]


def test_random_texts_compile_or_do_not_and_show_a_value_or_do_not_as_through_their_tree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    modes: dict[int, str] = {}
    codes = []

    def spy(source: object, name: str, mode: str, flags: int, dont_inherit: bool) -> CodeType:
        code = compile(source, name, mode, flags, dont_inherit)
        modes[id(code)] = mode
        codes.append(code)  # so that no other has its id
        return code

    monkeypatch.setattr(compiler, "compile", spy, raising=False)
    rng, parts = random.Random(5), pieces()
    num_compiled = 0
    for _ in range(4000):
        text = "".join(rng.choices(parts, k=rng.choice([1, 2, 3])))
        try:
            expected: object = through_the_tree(text)[1] is not None
            num_compiled += 1
        except (SyntaxError, ValueError) as exc:
            expected = type(exc), str(exc)
        try:
            last = fast(text)[1]
            given: object = last is not None and modes[id(last)] == "eval"
        except (SyntaxError, ValueError) as exc:
            given = type(exc), str(exc)
        assert given == expected, text
    assert num_compiled > 500
