"""Runs a session's turn: one more source in the namespace of `__main__`. Shipped as text.

The names, the modules and all else that a turn leaves stay in the guest's memory, which the host
keeps until the next turn. Sources stay in linecache, for tracebacks and `inspect.getsource`.
"""

import io
import linecache
import sys


def make_turn():
    """Build `take_turn(codes, name, source, stdin, names)`, with all it needs bound beforehand.

    It returns a reply: R and the repr of a last expression, or T when there is nothing to show.
    """
    execute, evaluate, show = exec, eval, repr
    bytes_io, text_wrapper = io.BytesIO, io.TextIOWrapper
    sources, system = linecache.cache, sys.__dict__

    def take_turn(codes, name, source, stdin, names):
        sources[name] = (len(source), None, source.splitlines(keepends=True), name)
        if stdin is not None:
            data = stdin.encode("utf-8", "surrogatepass")
            system["stdin"] = text_wrapper(bytes_io(data), "utf-8")
        body, last = codes
        execute(body, names)
        value = None if last is None else evaluate(last, names)
        if value is None:
            return b"T"
        names["_"] = value
        return b"R" + "".join((show(value),)).encode("utf-8", "backslashreplace")

    return take_turn
