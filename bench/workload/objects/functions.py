# %% closures_share_a_cell
def f(n):
    late = [lambda: i for i in range(n)]
    early = [lambda i=i: i for i in range(n)]

    def counter():
        count = 0

        def up(by=1):
            nonlocal count
            count += by
            return count

        return up, lambda: count

    up, look = counter()
    other, _ = counter()
    up(5), other(), up()
    return [g() for g in late], [g() for g in early], look(), other(10)
# Input: 4
# Output: ([3, 3, 3, 3], [0, 1, 2, 3], 6, 11)

# %% decorator_with_arguments
import functools


def retry(times, *, on):
    def wrap(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            for left in range(times, 0, -1):
                try:
                    return function(*args, **kwargs), left
                except on as error:
                    inner.failures.append(type(error).__name__)
            return None, 0

        inner.failures = []
        return inner

    return wrap


def f(values):
    @retry(3, on=(ZeroDivisionError, KeyError))
    def pick(table):
        """Take the next value."""
        x = values.pop(0)
        return 12 // x if x != 99 else table[x]

    results = [pick({}) for _ in range(2)]
    return results, pick.failures, pick.__name__, pick.__doc__
# Input: [0, 99, 4, 0, 0, 99, 7]
# Output: ([(3, 1), (None, 0)], ['ZeroDivisionError', 'KeyError', 'ZeroDivisionError', 'ZeroDivisionError', 'KeyError'], 'pick', 'Take the next value.')

# %% curry_and_compose
from functools import reduce


def f(x):
    def curry(g, n):
        return g if n < 2 else lambda a: curry(lambda *rest: g(a, *rest), n - 1)

    def compose(*fs):
        return reduce(lambda g, h: lambda v: g(h(v)), fs)

    add3 = curry(lambda a, b, c: a + 2 * b + 3 * c, 3)
    steps = compose(str, abs, add3(1)(x), lambda v: v - 100)
    return steps(7), add3("a" * x)("b")("c"), compose(*[lambda v: v * v + 1] * 3)(x)
# Input: 2
# Output: ('274', 'aabbccc', 677)

# %% church_numerals
def f(a, b):
    def church(n):
        return (lambda s: lambda z: z) if n == 0 else lambda s: lambda z: s(church(n - 1)(s)(z))

    add = lambda m: lambda n: lambda s: lambda z: m(s)(n(s)(z))
    times = lambda m: lambda n: lambda s: m(n(s))
    power = lambda m: lambda n: n(m)
    number = lambda n: n(lambda k: k + 1)(0)
    m, n = church(a), church(b)
    return number(add(m)(n)), number(times(m)(n)), number(power(m)(n)), m(lambda t: f"({t})")("x")
# Input: 3, 4
# Output: (7, 12, 81, '(((x)))')

# %% argument_kinds
def f(*args, **kwargs):
    def g(a, b=2, /, c=3, *rest, d, e=5, **more):
        return a, b, c, rest, d, e, dict(sorted(more.items()))

    out = [g(1, d=4), g(*args, **kwargs), g(9, d=0, a="key", b="too")]
    for bad in (lambda: g(d=1), lambda: g(1, 2, 3), lambda: g(1, d=1, c=1, **{"c": 2})):
        try:
            bad()
        except TypeError:
            out.append("TypeError")
    return out
# Input: 10, 20, 30, 40, 50, d='d', z=1, y=2
# Output: [(1, 2, 3, (), 4, 5, {}), (10, 20, 30, (40, 50), 'd', 5, {'y': 2, 'z': 1}), (9, 2, 3, (), 0, 5, {'a': 'key', 'b': 'too'}), 'TypeError', 'TypeError', 'TypeError']

# %% mutable_default_and_identity
def f(items):
    def gather(x, into=[]):
        into.append(x)
        return into

    first = gather(items[0])
    second = gather(items[1])
    third = gather(items[2], [])
    a = b = [1, 2]
    a += [3]
    c = b
    b = b + [4]
    return first, first is second, third, a, b, c is a, gather.__defaults__
# Input: 'xyz'
# Output: (['x', 'y'], True, ['z'], [1, 2, 3], [1, 2, 3, 4], True, (['x', 'y'],))

# %% memoise_with_limit
def f(calls, limit):
    def memoise(function):
        store, misses = {}, []

        def inner(n):
            if n not in store:
                misses.append(n)
                if len(store) >= limit:
                    store.pop(next(iter(store)))
                store[n] = function(n)
            return store[n]

        inner.misses = misses
        return inner

    @memoise
    def digits(n):
        return len(str(2**n))

    return [digits(n) for n in calls], digits.misses
# Input: [10, 100, 10, 7, 33, 10, 100], 3
# Output: ([4, 31, 4, 3, 10, 4, 31], [10, 100, 7, 33, 10, 100])

# %% exceptions_chained
def f(steps):
    log = []

    def risky(kind):
        try:
            if kind == "key":
                return {}["missing"]
            if kind == "cast":
                return int("12x")
            if kind == "index":
                return [][kind == "index"]
            return "fine"
        except KeyError as error:
            raise RuntimeError("wrapped") from error
        except (ValueError, IndexError):
            log.append("handled")
            raise
        finally:
            log.append(kind)

    for kind in steps:
        try:
            log.append(risky(kind))
        except RuntimeError as error:
            log.append((str(error), repr(error.__cause__)))
        except Exception as error:
            log.append(type(error).__mro__[1].__name__)
    return log
# Input: ['ok', 'key', 'cast', 'index']
# Output: ['ok', 'fine', 'key', ('wrapped', "KeyError('missing')"), 'handled', 'cast', 'Exception', 'handled', 'index', 'LookupError']

# %% pattern_matching_shapes
def f(events):
    def read(event):
        match event:
            case {"kind": "move", "by": [x, y], **rest}:
                return "move", x + y, sorted(rest)
            case {"kind": "key", "code": "q" | "x"}:
                return "quit"
            case {"kind": "key", "code": str(c)} if c.isupper():
                return "shift", c
            case [first, *_, last]:
                return first, last
            case (int() | float()) as number:
                return "number", number
            case None | "":
                return "nothing"
            case _:
                return "unknown"

    return [read(e) for e in events]
# Input: [{'kind': 'move', 'by': (2, 3), 'id': 1}, {'kind': 'key', 'code': 'q'}, {'kind': 'key', 'code': 'Z'}, [1, 2, 3], (4,), 2.5, None, 'text']
# Output: [('move', 5, ['id']), 'quit', ('shift', 'Z'), (1, 3), 'unknown', ('number', 2.5), 'nothing', 'unknown']

# %% event_bus
from collections import defaultdict


def f(script):
    handlers, log = defaultdict(list), []

    def on(topic, weight=0):
        def add(function):
            handlers[topic].append((weight, len(handlers[topic]), function))
            return function

        return add

    def emit(topic, *data):
        for _, _, function in sorted(handlers[topic], key=lambda h: (-h[0], h[1])):
            if function(*data) is False:
                break

    @on("tick", 1)
    def count(n):
        log.append(f"count {n}")
        if n > 1:
            emit("alarm", n - 1)

    @on("tick")
    @on("alarm", 5)
    def stop(n):
        log.append(f"stop {n}")
        return n % 2 == 0

    on("alarm")(lambda n: emit("tick", n) or log.append("rung"))
    for topic, n in script:
        emit(topic, n)
    return log
# Input: [('tick', 1), ('tick', 3), ('alarm', 2), ('none', 0)]
# Output: ['count 1', 'stop 1', 'count 3', 'stop 2', 'count 2', 'stop 1', 'stop 2', 'rung', 'stop 3', 'stop 2', 'count 2', 'stop 1', 'stop 2', 'rung']

# %% sort_keys_composed
from operator import attrgetter, itemgetter, methodcaller


def f(rows):
    by_two = sorted(rows, key=itemgetter(1, 0))
    by_text = sorted((r[0] for r in rows), key=methodcaller("casefold"))
    parts = sorted([complex(a, b) for a, b in ((1, 5), (1, 2), (0, 9))], key=attrgetter("real", "imag"))
    down_then_up = sorted(sorted(rows, key=itemgetter(0)), key=itemgetter(1), reverse=True)
    return by_two, by_text, [int(p.imag) for p in parts], down_then_up
# Input: [('bo', 2), ('Al', 3), ('cy', 2), ('ab', 3)]
# Output: ([('bo', 2), ('cy', 2), ('Al', 3), ('ab', 3)], ['ab', 'Al', 'bo', 'cy'], [9, 2, 5], [('Al', 3), ('ab', 3), ('bo', 2), ('cy', 2)])

# %% variadic_tree_builder
def f(depth):
    def tag(name):
        def build(*children, **attributes):
            head = "".join(f' {k}="{v}"' for k, v in attributes.items())
            body = "".join(c() if callable(c) else str(c) for c in children)
            return f"<{name}{head}>{body}</{name}>"

        return build

    ul, li = tag("ul"), tag("li")

    def nest(k):
        return li(k, *(lambda: ul(nest(k - 1)),) * (k > 0), depth=k)

    return nest(depth)
# Input: 2
# Output: '<li depth="2">2<ul><li depth="1">1<ul><li depth="0">0</li></ul></li></ul></li>'

# %% string_interning_of_commands
def f(words):
    dispatch = {}

    def command(*names):
        return lambda function: [dispatch.__setitem__(n, function) for n in names] and function

    @command("+", "add")
    def plus(a, b):
        return a + b

    @command("swap")
    def swap(a, b):
        return b, a

    @command("?")
    def help_(a, b):
        return sorted(dispatch)

    results = []
    for name, a, b in words:
        results.append(dispatch.get(name, lambda *_: "no " + name)(a, b))
    return results, plus is dispatch["add"], help_.__code__.co_argcount
# Input: [('add', 1, 2), ('+', 'a', 'b'), ('swap', 1, 2), ('drop', 0, 0), ('?', 0, 0)]
# Output: ([3, 'ab', (2, 1), 'no drop', ['+', '?', 'add', 'swap']], True, 2)

# %% fluent_query_builder
class Query:
    def __init__(self, rows, steps=()):
        self.rows, self.steps = rows, steps

    def _with(self, step):
        return Query(self.rows, (*self.steps, step))

    def where(self, **equal):
        return self._with(lambda rows: [r for r in rows if all(r.get(k) == v for k, v in equal.items())])

    def order(self, key, down=False):
        return self._with(lambda rows: sorted(rows, key=lambda r: r[key], reverse=down))

    def pick(self, *keys):
        return self._with(lambda rows: [tuple(r[k] for k in keys) for r in rows])

    def __call__(self):
        rows = self.rows
        for step in self.steps:
            rows = step(rows)
        return rows


def f(rows):
    base = Query(rows)
    red = base.where(colour="red")
    return red.order("size", down=True).pick("name", "size")(), len(base.steps), len(red()), base.pick("name")()
# Input: [{'name': 'a', 'colour': 'red', 'size': 3}, {'name': 'b', 'colour': 'tan', 'size': 9}, {'name': 'c', 'colour': 'red', 'size': 5}]
# Output: ([('c', 5), ('a', 3)], 0, 2, [('a',), ('b',), ('c',)])
