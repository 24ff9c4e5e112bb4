"""The program that rewrites programs. It runs inside the guest; the host only reads its text.

Law of the module: standard library alone, and nothing that it is given is executed. A program is
edited as text where that gives the tree that is wanted, so that comments and layout survive;
else the tree is written out anew. What does not parse is returned as it came: running it tells.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from typing import cast

__all__ = ["rewrite"]

Edit = tuple[int, int, str]
"""Replace bytes start:end by the text."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Lambda, *COMPREHENSIONS)
DEF = re.compile(rb"(?:async\s+)?def\s+")
NOT_RENAMED = "entry cannot be renamed"


class RenamingError(Exception):
    """The name is bound in a way that renaming could change what the program does."""


def rewrite(source: str, entry: str, strips: list[str]) -> tuple[str, int, str]:
    """The source rewritten, how many functions the original defines, and an objection or "".

    Args:
        source: A Python program.
        entry: Rule by which a function becomes f: azr.config.run, parsing.entry.
        strips: Any of "comments", "globals", "prints"; taken out in this order. (AZR's order)
    """
    count = 0
    try:
        count = sum(isinstance(node, FUNCTIONS) for node in ast.walk(ast.parse(source)))
        rewritten = with_entry(source, entry)
        for strip in strips:
            rewritten = STRIPPERS[strip](rewritten)
    except (SyntaxError, ValueError):
        return source, count, ""
    except RenamingError:
        return source, count, NOT_RENAMED
    return rewritten.strip("\n"), count, ""


class Text:
    """A source whose places are byte offsets."""

    def __init__(self, source: str) -> None:
        self.data = source.encode()
        lines = self.data.split(b"\n")
        self.starts = [0]
        for line in lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Where a node stands."""
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[end_line - 1] + end_column,
        )

    def whole_lines(self, start: int, end: int) -> tuple[int, int]:
        """Widened to whole lines, if nothing but blanks and a comment stands beside it."""
        first = self.data.rfind(b"\n", 0, start) + 1
        last = self.data.find(b"\n", end)
        last = len(self.data) if last < 0 else last
        before, after = self.data[first:start].strip(), self.data[end:last].strip()
        if before or (after and not after.startswith(b"#")):
            return start, end
        return first, last + 1

    def edited(self, edits: Iterable[Edit], wanted: ast.Module) -> str:
        """The text with its edits, if that parses as the wanted tree; else the tree unparsed."""
        pieces: list[bytes] = []
        done = 0
        for start, end, new in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
            if start >= done:  # an edit within an edited part is done with
                pieces += [self.data[done:start], new.encode()]
                done = end
        text = b"".join([*pieces, self.data[done:]]).decode(errors="replace")
        try:
            if ast.dump(ast.parse(text)) == ast.dump(wanted):
                return text
        except (SyntaxError, ValueError):
            pass
        return ast.unparse(ast.fix_missing_locations(wanted))


# ---------------------------------------------------------------- stripping


def without_comments(source: str) -> str:
    """Without comments and docstrings; a `#` in a string is no comment."""
    text, tree = Text(source), ast.parse(source)
    edits = [edit for node in ast.walk(tree) for edit in cut_docstrings(text, node)]
    lines = source.split("\n")
    try:
        edits += [
            cut_comment(text, lines, token.start, len(token.string.encode()))
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        ]
    except (tokenize.TokenError, SyntaxError):
        return ast.unparse(ast.fix_missing_locations(tree))  # a tree has no comments
    return text.edited(edits, tree)


def cut_docstrings(text: Text, node: ast.AST) -> Iterator[Edit]:
    """Take the strings off that a body begins with."""
    if not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Module)):
        return
    while node.body and is_text(node.body[0]):
        gone = node.body.pop(0)
        start, end = text.span(gone)
        if node.body or isinstance(node, ast.Module):
            yield (*text.whole_lines(start, end), "")
        else:
            node.body.append(ast.Pass())
            yield start, end, "pass"
            return


def is_text(node: ast.stmt) -> bool:
    """Is the statement nothing but a string?"""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def cut_comment(text: Text, lines: list[str], place: tuple[int, int], length: int) -> Edit:
    """The comment, the blanks before it, and its line if it has one of its own."""
    row, column = place
    before = lines[row - 1][:column]
    start = text.starts[row - 1]
    if not before.strip():
        return start, text.starts[row], ""
    end = start + len(before.encode()) + length
    return start + len(before.rstrip().encode()), end, ""


def without_globals(source: str) -> str:
    """Imports, classes and functions alone at the level of the module."""
    text, tree = Text(source), ast.parse(source)
    kept = (ast.Import, ast.ImportFrom, ast.ClassDef, *FUNCTIONS)
    gone = [node for node in tree.body if not isinstance(node, kept)]
    edits = [(*text.whole_lines(*text.span(node)), "") for node in gone]
    tree.body = [node for node in tree.body if isinstance(node, kept)]
    return text.edited(edits, tree) if gone else source


def without_prints(source: str) -> str:
    """Without calls of print: a statement goes, a value becomes None."""
    text, tree = Text(source), ast.parse(source)
    if any("print" in bound_names(node) for node in ast.walk(tree) if is_scope(node)):
        return source  # a print of its own is a function like any other
    cutter = PrintCutter(text)
    cutter.visit(tree)
    return text.edited(cutter.edits, tree) if cutter.edits else source


class PrintCutter(ast.NodeTransformer):
    """Takes prints out of a tree and notes how to take them out of the text."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.edits: list[Edit] = []

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Cut statements of every block of the node, then look deeper."""
        for name in ("body", "orelse", "finalbody"):
            block: object = getattr(node, name, None)
            if isinstance(block, list) and not isinstance(node, ast.Interactive):
                self.cut(cast("list[ast.stmt]", block))
        return super().generic_visit(node)

    def cut(self, block: list[ast.stmt]) -> None:
        """Leave out the prints; a block of nothing else becomes `pass`."""
        gone = [node for node in block if isinstance(node, ast.Expr) and is_print(node.value)]
        for node in gone:
            block.remove(node)
        for node in gone:
            self.edits.append((*self.text.whole_lines(*self.text.span(node)), ""))
        if gone and not block:
            self.edits[-1] = (*self.text.span(gone[-1]), "pass")
            block.append(ast.Pass())

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A print amid an expression has the value None."""
        if not is_print(node):
            return self.generic_visit(node)
        self.edits.append((*self.text.span(node), "None"))
        return ast.Constant(value=None)


