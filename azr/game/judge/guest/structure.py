"""What a program is made of. Runs inside the guest: structure ships it there as text.

Programs come as texts and are parsed here, never run, so a reply is this module's own. Everything
is a function of its arguments. Syntax trees are walked without recursion.
"""

import ast
import builtins
from collections.abc import Iterable

__all__ = ["compose", "objection"]

_WAYS_AROUND = frozenset(
    {
        "globals",
        "locals",
        "vars",
        "exec",
        "eval",
        "compile",
        "setattr",
        "delattr",
        "__import__",
        "__builtins__",
    }
)
"""Names by which a program can rebind one that it never spells."""
_MODULES_AROUND = frozenset({"sys", "builtins", "inspect", "gc", "importlib", "types", "ctypes"})
_BUILTINS = frozenset(dir(builtins))
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_CAPTURES = (ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping)
_IMPORTS = (ast.Import, ast.ImportFrom)
_LEAVING = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_TYPE_PARAMETERS = tuple(
    getattr(ast, name) for name in ("TypeVar", "ParamSpec", "TypeVarTuple") if hasattr(ast, name)
)
_BINDING = frozenset(
    (
        *(ast.Name, ast.NamedExpr, ast.arg, ast.Global),
        *(*_DEFINITIONS, *_CAPTURES, *_IMPORTS, *_TYPE_PARAMETERS),
    )
)
"""The kinds of node that can bind a name; most nodes are of none and are left at once."""
_SCOPES = frozenset((ast.Lambda, *_DEFINITIONS))
_COMPREHENSIONS = frozenset((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp))
_OPERATIONS = (
    ast.BinOp,
    ast.BoolOp,
    ast.Compare,
    ast.Subscript,
    ast.IfExp,
    ast.If,
    ast.For,
    ast.While,
    ast.AugAssign,
    ast.JoinedStr,
    ast.comprehension,
    ast.Match,
    ast.Try,
    ast.With,
)
"""What counts as work of a program's own; a call counts where it calls no given function."""


class _Bindings:
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


# ---------------------------------------------------------------- composing


def compose(programs: list[str], count: int) -> list[str]:
    """The first `count` programs that can be built upon, as sources of g_0, g_1, ...

    Each is the program with its entry f called g_i, every other name of its top level called
    g_i_name (but imports). They can stand in one module together
    and beside any program that binds no such name.
    """
    functions: list[str] = []
    imports: dict[str, str] = {}
    for program in programs:
        if len(functions) == count:
            break
        try:
            functions.append(_as_function(program, len(functions), imports))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # another one will do
    return functions


def _as_function(program: str, number: int, imports: dict[str, str]) -> str:
    """One program as g_number; `imports` are those of the functions before it, and grow.

    Raises:
        ValueError: Its names cannot be told apart, or would clash.
    """
    tree = ast.parse(program)
    bound = _Bindings(tree)
    renamed = {name: f"g_{number}_{name}" for name in bound.top} | {"f": f"g_{number}"}
    nodes = list(ast.walk(tree))
    spelled = bound.all | {node.id for node in nodes if isinstance(node, ast.Name)}
    clashes = [name for name, meant in bound.imports.items() if imports.get(name, meant) != meant]
    if (
        not any(isinstance(node, ast.FunctionDef) and node.name == "f" for node in tree.body)
        or bound.has_star
        or bound.has_global
        or bound.has_double_import
        or clashes
        or bound.top & set(bound.imports)
        or bound.inner & set(renamed)  # shadowed somewhere: which f is meant would depend
        or any(name.startswith("__") for name in bound.top)
        or any(_is_given(name) for name in spelled)
    ):
        raise ValueError("cannot be renamed")
    text = _renamed(program, nodes, renamed)
    imports.update(bound.imports)
    return text


