"""GUEST TEXT: says what a program looks like, without running it.

profiles reads this file as text and sends it to the sandbox as the source of a job, with the
model's program as the argument of `profile`; azr never imports it. Its walks keep their own
stacks: no nesting that the parser accepts exhausts Python's.
"""

import ast
import hashlib

from azr.game.judge.guest.complexity import FUNCTIONS, cognitive, cyclomatic, halstead

MAX_SEQUENCE = 2048

SYMBOLS = """
other Module FunctionDef AsyncFunctionDef ClassDef Return Delete Assign TypeAlias AugAssign For
AsyncFor While If With AsyncWith Match Raise Try TryStar Assert Import ImportFrom Global Nonlocal
Expr Pass Break Continue BoolOp NamedExpr BinOp UnaryOp Lambda IfExp Dict Set ListComp SetComp
DictComp GeneratorExp Await Yield YieldFrom Compare Call FormattedValue Interpolation JoinedStr
TemplateStr Number Text Constant Attribute Subscript Starred Name List Tuple Slice And Or Add Sub
Mult MatMult Div Mod Pow LShift RShift BitOr BitXor BitAnd FloorDiv Invert Not UAdd USub Eq NotEq
Lt LtE Gt GtE Is IsNot In NotIn comprehension ExceptHandler arguments arg keyword alias withitem
match_case MatchValue MatchSingleton MatchSequence MatchMapping MatchClass MatchStar MatchAs MatchOr
TypeVar ParamSpec TypeVarTuple
""".split()  # noqa: SIM905 - a hundred lines otherwise
"""Node types of the sequence; the place in this list is the letter, so only ever append."""

LETTERS = {name: chr(33 + place) for place, name in enumerate(SYMBOLS)}


IGNORED = frozenset(("ctx", "annotation", "returns", "type_comment", "kind", "simple", "is_lazy"))
"""Fields that change nothing about what a program computes."""

BINDERS = frozenset(("id", "arg", "name", "names", "asname", "rest"))
"""Fields that hold variables (or functions, classes); attributes are no variables."""


def profile(text):
    """Everything azr.types.Profile holds, as one literal."""
    tree = ast.parse(text)
    inside = index(tree)
    letters, structure = shape(tree, bound_names(inside))
    return (
        len(letters),
        sum(bool(line.strip()) for line in text.splitlines()),
        cognitive(tree, inside),
        cyclomatic(inside),
        halstead(tree, inside),
        uses_input(tree, inside),
        structure,
        letters[:MAX_SEQUENCE],
    )


def index(tree):
    """The children of every node; all walks but that of the shape go by it."""
    inside, stack = {}, [tree]
    while stack:
        node = stack.pop()
        found = inside[node] = []
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                found += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST) and name != "ctx":
                found.append(value)
        stack += found
    return inside


# ---------------------------------------------------------------- shape


def is_mute(statement):
    """A docstring, or another constant that stands alone."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def symbol(node):
    if isinstance(node, ast.Constant):
        if isinstance(node.value, (str, bytes)):
            return "Text"
        is_number = isinstance(node.value, (int, float, complex))
        return "Number" if is_number and not isinstance(node.value, bool) else "Constant"
    return "Assign" if isinstance(node, ast.AnnAssign) else type(node).__name__


def bound_names(inside):
    """All names that the program itself gives to something."""
    names = set()
    for node in inside:
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names.add(node.asname)
        elif isinstance(node, ast.MatchMapping):
            names.add(node.rest)
        else:
            names.add(getattr(node, "name", None))
    return names - {None}


def spelled(value):
    """A constant with its type; hex, for the decimal text of an int is bounded in length."""
    return f"{type(value).__name__} {hex(value) if isinstance(value, int) else repr(value)}"


def shape(tree, bound):
    """(sequence, structure): the program's tree in pre-order, without and with what it names.

    The sequence is one letter a node. The structure is a hash of the program up to renaming,
    layout, comments, docstrings and annotations. One name in two scopes counts as one variable:
    renaming it in one of them alone is a change.
    """
    numbers, letters, tokens, stack = {}, [], [], [tree]

    def renamed(name):
        return f"${numbers.setdefault(name, len(numbers))}" if name in bound else str(name)

    while stack:
        item = stack.pop()
        if not isinstance(item, ast.AST):
            tokens.append(item)
            continue
        letters.append(LETTERS.get(symbol(item), "!"))
        parts = [symbol(item)]
        for name in item._fields:
            if name not in IGNORED:
                parts += parts_of(item, name, renamed)
        stack += parts[::-1]
    text = "\n".join(tokens).encode("utf-8", "surrogatepass")
    return "".join(letters), hashlib.blake2b(text, digest_size=16).hexdigest()


def parts_of(node, name, renamed):
    """One field: its name, then words and nodes; nothing where it is empty.

    A field that only some versions of Python have leaves no trace then.
    """
    value = getattr(node, name, None)
    if value == [] or (value is None and not isinstance(node, ast.Constant)):
        return ()
    if isinstance(value, ast.AST):
        return name, value
    if isinstance(value, list):
        kept = [item for item in value if not is_mute(item)]
        words = [item if isinstance(item, ast.AST) else renamed(item) for item in kept]
        return name, "(", *words, ")"
    if name in BINDERS and not (name == "name" and isinstance(node, ast.alias)):
        return name, renamed(value)
    return name, spelled(value)


def uses_input(tree, inside):
    """Whether some parameter of the last `def f` is used in it; True where there is no f.

    A name that is only copied to names which are not used is not used itself.
    """
    entries = [node for node in tree.body if isinstance(node, FUNCTIONS) and node.name == "f"]
    if not entries:
        return True
    given = entries[-1].args
    listed = given.posonlyargs + given.args + given.kwonlyargs + [given.vararg, given.kwarg]
    parameters = {parameter.arg for parameter in listed if parameter}
    used, copied = reads(entries[-1].body, inside)
    todo = list(used)
    while todo:
        for name in copied.get(todo.pop(), ()):
            if name not in used:
                used.add(name)
                todo.append(name)
    return not parameters.isdisjoint(used)


def reads(body, inside):
    """(names that are read for anything but to be copied, names copied to each name).

    Scopes are not told apart: one name is one variable, so a use is never overlooked.
    """
    used, copied, stack = set(), {}, list(body)
    while stack:
        node = stack.pop()
        names = copied_names(node)
        if names is not None:
            for target in targets_of(node):
                copied.setdefault(target, set()).update(names)
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            used.add(node.id)
        stack += inside[node]
    return used, copied


def targets_of(node):
    """Names that a plain assignment binds; none of a value that stands alone."""
    places = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [place.id for place in places if isinstance(place, ast.Name)]


def copied_names(node):
    """Names in a value that is assigned to names, or to nothing, as it stands; else None.

    Of a tuple or list of names each is copied; whatever computes, calls or can raise is a use.
    """
    if isinstance(node, ast.Assign):
        places = node.targets
    elif isinstance(node, ast.AnnAssign):
        places = [node.target]
    else:
        places = []
    is_plain = isinstance(node, (ast.Assign, ast.AnnAssign, ast.Expr)) and all(
        isinstance(place, ast.Name) for place in places
    )
    if not is_plain or node.value is None:
        return None
    names, stack = set(), [node.value]
    while stack:
        part = stack.pop()
        if isinstance(part, ast.Name):
            names.add(part.id)
        elif isinstance(part, (ast.Tuple, ast.List)):
            stack += part.elts
        elif not isinstance(part, ast.Constant):
            return None
    return names
