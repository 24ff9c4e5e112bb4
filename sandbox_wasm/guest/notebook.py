"""Runs the cells of a notebook one after the other in one namespace. Shipped as text.

Clock, entropy and addresses are virtual, so the same cells always leave the same state. A cell that
raises leaves what it did.
"""

import ast
import io
import sys
import types

_MOST_FRAMES = 20


def run_cells(cells, most):
    """Run all cells, which are (source, stdin), and return a result of each.

    A result is (stdout, stderr, value, error): `value` is the repr of a last expression, or None;
    `error` is (name, message, traceback), or None. Texts are cut to `most` characters.
    """
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    results = []
    for index, (cell, stdin) in enumerate(cells):
        out, err = sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
        sys.stdin = io.StringIO(stdin)
        value = error = None
        try:
            value = _run(cell, f"<cell {index + 1}>", module.__dict__)
        except BaseException as raised:  # noqa: BLE001 - whatever it is, it is the cell's error
            error = _described(raised, cells, most)
        results.append((_cut(out.getvalue(), most), _cut(err.getvalue(), most),
                        None if value is None else _cut(value, most), error))  # fmt: skip
    return results


def _run(cell, name, names):
    tree = ast.parse(cell, name)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not cell.rstrip().endswith(";"):
        last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, name, "exec"), names)
    if last is None:
        return None
    value = eval(compile(last, name, "eval"), names)
    if value is None:
        return None
    names["_"] = value
    return repr(value)


def _cut(text, most):
    return "".join((text[: most + 1],))  # a plain str, whatever the program made it of


def _described(error, cells, most):
    name = type(error).__name__
    try:
        message = str(error)
    except BaseException:  # noqa: BLE001 - __str__ of a hostile exception
        message = "<no message>"
    lines = [*_frames(error, cells), f"{name}: {message}" if message else name]
    return _cut(name, most), _cut(message, most), _cut("\n".join(lines), most)


def _frames(error, cells):
    """Return the lines above the last one of a traceback; our own frames are left out."""
    if isinstance(error, SyntaxError) and str(error.filename).startswith("<cell "):
        return [
            f'  File "{error.filename}", line {error.lineno}',
            f"    {(error.text or '').strip()}",
        ]
    frames = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if frames or code.co_filename.startswith("<cell "):
            frames.append((code.co_filename, step.tb_lineno, code.co_name))
        step = step.tb_next
    if len(frames) > _MOST_FRAMES:
        half = _MOST_FRAMES // 2
        frames[half:-half] = [None]
    lines = ["Traceback (most recent call last):"]
    for frame in frames:
        lines += ["  ..."] if frame is None else _frame_lines(*frame, cells)
    return lines


def _frame_lines(filename, number, function, cells):
    lines = [f'  File "{filename}", line {number}, in {function}']
    if filename.startswith("<cell ") and number:
        source = cells[int(filename[6:-1]) - 1][0].split("\n")
        if number <= len(source) and source[number - 1].strip():
            lines.append(f"    {source[number - 1].strip()}")
    return lines
