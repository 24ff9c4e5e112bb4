"""Programs that attack the interpreter itself: crafted bytecode, marshal data, types' own dicts."""

from tests.hostile.program import (
    EXITED,
    FUEL,
    MEMORY,
    NO_VALUE,
    OUTPUT,
    RAISED,
    RETURNED,
    TRAPPED,
    Program,
)

_ANY = {EXITED, FUEL, MEMORY, NO_VALUE, OUTPUT, RAISED, RETURNED, TRAPPED}
"""For what reads or writes the guest's own memory at will: whatever it becomes is contained."""
_MAKE = (
    "import dis, random\nop, Function = dis.opmap, type(lambda: 1)\nc = (lambda a=1: a).__code__\n"
)


def _bytecode(body: str) -> str:
    call = "    return str(Function(c.replace(co_code=b), {}, 'g', (1,))())"
    head = f"{_MAKE}def f():\n    b = bytes([128, 0])\n    {body}\n"
    return f"{head}    b += bytes([op['RETURN_VALUE'], 0])\n{call}"


PROGRAMS = [
    Program("constant_out_of_bounds", _bytecode("b += bytes([op['LOAD_CONST'], 255])"), _ANY),
    Program(
        "local_out_of_bounds",
        _bytecode("b += bytes([op['EXTENDED_ARG'], 255, op['LOAD_FAST'], 255])"),
        _ANY,
    ),
    Program(
        "stores_all_over",
        _bytecode(
            "for k in range(200):"
            " b += bytes([op['LOAD_FAST'], 0, op['EXTENDED_ARG'], k, op['STORE_FAST'], 255])"
        ),
        _ANY,
    ),
    Program(
        "jump_into_nowhere",
        _bytecode("b += bytes([op['EXTENDED_ARG'], 255] * 2 + [op['JUMP_FORWARD'], 255])"),
        _ANY,
    ),
    Program("stack_underflow", _bytecode("b += bytes([op['POP_TOP'], 0]) * 500"), _ANY),
    Program("stack_overflow", _bytecode("b += bytes([op['PUSH_NULL'], 0]) * 200000"), _ANY),
    *(
        Program(
            f"random_bytecode_{seed}",
            _bytecode(
                f"r = random.Random({seed}); ops = [n for n in op.values() if n < 256];"
                " b += bytes(n for _ in range(60) for n in (r.choice(ops), r.randrange(8)))"
            ),
            _ANY,
        )
        for seed in range(8)
    ),
    Program(
        "lying_stack_size",
        "def f():\n"
        "    c = (lambda a: [a, a, [a, [a, [a]]]]).__code__\n"
        "    return type(f)(c.replace(co_stacksize=0), {})(1)",
        _ANY,
    ),
    Program(
        "lying_exception_table",
        "def f():\n"
        "    c = (lambda a: 1 / a).__code__\n"
        "    return type(f)(c.replace(co_exceptiontable=b'\\xff' * 30), {})(0)",
        _ANY,
    ),
    Program(
        "lying_line_table",
        "import traceback\n"
        "def f():\n"
        "    c = (lambda a: 1 / a).__code__\n"
        "    try: type(f)(c.replace(co_linetable=b'\\xff' * 30), {})(0)\n"
        "    except ZeroDivisionError: return len(traceback.format_exc()) > 0",
        _ANY,
    ),
    Program(
        "mutated_marshal",
        "import marshal, random\n"
        "def f():\n"
        "    r = random.Random(4)\n"
        "    base = marshal.dumps(compile('z = [y for y in range(3)]', 'q', 'exec'))\n"
        "    for _ in range(2000):\n"
        "        b = bytearray(base)\n"
        "        for _ in range(2): b[r.randrange(len(b))] = r.randrange(256)\n"
        "        try: exec(marshal.loads(bytes(b)), {})\n"
        "        except Exception: pass\n"
        "    return 1",
        _ANY,
    ),
    Program(
        "marshal_of_itself",
        "import marshal\ndef f(): return marshal.loads(b'\\xdb\\1\\0\\0\\0r\\0\\0\\0\\0')",
        {NO_VALUE},
    ),
    Program(
        "marshal_tuple_of_itself",
        "import marshal\ndef f(): return marshal.loads(b'\\xa9\\1r\\0\\0\\0\\0')",
        {NO_VALUE},
    ),
    Program(
        "marshal_of_two_billion",
        "import marshal\ndef f(): return marshal.loads(b'[\\xff\\xff\\xff\\x7f')",
        {MEMORY, RAISED},
    ),
    Program(
        "freed_buffer",
        "import io\n"
        "class F(io.RawIOBase):\n"
        "    def readinto(s, b): F.view = b; return 0\n"
        "    def readable(s): return True\n"
        "def f():\n"
        "    io.BufferedReader(F(), 1 << 16).read(1)\n"
        "    F.view[:] = bytes(65536)\n"
        "    return len(F.view)",
        _ANY,
    ),
    Program(
        "patched_str_type",
        "import gc\n"
        "def f():\n"
        "    gc.get_referents(str.__dict__)[0]['upper'] = lambda s: 'GOOD'\n"
        "    return 'bad' + 'x'.upper()[:0]",
        {RAISED, RETURNED},
    ),
    Program(
        "emptied_types",
        "import gc\n"
        "def f():\n"
        "    for t in (str, bytes, int, dict, list, tuple, set, type, object, BaseException):\n"
        "        gc.get_referents(t.__dict__)[0].clear()\n"
        "    return 'bad'",
        _ANY,
    ),
    Program(
        "runner_through_frames",
        "import sys\n"
        "def f():\n"
        "    frame = sys._getframe()\n"
        "    while frame:\n"
        "        for name in list(frame.f_locals):\n"
        "            if name != 'frame' and frame.f_code.co_name != 'f':\n"
        "                try: frame.f_locals[name] = 'GOOD'\n"
        "                except BaseException: pass\n"
        "        frame = frame.f_back\n"
        "    return 'bad'",
        _ANY,
    ),
    Program(
        "close_the_reply",
        "import os\ndef f():\n    os.close(1000003)\n    return 'bad'",
        {RAISED},
    ),
    Program(
        "renumber_the_reply",
        "import os\ndef f():\n    os.dup2(1000003, 1)\n    return 'bad'",
        {RAISED},
    ),
    Program(
        "host_module",
        "import _host\n"
        "def f():\n"
        "    if _host.available(): return 'GOOD'\n"
        "    return _host.call(b'x')",
        {NO_VALUE, RAISED, RETURNED},
    ),
    Program(
        "poll_everything",
        "import select\n"
        "def f():\n"
        "    p = select.poll()\n"
        "    for fd in range(100): p.register(fd)\n"
        "    return len(p.poll(10 ** 6)) >= 0",
        {RAISED, RETURNED},
    ),
    Program(
        "end_of_time",
        "import time\n"
        "def f():\n"
        "    for _ in range(10 ** 3): time.sleep(4e9)\n"
        "    return time.time() > 0",
        {RAISED, RETURNED},
    ),
    Program(
        "attached_file",
        "import sqlite3\n"
        "def f(): return sqlite3.connect(':memory:').execute(\"attach '/etc/passwd' as p\")",
        {RAISED},
    ),
]
