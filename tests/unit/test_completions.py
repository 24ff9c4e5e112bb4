"""The one reader of completions: what models write around a program, and hostile text."""

import time
from textwrap import dedent, indent
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox_wasm.grading.text.completions import answer_parts, read_program, text_of
from sandbox_wasm.grading.text.fences import segments
from sandbox_wasm.grading.text.python_text import is_code_line, split_future

PROGRAM = 'import math\n\ndef f(x):\n    """Twice."""\n    return 2 * x'
FENCED = f"```python\n{PROGRAM}\n```\n"
USAGE = "```python\nprint(f(3))\n```\n"
BASH = "```bash\npip install numpy\npython main.py\n```\n"
TEXT = "```text\nf(3) = 6\n```\n"
OUTPUT = "```\n6\n```\n"
JSON = '```json\n{"x": 1}\n```\n'
OLD = "```python\ndef f(x):\n    return x\n```\n"
IN_LIST = indent(FENCED, "   ")
DOC = (
    "def f(x):\n    '''Twice.\n\n    ```python\n    f(3)\n    ```\n    gives\n"
    "    ```\n    6\n    ```\n    '''\n    return 2 * x"
)
TOP_DOC = '"""Twice.\n\n```\nf(3)\n```\n"""\n\n\ndef f(x):\n    return 2 * x'
MARKDOWN = 'import re\n\ndef f(x):\n    return re.findall(r"```(.*?)```", x) or "```" in x'
TEMPLATE = (
    'PAGE = """\n```python\n{}\n```\n```\n{}\n```\n"""\n\ndef f(x):\n    return PAGE.format(x, x)'
)
CLASS = "class Solution:\n    def f(self, x):\n        return 2 * x"
FUTURE = "from __future__ import annotations\n\n\ndef f(x: list[int]) -> int:\n    return 2"
TAGS = "def f(x):\n    return x.split('</think>')[-1].removeprefix(\"<answer>\")"
LAMBDA = "f = lambda x: 2 * x"
IMPORTS = "from math import gcd, lcm as f"

