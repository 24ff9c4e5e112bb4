"""Whole programs end as CPython ends: atexit, the flush of stdout, destructors."""
# ruff: noqa: E501 - a program on one line

import subprocess
import sys

import pytest

from sandbox_wasm import Job, Limits, Outcome, Sandbox

SAY = "class Say:\n    def __init__(self, x): self.x = x\n    def __del__(self): print('end', self.x)\n"
FAST = """
import os, sys
from io import BytesIO, IOBase
class FastIO(IOBase):
    newlines = 0
    def __init__(self, file):
        self._fd = file.fileno()
        self.buffer = BytesIO()
        self.writable = 'x' in file.mode or 'r' not in file.mode
        self.write = self.buffer.write if self.writable else None
    def read(self):
        while True:
            b = os.read(self._fd, max(os.fstat(self._fd).st_size, 8192))
            if not b: break
            ptr = self.buffer.tell()
            self.buffer.seek(0, 2), self.buffer.write(b), self.buffer.seek(ptr)
        self.newlines = 0
        return self.buffer.read()
    def flush(self):
        if self.writable:
            os.write(self._fd, self.buffer.getvalue())
            self.buffer.truncate(0), self.buffer.seek(0)
class IOWrapper(IOBase):
    def __init__(self, file):
        self.buffer = FastIO(file)
        self.flush = self.buffer.flush
        self.writable = self.buffer.writable
        self.write = lambda s: self.buffer.write(s.encode('ascii'))
        self.read = lambda: self.buffer.read().decode('ascii')
sys.stdout = IOWrapper(sys.stdout)
"""

ENDINGS = {
    "plain": "print('a')",
    "fast io": FAST + "print('a'); print(1, 2)",
    "fast io, then exit": FAST + "print('a'); sys.exit()",
    "text wrapper": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer)\nprint('a')",
    "text wrapper, long": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer,"
    " write_through=False)\nfor i in range(5000): print(i)",
    "StringIO is lost": "import io, sys\nsys.stdout = io.StringIO()\nprint('a')",
    "StringIO written": "import io, sys\nout = sys.stdout = io.StringIO()\nprint('a')\n"
    "sys.__stdout__.write(out.getvalue())",
    "StringIO by atexit": "import atexit, io, sys\nout = sys.stdout = io.StringIO()\n"
    "atexit.register(lambda: sys.__stdout__.write(out.getvalue()))\nprint('a')",
    "BytesIO by atexit": "import atexit, io, os, sys\nout = io.BytesIO()\n"
    "sys.stdout = io.TextIOWrapper(out, write_through=True)\n"
    "atexit.register(lambda: os.write(1, out.getvalue()))\nprint('a')",
    "file of descriptor 1": "import sys\nsys.stdout = open(1, 'w', closefd=False)\nprint('a')",
    "os.fdopen": "import os, sys\nsys.stdout = os.fdopen(1, 'w', closefd=False)\nprint('a')",
    "a file of one's own": "out = open(1, 'w', closefd=False)\nout.write('a')",
    "a binary file": "import os\nout = os.fdopen(1, 'wb', closefd=False)\nout.write(b'a')",
    "in a function": "def f():\n    out = open(1, 'w', closefd=False)\n    out.write('a')\nf()\nprint('b')",
    "os.write": "import os\nprint('a')\nos.write(1, b'b')",
    "print is write": "import sys\nprint = sys.stdout.write\nprint('a')",
    "partial": "import functools, io\nout = io.StringIO()\np = functools.partial(print, file=out)\np('a')\n"
    "print(out.getvalue())",
    "buffer": "import sys\nsys.stdout.buffer.write(b'a')",
    "buffer and print": "import sys\nsys.stdout.buffer.write(b'a')\nprint('b')",
    "writer": "import codecs, sys\nsys.stdout = codecs.getwriter('utf-8')(sys.stdout.buffer)\nprint('a')",
    "reconfigured": "import sys\nsys.stdout.reconfigure(line_buffering=False)\nprint('a', end='')",
    "detached": "import sys\nout = sys.stdout.detach()\nsys.stdout = None\nout.write(b'a')",
    "closed": "import sys\nprint('a')\nsys.stdout.close()",
    "none": "import sys\nprint('a')\nsys.stdout = None\nprint('b')",
    "redirected": "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as out:\n"
    "    print('a')\nprint(out.getvalue())",
    "object with write": "import sys\nclass W:\n    def write(self, s): sys.__stdout__.write(s.upper())\n"
    "    def flush(self): sys.__stdout__.write('flushed')\nsys.stdout = W()\nprint('a')",
    "flush at exit raises": "import sys\nclass W:\n    def write(self, s): pass\n"
    "    def flush(self): raise ValueError\nsys.stdout = W()",
    "atexit": "import atexit\natexit.register(print, 'b')\nprint('a')",
    "atexit, in reverse": "import atexit\nfor i in range(3): atexit.register(print, i)",
    "atexit as decorator": "import atexit\n@atexit.register\ndef f(): print('b')\nprint('a')",
    "atexit unregistered": "import atexit\natexit.register(print, 1)\natexit.unregister(print)",
    "atexit registers": "import atexit\natexit.register(lambda: atexit.register(print, 'c'))\nprint('a')",
    "atexit raises": "import atexit\natexit.register(print, 'b')\natexit.register(lambda: 1 / 0)",
    "atexit exits": "import atexit, sys\natexit.register(print, 'b')\natexit.register(sys.exit, 3)",
    "exit, atexit": "import atexit, sys\natexit.register(print, 'b')\nsys.exit(0)",
    "error, atexit": "import atexit\natexit.register(print, 'b')\nprint('a')\n1 / 0",
    "error, buffered": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer)\nprint('a')\n1 / 0",
    "finalize": "import weakref\nclass A: pass\na = A()\nweakref.finalize(a, print, 'b')\nprint('a')",
    "finalize early": "import weakref\nclass A: pass\na = A()\nweakref.finalize(a, print, 'b')\ndel a\n"
    "print('a')",
    "destructor": SAY + "a = Say(1)\nprint('a')",
    "destructors": SAY + "a = Say(1)\nb = Say(2)\nc = [Say(3)]\nd = {4: Say(4)}",
    "destructor in a cycle": SAY + "a = Say(1)\na.me = a\nprint('a')",
    "destructor uses names": "import math\nN = 7\nclass A:\n    def __del__(self): print(N, math.pi)\na = A()",
    "destructor raises": "class A:\n    def __del__(self): 1 / 0\na = A()\nprint('a')",
    "destructor, then error": SAY + "a = Say(1)\nraise KeyError(2)",
    "destructor, then exit": "import sys\n" + SAY + "def f():\n    a = Say(1)\n    sys.exit()\nf()",
    "atexit before destructors": "import atexit\n" + SAY + "a = Say(1)\natexit.register(print, 'b')",
    "generator": "def g():\n    try:\n        yield 1\n    finally:\n        print('closed')\nx = g()\nnext(x)",
    "generator with": "class C:\n    def __enter__(self): return 1\n    def __exit__(self, *a): print('out')\n"
    "def g():\n    with C(): yield 1\nx = g()\nnext(x)",
    "exit with text": "import sys\nprint('a')\nsys.exit('text')",
    "exit with empty text": "import sys\nprint('a')\nsys.exit('')",
    "exit with False": "import sys\nprint('a')\nsys.exit(False)",
    "exit with None": "raise SystemExit(None)",
    "exit with 0.0": "raise SystemExit(0.0)",
    "exit with 3": "import sys\nsys.exit(3)",
    "exit()": "print('a')\nexit()",
    "quit()": "print('a')\nquit()",
    "os._exit": "import os, sys\nprint('a')\nsys.stdout.flush()\nos._exit(0)",
    "exit in try": "import sys\ntry:\n    sys.exit(0)\nfinally:\n    print('b')",
    "__main__": "import __main__\nx = 3\nprint(__main__.x, __name__)",
    "__main__ with destructor": SAY + "import __main__\nx = Say(3)\nprint(__main__.x is x)",
    "pickle": SAY + "import pickle\nclass P: pass\nprint(type(pickle.loads(pickle.dumps(P()))) is P)",
    "dataclass": SAY + "import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: 'int'\nprint(P(1))",
}  # fmt: skip


