"""Programs to build upon. Runs inside the guest: azr.game.judge.structure asks it there.

Programs come as texts and are parsed here, never run, so a reply is this module's own.
"""

import ast
from collections.abc import Iterable

from azr.game.judge.guest.bindings import CAPTURES, DEFINITIONS, Bindings, is_given

__all__ = ["compose"]


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
    bound = Bindings(tree)
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
        or any(is_given(name) for name in spelled)
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
        elif isinstance(node, DEFINITIONS) and node.name in renamed:
            row = node.lineno - 1
            column = lines[row].find(f" {node.name}".encode(), node.col_offset) + 1
            places.append((row, column, node.name))
            node.name = renamed[node.name]
        elif isinstance(node, CAPTURES) and _captured(node) in renamed:
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