NAMED: list[tuple[str, str, str]] = [
    # what stands before and behind
    (PROGRAM, "a fence", FENCED),
    (PROGRAM, "sentences around it", f"Here:\n\n{FENCED}\nIt doubles."),
    (PROGRAM, "bash before", f"{BASH}\n{FENCED}"),
    (PROGRAM, "bash behind", f"{FENCED}\nRun it:\n{BASH}"),
    (PROGRAM, "text before and behind", f"{TEXT}{FENCED}{TEXT}"),
    (PROGRAM, "two texts behind", f"{FENCED}{TEXT}{TEXT}"),
    (PROGRAM, "json before", f"{JSON}{FENCED}"),
    (PROGRAM, "a usage behind", f"{FENCED}Usage:\n{USAGE}"),
    (PROGRAM, "its output too", f"{FENCED}Usage:\n{USAGE}which prints\n{OUTPUT}"),
    (PROGRAM, "output tagged", f"{FENCED}\n```output\n6\n```"),
    (PROGRAM, "console", f"{FENCED}\n```console\n$ python f.py\n6\n```"),
    (PROGRAM, "a transcript", f"{FENCED}\n```pycon\n>>> f(3)\n6\n```"),
    (PROGRAM, "a transcript in python", f"{FENCED}\n```python\n>>> f(3)\n6\n```"),
    (PROGRAM, "tests behind", f"{FENCED}\n```python\nassert f(1) == 2\n```"),
    (PROGRAM, "a test function behind", f"{FENCED}\n```python\ndef test_f():\n    f(1)\n```"),
    (PROGRAM, "an earlier version", f"{OLD}Better:\n{FENCED}"),
    (PROGRAM, "another function before", f"```python\ndef g(x): ...\n```\n{FENCED}"),
    (PROGRAM, "javascript too", f"{FENCED}\n```javascript\nfunction f(x) {{}}\n```"),
    (PROGRAM, "java behind", f"{FENCED}\n```java\nclass f {{}}\n```"),
    (PROGRAM, "inline code", f"Use `def f(x)` and ```x``` so:\n{FENCED}and `f(3)`."),
    # fences
    (PROGRAM, "untagged", f"```\n{PROGRAM}\n```"),
    (PROGRAM, "capital", f"```Python\n{PROGRAM}\n```"),
    (PROGRAM, "py", f"``` py\n{PROGRAM}\n```"),
    (PROGRAM, "python3", f"```python3\n{PROGRAM}\n```"),
    (PROGRAM, "a version", f"```python3.11\n{PROGRAM}\n```"),
    (PROGRAM, "attributes", f'```python title="f.py" linenums="1"\n{PROGRAM}\n```'),
    (PROGRAM, "braces", f"```{{.python .numberLines}}\n{PROGRAM}\n```"),
    (PROGRAM, "a file name", f"```solution.py\n{PROGRAM}\n```"),
    (PROGRAM, "a language and a file", f"```python:src/f.py\n{PROGRAM}\n```"),
    (PROGRAM, "tildes", f"~~~python\n{PROGRAM}\n~~~"),
    (PROGRAM, "tildes around backticks", f"~~~markdown\n{FENCED}~~~\n{FENCED}"),
    (PROGRAM, "four backticks", f"````python\n{PROGRAM}\n````"),
    (DOC, "four backticks with three inside", f"````python\n{DOC}\n````"),
    (TOP_DOC, "four with three at the margin", f"````python\n{TOP_DOC}\n````\n{TEXT}"),
    (PROGRAM, "markdown around it", f"```markdown\n{FENCED}\n```"),
    (PROGRAM, "never closed", f"```python\n{PROGRAM}"),
    (PROGRAM, "never closed, a text before", f"{TEXT}```python\n{PROGRAM}\n"),
    (PROGRAM, "closed by the next tag", f"```python\n{PROGRAM}\n```output\n6\n```"),
    (PROGRAM, "closed on its last line", f"```python\n{PROGRAM}```"),
    (PROGRAM, "opened behind a word", f"So ```python\n{PROGRAM}\n``` is it."),
    (PROGRAM, "only a closing fence", f"{PROGRAM}\n```\n"),
    (PROGRAM, "only a closing fence, then words", f"{PROGRAM}\n```\n\nIt doubles x."),
    (PROGRAM, "a closing fence, then a usage", f"{PROGRAM}\n```\nUsage:\n{USAGE}"),
    (PROGRAM, "a closing fence, then its output", f"{PROGRAM}\n```\nIt prints\n{OUTPUT}"),
    (PROGRAM, "in a list", f"1. Write it:\n{IN_LIST}2. Done."),
    (PROGRAM, "on a bullet", "- " + indent(FENCED, "  ").lstrip()),
    (PROGRAM, "deep in a list", f"- a\n  - b\n{indent(FENCED, '      ')}"),
    (PROGRAM, "tabs", f"1.\tSo\n{indent(FENCED, chr(9))}"),
    (PROGRAM, "indented inside", f"```python\n{indent(PROGRAM, '    ')}\n```"),
    (PROGRAM, "Windows", f"Here:\n{FENCED}{USAGE}".replace("\n", "\r\n")),
    (PROGRAM, "Windows, bare", PROGRAM.replace("\n", "\r\n")),
    # marks inside the program
    (DOC, "fences in a docstring", f"```python\n{DOC}\n```\n{USAGE}"),
    (TOP_DOC, "fences at the margin of a docstring", f"```python\n{TOP_DOC}\n```\n{USAGE}"),
    (TEMPLATE, "fences in a template", f"Here:\n```python\n{TEMPLATE}\n```\ndone\n{OUTPUT}"),
    (MARKDOWN, "marks in strings", f"```python\n{MARKDOWN}\n```"),
    (TOP_DOC, "never closed, fences in a string", f"```python\n{TOP_DOC}"),
    (DOC, "bare, fences in a docstring", DOC),
    (PROGRAM, "a string before that never ends", f'```python\nx = """\n```\nNo:\n{FENCED}'),
    # bare code
    (PROGRAM, "bare", PROGRAM),
    (PROGRAM, "after a sentence", f"Here is the solution:\n\n{PROGRAM}"),
    (PROGRAM, "before a sentence", f"{PROGRAM}\n\nThis function doubles its argument."),
    (PROGRAM, "between", f"Sure! I will write it.\n{PROGRAM}\n\nExplanation:\n- O(n) time\n- done"),
    (PROGRAM, "bare, an output behind", f"{PROGRAM}\n\nIt prints\n{OUTPUT}"),
    (PROGRAM, "bare, a usage in a fence", f"{PROGRAM}\n\nUsage:\n{USAGE}"),
    (PROGRAM, "bare, headings", f"**Solution**\n\n{PROGRAM}\n\n**Complexity**: O(1)"),
    # thoughts
    (PROGRAM, "a thought", f"<think>Let me see.</think>\n{FENCED}"),
    (PROGRAM, "code in the thought", f"<think>\n{OLD}</think>\n{FENCED}"),
    (PROGRAM, "a block left open in it", f"<think>\n```python\ndef f(x): 1\n</think>\n{FENCED}"),
    (PROGRAM, "a thought that the prompt opened", f"So\n{OLD}hm\n</think>\n\n{FENCED}"),
    (PROGRAM, "at once behind the thought", f"<think>hm</think>{FENCED}"),
    (PROGRAM, "an answer tag", f"<think>{OLD}</think>\n<answer>\n{FENCED}</answer>"),
    (PROGRAM, "bare in an answer tag", f"<think>a</think> <answer>\n{PROGRAM}\n</answer>"),
    (PROGRAM, "an open answer tag", f"<think>a</think><answer>{FENCED}"),
    (PROGRAM, "code before the answer tag", f"<think>a</think>{FENCED}<answer>see above</answer>"),
    (PROGRAM, "two thoughts", f"<think>{OLD}</think>\n{OLD}\n<think>no</think>\n{FENCED}"),
    (PROGRAM, "a thought behind", f"{FENCED}<think>Was it right?\n{OLD}</think>"),
    (PROGRAM, "a thought behind that never ends", f"{FENCED}<think>Was it right?\n{OLD}"),
    (PROGRAM, "other words for it", f"<thinking>{OLD}</thinking>{FENCED}"),
    (PROGRAM, "brackets", f"[THINK]{OLD}[/THINK]{FENCED}"),
    (TAGS, "tags in the program", f"```python\n{TAGS}\n```"),
    (TAGS, "tags in the program and around it", f"<think>{OLD}</think>```python\n{TAGS}\n```"),
    # ways to define
    (CLASS, "a class", f"```python\n{CLASS}\n```\n```python\nprint(Solution().f(3))\n```"),
    (FUTURE, "a future import", f"```python\n{FUTURE}\n```\n{USAGE}"),
    (LAMBDA, "a lambda", f"```python\n{LAMBDA}\n```\n{USAGE}"),
    (IMPORTS, "an import", f"```python\n{IMPORTS}\n```\n{USAGE}"),
    ("async def f(x):\n    return x", "async", f"```\nasync def f(x):\n    return x\n```\n{USAGE}"),
    ("def f[T](x: T):\n    return x", "generic", "```\ndef f[T](x: T):\n    return x\n```"),
    ("def f(x):\n    return 2", "typed in", "```pycon\n>>> def f(x):\n...     return 2\n>>>\n```"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("program", "text"), [(p, t) for p, _, t in NAMED], ids=[name for _, name, _ in NAMED]
)
def test_what_is_called_is_found_whatever_stands_around_it(program: str, text: str) -> None:
    found = read_program(text, "f")
    assert found is not None
    assert found.rstrip() == program


def test_an_entry_may_be_a_method_of_a_class() -> None:
    text = f"```python\n{CLASS}\n```\nand\n```python\ns = Solution()\nprint(s.f(1))\n```"
    for entry in ("Solution().f", "Solution", "f"):
        assert read_program(text, entry) == CLASS


SCRIPT = "n = int(input())\nprint(2 * n)"
SOLVE = "def solve():\n    n = int(input())\n    print(2 * n)\n\nsolve()"
UNNAMED: list[tuple[str, str, str]] = [
    (SCRIPT, "a fence", f"```python\n{SCRIPT}\n```"),
    (SCRIPT, "output behind", f"```python\n{SCRIPT}\n```\nprints\n```\n6\n```"),
    (SCRIPT, "all untagged", f"```\n{SCRIPT}\n```\nFor\n```\n3\n```\nit prints\n```\n6\n```"),
    (SCRIPT, "bash", f"{BASH}```python\n{SCRIPT}\n```\n```sh\necho 3 | python a.py\n```"),
    (SCRIPT, "two texts", f"```text\n3\n```\n```text\n6\n```\n```\n{SCRIPT}\n```"),
    (SCRIPT, "two versions", f"```python\nprint(1)\n```\nbetter\n```python\n{SCRIPT}\n```"),
    (SOLVE, "a usage", f"```python\n{SOLVE}\n```\n```python\nsolve()\n```"),
    (SCRIPT, "open", f"Here\n```python\n{SCRIPT}"),
    (SCRIPT, "bare", SCRIPT),
    (SCRIPT, "bare, after a sentence", f"The program:\n\n{SCRIPT}\n"),
    (SCRIPT, "bare, before a sentence", f"{SCRIPT}\n\nThis reads n and prints twice n."),
    (SCRIPT, "bare, an output behind", f"{SCRIPT}\n\nOutput:\n```\n6\n```"),
    (SCRIPT, "a closing fence", f"{SCRIPT}\n```\nThat is it."),
    (SCRIPT, "a thought", f"<think>```python\nprint(1)\n```</think>```python\n{SCRIPT}\n```"),
    ("    return 2 * x", "a body that goes on", "    return 2 * x\n"),
    ("    return 2 * x", "a body, closed", "    return 2 * x\n```\nDone."),
]


@pytest.mark.parametrize(
    ("program", "text"), [(p, t) for p, _, t in UNNAMED], ids=[name for _, name, _ in UNNAMED]
)
def test_without_a_name_the_last_python_is_the_program(program: str, text: str) -> None:
    assert read_program(text) == program


@pytest.mark.parametrize(
    "text",
    [
        "", " \n", "I do not know.", "The answer is 42.", "42", "[1, 2]",
        "You could use recursion for each of these cases.",
        "for example: call it with 3", "if you want to, import it from there:",
        BASH, TEXT, JSON, OUTPUT, BASH + TEXT + OUTPUT, "```\n$ python f.py\n6\n```",
        f"<think>{FENCED}</think>", f"<think>{FENCED}</think>\nDone.", f"<think>{FENCED}",
        f"<think>\n{PROGRAM}", f"{FENCED}</think>", f"{FENCED}</think>\nIt is done.",
        "def", "```", "``` ```", "~~~", "Note: f(3) = 6", "f(3) = 6", "Output: x = 5 apples",
        "The function `def f(x): return x` doubles.", "# A heading\n\n- and a list",
        "```java\nclass Solution { int f(int x) { return x; } }\n```",
        "```cpp\nint main() { return 0; }\n```", "```javascript\nconst f = (x) => x;\n```",
    ],
)  # fmt: skip
def test_what_is_no_program_is_none(text: str) -> None:
    assert read_program(text) is None
    assert read_program(text, "f") is None


def test_a_thought_never_wins_over_the_answer() -> None:
    for answer in (USAGE, OLD, "print(f(1))", "No."):
        found = read_program(f"<think>{FENCED}</think>\n{answer}", "f")
        assert found != PROGRAM


@pytest.mark.parametrize(
    ("line", "is_code"),
    [
        ("x = 5", True), ("x, y = 1, 2", True), ("x[a[0]] += 1", True), ("a.b: int = 3", False),
        ("count: int = 3", True), ("print('a b c')", True), ("for x in y: print(x)", True),
        ("*a, b = c", True), ("n, = map(int, input().split())", True), ("@cache", True),
        ("from typing import *", True), ("try:", True), ("else:", True), ("match x:", True),
        ("[print(x) for x in y]", True), ("sys.exit(0)", True), ("x = y if z else w  # a", True),
        ("(a, b) = c", True), ('"""A text of words."""', True), ("if x is not None:", True),
        ("x = 5 is the answer", False), ("print the result", False), ("for example:", False),
        ("import this idea", False), ("The function f(x) = 2x", False), ("f(3) = 6", False),
        ("f(3) -> 6", False), ("Output: x = 5", False), ("while this works, it is slow:", False),
        ("with the above code:", False), ("Explanation:", False), ("- O(n)", False),
        ("class of problems:", False), ("try it:", False), ("O(n) time", False),
    ],
)  # fmt: skip
def test_a_sentence_is_no_line_of_code(line: str, *, is_code: bool) -> None:
    assert is_code_line(line) is is_code


def message(content: object, role: str = "assistant") -> dict[str, object]:
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        ("x", "x"),
        ([message("?", "user"), message("y")], "y"),
        ([message("y"), message("tool's", "tool"), message("?", "user")], "y"),
        ([message("a"), message("?", "user"), message("b")], "b"),
        ([message([{"type": "text", "text": "z"}, {"type": "text", "text": "!"}])], "z!"),
        ([message([{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "z"}])], "z"),
        ([message([{"type": "reasoning", "text": "t"}, {"text": "z"}])], "z"),
        ([message(["a", "b"])], "ab"),
        ([{"role": "assistant", "reasoning_content": "t", "content": "z"}], "z"),
        (message("z"), "z"),
        ([SimpleNamespace(role="assistant", content="z")], "z"),
        (SimpleNamespace(content=[SimpleNamespace(type="text", text="z")]), "z"),
        ((message("z"),), "z"),
        ([{"content": "z"}], "z"),
        (["a", "z"], "z"),
        (None, ""), ([], ""), (3, ""), (b"x", ""), ([None], ""), ([message(None)], ""), ({}, ""),
        ([message("?", "user")], ""), ([message([None, 3, {"text": 4}])], ""), ([[]], ""),
    ],
)  # fmt: skip
def test_the_text_of_a_completion_is_the_assistants_last(completion: object, text: str) -> None:
    assert text_of(completion) == text


