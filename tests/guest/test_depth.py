"""How deep programs recurse: as in CPython, and a RecursionError beyond.

A trap only where CPython itself crashes: C code that calls C code without counting.
"""
# ruff: noqa: E501 - a program on one line

from pathlib import Path

import pytest

from sandbox_wasm import Job, Limits, Outcome, Sandbox

HEADER = "import sys\nsys.setrecursionlimit(10 ** 6)\n"
LIMITS = Limits(fuel=4_000_000_000, memory_bytes=512 << 20)

# Calls that C code stands between: each takes some of the C stack.
THROUGH_C = {
    "functools.cache": "import functools\n@functools.cache\ndef f(n): return n and 1 + f(n - 1)",
    "lru_cache": "import functools\n@functools.lru_cache(128)\ndef f(n): return n and 1 + f(n - 1)",
    "sorted": "def f(n): return n and 1 + sorted([n], key=lambda k: f(n - 1) * 0)[0] * 0 + n - 1",
    "cmp_to_key": "import functools\ndef f(n):\n    key = functools.cmp_to_key(lambda a, b: f(n - 1) * 0)"
    "\n    return n and sorted([n, n], key=key)[0]",
    "max of a generator": "def f(n): return n and 1 + max(f(n - 1) for _ in '1')",
    "min with key": "def f(n): return n and 1 + min([n - 1], key=lambda _: f(n - 1))",
    "sum of a generator": "def f(n): return n and 1 + sum(f(n - 1) for _ in '1')",
    "map": "def f(n): return n and 1 + list(map(f, [n - 1]))[0]",
    "filter": "def f(n): return n and list(filter(lambda _: f(n - 1) + 1, [n]))[0]",
    "reduce": "import functools\ndef f(n): return n and 1 + functools.reduce(lambda a, b: f(n - 1), 'ab')",
    "partial": "import functools\ndef f(n): return n and 1 + functools.partial(f, n - 1)()",
    "next": "def g(n): yield n and 1 + next(g(n - 1))\ndef f(n): return next(g(n))",
    "re.sub": "import re\ndef f(n): return n and 1 + int(re.sub('a', lambda m: str(f(n - 1)), 'a'))",
    "bisect": "import bisect\ndef f(n): return n and bisect.bisect([0], 1, key=lambda _: f(n - 1) * 0) + n - 1",
    "starmap": "import itertools\ndef f(n): return n and 1 + next(itertools.starmap(f, [(n - 1,)]))",
    "__missing__": "class D(dict):\n    def __missing__(self, n): return n and 1 + self[n - 1]\n"
    "def f(n): return D()[n]",
    "__call__": "class C:\n    def __call__(self, n): return n and 1 + self(n - 1)\ndef f(n): return C()(n)",
    "__new__": "class C:\n    def __new__(cls, n): return n and 1 + C(n - 1)\ndef f(n): return C(n)",
    "eval": "def f(n): return n and 1 + eval('f(n - 1)', globals(), {'n': n})",
}
NESTED = {
    "__eq__": "class N:\n    def __eq__(self, o): return self.x == o.x",
    "__hash__": "class N:\n    def __hash__(self): return hash(self.x)",
    "__lt__": "class N:\n    def __lt__(self, o): return self.x < o.x",
    "__str__": "class N:\n    def __str__(self): return str(self.x)",
    "__len__": "class N:\n    def __len__(self): return len(self.x) if self.x else 0",
    "__add__": "class N:\n    def __add__(self, o): return self.x + o",
    "dataclass": "from dataclasses import dataclass\n@dataclass\nclass N:\n    x: object = 0",
    "cached_property": "import functools\nclass N:\n    @functools.cached_property\n"
    "    def d(self): return self.x and self.x.d",
}
USE = {"__eq__": "a == b", "__hash__": "hash(a)", "__lt__": "a < b", "__str__": "str(a)",
       "__len__": "len(a)", "__add__": "a + 1", "dataclass": "repr(a), a == b",
       "cached_property": "a.d"}  # fmt: skip
# Recursions of Python code alone: bounded by memory and fuel.
PURE = {
    "function": "def f(n): return n and 1 + f(n - 1)",
    "method": "class A:\n    def f(self, n): return n and 1 + self.f(n - 1)\nf = A().f",
    "nested function": "def f(n):\n    def g(n): return n and 1 + g(n - 1)\n    return g(n)",
    "lambda": "f = lambda n: n and 1 + f(n - 1)",
    "comprehension": "def f(n): return n and 1 + [f(n - 1) for _ in '1'][0]",
    "try": "def f(n):\n    try: return n and 1 + f(n - 1)\n    finally: pass",
    "super": "class A:\n    def g(self, n): return n and 1 + self.g(n - 1)\nclass B(A):\n"
    "    def g(self, n): return super().g(n)\nf = B().g",
    "decorated": "import functools\ndef d(g):\n    @functools.wraps(g)\n    def w(*a): return g(*a)\n"
    "    return w\n@d\ndef f(n): return n and 1 + f(n - 1)",
    "depth first": "def f(n):\n    seen = set()\n    def walk(u):\n        seen.add(u)\n"
    "        for v in (u + 1, u - 1):\n            if 0 <= v <= n and v not in seen: walk(v)\n"
    "    walk(0)\n    return len(seen) - 1",
}  # fmt: skip


