# ruff: noqa: E501 - a line of a program is a line here
"""Programs whose compilation is the attack, and library calls that cost far more than they look."""

from tests.hostile.program import (
    FUEL,
    MEMORY,
    NO_VALUE,
    OUTPUT,
    RAISED,
    RETURNED,
    SYNTAX,
    TRAPPED,
    Program,
)

_END = "\ndef f(): return 1"


def _indented(head: str, levels: int) -> str:
    lines = [" " * level + head for level in range(levels)]
    return "\n".join([*lines, " " * levels + "pass"])


_COMPILED = {
    "nested_fstrings": ("x = " + "f'{" * 140 + "1" + "}'" * 140, {SYNTAX}),
    "nested_fstrings_one_quote": ("x = " + 'f"{' * 200 + "1" + '}"' * 200, {SYNTAX}),
    "folded_string": ("def g(): return 'a' * 10 ** 9", {RETURNED}),
    "folded_tuple": ("x = ((((1,) * 200) * 200) * 200) * 200", {MEMORY}),
    "folded_power": ("x = 2 ** (2 ** (2 ** (2 ** 5)))", {FUEL, MEMORY}),
    "folded_shift": ("def g(): return 1 << (1 << 60)", {RETURNED}),
    "product_of_constants": ("x = " + " * ".join(["9" * 4000] * 200), {FUEL}),
    "regex_of_parentheses": ("import re\nx = re.compile('(' * 5000 + ')' * 5000)", {RAISED}),
    "regex_of_alternatives": (
        "import re\nx = re.compile('|'.join(map(str, range(200000))))",
        {FUEL},
    ),
    "names_to_normalise": (
        "".join(f"a{chr(0x338) * 2000}b{i} = 1\n" for i in range(200)),
        {RETURNED},
    ),
    "giant_decimal_int": ("x = " + "9" * 3_000_000, {SYNTAX}),
    "giant_hexadecimal_int": ("x = 0x" + "f" * 3_000_000, {RETURNED}),
    "giant_float": ("x = " + "1" * 3_000_000 + ".5e-1", {RETURNED}),
    "nested_lambdas": ("x = " + "lambda: " * 50_000 + "1", {SYNTAX}),
    "nested_walrus": ("x = " + "(y := " * 5_000 + "1" + ")" * 5_000, {SYNTAX}),
    "hundred_thousand_functions": ("".join(f"def g{i}(): pass\n" for i in range(100_000)), {FUEL}),
    "hundred_thousand_decorators": (
        "d = lambda g: g\n" + "@d\n" * 100_000 + "def g(): 0",
        {RETURNED},
    ),
    "hundred_thousand_parameters": (
        f"def g({','.join(f'a{i}' for i in range(100_000))}): pass",
        {RETURNED},
    ),
    "twenty_thousand_cells": (
        "def g():\n"
        + "".join(f" a{i} = 1\n" for i in range(20_000))
        + f" return lambda: ({','.join(f'a{i}' for i in range(20_000))})",
        {FUEL},
    ),
    "twenty_thousand_type_parameters": (
        f"class A[{','.join(f'T{i}' for i in range(20_000))}]: pass",
        {FUEL},
    ),
    "indented_too_deep": (_indented("if 1:", 105), {SYNTAX}),
    "loops_too_deep": (_indented("for a in b:", 25), {SYNTAX}),
    "classes_too_deep": (_indented("class A:", 95), {RETURNED, SYNTAX}),
    "elif_chain": (
        "x = 1\nif x == 0: pass\n" + "".join(f"elif x == {i}: pass\n" for i in range(50_000)),
        {SYNTAX},
    ),
    "sum_chain": ("x = " + "+".join(["1"] * 500_000), {TRAPPED, SYNTAX}),
    "attribute_chain": ("def g(x): return x" + ".a" * 500_000, {TRAPPED, SYNTAX}),
    "call_chain": ("def g(x): return x" + "()" * 500_000, {TRAPPED, SYNTAX}),
    "comparison_chain": ("x = " + "<".join(["1"] * 100_000), {RETURNED}),
    "not_chain": ("x = " + "not " * 500_000 + "1", {SYNTAX}),
    "star_nest": ("x = " + "[*" * 4_000 + "[]" + "]" * 4_000, {SYNTAX}),
    "pattern_alternatives": (
        f"def g(x):\n match x:\n  case {'|'.join(map(str, range(50_000)))}: return 1",
        {RETURNED},
    ),
    "long_dict": ("x = {" + ",".join(f"{i}:{i}" for i in range(200_000)) + "}", {FUEL}),
    "joined_strings": ("x = (" + "'a' " * 500_000 + ")", {RETURNED}),
    "joined_lines": ("x = 1 " + "\\\n" * 1_000_000, {RETURNED}),
    "warnings_by_the_thousand": ("x = 1 is 1\n" * 50_000, {RETURNED}),
    "one_escape_of_millions": ("x = '\\N{" + "A" * 3_000_000 + "}'", {SYNTAX}),
    "future_flood": (f"from __future__ import {','.join(['annotations'] * 50_000)}", {RETURNED}),
    "lone_surrogate": ("x = '\ud800'", {SYNTAX}),
    "nul_byte": ("x = 1\0", {SYNTAX}),
    "other_encoding": ("# -*- coding: utf-7 -*-\nx = '+ADw-'", {RETURNED}),
}