@pytest.mark.parametrize(
    ("program", "futures"),
    [
        ("from __future__ import annotations\nx = 1", "from __future__ import annotations\n"),
        ("#!a\n\n'''Doc.'''\nfrom __future__ import annotations\nx = 1",
         "from __future__ import annotations\n"),
        ('"""Doc "of" it."""\nfrom __future__ import (\n    annotations,\n)\nx = 1',
         "from __future__ import (\n    annotations,\n)\n"),
        ("from __future__ import annotations  # why\nfrom __future__ import division\nx = 1",
         "from __future__ import annotations  # why\nfrom __future__ import division\n"),
        ("import os\nfrom __future__ import annotations", ""),
        ("x = 1", ""), ("", ""), ("'''never closed\nfrom __future__ import annotations", ""),
    ],
)  # fmt: skip
def test_future_imports_can_be_put_first(program: str, futures: str) -> None:
    found, rest = split_future(program)
    assert found == futures
    assert len(found) + len(rest) >= len(program)
    if futures:
        compile(f"{found}y = 2\n{rest}", "joined", "exec")
    else:
        assert rest == program


PIECES = st.sampled_from(
    ["```", "````", "~~~", "```python", "```bash\n", "\n", "<think>", "</think>", "<answer>", '"""',
     "'''", '"', "'", "#", "\\", "def f(", "class A:", "x = 1", "(", ")", " ", "    ", "- ", "1. ",
     ">>> ", "from __future__ import a", "\r\n", "\r", "\x00", "\u2028", "\ud7ff", "a b", ","]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=60).map("".join))


