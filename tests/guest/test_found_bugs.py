"""Faults of the core that conformance runs found, each with its smallest reproduction.

A test here fails until the core is mended; it then moves to where the property is tested.
"""

import pytest

from sandbox_wasm import Job, Limits, Outcome, Sandbox

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