def _renamed(program: str, nodes: list[ast.AST], renamed: dict[str, str]) -> str:
    """The program with other names for those; comments and layout stay. Renames the nodes, too.

    Not `ast.unparse`, which loses both and what the paper found worth keeping.

    Args:
        program: The text.
        nodes: Of its tree, as `ast.walk` finds them.
        renamed: New names by old ones.

    Raises:
        ValueError: Not every name could be found in the text.
    """
    lines = [line.encode() for line in program.split("\n")]
    places: list[tuple[int, int, str]] = []
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in renamed:
            places.append((node.lineno - 1, node.col_offset, node.id))
            node.id = renamed[node.id]
        elif isinstance(node, _DEFINITIONS) and node.name in renamed:
            row = node.lineno - 1
            column = lines[row].find(f" {node.name}".encode(), node.col_offset) + 1
            places.append((row, column, node.name))
            node.name = renamed[node.name]
        elif isinstance(node, _CAPTURES) and _captured(node) in renamed:
            raise ValueError("a name of which the tree does not tell the place")
    for row, column, old in sorted(places, reverse=True):
        line = lines[row]
        lines[row] = line[:column] + renamed[old].encode() + line[column + len(old.encode()) :]
    text = b"\n".join(lines).decode().strip("\n")
    if _spelled(ast.walk(ast.parse(text))) != _spelled(nodes):
        raise ValueError("a name that was not where the tree said")
    return text


def _captured(node: ast.AST) -> object:
    return node.rest if isinstance(node, ast.MatchMapping) else getattr(node, "name", None)


def _spelled(nodes: Iterable[ast.AST]) -> list[tuple[type[ast.AST], object]]:
    """Every node's kind and name."""
    return [
        (type(node), getattr(node, "id", None) or getattr(node, "name", None)) for node in nodes
    ]


def _is_given(name: str) -> bool:
    """Whether a given function, or a part of one, can have this name."""
    return name.startswith("g_") and name[2:3].isdigit()


# ---------------------------------------------------------------- checking


def objection(
    program: str, functions: list[str], min_own_operations: int, banned: list[str]
) -> str:
    """What a proposed program does against its demands; empty if nothing.

    Args:
        program: As the proposer wrote it, without the functions.
        functions: What `compose` made, which it must call and may not define.
        min_own_operations: How many operations it must do beside calling them.
        banned: Of assert, raise, try, except: statements it may not use.
    """
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError):
        return "syntax error"
    for word in banned:
        if any(_is_statement(node, word) for node in ast.walk(tree)):
            return f"uses {word}"
    if not functions:
        return ""
    return _against_functions(tree, functions, min_own_operations)


def _is_statement(node: ast.AST, word: str) -> bool:
    if word == "except":
        return isinstance(node, ast.ExceptHandler)
    kinds = {"assert": ast.Assert, "raise": ast.Raise, "try": (ast.Try, ast.TryStar)}
    return isinstance(node, kinds[word])


def _against_functions(tree: ast.Module, functions: list[str], min_own_operations: int) -> str:
    given, bound = _Bindings(*map(ast.parse, functions)), _Bindings(tree)
    reached = _reached(tree)
    if reached is None:
        return "not one function f"
    names = [f"g_{number}" for number in range(len(functions))]
    own = given.top | bound.top | set(given.imports) | set(bound.imports)
    reason = _redefinition(given, bound, tree) or _missing_call(names, reached, own)
    if reason:
        return reason
    operations = sum(_is_own_operation(node, names) for node in reached)
    return "a mere wrapper" if operations < min_own_operations else ""


def _redefinition(given: _Bindings, bound: _Bindings, tree: ast.Module) -> str:
    """How the program changes what the functions do, if it does."""
    if bound.all & given.top:
        return "redefines a given function"
    if bound.has_star or any(
        name in bound.top or bound.imports.get(name, meant) != meant
        for name, meant in given.imports.items()
    ):
        return "redefines an import"
    return "reaches around" if any(map(_is_way_around, ast.walk(tree))) else ""