def is_print(node: ast.AST) -> bool:
    """Is it a call of the name print?"""
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    )


STRIPPERS = {
    "comments": without_comments,
    "globals": without_globals,
    "prints": without_prints,
}


# ---------------------------------------------------------------- renaming


def with_entry(source: str, rule: str) -> str:
    """The source with the chosen module-level function called f, wherever it is mentioned.

    Another f of the module makes room: it becomes f_1, or the next name that is free.

    Raises:
        RenamingError: A local f stands in the way, or the name is bound by more than a def.
    """
    tree = ast.parse(source)
    names = [node.name for node in tree.body if isinstance(node, FUNCTIONS)]
    chosen = choose(names, rule)
    if chosen == "f":
        return source
    new_names = {chosen: "f"}
    if "f" in bound_names(tree):
        new_names["f"] = free_name(tree)
    renamer = Renamer(Text(source), new_names)
    renamer.scope_of(tree, [])
    return renamer.text.edited(renamer.edits, tree)


def choose(names: list[str], rule: str) -> str:
    """The entry by the rule; f where there is nothing to choose from."""
    if not names or rule == "f" or (rule.startswith("any_") and "f" in names):
        return "f"
    return names[0] if rule in ("any_first", "not_first") else names[-1]


def free_name(tree: ast.Module) -> str:
    """f_1, or the first after it that the program does not mention."""
    taken = set(re.findall(r"\bf_\d+\b", ast.unparse(tree)))
    return next(name for number in range(1, len(taken) + 2) if (name := f"f_{number}") not in taken)


