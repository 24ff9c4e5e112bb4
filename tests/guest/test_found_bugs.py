"""Faults of the core that conformance runs found, each with its smallest reproduction.

A test here fails until the core is mended; it then moves to where the property is tested.
"""

import time

import pytest

from sandbox_wasm import Job, Limits, Outcome, Sandbox
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
        ("__import__('plistlib').loads(b'<plist><integer>1</integer></plist>',"
         " fmt=__import__('plistlib').FMT_XML)", "1"),
    ],
)  # fmt: skip
def test_functions_of_the_standard_library_are_not_stubbed(
    sandbox: Sandbox, expression: str, value: str
) -> None:
    """TRAPPED, "unreachable": the prefix "xml" of wasm.py's stubs also takes CPython's own
    `xmlcharrefreplace` and pyexpat's `xmlparse_*`."""
    assert value_of(sandbox, expression) == (Outcome.RETURNED, value)


def nested_sets(depth: int) -> str:
    return "frozenset({" * depth + "1" + "})" * depth


@pytest.mark.parametrize("what", ["equal", "canonical_arguments"])
def test_deep_frozensets_cost_the_host_no_more_than_other_values(what: str) -> None:
    """CPython's marshal writes each element of a set twice (it sorts them by their bytes), so
    `canonical` takes 2 ** depth steps: at depth 60, in 800 characters of a model's answer, for ever.
    """
    text = nested_sets(23)
    started = time.process_time()
    if what == "equal":
        assert not equal("{" + text + "}", "{" + text.replace("1", "2") + "}")
    else:
        assert canonical_arguments(text) == text
    assert time.process_time() - started < 0.3


def test_deep_frozensets_come_back_from_the_guest(sandbox: Sandbox) -> None:
    """The same in the runner's `dumps`: 18 deep takes 1.2e9 of fuel, 22 deep more than there is."""
    text = nested_sets(40)
    (result,) = sandbox.run([Job("deep", "def f(x): return x", calls=[text])])
    assert (result.calls[0].outcome, result.calls[0].value) == (Outcome.RETURNED, text)
