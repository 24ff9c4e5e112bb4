"""The module keeps what the standard library can reach: a function that is cut is a trap."""

from sandbox_wasm import Job, Outcome, Sandbox

IMPORTS = """
import sys
def names():
    return sorted(sys.stdlib_module_names)
def load(name):
    try:
        __import__(name)
    except Exception as error:
        return type(error).__name__
"""
LIBRARIES = """
import bz2, hashlib, lzma, sqlite3, zlib
from xml.etree import ElementTree
def f():
    data = b"abc" * 1000
    packed = [library.decompress(library.compress(data)) == data for library in (bz2, lzma, zlib)]
    table = sqlite3.connect(":memory:")
    table.execute("create virtual table t using fts5(x)")
    table.execute("insert into t values ('one two')")
    found = table.execute("select count(*), json_array(1, 2) from t where t match 'two'").fetchall()
    digests = [hashlib.new(name, data).name for name in sorted(hashlib.algorithms_guaranteed)]
    return packed, found, len(digests), ElementTree.fromstring("<a><b/></a>")[0].tag
"""


def test_no_module_of_the_library_traps_when_it_is_imported(sandbox: Sandbox) -> None:
    (listed,) = sandbox.run([Job("names", IMPORTS, entry="names", calls=[""])])
    names = str(listed.calls[0].value).strip("[]").split(", ")
    assert len(names) > 250
    (loaded,) = sandbox.run([Job("load", IMPORTS, entry="load", calls=names)])
    ends = {
        name: (call.outcome, call.value) for name, call in zip(names, loaded.calls, strict=True)
    }
    assert {outcome for outcome, _ in ends.values()} == {Outcome.RETURNED}
    failures = {value for _, value in ends.values()} - {"None"}
    assert failures <= {"'ModuleNotFoundError'", "'ImportError'", "'AttributeError'"}, ends


def test_the_c_libraries_under_the_modules_work(sandbox: Sandbox) -> None:
    (result,) = sandbox.run([Job("libraries", LIBRARIES, calls=[""])])
    assert (result.calls[0].outcome, result.calls[0].error) == (Outcome.RETURNED, None)
    assert result.calls[0].value == "([True, True, True], [(1, '[1,2]')], 14, 'b')"
