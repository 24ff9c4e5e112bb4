"""What a program does against its demands. Runs inside the guest, as compose does.

Everything is a function of its arguments. Syntax trees are walked without recursion.
"""

import ast
import builtins
from collections.abc import Iterable

from azr.game.judge.guest.bindings import Bindings, is_given

__all__ = ["objection"]

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
_LEAVING = (ast.Return, ast.Raise, ast.Break, ast.Continue)
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
    given, bound = Bindings(*map(ast.parse, functions)), Bindings(tree)
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


def _redefinition(given: Bindings, bound: Bindings, tree: ast.Module) -> str:
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
        return is_dunder or (isinstance(node.value, ast.Name) and is_given(node.value.id))
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
        for name in Bindings(statement).top:
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
