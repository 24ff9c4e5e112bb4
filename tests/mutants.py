"""Programs that are nearly right: a source with one operator, constant or returned value changed.

Made by the host's own `ast` from canonical solutions of public suites, which are trusted: a model's
text never comes here. Edits are made in the text, not by `ast.unparse`, so that every Python writes
the same programs; which ones is a function of the task's id.
"""

import ast
import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from azr.seeds import derive_seed

__all__ = ["Edit", "edits_of", "programs_of"]

MUTANTS = 2

OPERATORS: dict[type[ast.AST], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("+", "//")),
    ast.Div: ("/", ("//",)),
    ast.FloorDiv: ("//", ("/", "%")),
    ast.Mod: ("%", ("//",)),
    ast.Pow: ("**", ("*",)),
    ast.BitAnd: ("&", ("|",)),
    ast.BitOr: ("|", ("&", "^")),
    ast.BitXor: ("^", ("|",)),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
    ast.And: ("and", ("or",)),
    ast.Or: ("or", ("and",)),
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", "==")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "==")),
    ast.Eq: ("==", ("!=", "<=")),
    ast.NotEq: ("!=", ("==", ">")),
    ast.In: ("in", ("not in",)),
    ast.Is: ("is", ("is not",)),
}
"""How an operator is spelled, and what it may become."""

RETURNED = (
    "None",
    "not ({})",
    "bool(({}))",
    "float(({}))",
    "list(({}))",
    "tuple(({}))",
    "[({})]",
    "({}) + 5e-7",
)
"""What a returned value may become: wrong ones, and equal ones of another type, or nearly equal."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A piece of the source, as UTF-8, and what stands there instead."""

    kind: str
    start: int
    end: int
    text: str

    def applied(self, source: str) -> str:
        raw = source.encode()
        return (raw[: self.start] + self.text.encode() + raw[self.end :]).decode()


def programs_of(task: str, source: str) -> tuple[str, ...]:
    """The source, then its mutants; a kind of edit is drawn first, then one of that kind."""
    chance = random.Random(derive_seed("mutants", task))
    left = {kind: [] for kind in ("operator", "constant", "return")}
    for edit in edits_of(source):
        left[edit.kind].append(edit)
    programs = [source]
    while len(programs) <= MUTANTS:
        edits = left[chance.choice([kind for kind, edits in left.items() if edits])]
        program = edits.pop(chance.randrange(len(edits))).applied(source)
        if program not in programs and parsed(program) is not None:
            programs.append(program)
    return tuple(programs)


def edits_of(source: str) -> list[Edit]:
    """Every edit there is, in the order of the source."""
    tree = parsed(source)
    assert tree is not None, "a canonical solution is no Python"
    found = _Edits(source.encode())
    found.visit(tree)
    return sorted(found.edits, key=lambda edit: (edit.start, edit.end, edit.text))


def parsed(source: str) -> ast.Module | None:
    """None: a syntax error. What a regular expression's escapes would warn of is of no interest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except SyntaxError:
            return None


class _Edits(ast.NodeVisitor):
    """Collects; goes into no annotation, f-string (no positions before 3.12) or docstring."""

    def __init__(self, raw: bytes) -> None:
        self.edits: list[Edit] = []
        self._raw = raw
        self._lines = [0]
        for line in raw.split(b"\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for child in [*node.args.defaults, *node.args.kw_defaults, *node.body]:
            if child is not None:
                self.visit(child)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        for other in others(node.value):
            start, end = self._span(node)
            self.edits.append(Edit("constant", start, end, other))

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self._operator(node.op, node.left, node.right)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._operator(node.op, node.target, node.value)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._operator(node.op, left, right)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for op, left, right in zip(node.ops, operands, operands[1:], strict=False):
            self._operator(op, left, right)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            start, _ = self._span(node)
            width = len("not" if isinstance(node.op, ast.Not) else "-")
            self.edits.append(Edit("operator", start, start + width, ""))
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            start, end = self._span(node.value)
            value = self._raw[start:end].decode()
            self.edits += [
                Edit("return", start, end, form.replace("{}", value)) for form in RETURNED
            ]
        self.generic_visit(node)

    def _operator(self, op: ast.AST, left: ast.expr, right: ast.expr) -> None:
        """Between two operands: the operator, blanks, parentheses, and no comment."""
        spelled, others = OPERATORS.get(type(op), ("", ()))
        start, end = self._span(left)[1], self._span(right)[0]
        between = self._raw[start:end].decode()
        if spelled and "#" not in between and between.count(spelled) == 1:
            start += between.index(spelled)
            end = start + len(spelled)
            self.edits += [Edit("operator", start, end, other) for other in others]

    def _span(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._lines[node.lineno - 1] + node.col_offset,
            self._lines[node.end_lineno - 1] + node.end_col_offset,
        )


def others(value: object) -> Iterator[str]:
    """What a constant may become."""
    match value:
        case bool():
            yield str(not value)
        case int():
            yield str(value + 1)
            yield str(value - 1) if value else "(-1)"
        case float():
            yield repr(value + 0.5)
        case str():
            yield repr(value + " ")
            yield repr(value[:-1] if value else "x")
        case _:
            pass