class Renamer:
    """Renames names of the module wherever they mean the module's, in the tree and in the text."""

    def __init__(self, text: Text, new_names: dict[str, str]) -> None:
        self.text = text
        self.new_names = new_names
        self.edits: list[Edit] = []
        self.bound: dict[int, set[str]] = {}
        """By the id of a scope; what is renamed is bound in none of them but the module."""

    def scope_of(self, node: ast.AST, outer: list[ast.AST]) -> None:
        """Rename within one scope, and in those within it."""
        chain = [*outer, node]
        for part in own_parts(node):
            if isinstance(part, SCOPES):
                self.scope_of(part, chain)
            self.mention(part, chain)

    def mention(self, part: ast.AST, chain: list[ast.AST]) -> None:
        """Rename this node if it names one of ours."""
        if isinstance(part, ast.Name) and self.is_ours(part.id, chain):
            self.edit(self.text.span(part)[0], part.id)
            part.id = self.new_name(part.id, chain)
        elif isinstance(part, FUNCTIONS) and self.is_ours(part.name, chain):
            found = DEF.match(self.text.data, self.text.span(part)[0])
            if found:
                self.edit(found.end(), part.name)
            part.name = self.new_name(part.name, chain)
        elif any(self.is_ours(name, chain) for name in binds(part)) or (
            isinstance(part, (ast.Global, ast.Nonlocal)) and {*part.names} & {*self.new_names}
        ):
            raise RenamingError

    def edit(self, start: int, old: str) -> None:
        """Replace the name in the text."""
        self.edits.append((start, start + len(old.encode()), self.new_names[old]))

    def is_ours(self, name: str, chain: list[ast.AST]) -> bool:
        """Does the name, seen from the innermost scope of the chain, mean the module's?"""
        return name in self.new_names and self.is_global(name, chain)

    def new_name(self, old: str, chain: list[ast.AST]) -> str:
        """What it is to be called, provided that this means the module's as well."""
        if not self.is_global(self.new_names[old], chain):
            raise RenamingError
        return self.new_names[old]

    def is_global(self, name: str, chain: list[ast.AST]) -> bool:
        """Is it bound in no scope between? A class is seen from its own body alone."""
        innermost = chain[-1]
        return not any(
            name in self.names_of(scope)
            for scope in chain[1:]
            if scope is innermost or not isinstance(scope, ast.ClassDef)
        )

    def names_of(self, scope: ast.AST) -> set[str]:
        """What the scope binds, found out once."""
        if id(scope) not in self.bound:
            self.bound[id(scope)] = bound_names(scope)
        return self.bound[id(scope)]


def is_scope(node: ast.AST) -> bool:
    """Does the node have names of its own?"""
    return isinstance(node, (ast.Module, *SCOPES))


def own_parts(scope: ast.AST) -> Iterator[ast.AST]:
    """All nodes whose names are looked up in this scope; a scope within it, but not its parts."""
    todo = list(inner_parts(scope))
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, SCOPES):
            todo += outer_parts(node)
        elif not isinstance(node, ast.arg):  # its annotation belongs to the scope around it
            todo += ast.iter_child_nodes(node)


def inner_parts(scope: ast.AST) -> Iterator[ast.AST]:
    """The children of a scope that stand within it."""
    outside = {id(node) for node in outer_parts(scope)}
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.arguments):
            yield from (part for part in ast.iter_child_nodes(node) if isinstance(part, ast.arg))
        elif isinstance(node, ast.comprehension):
            yield from (part for part in ast.iter_child_nodes(node) if id(part) not in outside)
        elif id(node) not in outside:
            yield node


def outer_parts(scope: ast.AST) -> list[ast.AST]:
    """The children of a scope that belong to the one around it."""
    if isinstance(scope, COMPREHENSIONS):
        return [scope.generators[0].iter]
    if isinstance(scope, ast.ClassDef):
        return [*scope.bases, *scope.keywords, *scope.decorator_list]
    if not isinstance(scope, (*FUNCTIONS, ast.Lambda)):
        return []
    arguments = scope.args
    defaults = [node for node in (*arguments.defaults, *arguments.kw_defaults) if node is not None]
    if isinstance(scope, ast.Lambda):
        return list(defaults)
    kinds = [node.annotation for node in ast.walk(arguments) if isinstance(node, ast.arg)]
    notes = [node for node in (*kinds, scope.returns) if node is not None]
    return [*defaults, *notes, *scope.decorator_list]


def bound_names(scope: ast.AST) -> set[str]:
    """Names that assignments, definitions, imports and parameters bind in this scope."""
    names: set[str] = set()
    elsewhere: set[str] = set()
    for part in own_parts(scope):
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            names.add(part.id)
        elif isinstance(part, (ast.Global, ast.Nonlocal)):
            elsewhere.update(part.names)
        elif isinstance(part, COMPREHENSIONS):  # its := binds here
            walrus = [n.target.id for n in ast.walk(part) if isinstance(n, ast.NamedExpr)]
            names.update(walrus)
        else:
            names.update(binds(part))
    return names - elsewhere


def binds(part: ast.AST) -> list[str]:
    """The names that a node other than a `Name` binds."""
    if isinstance(part, (*FUNCTIONS, ast.ClassDef)):
        return [part.name]
    if isinstance(part, ast.arg):
        return [part.arg]
    if isinstance(part, ast.alias):
        return [(part.asname or part.name).partition(".")[0]]
    if isinstance(part, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        return [part.name] if part.name else []
    if isinstance(part, ast.MatchMapping):
        return [part.rest] if part.rest else []
    return []