_RUN = {
    "sqlite_endless_query": (
        ("import sqlite3\n"
        "def f():\n"
        "    q = 'with recursive t(x) as (select 1 union all select x+1 from t) select sum(x) from t'\n"
        "    return sqlite3.connect(':memory:').execute(q).fetchone()"),
        {FUEL},
    ),
    "sqlite_blob": (
        ("import sqlite3\n"
        "def f(): return sqlite3.connect(':memory:').execute('select zeroblob(900000000)').fetchone()"),
        {MEMORY, RAISED},
    ),
    "inflated_bomb": ("import zlib\ndef f(): return len(zlib.compress(bytes(1 << 30)))", {MEMORY}),
    "lzma_dictionary": (
        "import lzma\ndef f(): return lzma.LZMACompressor(preset=9).compress(b'x')",
        {MEMORY},
    ),
    "colliding_keys": (
        "def f(): return len({i * (2 ** 31 - 1): 1 for i in range(30000)})",
        {FUEL},
    ),
    "digits_without_limit": (
        "import sys\nsys.set_int_max_str_digits(0)\ndef f(): return len(str(7 ** 10 ** 6))",
        {FUEL},
    ),
    "modular_power": ("def f(): return pow(3, 10 ** 30000, 10 ** 30000)", {FUEL}),
    "decimal_of_a_million": (
        ("import decimal\n"
        "decimal.getcontext().prec = 10 ** 6\n"
        "def f(): return str(decimal.Decimal(2).sqrt())[:5]"),
        {FUEL},
    ),
    "wide_format": ("def f(): return len(f'{1:>999999999}')", {MEMORY}),
    "exact_format": ("def f(): return len('%.999999999f' % 1.0)", {MEMORY, RAISED}),
    "first_permutation": (
        "import itertools\ndef f(): return next(itertools.permutations(range(10 ** 7), 10 ** 7))[0]",
        {FUEL, MEMORY},
    ),
    "first_combination": (
        ("import itertools\n"
        "def f(): return next(itertools.combinations_with_replacement([1], 10 ** 9))[0]"),
        {MEMORY},
    ),
    "binomial": ("import math\ndef f(): return math.comb(10 ** 9, 5 * 10 ** 8) % 7", {FUEL}),
    "harmonic_fraction": (
        ("from fractions import Fraction\n"
        "def f(): return sum(Fraction(1, i) for i in range(1, 10 ** 5)).numerator % 7"),
        {FUEL},
    ),
    "normalise_compatibly": (
        ("import unicodedata\n"
        "def f(): return len(unicodedata.normalize('NFKD', '\\ufdfa' * 10 ** 6))"),
        {FUEL, MEMORY},
    ),
    "replaced_to_terabytes": ("def f(): return ('a' * 10 ** 5).replace('a', 'b' * 10 ** 5)", {RAISED}),
    "joined_to_terabytes": ("def f(): return ('x' * 10 ** 5).join(['y'] * 10 ** 5)", {RAISED}),
    "expanded_tabs": ("def f(): return '\\t'.expandtabs(10 ** 9)", {MEMORY}),
    "deep_copy": (
        ("import copy\n"
        "def f():\n    a = []\n    for _ in range(10 ** 5): a = [a]\n    return copy.deepcopy(a)"),
        {RAISED, TRAPPED, FUEL},
    ),
    "deep_json": ("import json\ndef f(): return json.loads('[' * 10 ** 6)", {RAISED, TRAPPED}),
    "deep_json_dump": (
        ("import json\n"
        "def f():\n    a = []\n    for _ in range(10 ** 5): a = [a]\n    return json.dumps(a)"),
        {RAISED, TRAPPED, FUEL},
    ),
    "cyclic_syntax_tree": (
        ("import ast\n"
        "def f():\n"
        "    n = ast.UnaryOp(ast.USub(), ast.Constant(1))\n"
        "    n.operand = n\n"
        "    return eval(compile(ast.fix_missing_locations(ast.Expression(n)), 'x', 'eval'))"),
        {RAISED, TRAPPED},
    ),
    "back_references": (
        ("import re\n"
        "def f(): return re.search(r'(.*)(.*)(.*)(.*)(.*)\\1\\2\\3\\4\\5x', 'ab' * 60) is None"),
        {FUEL},
    ),
    "import_storm": (
        ("import importlib, sys\n"
        "def f():\n"
        "    for name in sorted(sys.stdlib_module_names):\n"
        "        try: importlib.import_module(name)\n"
        "        except BaseException: pass"),
        {FUEL, MEMORY, RAISED, TRAPPED},
    ),
    "debugger": ("def f(): breakpoint()", {FUEL, RAISED, RETURNED}),
    "hundredfold_sharing": (
        "def f():\n    a = ['s']\n    for _ in range(50): a = [a] * 100\n    return a",
        {OUTPUT},
    ),
    "shared_text": ("def f(): return ['x' * 10 ** 5] * 10 ** 4", {OUTPUT}),
    "shared_keys": (
        "def f():\n    a = (1,)\n    for _ in range(60): a = (a, a)\n    return {a: a}",
        {FUEL, OUTPUT},
    ),
    "cycle_through_everything": (
        "def f():\n    a, d = [], {}\n    a.append((d, {'k': a})); d[1] = (a,)\n    return (a, d)",
        {NO_VALUE},
    ),
    "frozenset_ladder": (
        ("def f():\n"
        "    a = frozenset()\n"
        "    for i in range(99): a = frozenset((a, i))\n"
        "    return a"),
        {FUEL},
    ),
}  # fmt: skip

PROGRAMS = [Program(name, text + _END, ends) for name, (text, ends) in _COMPILED.items()]
PROGRAMS += [Program(name, text, ends) for name, (text, ends) in _RUN.items()]
