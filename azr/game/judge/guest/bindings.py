"""Which names a program binds. Runs inside the guest, before the programs that ask it.

Syntax trees are walked without recursion.
"""

import ast

__all__ = ["CAPTURES", "DEFINITIONS", "Bindings", "is_given"]

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
CAPTURES = (ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping)
_IMPORTS = (ast.Import, ast.ImportFrom)
_TYPE_PARAMETERS = tuple(
    getattr(ast, name) for name in ("TypeVar", "ParamSpec", "TypeVarTuple") if hasattr(ast, name)
)
_BINDING = frozenset(
    (
        *(ast.Name, ast.NamedExpr, ast.arg, ast.Global),
        *(*DEFINITIONS, *CAPTURES, *_IMPORTS, *_TYPE_PARAMETERS),
    )
)
"""The kinds of node that can bind a name; most nodes are of none and are left at once."""
_SCOPES = frozenset((ast.Lambda, *DEFINITIONS))
_COMPREHENSIONS = frozenset((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp))


class Bindings:
    """Which names a tree binds: at its top, in its inner scopes, and by which top-level imports."""

    def __init__(self, *roots: ast.AST) -> None:
        self.top: set[str] = set()
        self.inner: set[str] = set()
        self.imports: dict[str, str] = {}
        self.has_star = self.has_global = self.has_double_import = False
        stack: list[tuple[ast.AST, bool]] = [(root, False) for root in reversed(roots)]
        while stack:
            node, is_inner = stack.pop()
            if type(node) in _BINDING:
                self._bind_names_of(node, is_inner)
            stack.extend(_children(node, is_inner))

    @property
    def all(self) -> set[str]:
        """Every bound name."""
        return self.top | self.inner | set(self.imports)

    def _bind(self, name: str | None, is_inner: bool) -> None:
        if name is not None:
            (self.inner if is_inner else self.top).add(name)

    def _bind_names_of(self, node: ast.AST, is_inner: bool) -> None:
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                self._bind(node.id, is_inner)
        elif isinstance(node, ast.NamedExpr):  # in a comprehension it binds outside: both
            self._bind(node.target.id, True)
            self._bind(node.target.id, False)
        elif isinstance(node, ast.arg):
            self._bind(node.arg, True)
        elif isinstance(node, ast.MatchMapping):
            self._bind(node.rest, is_inner)
        elif isinstance(node, _IMPORTS):
            self._import(node, is_inner)
        elif isinstance(node, ast.Global):
            self.has_global = True
        else:  # a definition, a capture or a type parameter
            self._bind(getattr(node, "name", None), is_inner or isinstance(node, _TYPE_PARAMETERS))

    def _import(self, node: ast.Import | ast.ImportFrom, is_inner: bool) -> None:
        is_from = isinstance(node, ast.ImportFrom)
        source = f"{'.' * node.level}{node.module}:" if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            name = alias.asname or (alias.name if is_from else alias.name.partition(".")[0])
            self.has_star = self.has_star or name == "*" or source == "__future__:"
            if is_inner:
                self.inner.add(name)
                continue
            # `import a.b` binds a, as `import a` does: both are the same binding
            meant = source + (alias.name if is_from or alias.asname else name)
            self.has_double_import = (
                self.has_double_import or self.imports.get(name, meant) != meant
            )
            self.imports[name] = meant


def _children(node: ast.AST, is_inner: bool) -> list[tuple[ast.AST, bool]]:
    """The nodes below, each with whether it stands in an inner scope."""
    kind = type(node)
    if kind in _COMPREHENSIONS:
        return [(child, True) for child in ast.iter_child_nodes(node)]
    if kind not in _SCOPES:
        return [(child, is_inner) for child in ast.iter_child_nodes(node)]
    body: list[ast.AST] | ast.AST = getattr(node, "body", [])
    inside = {id(part) for part in (body if isinstance(body, list) else [body])}
    return [
        (child, is_inner or id(child) in inside or isinstance(child, ast.arguments))
        for child in ast.iter_child_nodes(node)
    ]


def is_given(name: str) -> bool:
    """Whether a given function, or a part of one, can have this name."""
    return name.startswith("g_") and name[2:3].isdigit()
