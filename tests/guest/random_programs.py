# ruff: noqa: E501 - tables of rules, one language feature each
"""Random Python programs that terminate: `def f(n, s, xs, d)` and what it needs.

Grown from types downwards, so that most run; the rest raise what the language raises. Sizes are cut
at every assignment and loops are short, so values stay small. Left out, because the guest is
CPython 3.15 on 32 bits and the host is not:

* the order of a set's elements, hash() and id(): they depend on the width and the seed
* sum() and statistics of floats: compensated since 3.12; sin, exp and friends: another libm
* texts of exceptions: reworded every year; only their types are compared
"""

import random
import textwrap

__all__ = ["Programs"]

_NAMES = {
    "int": ["n", "a", "b", "c"],
    "float": ["u", "v"],
    "str": ["s", "t"],
    "ints": ["xs", "ys"],
    "dict": ["d", "e"],
    "bool": ["p", "q"],
}
_CUTS = {
    "int": ["({}) % 1000", "({}) % 10 ** 9", "({}) % 10 ** 40", "({}) % (2 ** 61 - 1) - 2 ** 60"],
    "float": ["({})"],
    "str": ["({})[:40]", "({})[-30:]"],
    "ints": ["({})[:12]", "({})[-9:]", "({})[::-1][:10]"],
    "dict": ["dict(list(({}).items())[:8])"],
    "bool": ["({})"],
}
_CONSTANTS = {
    "int": ["0", "1", "-1", "2", "7", "-13", "255", "10 ** 20", "0x7fffffff", "2 ** 63", "-2 ** 31",
            "1_000"],
    "float": ["0.5", "-0.0", "1e308", "2.5", "-3.25", "1e-7", "float('inf')", "float('nan')", "0.1"],
    "str": ["''", "'abc'", "'Hello, World'", "'\\n\\t x'", "'äöü ß'", "'\\ud800'", "'\\U0001f600z'",
            "'12'", "' -7 '", "r'a\\b'"],
    "ints": ["[]", "[3, 1, 2]", "[0, -5, 10 ** 12]", "list(range(5))"],
    "dict": ["{}", "{1: 2, 3: 4}", "{k: k * k for k in range(4)}", "{0: -1}"],
    "bool": ["True", "False"],
}  # fmt: skip
# Each rule's letters stand for generated parts: i int, f float, s str, x ints, d dict, b bool.
_RULES = {
    "int": [
        "({i} + {i})", "({i} - {i})", "({i} * {i})", "({i} // {i})", "({i} % {i})", "({i} // ({i} or 7))", "({i} % ({i} | 1))", "(-{i})", "(~{i})",
        "({i} & {i})", "({i} | {i})", "({i} ^ {i})", "({i} << ({i} & 15))", "({i} >> ({i} & 15))",
        "(({i}) % 1000) ** (({i}) & 7)", "pow({i}, abs({i}) % 50, 97)", "abs({i})", "len({s})",
        "len({x})", "len({d})", "int({s})", "int({f})", "int('0' + ''.join(w for w in {s} if w in '0123456789'))", "sum({x})", "max({x})", "min({x})",
        "(*{x}, 1)[{i} % 1]", "{x}[{i} & 1]", "{d}[{i}]", "{x}[-1]", "{d}.get({i}, {i})", "({i} if {b} else {i})",
        "ord({s}[0])", "{s}.count({s})", "{s}.find({s})", "{x}.index({i})", "int({b})", "round({f})",
        "({i}).bit_length()", "sum(1 for w in {x} if w > {i})", "helper({i} & 3, {i})",
        "(lambda w: w + {i})({i})", "math.gcd({i}, {i})", "math.isqrt({i})", "divmod({i}, {i})[1]",
        "functools.reduce(lambda w, z: w ^ z, {x}, {i})", "len(set({x}) & {{ {i}, {i} }})",
        "int.from_bytes(({i} & 255).to_bytes(2, 'big'), 'little')", "hash_free({i}, {s})",
        "bisect.bisect({x}, {i})", "int(str({i} % 10 ** 6)[::-1].strip('-') or '0')",
        "next(iter({x}), {i})", "Box({i}).get({i})",
    ],
    "float": [
        "({f} + {f})", "({f} * {f})", "({f} - {f})", "({f} / {f})", "({i} / {i})", "float({i})",
        "abs({f})", "round({f}, {i} & 3)", "({f} // {f})", "({f} % {f})", "math.sqrt({f})",
        "max({f}, {f})", "float({s})", "({f} if {b} else {f})", "math.floor({f}) * 0.5",
        "-{f}", "math.copysign({f}, {f})", "math.fmod({f}, {f})", "float.fromhex(({f}).hex())",
        "math.ldexp({f}, {i} & 7)",
    ],
    "str": [
        "({s} + {s})[:200]", "{s}.upper()", "{s}.lower()", "{s}.title()", "{s}.strip()", "{s}[::-1]",
        "{s}[{i} & 7:{i}]", "{s}[{i}:]", "{s}.replace({s}, {s})[:80]", "str({i} % 10 ** 30)",
        "repr({s})", "repr({f})", "({s} * ({i} & 3))[:80]", "'-'.join(map(str, {x}))[:80]",
        "f'{{n % 10 ** 9:>8}}|{{u:.3f}}|{{s!r:.10}}'",
        "f'{{a:+,}}{{v=:10.2e}}{{xs[:2]}}{{{{}}}}{{p!s:^7}}'", "f'{{t:{{b % 9}}}}<{{c:#x}}>'", "'%d %s %r' % ({i} % 10 ** 9, {s}, {b})",
        "'{{:+08.2e}}'.format({f})", "'{{:,}}'.format({i} % 10 ** 12)", "{s}.center({i} & 15, '*')",
        "{s}.zfill({i} & 15)", "chr({i} & 0x7ff)", "hex({i})", "bin({i} & 1023)", "{s}.swapcase()",
        "{s}.partition({s})[2]", "''.join(sorted({s}))", "{s}.casefold()", "{s}.expandtabs({i} & 7)",
        "{s}.encode('utf-8', 'replace').hex()[:40]", "''.join(w for w in {s} if w.isalnum())",
        "str({b})", "ascii({s})", "{s}.translate({{97: 'Z', 98: None}})", "str({x})[:60]",
        "re.sub('[a-m]', lambda m: m[0].upper(), {s})", "json.dumps({x})[:80]", "format({i} & 255, '#010b')",
    ],
    "ints": [
        "sorted({x})", "sorted({x}, key=lambda w: (w % 7, -w))", "sorted({x}, reverse={b})",
        "[w * 2 for w in {x}]", "[w for w in {x} if w % 2]", "list(map(abs, {x}))", "({x} + {x})[:20]",
        "{x}[{i} & 3:]", "{x}[::-1]", "[{i}, {i}]", "list(set({x}))[:0] + sorted(set({x}))",
        "list({d})[:9]", "sorted({d}.values())", "[*{x}, {i}]", "list(range({i} & 7))",
        "[w + z for w in {x}[:3] for z in {x}[:3]]", "list(filter(lambda w: w > {i}, {x}))",
        "[ord(w) for w in {s}[:9]]", "list(gen({i} & 7))", "[w for w, _ in zip({x}, {s})]",
        "list(itertools.accumulate({x}))[:12]", "list(reversed({x}))", "[len(w) for w in {s}.split()]",
        "list(bytes(w & 255 for w in {x}))", "sorted(set({x}) ^ set({x}))", "heapq.nsmallest(3, {x})",
        "[w for w in itertools.chain({x}, {x})][:12]", "[w for _, w in collections.Counter({s}).most_common(2)]",
        "list(divmod({i}, {i}))", "[int(w) for w in str(abs({i}) % 10 ** 9)]", "list(dict.fromkeys({x}))",
    ],
    "dict": [
        "{{w: {i} for w in {x}[:5]}}", "{{ **{d}, {i}: {i} }}", "dict(zip({x}, {x}))", "({d} | {d})",
        "{{k: v for k, v in {d}.items() if k != v}}", "dict(enumerate({x}))", "{{v: k for k, v in {d}.items()}}",
        "dict(sorted({d}.items(), key=lambda kv: kv[1]))", "{d}.copy()",
    ],
    "bool": [
        "({i} < {i})", "({i} == {i})", "({f} < {f})", "({s} in {s})", "({i} in {x})", "({i} in {d})",
        "(not {b})", "({b} and {b})", "({b} or {b})", "({i} <= {i} < {i})", "({s} == {s})", "({x} == {x})",
        "any(w > 3 for w in {x})", "all({x})", "bool({s})", "{s}.isdigit()", "isinstance({i}, bool)",
        "({s} < {s})", "({x} <= {x})", "({f} == {i})", "math.isnan({f})", "(set({x}) <= set({x}))",
        "({x} is not None)", "{s}.startswith({s})", "({b} ^ {b})",
    ],
}  # fmt: skip
_LETTERS = {"i": "int", "f": "float", "s": "str", "x": "ints", "d": "dict", "b": "bool"}
_ERRORS = ["ValueError", "ZeroDivisionError", "IndexError", "KeyError", "TypeError", "ArithmeticError",
           "LookupError", "(OverflowError, ValueError)", "Exception"]  # fmt: skip
