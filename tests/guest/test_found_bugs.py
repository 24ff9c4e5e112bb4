"""Faults of the core that conformance runs found, each with its smallest reproduction."""

import time

import pytest

from sandbox_wasm import Job, Limits, Outcome, Sandbox
from sandbox_wasm.adapters import grade, parse_check
from sandbox_wasm.literals import canonical_arguments
from sandbox_wasm.values import equal

pytestmark = pytest.mark.guest


def value_of(sandbox: Sandbox, expression: str) -> tuple[Outcome, str | None]:
    job = Job("bug", "", expressions=[expression], limits=Limits(fuel=10**10))
    call = sandbox.run([job])[0].calls[0]
    return call.outcome, call.value or call.error


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'ä'.encode('ascii', 'xmlcharrefreplace')", "b'&#228;'"),
        ("'ā'.encode('latin-1', 'xmlcharrefreplace')", "b'&#257;'"),
        ("'\\ud800'.encode('utf-8', 'xmlcharrefreplace')", "b'&#55296;'"),
        ("__import__('xml.etree.ElementTree').etree.ElementTree.fromstring('<a/>').tag", "'a'"),
        ("__import__('xml.dom.minidom').dom.minidom.parseString('<a/>').documentElement.tagName",
         "'a'"),
        (("__import__('plistlib').loads(b'<plist><integer>1</integer></plist>',"
         " fmt=__import__('plistlib').FMT_XML)"), "1"),
    ],
)  # fmt: skip
def test_functions_of_the_standard_library_are_not_stubbed(
    sandbox: Sandbox, expression: str, value: str
) -> None:
    """They trapped, "unreachable": the prefix "xml" of wasm.py's stubs, meant for libxml2, took
    CPython's own `xmlcharrefreplace` and pyexpat's `xmlparse_*` too."""
    assert value_of(sandbox, expression) == (Outcome.RETURNED, value)


def nested_sets(depth: int) -> str:
    return "frozenset({" * depth + "1" + "})" * depth


@pytest.mark.parametrize("what", ["equal", "canonical_arguments"])
def test_deep_frozensets_cost_the_host_no_more_than_other_values(what: str) -> None:
    """CPython's marshal writes each element of a set twice (it sorts them by their bytes), so
    `canonical` takes 2 ** depth steps: at depth 60, 800 characters of a model's answer, for ever.
    """
    text = nested_sets(23)
    started = time.process_time()
    if what == "equal":
        assert not equal("{" + text + "}", "{" + text.replace("1", "2") + "}")
    else:
        assert canonical_arguments(text) == text
    assert time.process_time() - started < 0.3


FORGED = """
import os, sys
def f():
    frame = sys._getframe()
    while frame.f_code.co_name != "run":
        frame = frame.f_back
    frame.f_locals["write"] = lambda *_: 0
    sets = b"<\\1\\0\\0\\0" + b">\\1\\0\\0\\0" * 23 + b"i\\1\\0\\0\\0"
    os.write(1000003, b"V" + sets)
"""


def test_a_forged_value_costs_the_grader_no_more_than_another(sandbox: Sandbox) -> None:
    """The same, made by a solver's program without fuel: it silences the runner's own reply and
    writes nested sets as marshal data. At depth 90 `grade` never returned.
    """
    started = time.process_time()
    check = parse_check({"entry": "f", "calls": [""], "expected": ["{1}"]})
    assert grade(sandbox, [FORGED], [check]) == [0.0]
    assert time.process_time() - started < 0.5


def test_deep_frozensets_cost_the_program_its_own_fuel(sandbox: Sandbox) -> None:
    """The same in the guest's marshal, which cannot be mended from here: its fuel bounds it."""
    job = Job("deep", "def f(x): return x", calls=[nested_sets(10), nested_sets(40)])
    shallow, deep = sandbox.run([job])[0].calls
    assert (shallow.outcome, shallow.value) == (Outcome.RETURNED, nested_sets(10))
    assert deep.outcome == Outcome.OUT_OF_FUEL


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (
            "import functools\n@functools.cache\ndef f(n): return n and f(n - 1)\nprint(f(400))",
            "cached recursion",
        ),
        (
            "def f(n): return n and max([n], key=lambda _: f(n - 1))\nprint(f(200) * 0)",
            "key function",
        ),
        (
            "x = 1\nif x == 0: pass\n"
            + "".join(f"elif x == {i}: print(0)\n" for i in range(1, 100)),
            "elif chain",
        ),
        (
            "\n".join([" " * i + "if 1:" for i in range(90)] + [" " * 90 + "print(0)"]),
            "indentation",
        ),
        ("print(''" + ".strip()" * 200 + " or 0)", "method chain"),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_recursion_through_c_goes_as_deep_as_in_cpython(
    sandbox: Sandbox, source: str, name: str
) -> None:
    """CPython's build for WASI believes in a C stack of 128 KiB, whatever the module has: a cached
    recursion ended at 207 (CPython 3.11: 498), a chain of elif at 46, indentation at 47, a chain of
    method calls at 104. The image builder tells it better.
    """
    job = Job(name, source, stdin="")
    call = sandbox.run([job])[0].calls[0]
    assert (call.outcome, call.stdout, call.error) == (Outcome.RETURNED, "0\n", None)