def run_natively(source: str) -> tuple[str, bool]:
    """What CPython prints, and whether it exits with status 0."""
    done = subprocess.run(
        [sys.executable, "-E", "-c", source],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.stdout.decode(), done.returncode == 0


@pytest.mark.parametrize("name", ENDINGS)
def test_a_whole_program_ends_as_in_cpython(sandbox: Sandbox, name: str) -> None:
    [result] = sandbox.run([Job("1", ENDINGS[name], stdin="", want_stdout=True)])
    [call] = result.calls
    printed, ended_well = run_natively(ENDINGS[name])
    if name == "os._exit":
        assert call.outcome is Outcome.EXITED  # and not RETURNED: nothing of its end ran
    else:
        assert (call.outcome is Outcome.RETURNED) == ended_well
    assert call.stdout == printed


def test_an_endless_end_is_bounded(sandbox: Sandbox) -> None:
    for source in ("import atexit\n@atexit.register\ndef f():\n    while 1: pass",
                   "class A:\n    def __del__(self):\n        while 1: pass\na = A()"):  # fmt: skip
        [result] = sandbox.run([Job("1", source, stdin="", limits=Limits(seconds=0.1))])
        assert result.calls[0].outcome is Outcome.OUT_OF_FUEL


def test_what_an_end_leaves_is_gone_in_the_next_run(sandbox: Sandbox) -> None:
    leave = "import atexit, sys\natexit.register(print, 'old')\nsys.stdout = None\nx = 1\ndef __del__(): 0"
    probe = "print('x' in globals())"
    results = sandbox.run(Job(str(n), [leave, probe][n % 2], stdin="") for n in range(8))
    assert {r.calls[0].stdout for r in results[1::2]} == {"False\n"}