def nested(name: str) -> str:
    build = "def f(n):\n    a = b = 0\n    for _ in range(n):\n        c, d = N(), N()\n        c.x, d.x = a, b\n"
    return f"{NESTED[name]}\n{build}        a, b = c, d\n    {USE[name]}\n    return n"


def depth(sandbox: Sandbox, source: str, n: int) -> tuple[Outcome, str]:
    [result] = sandbox.run([Job("1", HEADER + source, calls=[str(n)], limits=LIMITS)])
    [call] = result.calls
    return call.outcome, call.value or call.error or ""


@pytest.mark.parametrize("name", THROUGH_C)
def test_calls_through_c_recurse_2000_deep(sandbox: Sandbox, name: str) -> None:
    assert depth(sandbox, THROUGH_C[name], 2000) == (Outcome.RETURNED, "2000")


@pytest.mark.parametrize("name", NESTED)
def test_methods_of_nested_objects_go_5000_deep(sandbox: Sandbox, name: str) -> None:
    assert depth(sandbox, nested(name), 5000) == (Outcome.RETURNED, "5000")


@pytest.mark.parametrize("name", PURE)
def test_python_functions_recurse_50000_deep(sandbox: Sandbox, name: str) -> None:
    """LiveCodeBench sets this limit, and its problems come near it."""
    assert depth(sandbox, PURE[name], 50_000) == (Outcome.RETURNED, "50000")


def test_a_cached_recursion_is_about_as_deep_as_natively(sandbox: Sandbox) -> None:
    assert depth(sandbox, THROUGH_C["functools.cache"], 10_000) == (Outcome.RETURNED, "10000")


@pytest.mark.parametrize("name", [*THROUGH_C, *NESTED])
def test_beyond_is_a_recursion_error(sandbox: Sandbox, name: str) -> None:
    source = THROUGH_C[name] if name in THROUGH_C else nested(name)
    outcome, error = depth(sandbox, source, 100_000)
    assert outcome in {Outcome.RAISED, Outcome.OUT_OF_FUEL}
    expected = ("RecursionError", "MemoryError: Parser stack overflowed")
    assert error.startswith(expected) or outcome is Outcome.OUT_OF_FUEL
    assert depth(sandbox, source, 100_000) == (outcome, error)


@pytest.mark.parametrize(
    "expression",
    ["json.loads('[' * 10 ** 6 + ']' * 10 ** 6)", "json.dumps(nested())", "copy.deepcopy(nested())",
     "nested() == nested()", "pickle.dumps(nested())", "re.compile('(' * 20000 + ')' * 20000)",
     "eval('+'.join(['1'] * 100000))", "eval('not ' * 100000 + '1')", "eval('(' * 9999 + ')' * 9999)",
     "exec('if 0: pass\\n' + 'elif 0: pass\\n' * 9999)", "isinstance(1, tuples())"],
)  # fmt: skip
def test_deep_data_and_sources_do_not_trap(sandbox: Sandbox, expression: str) -> None:
    source = ("import copy, json, pickle, re\ndef nested():\n    a = []\n    for _ in range(400000): a = [a]\n"
              "    return a\ndef tuples():\n    a = int\n    for _ in range(400000): a = (a,)\n    return a\n")  # fmt: skip
    job = Job("1", HEADER + source, expressions=[f"({expression}, 1)[1]"], limits=LIMITS)
    [result] = sandbox.run([job])
    assert result.calls[0].outcome in {Outcome.RETURNED, Outcome.RAISED, Outcome.OUT_OF_FUEL}


def test_what_crashes_cpython_is_trapped_and_harms_nobody(sandbox: Sandbox) -> None:
    chain = (
        "def f(n):\n    a = iter([1])\n    for _ in range(n): a = map(int, a)\n    return next(a)"
    )
    assert depth(sandbox, chain, 20_000) == (Outcome.RETURNED, "1")
    outcome, _ = depth(sandbox, chain, 500_000)
    assert outcome is Outcome.TRAPPED
    assert depth(sandbox, chain, 20_000) == (Outcome.RETURNED, "1")


def test_the_stack_of_a_deep_run_is_given_back(sandbox: Sandbox) -> None:
    """Each worker would keep it: 100 MB and more after a hostile program."""

    def resident_kb() -> int:
        with Path("/proc/self/status").open() as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    source = HEADER + "import json\ndef f(n): return len(json.dumps(json.loads('[' * n + ']' * n)))"
    jobs = [Job(str(n), source, calls=["100000"], limits=LIMITS) for n in range(4)]
    sandbox.run([Job("1", source, calls=["10"], limits=LIMITS)] * 4)
    before = resident_kb()
    assert {r.calls[0].outcome for r in sandbox.run(jobs)} == {Outcome.RETURNED}
    assert resident_kb() - before < 30_000
