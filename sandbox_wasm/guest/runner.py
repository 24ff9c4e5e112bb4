"""Runs one call inside the guest. Shipped as text into the run images; never imported by a host.

The host sends a marshal tuple and reads one reply frame: a letter, then a body.

    V marshalled value      E "TypeName: message" of what was raised
    M ditto, no memory      X ditto, SystemExit       N the name of a type that has no literal
    R, T what a turn of a session shows (turns.py)

Everything used after the program ran was captured before it ran. A program controls this
interpreter all the same and may write a frame itself: it can claim any *value*, which it could
have returned anyway. No verdict is made here, and nothing here knows the expected value.
"""

import atexit
import builtins
import gc
import marshal
import os
import random
import sys
import types

_CALL_NAME, _CALL_EXPRESSION, _EXPRESSION, _MAIN, _TESTS, _MAIN_TO_ITS_END, _TURN = range(7)
_REPLY_FD = 1000003
_MAX_ERROR_CHARACTERS = 1000
_SCALARS = frozenset({int, float, complex, bool, str, bytes, type(None)})
_SEQUENCES = frozenset({list, tuple, set, frozenset})


def make_ending():
    """Build `end(takes_apart)`, which ends a whole program as CPython does (Py_FinalizeEx).

    The functions of atexit, the flush of what stands in for stdout, and, where the source may have
    any (the host looks), destructors: of the names of __main__, and of a stdout put in its place.
    """
    system, modules = sys.__dict__, sys.modules
    streams = {name: system[name] for name in ("stdin", "stdout", "stderr")}
    has_functions, call_functions, collect = atexit._ncallbacks, atexit._run_exitfuncs, gc.collect

    def flush_stdout():
        stdout = system.get("stdout")
        try:
            is_closed = stdout is None or stdout.closed
        except Exception:  # noqa: BLE001 - as CPython: what does not say so is open
            is_closed = False
        if not is_closed:
            stdout.flush()

    def end(takes_apart):
        if has_functions():
            call_functions()  # none of their exceptions comes out
        try:
            flush_stdout()
        finally:
            if takes_apart:
                system.update(streams)
                modules["__main__"] = None
                collect()

    return end


def make_runner(tell, take_turn):  # noqa: C901, PLR0915 - one closure: no name is left in a module to patch
    """Build `run(request) -> status` with everything it needs bound beforehand.

    `tell` writes tracebacks for requests that bring their texts; `take_turn` is of turns.py.
    """
    loads, dumps, write = marshal.loads, marshal.dumps, os.write
    execute, evaluate, is_instance, integer = exec, eval, isinstance, int
    flush, flush_buffer = sys.stdout.flush, sys.stdout.buffer.flush
    modules, reseed, end, new_module = sys.modules, random.seed, make_ending(), types.ModuleType
    path = sys.path
    type_name = type.__dict__["__name__"].__get__
    join = "".join

    program = types.ModuleType("program")
    modules["program"] = program
    program_names = program.__dict__
    program_names["__builtins__"] = builtins
    main_names = modules["__main__"].__dict__
    main_names.clear()
    main_names.update({"__name__": "__main__", "__builtins__": builtins, "__doc__": None})

    def has_exact_types(value):
        """Whether marshal kept the types: it writes any object with a buffer as bytes."""
        stack, seen = [value], set()
        while stack:
            item = stack.pop()
            kind = type(item)
            if kind in _SCALARS or id(item) in seen:
                continue
            seen.add(id(item))
            if kind is dict:
                stack.extend(item)
                stack.extend(item.values())
            elif kind in _SEQUENCES:
                stack.extend(item)
            else:
                return False
        return True

    def describe(error):
        name = type_name(type(error))
        try:
            message = join((str(error),))
        except BaseException:  # noqa: BLE001 - __str__ of a hostile exception
            message = "<no message>"
        text = join((name, ": ", message)) if message else name
        return text[:_MAX_ERROR_CHARACTERS].encode("utf-8", "backslashreplace")

    def is_success(code):
        return code is None or (is_instance(code, integer) and not code)

    def frame(value):
        try:
            data = dumps(value, 4, allow_code=False)
            if (b"s" in data or b"\xf3" in data) and not has_exact_types(value):
                return b"N" + type_name(type(value)).encode("utf-8", "backslashreplace")
        except ValueError:
            return b"N" + type_name(type(value)).encode("utf-8", "backslashreplace")
        return b"V" + data

    def perform(code, mode, aux, arguments):
        if mode == _MAIN:
            execute(code, main_names)
            return None
        if mode == _MAIN_TO_ITS_END:  # in a module that nobody else holds
            module = modules["__main__"] = new_module("__main__")
            module.__dict__.update(main_names)
            execute(code, module.__dict__)
            return None
        names = program_names
        execute(code, names)
        if mode == _CALL_NAME:
            try:
                function = names[aux]
            except KeyError:
                raise NameError(f"name {aux!r} is not defined") from None
            return function(*arguments[0], **arguments[1])
        if mode == _CALL_EXPRESSION:
            return evaluate(loads(aux), names)(*arguments[0], **arguments[1])
        if mode == _EXPRESSION:
            return evaluate(loads(aux), names)
        execute(loads(aux), names)
        return None

    def flush_all():
        try:
            flush()
        except BaseException:  # noqa: BLE001 - closed, or detached from what holds its text
            try:  # noqa: SIM105 - nothing is imported or called that need not be
                flush_buffer()
            except BaseException:  # noqa: BLE001, S110 - closed: nothing is left to flush
                pass

    def finish(reply, mode):
        try:
            end(mode == _MAIN_TO_ITS_END)
        except BaseException as error:  # noqa: BLE001 - CPython would exit with status 120
            if reply.startswith(b"V"):
                return b"E" + describe(error)
        return reply

    def reply_of(code, mode, aux, arguments, texts):
        """Return the reply, and what was raised, if that is to be told."""
        is_whole = mode in (_MAIN, _MAIN_TO_ITS_END)
        try:
            if mode == _TURN:
                reply = take_turn(code, aux, texts[0], arguments, main_names)
            else:
                reply = frame(perform(code, mode, aux, arguments))
            if not is_whole:
                flush()
        except SystemExit as error:
            # A whole program that ends with sys.exit() or sys.exit(0) has ended well.
            ended_well = is_whole and is_success(error.code)
            reply = b"V" + dumps(None) if ended_well else b"X" + describe(error)
            return reply, texts and error
        except MemoryError as error:
            # The allocator raises it bare; the parser and programs give it a message.
            return (b"E" if error.args else b"M") + describe(error), texts and error
        except BaseException as error:  # noqa: BLE001 - whatever the program raised is its outcome
            return b"E" + describe(error), texts and error
        return reply, None

    def run(request):
        code, mode, aux, arguments, seed, banned, texts, has_modules = loads(request)
        if seed is not None:
            reseed(seed)
        for name in banned:
            modules[name] = None
        if has_modules:
            path.insert(0, "/tmp")  # noqa: S108 - the guest's own
        reply, error = reply_of(code, mode, aux, arguments, texts)
        if texts:
            tell(error, texts, describe)
            error = None
        if mode in (_MAIN, _MAIN_TO_ITS_END):
            reply = finish(reply, mode)
            if texts:
                tell(None, texts, describe)  # what its end wrote
        flush_all()
        write(_REPLY_FD, reply)
        return 0

    return run