_HEAD = """\
import bisect, collections, functools, heapq, itertools, json, math, re

def hash_free(k, text):
    return k + sum(map(ord, text))

class Base:
    scale = 3
    def __init__(self, value):
        self.value = value
    @property
    def double(self):
        return self.value * 2
    def get(self, k):
        return self.value + k

class Box(Base):
    def __add__(self, other):
        return Box(self.value + other.value)
    def __eq__(self, other):
        return self.value == other.value
    def get(self, k):
        return super().get(k) * self.scale
"""
_DEFAULTS = {"int": "0", "float": "0.0", "str": "''", "ints": "[]", "dict": "{}", "bool": "False"}


def _guarded(block: list[str]) -> list[str]:
    """Let a program go on after what a block raises."""
    inner = ["    " + line for line in block]
    return ["try:", *inner, "except Exception as error:", "    t = type(error).__name__"]


class Programs:
    """Makes programs; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def program(self) -> tuple[str, str]:
        """Return a source that defines `f`, and the literals of its arguments."""
        helper = f"def helper(k, m):\n    if k <= 0:\n        return {self._one('int', 1, 'm')}\n"
        helper += f"    return helper(k - 1, {self._one('int', 1, 'm')}) + k\n"
        generator = "def gen(k):\n    for w in range(k):\n        got = yield w\n"
        generator += f"        if got or w > {self._chance.randrange(2, 9)}:\n            return\n"
        names = {**_DEFAULTS}
        lines = [
            f"{name} = {names[kind]}"
            for kind, all_names in _NAMES.items()
            for name in all_names
            if name not in ("n", "s", "xs", "d")
        ]
        for _ in range(self._chance.randrange(2, 7)):
            block = self._block(1, 3)
            lines += block if self._chance.random() < 0.1 else _guarded(block)
        kinds = self._chance.sample(list(_NAMES), k=self._chance.randrange(1, 4))
        parts = [self._expression(kind, 2) for kind in kinds]
        lines.append(f"return {parts[0]}" if len(parts) == 1 else f"return ({', '.join(parts)})")
        body = textwrap.indent("\n".join(lines), "    ")
        source = f"{_HEAD}\n{helper}\n{generator}\ndef f(n, s, xs, d):\n{body}\n"
        return source, self._arguments()

    def _arguments(self) -> str:
        chance = self._chance
        number = chance.choice([chance.randrange(-9, 99), chance.randrange(-(10**25), 10**25)])
        text = "".join(chance.choice("abcXYZ 0129-_é\n") for _ in range(chance.randrange(9)))
        items = [chance.randrange(-20, 60) for _ in range(chance.randrange(7))]
        pairs = {chance.randrange(9): chance.randrange(-9, 99) for _ in range(chance.randrange(5))}
        return ", ".join(map(repr, (number, text, items, pairs)))

    def _expression(self, kind: str, depth: int) -> str:
        chance = self._chance
        if depth <= 0 or chance.random() < 0.15:
            return chance.choice(_NAMES[kind] * 2 + _CONSTANTS[kind])
        rule = chance.choice(_RULES[kind])
        return self._fill(rule, depth - 1)

    def _fill(self, rule: str, depth: int) -> str:
        pieces = rule.replace("{{", "\0").replace("}}", "\1")
        for letter, kind in _LETTERS.items():
            while (mark := "{" + letter + "}") in pieces:
                part = self._expression(kind, depth).replace("{", "\0").replace("}", "\1")
                pieces = pieces.replace(mark, part, 1)
        return pieces.replace("\0", "{").replace("\1", "}")

    def _one(self, kind: str, depth: int, name: str) -> str:
        """Make an expression of the one name a helper has."""
        rule = self._chance.choice(["({} + 1)", "({} * 3 - 1)", "-{}", "({} % 11)", "({} ^ 5)"])
        return rule.format(name)

    def _assignment(self) -> str:
        kind = self._chance.choice(list(_NAMES))
        name = self._chance.choice(_NAMES[kind])
        cut = self._chance.choice(_CUTS[kind])
        return f"{name} = {cut.replace('{}', self._expression(kind, 3), 1)}"

    def _block(self, count: int, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(count):
            lines += self._statement(depth)
        return lines

    def _statement(self, depth: int) -> list[str]:
        if depth <= 0 or self._chance.random() < 0.4:
            return [self._assignment()]
        make = self._chance.choice(
            [self._if, self._for, self._while, self._try, self._match, self._closure, self._change]
        )
        return make(depth - 1)

    def _body(self, depth: int) -> list[str]:
        return ["    " + line for line in self._block(self._chance.randrange(1, 3), depth)]

    def _if(self, depth: int) -> list[str]:
        lines = [f"if {self._expression('bool', 2)}:", *self._body(depth)]
        if self._chance.random() < 0.5:
            lines += [f"elif {self._expression('bool', 1)}:", *self._body(depth)]
        return [*lines, "else:", *self._body(depth)]

    def _for(self, depth: int) -> list[str]:
        over = self._chance.choice(
            [
                "range({i} & 3)",
                "{x}[:4]",
                "sorted({d})[:3]",
                "enumerate({s}[:3])",
                "zip({x}[:3], {s}[:3])",
            ]
        )
        target = "a" if over.startswith(("range", "{x}", "sorted")) else "(b, t)"
        lines = [f"for {target} in {self._fill(over, 1)}:", *self._body(depth)]
        if self._chance.random() < 0.3:
            lines += [
                f"    if {self._expression('bool', 1)}:",
                "        break",
                "else:",
                "    c += 1",
            ]
        return lines

    def _while(self, depth: int) -> list[str]:
        name = f"k{depth}"
        test = self._expression("bool", 1)
        step = [f"    {name} += 1", f"    if {test}:", "        continue", *self._body(depth)]
        return [f"{name} = 0", f"while {name} < {self._chance.randrange(1, 4)}:", *step]

    def _try(self, depth: int) -> list[str]:
        lines = ["try:", *self._body(depth)]
        lines += [
            f"except {self._chance.choice(_ERRORS)} as error:",
            "    t = type(error).__name__",
        ]
        if self._chance.random() < 0.3:
            lines += ["else:", *self._body(depth)]
        return [*lines, "finally:", "    c = (c + 1) % 100"]

    def _match(self, depth: int) -> list[str]:
        subject = self._chance.choice(["{x}", "({i}, {s})", "{d}", "Box({i})", "{i}"])
        cases = [
            "[]",
            "[a]",
            "[a, b, *ys]",
            "(int() as a, str() as t)",
            "{{1: b}}",
            "Box(value=a)",
            "0 | 1",
        ]
        lines = [f"match {self._fill(subject, 1)}:"]
        for case in self._chance.sample(cases, k=3):
            guard = f" if {self._expression('bool', 1)}" if self._chance.random() < 0.3 else ""
            lines += [f"    case {case.replace('{{', '{').replace('}}', '}')}{guard}:"]
            lines += ["    " + line for line in self._body(depth)]
        return [*lines, "    case _:", "        p = not p"]

    def _closure(self, depth: int) -> list[str]:
        lines = ["def inner(w, *rest, key=2, **more):", "    nonlocal c"]
        lines += [
            "    c = (c + w + key + len(rest)) % 1000",
            f"    return {self._expression('int', 2)}",
        ]
        return [
            *lines,
            f"a = (inner({self._expression('int', 1)}, 1, key={self._expression('int', 1)})) % 10 ** 9",
        ]

    def _change(self, depth: int) -> list[str]:
        statement = self._chance.choice(
            ["xs = sorted(xs)[:9]; ys.append({i})", "ys.extend({x}); del ys[9:]", "ys[:2] = {x}[:3]",
             "e[{i}] = {i} % 1000", "e.update({d}); e = dict(list(e.items())[:8])", "e.pop({i}, None)",
             "e.setdefault({i} & 7, {i} % 99)", "del ys[{i} & 3]", "ys.sort(key=lambda w: -w)",
             "ys.insert({i} & 3, {i} % 99); del ys[12:]", "ys.pop()", "a, *ys, b = {x}", "assert {b}, {s}",
             "b += {i} % 100; b %= 10 ** 6", "u *= {f}", "a = (Box({i} % 99) + Box(b)).double % 999",
             "p = Box({i}) == Box({i})", "raise ValueError({s})", "a = (w := {i} % 99) + w", "return {x}", "e.clear()"]
        )  # fmt: skip
        return self._fill(statement, 1).split("; ") if '"' not in statement else []
