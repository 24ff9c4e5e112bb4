"""Tells what a program raised, as CPython does but for its carets. Shipped as text into run images.

What it writes is text for a model to read, and no verdict rests on it: a program may well change
what it says. It imports nothing when it tells, as the module traceback would, and its work is
bounded.
"""

import linecache
import os
import sys

_TRACE_FD = 1000004
_MAX_BYTES = 16_000
_SHOWN_FRAMES = 12
"""Of each exception, the first and the last so many."""
_MAX_LINE_CHARACTERS = 200
_MAX_CHAIN = 8
_MAX_NOTES = 8
_BY_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_BY_CHANCE = "\nDuring handling of the above exception, another exception occurred:\n\n"
_flush = sys.stderr.flush
_trace_of = BaseException.__traceback__.__get__


def _lines_of(source, more):
    if more is None:  # a session: the lines of all its turns
        kept = linecache.cache.items()
        return {name: entry[2] for name, entry in kept if name.startswith("<turn ")}
    lines = [text.replace("\r\n", "\n").replace("\r", "\n").split("\n") for text in (source, more)]
    return {"<program>": lines[0], "<tests>": lines[1], "<expression>": lines[1]}


def _without_runner(trace, lines):
    while trace is not None and trace.tb_frame.f_code.co_filename not in lines:
        trace = trace.tb_next
    return trace


def _length(trace):
    count = 0
    while trace is not None:
        trace, count = trace.tb_next, count + 1
    return count


def _frame(code, number, lines):
    text = f'  File "{code.co_filename}", line {number}, in {code.co_name}\n'
    source = lines.get(code.co_filename, ())
    if not number or number > len(source):
        return text
    return f"{text}    {source[number - 1].strip()[:_MAX_LINE_CHARACTERS]}\n"


def _frames(trace, lines):
    text, index, count = "", 0, _length(trace)
    while trace is not None:
        if index < _SHOWN_FRAMES or index >= count - _SHOWN_FRAMES:
            text += _frame(trace.tb_frame.f_code, trace.tb_lineno, lines)
        elif index == _SHOWN_FRAMES:
            text += f"  [{count - 2 * _SHOWN_FRAMES} more]\n"
        trace, index = trace.tb_next, index + 1
    return text


def _one(error, lines, describe):
    text = _frames(_without_runner(_trace_of(error), lines), lines)
    notes = zip(range(_MAX_NOTES), getattr(error, "__notes__", ()), strict=False)
    noted = "".join(f"{note}\n" for _, note in notes if type(note) is str)
    head = "Traceback (most recent call last):\n" if text else ""
    return f"{head}{text}{describe(error).decode()}\n{noted}"


def _before(error):
    """What an exception follows from, and the words for it."""
    if error.__cause__ is not None:
        return error.__cause__, _BY_CAUSE
    return (None if error.__suppress_context__ else error.__context__), _BY_CHANCE


def _chain(error, lines, describe):
    parts = [_one(error, lines, describe)]
    seen = [error]
    while len(seen) < _MAX_CHAIN:
        error, words = _before(error)
        if error is None or any(error is other for other in seen):
            break
        seen.append(error)
        parts += [words, _one(error, lines, describe)]
    return "".join(reversed(parts))


def _text_of(error, texts, describe):
    if not isinstance(error, SystemExit):
        return _chain(error, _lines_of(*texts), describe)
    is_silent = error.code is None or isinstance(error.code, int)
    return "" if is_silent else f"{error.code}\n"


def tell(error, texts, describe):
    """Write what waits in stderr, then the traceback of an exception, if there is one."""
    try:
        _flush()
        data = b""
        if error is not None:
            data = _text_of(error, texts, describe).encode("utf-8", "backslashreplace")
    except BaseException:  # noqa: BLE001 - a hostile exception, or no memory: nothing is told
        return
    half = _MAX_BYTES // 2
    if len(data) > _MAX_BYTES:
        data = data[:half] + b"\n[...]\n" + data[-half:]
    os.write(_TRACE_FD, data)
