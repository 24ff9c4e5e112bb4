"""Compiles one source inside the guest. Shipped as text into the compile image.

Replies with a letter and a body: C marshalled code, S why it does not compile, R why the policy
refuses it. Compiling runs no part of the source, so a reply of this stage is the interpreter's.
"""

import ast
import gc
import marshal
import os
import warnings

_REPLY_FD = 1000003
_MAX_ERROR_CHARACTERS = 1000
_MAX_LINE_CHARACTERS = 200
_INSIDE = (" ", "\t", "\n", "#", ")", "]", "}", "else:", "elif ", "except:", "except ", "finally:")
"""No statement begins with these."""
_COMPOUND = ("def ", "class ", "if ", "for ", "while ", "with ", "try:", "async ", "@")
"""Only statements that are no expressions begin with these."""
_NAMING = ("import ", "from ", "del ", "pass", "raise", "assert ")
"""No expressions begin with these, but one may follow a semicolon."""


def _imported_names(node):
    """Yield every dotted name that a node imports or reaches through one."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        module = node.module or ""
        yield module
        for alias in node.names:
            yield f"{module}.{alias.name}"
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        yield f"{node.value.id}.{node.attr}"
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "__import__"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ):
        yield str(node.args[0].value)


def find_banned(tree, banned):
    """Return the first banned module that the tree imports, or None.

    A plain name bans the module and what is below it; a dotted one bans that attribute as well.
    """
    plain = {name for name in banned if "." not in name}
    dotted = banned - plain
    for node in ast.walk(tree):
        reached = isinstance(node, ast.Attribute)
        for name in _imported_names(node):
            if name in dotted or (not reached and name.partition(".")[0] in plain):
                return name
    return None


def _code_names(code, names):
    if type(code) is tuple:  # of a turn
        for one in filter(None, code):
            _code_names(one, names)
        return
    names.update(code.co_names)
    for constant in code.co_consts:
        if type(constant) is type(code):
            _code_names(constant, names)


def display(error, text, name):
    """Show an error as CPython does: of a syntax error, the line it is in."""
    head = ""
    if isinstance(error, SyntaxError) and error.lineno:
        head = f'  File "{name}", line {error.lineno}\n'
        line = (error.text or "").rstrip()
        place = (error.offset or 0) - 1 - (len(line) - len(line.lstrip()))
        line = line.lstrip()
        if line and 0 <= place <= len(line) < _MAX_LINE_CHARACTERS:
            head += f"    {line}\n    {' ' * place}^\n"
        text = f"{type(error).__name__}: {error.msg}"
    return f"{head}{text}\n"


def compiled(text, name, kind):
    """Return code; of a session's turn a pair of codes, the last expression apart."""
    if kind != "turn":
        return compile(text, name, kind, 0, True)
    start = last_line(text)
    if start >= 0:
        try:
            return compiled_apart(text, name, start)
        except Exception:  # noqa: BLE001 - the line begins no statement: the tree will tell
            start = -1
    tree = ast.parse(text, name)
    last = None
    if is_shown(tree, text):
        shown = ast.Expression(tree.body.pop().value)
        last = compile(shown, name, "eval", 0, True)
    return compile(tree, name, "exec", 0, True), last


def is_shown(tree, text):
    """Whether the last statement is an expression that no semicolon follows."""
    return tree.body and isinstance(tree.body[-1], ast.Expr) and not text.rstrip().endswith(";")


def last_line(text):
    """Return where the last line begins that can begin a statement; -1 where the tree is needed.

    What the parser takes for ends of lines, and what holds for statements around its own, is left
    to the tree.
    """
    if "\r" in text or "\f" in text or "global" in text or "__future__" in text:
        return -1
    end = len(text)
    while end > 0:
        start = text.rfind("\n", 0, end) + 1
        is_inside = text.startswith(_INSIDE, start) or start == end
        is_decorated = start > 0 and text.startswith("@", text.rfind("\n", 0, start - 1) + 1)
        if not is_inside and not is_decorated:
            return -1 if start == 0 and may_name(text, 0) else start
        end = start - 1
    return -1


def may_name(text, start):
    """Whether the statement that begins there is probably no expression, but may be one."""
    if text.startswith(_COMPOUND, start):
        return False
    return "=" in text[start:] or text.startswith(_NAMING, start)


def compiled_apart(text, name, start):
    """Compile what is before a line, and the statement that begins there, which spares the tree.

    Raises:
        SyntaxError: They are not whole statements, each for itself.
        ValueError: There are several from the line on, or it says something of the whole: alone, a
            text with a semicolon is a docstring, and an annotation is prepared at the beginning.
    """
    body = compile(text[:start], name, "exec", 0, True)
    tail = "\n" * text.count("\n", 0, start) + text[start:]
    if text.startswith(_COMPOUND, start):
        return body, compile(tail, name, "exec", 0, True)
    if not may_name(text, start):
        return body, compile(tail, name, "eval", 0, True)
    tree = ast.parse(tail, name)
    if is_shown(tree, text) and len(tree.body) == 1:
        return body, compile(ast.Expression(tree.body[0].value), name, "eval", 0, True)
    if len(tree.body) != 1 or isinstance(tree.body[0], ast.Expr | ast.AnnAssign):
        raise ValueError
    return body, compile(tree, name, "exec", 0, True)


def make_compiler():
    """Build `run(request) -> status`; warnings and garbage collection are off in this stage."""
    warnings.simplefilter("ignore")
    gc.disable()
    loads, dumps, write = marshal.loads, marshal.dumps, os.write

    def check(text, code, banned):
        """Return the refused name. Only a source that can import is parsed again for it."""
        names = set()
        _code_names(code, names)
        heads = {name.partition(".")[0] for name in banned}
        if "__import__" not in names and heads.isdisjoint(n.partition(".")[0] for n in names):
            return None
        return find_banned(ast.parse(text), frozenset(banned))

    def answer(source, name, kind, banned):
        text = source.decode()
        code = compiled(text, name, kind)
        if banned and (b"import" in source or not source.isascii()):
            name = check(text, code, banned)
            if name is not None:
                return b"R" + f"the import of {name!r} is not allowed".encode()
        return b"C" + dumps(code)

    def run(request):
        fields = loads(request)
        try:
            reply = answer(*fields)
        except BaseException as error:  # noqa: BLE001 - whatever the compiler raised
            text = f"{type(error).__name__}: {error}"[:_MAX_ERROR_CHARACTERS]
            texts = f"{text}\0{display(error, text, fields[1])}"
            reply = b"S" + texts.encode("utf-8", "backslashreplace")
        write(_REPLY_FD, reply)
        return 0

    return run
