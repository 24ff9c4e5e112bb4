"""Programs that lie about their result, or patch what judges them."""

from tests.hostile.program import (
    EXITED,
    FUEL,
    NO_VALUE,
    OUTPUT,
    RAISED,
    REPLY_FD,
    RETURNED,
    TRAPPED,
    Program,
)

PROGRAMS = [
    Program(
        "lying_repr",
        "class A:\n    def __repr__(s): return \"'GOOD'\"\ndef f(): return A()",
        {NO_VALUE},
    ),
    Program(
        "lying_eq",
        "class A:\n    def __eq__(s, o): return True\n    __hash__ = None\ndef f(): return A()",
        {NO_VALUE},
    ),
    Program(
        "lying_class",
        "class A:\n    __class__ = str\n    def __str__(s): return 'GOOD'\ndef f(): return A()",
        {NO_VALUE},
    ),
    Program(
        "str_subclass",
        "class S(str):\n    def __repr__(s): return \"'GOOD'\"\ndef f(): return S('bad')",
        {NO_VALUE},
    ),
    Program(
        "nested_subclass",
        "class L(list): pass\ndef f(): return [1, (L(),)]",
        {NO_VALUE},
    ),
    Program(
        "int_subclass",
        "class I(int):\n    def __index__(s): return 7\ndef f(): return I(1)",
        {NO_VALUE},
    ),
    Program(
        "print_frame",
        "def f():\n    print(\"V\\xda\\x04GOOD\")\n    return 'bad'",
        {RETURNED},
    ),
    Program(
        "print_and_exit",
        "import os\ndef f():\n    print(\"'GOOD'\", flush=True)\n    os._exit(0)",
        {EXITED},
    ),
    Program(
        "frame_and_exit",
        "import os, marshal\n"
        "def f():\n"
        f"    os.write({REPLY_FD}, b'V' + marshal.dumps('GOOD'))\n"
        "    os._exit(0)",
        {EXITED},
    ),
    Program(
        "frame_and_return",
        "import os, marshal\n"
        "def f():\n"
        f"    os.write({REPLY_FD}, b'V' + marshal.dumps('GOOD'))\n"
        "    return 'bad'",
        {TRAPPED},
    ),
    Program(
        "frame_garbage",
        "import os\n"
        "def f():\n"
        f"    os.write({REPLY_FD}, b'V\\xff\\xff\\xff\\xff\\xff')\n"
        "    os.abort()",
        {TRAPPED},
    ),
    Program(
        "frame_flood",
        f"import os\ndef f():\n    while True: os.write({REPLY_FD}, b'V' * 65536)",
        {OUTPUT},
    ),
    Program(
        "patched_write",
        "import os\nos.write = lambda fd, b: len(b)\ndef f(): return 'bad'",
        {RETURNED},
    ),
    Program(
        "patched_dumps",
        "import marshal\nmarshal.dumps = lambda *a, **k: b'GOOD'\ndef f(): return 'bad'",
        {RETURNED},
    ),
    Program(
        "patched_builtins",
        "import builtins\n"
        "builtins.type = lambda x: str\n"
        "builtins.str = lambda x: 'GOOD'\n"
        "def f(): return 'bad'",
        {RETURNED},
    ),
    Program(
        "deleted_builtins",
        "import builtins\n"
        "for k in list(vars(builtins)):\n"
        "    if k[0] != '_': delattr(builtins, k)\n"
        "def f(): return 'bad'",
        {RAISED, RETURNED},
    ),
    Program(
        "patched_reactor",
        "import _reactor\n_reactor.turn = lambda *a: 0\ndef f(): return 'bad'",
        {RETURNED},
    ),
    Program(
        "cleared_reactor",
        "import _reactor\n_reactor.__dict__.clear()\ndef f(): return 'bad'",
        {RETURNED},
    ),
    Program(
        "cleared_modules",
        "import sys\nsys.modules.clear()\ndef f(): return 'bad'",
        {RETURNED},
    ),
    Program(
        "settrace",
        "import sys\ndef t(*a): raise ValueError\nsys.settrace(t)\ndef f(): return 'bad'",
        {RAISED},
    ),
    Program(
        "gc_walk",
        "import gc\n"
        "def f():\n"
        "    for o in gc.get_objects():\n"
        "        if type(o) is dict and o is not globals(): o.clear()\n"
        "    return 'bad'",
        {RAISED, RETURNED, TRAPPED},
    ),
    Program(
        "frame_walk",
        "import sys\n"
        "def f():\n"
        "    fr, seen = sys._getframe(), []\n"
        "    while fr: seen.append(fr.f_code.co_name); fr = fr.f_back\n"
        "    return 'GOOD' in repr(seen)",
        {RETURNED},
    ),
    Program(
        "atexit",
        "import atexit\natexit.register(lambda: print('late'))\ndef f(): return 'bad'",
        {RETURNED},
    ),
    Program(
        "finalizer_after",
        "class A:\n    def __del__(s): print('late')\nkept = A()\ndef f(): return 'bad'",
        {RETURNED},
    ),
    Program(
        "excepthook",
        "import sys\nsys.excepthook = lambda *a: None\ndef f(): 1 / 0",
        {RAISED},
    ),
    Program(
        "lying_error",
        "class E(Exception):\n    def __str__(s): 1 / 0\ndef f(): raise E",
        {RAISED},
    ),
    Program(
        "looping_error",
        "class E(Exception):\n    def __str__(s):\n        while True: pass\ndef f(): raise E",
        {FUEL},
    ),
    Program(
        "named_error",
        "class E(Exception): pass\nE.__name__ = 'V\\0'\ndef f(): raise E('GOOD')",
        {RAISED},
    ),
    Program(
        "base_error",
        "class E(BaseException): pass\ndef f(): raise E('x')",
        {RAISED},
    ),
    Program(
        "keyboard",
        "def f(): raise KeyboardInterrupt",
        {RAISED},
    ),
    Program(
        "generator_exit",
        "def f(): raise GeneratorExit",
        {RAISED},
    ),
    Program(
        "system_exit",
        "def f(): raise SystemExit(\"'GOOD'\")",
        {EXITED},
    ),
    Program(
        "closed_stdout",
        "import sys\ndef f():\n    sys.stdout.close()\n    return 'bad'",
        {RAISED, RETURNED},
    ),
    Program(
        "replaced_stdout",
        "import sys\n"
        "class W:\n"
        "    def write(s, t): pass\n"
        "    def flush(s): 1 / 0\n"
        "sys.stdout = W()\n"
        "def f(): return 'bad'",
        {RETURNED},
    ),
    Program(
        "warnings",
        "import warnings\ndef f():\n    warnings.warn('GOOD')\n    return 'bad'",
        {RETURNED},
    ),
    Program(
        "coroutine",
        "async def g(): return 'GOOD'\ndef f(): return g()",
        {NO_VALUE},
    ),
    Program(
        "module_getattr",
        "def __getattr__(n): return 'GOOD'\ndef f(): return 'bad'",
        {RETURNED},
    ),
    Program(
        "hash_bomb",
        "class K:\n"
        "    def __hash__(s): return 1\n"
        "    def __eq__(s, o): return False\n"
        "def f():\n"
        "    return {K(): 1 for _ in range(300)}",
        {NO_VALUE},
    ),
    Program(
        "mutating_buffer",
        "class B:\n"
        "    def __buffer__(s, k):\n"
        "        L.append(1)\n"
        "        return memoryview(b'GOOD')\n"
        "L = [B()]\n"
        "def f(): return L",
        {NO_VALUE},
    ),
]