@given(TEXTS, st.sampled_from(["", "f", "A", "Solution().f", "f+", "\x00"]))
@settings(max_examples=500, deadline=None)
def test_no_text_makes_the_reader_raise(text: str, entry: str) -> None:
    found = read_program(text, entry)
    assert found is None or found.strip()
    assert all(part in text for part in answer_parts(text))
    futures, rest = split_future(text)
    assert len(futures) + len(rest) >= len(text)
    assert all(segment.text.strip() or segment.tag is not None for segment in segments(text))


UNITS = [
    "```", "```\n", "```python\n", "``` a ", "`", "~~~\n", "~~~ ", "```python\n\"\"\"\n```\n",
    "```python\n'''\n```\nx\n", "```a\n~~~b\n", "<think>", "</think>", "<think></think>",
    "<answer>", "\n<answer>", "\"\"\"", "'''\n", "\"", "\\", "#", "(", "\n(", "def f", "def f(\n",
    "class A:\n", "class A:\n    def f(", "x = ", "x,", "a: ", "a:b", "from a import b,",
    "from __future__ import a\n", "from __future__ import (", "''", "\"\"\"\"", " ", "\t", "\n",
    "\r\n", "\r", "- ", "1. ", "> ", ">>> f(\n", "import a\n", "f(", "f (", "x[", "word ", "w\n",
    "=", "\ud7ff", "\u0000", "    def f(x):\n", "@a\n", "'\\\n", "```\n    ", "[", "]", "[x for ",
    "f(x) ", "'''a", "x = 'a\n", "f: ", "f :", "f ", "{.", "```{.",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_no_text_takes_long_to_read(unit: str) -> None:
    """It takes under a second of the processor, where a quadratic reader takes many minutes."""
    text = unit * (100_000 // len(unit))
    started = time.thread_time()
    for entry in ("", "f"):
        read_program(text, entry)
        read_program(f"```python\n{text}", entry)
        read_program(f"def f(x):\n    return x\n{text}", entry)
    split_future(text)
    assert time.thread_time() - started < 30


def test_the_table_speaks_of_programs_that_compile() -> None:
    for program, _, _ in [*NAMED, *UNNAMED]:
        if not program.startswith((" ", "def f[")):  # a body; newer than this Python
            compile(dedent(program), "program", "exec")
