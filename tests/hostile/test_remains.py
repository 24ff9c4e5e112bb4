# ruff: noqa: E501 - a poison a line
"""What one program leaves behind, seen by a probe that looks everywhere; it must see nothing."""

from collections.abc import Iterator

import pytest

from sandbox_wasm import Job, Limits, Outcome, Sandbox

pytestmark = [pytest.mark.guest, pytest.mark.hostile]

LIMITS = Limits(fuel=1_000_000_000, memory_bytes=128 << 20)
PROBE = """
import atexit, builtins, codecs, contextvars, copyreg, decimal, gc, linecache, locale, math, os
import random, re, signal, string, struct, sys, threading, time, types, warnings, weakref

def known(name):
    try: return codecs.lookup(name).name
    except LookupError: return None

def f():
    return [
        len(sys.modules), len(vars(builtins)), len(sys.meta_path), len(sys.path_hooks), list(sys.path),
        len(sys.path_importer_cache), sys.getrecursionlimit(), sys.getswitchinterval(),
        sys.get_int_max_str_digits(), sys.gettrace() is None, sys.getprofile() is None,
        sys.excepthook is sys.__excepthook__, sys.stdout is sys.__stdout__, sys.displayhook is sys.__displayhook__,
        known("evil"), known("utf-8"), repr(warnings.filters), len(warnings._filters_mutated.__name__),
        gc.isenabled(), gc.get_threshold(), len(gc.callbacks), gc.get_freeze_count(),
 repr(decimal.getcontext()), dict(os.environ), os.getcwd is os.getcwd,
        random.random(), random.getstate()[1][-1], time.time(), time.monotonic(), os.urandom(4),
        hash("text"), sys.intern("ab" + "c") is sys.intern("abc"),
        "ab".upper(), [3, 1].__len__(), 1 + 1, 256 is 256, True == 1, (), "a"[0], b"a"[0], type(1),
        len(copyreg.dispatch_table), len(linecache.cache), threading.active_count(),
        signal.getsignal(2) is signal.default_int_handler, locale.setlocale(locale.LC_ALL),
        math.pi, string.digits, struct.calcsize("q"), re.compile("a+").match("aab").end(),
        types.FunctionType.__name__, len(object.__subclasses__()), atexit._ncallbacks(),
        len(contextvars.copy_context()), weakref.getweakrefcount(type), sys.flags.optimize,
        os.listdir if hasattr(os, "evil") else 0,
    ]
""".replace("type(1),", "type(1).__name__,").replace("os.getcwd is os.getcwd,", "").replace(
    "os.listdir if hasattr(os, \"evil\") else 0", "hasattr(os, 'evil')"
)  # fmt: skip

