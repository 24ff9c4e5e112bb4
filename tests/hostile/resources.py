"""Programs that want more than they may have: time, memory, stack, output."""

from tests.hostile.program import (
    FUEL,
    MEMORY,
    NO_VALUE,
    OUTPUT,
    RAISED,
    RETURNED,
    TRAPPED,
    Program,
)

PROGRAMS = [
    Program(
        "loop",
        "def f():\n    while True: pass",
        {FUEL},
    ),
    Program(
        "loop_at_import",
        "while True: pass\ndef f(): pass",
        {FUEL},
    ),
    Program(
        "swallow_everything",
        "def f():\n"
        "    n = 0\n"
        "    while n >= 0:\n"
        "        try:\n"
        "            while n >= 0: n += 1\n"
        "        except BaseException: pass",
        {FUEL},
    ),
    Program(
        "pow",
        "def f(): return 10 ** 10 ** 8 % 7",
        {FUEL, MEMORY},
    ),
    Program(
        "factorial",
        "import math\ndef f(): return math.factorial(10 ** 7)",
        {FUEL, OUTPUT},
    ),
    Program(
        "redos",
        "import re\ndef f(): return re.match(r'(a+)+$', 'a' * 40 + 'b')",
        {FUEL},
    ),
    Program(
        "sum_range",
        "def f(): return sum(range(10 ** 12))",
        {FUEL},
    ),
    Program(
        "all_repeat",
        "import itertools\ndef f(): return all(itertools.repeat(1))",
        {FUEL},
    ),
    Program(
        "list_repeat",
        "import itertools\ndef f(): return list(itertools.count())",
        {FUEL, MEMORY},
    ),
    Program(
        "big_string",
        "def f(): return 'a' * 10 ** 9",
        {MEMORY},
    ),
    Program(
        "big_bytes",
        "def f(): return bytes(10 ** 9)",
        {MEMORY},
    ),
    Program(
        "big_list",
        "def f(): return [0] * 10 ** 9",
        {MEMORY, RAISED},
    ),
    Program(
        "grow_list",
        "def f():\n    a = []\n    while True: a.append('x' * 10000 + str(len(a)))",
        {MEMORY},
    ),
    Program(
        "grow_string",
        "def f():\n    a = 'x'\n    while True: a += a",
        {MEMORY},
    ),
    Program(
        "grow_quietly",
        "def f():\n"
        "    a = []\n"
        "    while True:\n"
        "        try: a.append(bytearray(1 << 20))\n"
        "        except MemoryError: return len(a) > 10",
        {RETURNED},
    ),
    Program(
        "memory_error_loop",
        "def f():\n"
        "    while True:\n"
        "        try: bytearray(1 << 30)\n"
        "        except MemoryError: pass",
        {FUEL},
    ),
    Program(
        "recursion",
        "def f(): return f()",
        {RAISED},
    ),
    Program(
        "recursion_unlimited",
        "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): return f()",
        {FUEL, MEMORY, RAISED, TRAPPED},
    ),
    Program(
        "recursion_in_repr",
        "import sys\n"
        "sys.setrecursionlimit(10 ** 9)\n"
        "class A:\n"
        "    def __repr__(s): return repr([s])\n"
        "def f(): return repr(A())",
        {RAISED, TRAPPED, FUEL},
    ),
    Program(
        "recursion_in_eq",
        "import sys\n"
        "sys.setrecursionlimit(10 ** 9)\n"
        "class A:\n"
        "    def __eq__(s, o): return [s] == [o]\n"
        "def f(): return A() == A()",
        {RAISED, TRAPPED},
    ),
    Program(
        "deep_list",
        "def f():\n    a = []\n    for _ in range(10 ** 6): a = [a]\n    return a",
        {FUEL, NO_VALUE, TRAPPED},
    ),
    Program(
        "deep_free",
        "def f():\n    a = ()\n    for _ in range(10 ** 6): a = (a,)\n    del a\n    return 1",
        {FUEL, RETURNED, TRAPPED},
    ),
    Program(
        "shared_bomb",
        "def f():\n    a = ['s']\n    for _ in range(60): a = [a, a]\n    return a",
        {NO_VALUE, OUTPUT},
    ),
    Program(
        "cycle",
        "def f():\n    a = {}\n    a[1] = a\n    return a",
        {NO_VALUE},
    ),
    Program(
        "paren_bomb",
        "def f(): return eval('(' * 100000 + ')' * 100000)",
        {MEMORY, RAISED},
    ),
    Program(
        "minus_bomb",
        "def f(): return eval('-' * 1000000 + '1')",
        {MEMORY, RAISED, TRAPPED},
    ),
    Program(
        "compile_bomb",
        "def f(): return eval('1' + '+1' * 300000)",
        {FUEL, MEMORY, RAISED, RETURNED, TRAPPED},
    ),
    Program(
        "many_prints",
        "def f():\n    while True: print('x' * 1000)",
        {OUTPUT},
    ),
    Program(
        "one_print",
        "def f(): print('x' * 10 ** 7)",
        {OUTPUT},
    ),
    Program(
        "raw_stdout",
        "import os\ndef f():\n    while True: os.write(1, b'x' * 1000)",
        {OUTPUT},
    ),
    Program(
        "stderr_flood",
        "import sys\n"
        "def f():\n"
        "    for _ in range(1000): sys.stderr.write('x' * 10000)\n"
        "    return 1",
        {RETURNED},
    ),
    Program(
        "huge_value",
        "def f(): return [chr(i) * 1000 for i in range(97, 123)] * 99",
        {OUTPUT},
    ),
    Program(
        "huge_int",
        "def f(): return 1 << 10 ** 7",
        {OUTPUT},
    ),
    Program(
        "huge_error",
        "def f(): raise ValueError('x' * 10 ** 7)",
        {RAISED},
    ),
    Program(
        "sleep",
        "import time\ndef f():\n    time.sleep(10 ** 6)\n    return 1",
        {RETURNED},
    ),
    Program(
        "sleep_loop",
        "import time\ndef f():\n    while True: time.sleep(3600)",
        {FUEL},
    ),
    Program(
        "exception_chain",
        "def f():\n"
        "    e = None\n"
        "    for _ in range(10 ** 5):\n"
        "        n = ValueError()\n"
        "        n.__cause__ = e\n"
        "        e = n\n"
        "    raise e",
        {RAISED, TRAPPED},
    ),
    Program(
        "exhaust_fds",
        "def f():\n"
        "    a = []\n"
        "    while True: a.append(open('/usr/local/lib/python315.zip', 'rb'))",
        {RAISED},
    ),
    Program(
        "generator_forever",
        "def g():\n    while True: yield 1\ndef f(): return sum(g())",
        {FUEL},
    ),
    Program(
        "finalizer_loop",
        "class A:\n    def __del__(s):\n        while True: pass\ndef f():\n    A()\n    return 1",
        {FUEL},
    ),
]