def _missing_call(names: list[str], reached: list[ast.AST], own: set[str]) -> str:
    """Which function it does not call on data, or calls to throw the result away."""
    dropped = {id(node.value) for node in reached if isinstance(node, ast.Expr)}
    kept = [node for node in reached if isinstance(node, ast.Call) and id(node) not in dropped]
    for name in names:
        calls = [call for call in kept if _uses(call, name)]
        if not calls:
            return f"{name} is not called"
        if not any(_has_data(call, own) for call in calls):
            return f"{name} gets constants only"
    return ""


def _is_way_around(node: ast.AST) -> bool:
    """Whether a node can change what a name means without binding it."""
    if isinstance(node, ast.Name):
        return node.id in _WAYS_AROUND
    if isinstance(node, ast.Attribute):
        is_dunder = node.attr in {"__dict__", "__globals__", "__code__", "__builtins__"}
        return is_dunder or (isinstance(node.value, ast.Name) and _is_given(node.value.id))
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] in _MODULES_AROUND for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] in _MODULES_AROUND
    return False


def _reached(tree: ast.Module) -> list[ast.AST] | None:
    """All nodes of f and of the definitions it mentions, and so on; None without a single f.

    What can be seen to never run is left out: behind a constant condition, after a return.
    """
    parts: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for name in _Bindings(statement).top:
            parts.setdefault(name, []).append(statement)
    if [type(part) for part in parts.get("f", [])] != [ast.FunctionDef]:
        return None  # a second binding would be the f that runs
    todo, seen, nodes = ["f"], {"f"}, list[ast.AST]()
    while todo:
        for part in parts[todo.pop()]:
            for node in _live(part):
                nodes.append(node)
                if isinstance(node, ast.Name) and node.id in parts and node.id not in seen:
                    seen.add(node.id)
                    todo.append(node.id)
    return nodes


def _live(root: ast.AST) -> Iterable[ast.AST]:
    """Like `ast.walk`, but for what never runs."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        dead = _dead_branch(node)
        for name, value in ast.iter_fields(node):
            if name == dead:
                continue
            if isinstance(value, list):
                parts: list[object] = value  # pyright: ignore[reportUnknownVariableType]
                stack.extend(_until_left(node, parts))
            elif isinstance(value, ast.AST):
                stack.append(value)


def _dead_branch(node: ast.AST) -> str:
    """The field of an if, a while or a conditional expression that its condition rules out."""
    if not isinstance(node, (ast.If, ast.IfExp, ast.While)):
        return ""
    truth = _truth(node.test)
    if truth is False:
        return "body"
    return "orelse" if truth and not isinstance(node, ast.While) else ""


def _until_left(node: ast.AST, parts: list[object]) -> Iterable[ast.AST]:
    """A node's parts up to the one that leaves the block, or settles an `and` or `or`."""
    settles = isinstance(node.op, ast.Or) if isinstance(node, ast.BoolOp) else None
    for part in parts:
        if not isinstance(part, ast.AST):
            continue
        yield part
        if isinstance(part, _LEAVING) or (settles is not None and _truth(part) is settles):
            return


def _truth(node: ast.AST) -> bool | None:
    """Of a constant, or `not` of one; None where it is not known."""
    is_negated = False
    while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node, is_negated = node.operand, not is_negated
    return bool(node.value) is not is_negated if isinstance(node, ast.Constant) else None


def _uses(call: ast.Call, name: str) -> bool:
    """Whether it calls the function or hands it on, as map and sorted want it."""
    places = [call.func, *call.args, *(keyword.value for keyword in call.keywords)]
    return any(isinstance(place, ast.Name) and place.id == name for place in places)


def _has_data(call: ast.Call, own: set[str]) -> bool:
    """Whether an argument depends on a local name: a call on constants is a constant."""
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    known = own | _BUILTINS
    return any(
        isinstance(node, ast.Name) and node.id not in known
        for value in values
        for node in ast.walk(value)
    )


def _is_own_operation(node: ast.AST, names: list[str]) -> bool:
    if isinstance(node, ast.Call):
        return not (isinstance(node.func, ast.Name) and node.func.id in names)
    if isinstance(node, ast.UnaryOp):
        return not isinstance(node.operand, ast.Constant)
    return isinstance(node, _OPERATIONS)