POISONS = {
    "codec": "import codecs\ncodecs.register(lambda n: codecs.lookup('utf-8') if n == 'evil' else None)",
    "codec error handler": "import codecs\ncodecs.register_error('strict', lambda e: ('', e.end))",
    "warning filters": "import warnings\nwarnings.simplefilter('error')\nwarnings.warn = None",
    "interned strings": "import sys\nkept = [sys.intern('abc' + str(i)) for i in range(10 ** 4)]",
    "gc settings": "import gc\ngc.disable()\ngc.set_threshold(1)\ngc.freeze()\ngc.callbacks.append(print)",
    "import hooks": "import sys\nsys.meta_path.clear()\nsys.path_hooks.append(print)\nsys.path[:] = ['/evil']",
    "modules": "import sys, math\nsys.modules['json'] = math\nmath.pi = 3\nsys.modules['evil'] = math",
    "types": "import gc\ngc.get_referents(str.__dict__)[0]['upper'] = lambda s: 'EVIL'",
    "type caches": "for n in range(5000):\n    type(f'T{n}', (int,), {'x': n})().x",
    "environment": "import os\nos.environ['EVIL'] = '1'\nos.putenv('EVIL', '1')\nos.evil = 1",
    "random": "import random\nrandom.seed(7)\nrandom.random = lambda: 0.5",
    "clock": "import time\ntime.sleep(10 ** 6)\ntime.time = lambda: 0.0",
    "entropy": "import os\nos.urandom(10 ** 6)",
    "recursion": "import sys\nsys.setrecursionlimit(10 ** 6)\nsys.set_int_max_str_digits(0)",
    "hooks": "import sys\nsys.excepthook = sys.displayhook = print\nsys.setprofile(lambda *a: None)",
    "stdout": "import sys, io\nsys.stdout = io.StringIO()\nsys.__stdout__ = sys.stdout",
    "signals": "import signal\nsignal.signal(2, lambda *a: None)",
    "decimal context": "import decimal\ndecimal.getcontext().prec = 3\ndecimal.DefaultContext.prec = 3",
    "context variables": "import contextvars\ncontextvars.ContextVar('evil').set(1)",
    "exit handlers": "import atexit\natexit.register(print, 'evil')",
    "finalisers": "import weakref\nclass A: pass\nkept = [A() for _ in range(99)]\n"
                  "marks = [weakref.finalize(a, print, 'evil') for a in kept]",
    "subclasses": "class Evil(dict): pass\nkept = Evil",
    "regex cache": "import re\nre._cache.clear()\nre._cache2.clear()\nre.compile = lambda p: 0",
    "copyreg": "import copyreg\ncopyreg.pickle(int, lambda i: (int, (0,)))",
    "frames": "import sys\nfor frame in sys._current_frames().values():\n    frame.f_globals['evil'] = 1",
    "memory": "kept = bytearray(60 << 20)\nkept[::4096] = bytes([255]) * len(kept[::4096])",
    "trap": "import os\nos.abort()",
    "fuel": "while True: pass",
    "exit": "import os\nos._exit(3)",
    "wild bytecode": (
        "import dis\nc = (lambda a=1: a).__code__\nop = dis.opmap\nb = bytes([128, 0])\n"
        "for k in range(200): b += bytes([op['LOAD_FAST'], 0, op['EXTENDED_ARG'], k, op['STORE_FAST'], 255])\n"
        "type(lambda: 1)(c.replace(co_code=b), {}, 'g', (1,))()"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def one_worker(by_each_way: str) -> Iterator[Sandbox]:
    """One slot: the probe runs where the poison ran. Memory is not compared, so only it can tell."""
    with Sandbox(workers=1, check_every=0) as pool:
        assert pool.stats()["dirty_pages"] == by_each_way
        yield pool


def look(sandbox: Sandbox) -> tuple[str | None, int]:
    call = sandbox.run([Job("probe", PROBE, calls=[""], limits=LIMITS)])[0].calls[0]
    assert call.outcome is Outcome.RETURNED, call.error
    return call.value, call.fuel


@pytest.mark.parametrize("poison", POISONS)
def test_a_probe_sees_nothing_of_the_program_before(one_worker: Sandbox, poison: str) -> None:
    clean = look(one_worker)
    for _ in range(2):  # twice: pages that were written before are in the hot set
        one_worker.run([Job("poison", POISONS[poison], limits=LIMITS)])
        assert look(one_worker) == clean


def test_the_probe_would_see_what_stays(sandbox: Sandbox) -> None:
    """Each poison that ends well changes what the probe sees in the same interpreter."""
    clean = look(sandbox)[0]
    blind = {
        "trap",
        "fuel",
        "exit",
        "wild bytecode",
        "small ints",
        "interned strings",
        "regex cache",
    }
    for name in sorted(POISONS.keys() - blind):
        job = Job("both", f"{POISONS[name]}\n{PROBE}", expressions=["f()"], limits=LIMITS)
        call = sandbox.run([job])[0].calls[0]
        assert (call.outcome, call.value) != (Outcome.RETURNED, clean), name
