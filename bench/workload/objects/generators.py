# %% primes_by_generator
from itertools import count, islice


def f(start, n):
    def sieve():
        crossed = {}
        for k in count(2):
            step = crossed.pop(k, None)
            if step is None:
                yield k
                crossed[k * k] = k
            else:
                at = k + step
                while at in crossed:
                    at += step
                crossed[at] = step

    return list(islice((p for p in sieve() if p >= start), n))
# Input: 100, 10
# Output: [101, 103, 107, 109, 113, 127, 131, 137, 139, 149]

# %% send_running_mean
def mean():
    total, n = 0.0, 0
    value = None
    while True:
        got = yield value
        if got is None:
            total, n = 0.0, 0
            value = "reset"
        else:
            total, n = total + got, n + 1
            value = round(total / n, 4)


def f(stream):
    tracker = mean()
    next(tracker)
    return [tracker.send(x) for x in stream]
# Input: [10, 20, 4, None, 1, 2]
# Output: [10.0, 15.0, 11.3333, 'reset', 1.0, 1.5]

# %% yield_from_tree_and_return
def walk(tree, depth=0):
    count = 0
    for node in tree:
        if isinstance(node, list):
            count += yield from walk(node, depth + 1)
        else:
            yield depth * "." + str(node)
            count += 1
    return count


def f(tree):
    out = []

    def outer():
        total = yield from walk(tree)
        yield f"{total} leaves"

    for line in outer():
        out.append(line)
    return out
# Input: ['a', ['b', ['c', 'd'], []], 'e']
# Output: ['a', '.b', '..c', '..d', 'e', '5 leaves']

# %% throw_and_close
def worker(log):
    try:
        while True:
            try:
                job = yield len(log)
                log.append(job * 2)
            except ValueError as error:
                log.append(f"caught {error}")
    finally:
        log.append("closed")


def f(jobs):
    log = []
    w = worker(log)
    next(w)
    replies = []
    for job in jobs:
        replies.append(w.throw(ValueError(job)) if isinstance(job, str) else w.send(job))
    w.close()
    try:
        next(w)
    except StopIteration as stop:
        replies.append(stop.value)
    return replies, log
# Input: [1, 'bad', 5]
# Output: ([1, 2, 3, None], [2, 'caught bad', 10, 'closed'])

# %% round_robin_streams
def f(*streams):
    active = [iter(s) for s in streams]
    out = []
    while active:
        still = []
        for it in active:
            try:
                out.append(next(it))
            except StopIteration:
                continue
            still.append(it)
        active = still
    return out
# Input: 'abc', [1], (), [7, 8]
# Output: ['a', 1, 7, 'b', 8, 'c']

# %% windows_and_peeks
from itertools import islice, tee


def f(xs, n):
    def windows(items):
        copies = tee(items, n)
        for i, c in enumerate(copies):
            next(islice(c, i, i), None)
        return zip(*copies)

    rising = [w for w in windows(xs) if all(a < b for a, b in zip(w, w[1:]))]
    return rising, list(windows(xs[: n - 1]))
# Input: [1, 3, 2, 5, 8, 9, 4, 6, 7], 3
# Output: ([(2, 5, 8), (5, 8, 9), (4, 6, 7)], [])

# %% pipeline_of_generators
def f(text):
    def lines(t):
        for line in t.split("\n"):
            seen.append("L")
            yield line

    def fields(rows):
        for row in rows:
            seen.append("F")
            yield row.split(",")

    def numbers(rows):
        for row in rows:
            if all(c.lstrip("-").isdigit() for c in row):
                seen.append("N")
                yield sum(map(int, row))

    seen = []
    first, *rest = numbers(fields(lines(text)))
    return first, rest, "".join(seen)
# Input: '1,2\na,b\n-3,4\n,\n10'
# Output: (3, [1, 10], 'LFNLFLFNLFLFN')

# %% merge_sorted_lazily
def f(a, b):
    pulled = []

    def watch(name, xs):
        for x in xs:
            pulled.append(name)
            yield x

    def merge(p, q):
        none = object()
        x, y = next(p, none), next(q, none)
        while x is not none or y is not none:
            if y is none or (x is not none and x <= y):
                yield x
                x = next(p, none)
            else:
                yield y
                y = next(q, none)

    merged = merge(watch("a", a), watch("b", b))
    return [next(merged) for _ in range(4)], "".join(pulled), list(merged)
# Input: [1, 4, 7, 8], [2, 3, 9]
# Output: ([1, 2, 3, 4], 'ababb', [7, 8, 9])

# %% coroutine_scheduler
from collections import deque


def f(jobs):
    def task(name, pauses):
        for k in range(pauses):
            log.append(f"{name}{k}")
            yield k
        return name.upper()

    log, done = [], {}
    ready = deque(task(n, p) for n, p in jobs)
    while ready:
        current = ready.popleft()
        try:
            if next(current) % 2:
                ready.appendleft(current)
            else:
                ready.append(current)
        except StopIteration as end:
            done[end.value] = len(log)
    return log, done
# Input: [('a', 3), ('b', 1), ('c', 4)]
# Output: (['a0', 'b0', 'c0', 'a1', 'a2', 'c1', 'c2', 'c3'], {'B': 5, 'A': 7, 'C': 8})

# %% lazy_permutations_pruned
def f(items, rule):
    tests = {"up": lambda a, b: a < b, "zig": None, "far": lambda a, b: abs(a - b) > 2}
    produced = 0

    def build(prefix, rest):
        nonlocal produced
        produced += 1
        if not rest:
            yield prefix
        for i, x in enumerate(rest):
            if rule == "zig":
                good = not prefix or (x > prefix[-1]) == (len(prefix) % 2 == 1)
            else:
                good = not prefix or tests[rule](prefix[-1], x)
            if good:
                yield from build([*prefix, x], rest[:i] + rest[i + 1 :])

    found = list(build([], sorted(items)))
    return len(found), found[:2], produced
# Input: [3, 1, 4, 5, 2], 'zig'
# Output: (16, [[1, 3, 2, 5, 4], [1, 4, 2, 5, 3]], 77)

# %% recursive_gray_stream
def f(n, take):
    def gray(k):
        if k == 0:
            yield ""
            return
        for word in gray(k - 1):
            yield "0" + word
        for word in reversed(list(gray(k - 1))):
            yield "1" + word

    stream = gray(n)
    head = [next(stream) for _ in range(take)]
    return head, sum(1 for _ in stream)
# Input: 5, 6
# Output: (['00000', '00001', '00011', '00010', '00110', '00111'], 26)

# %% iterator_class_with_pushback
class Tokens:
    def __init__(self, text):
        self._words, self._back = iter(text.split()), []

    def __iter__(self):
        return self

    def __next__(self):
        return self._back.pop() if self._back else next(self._words)

    def back(self, word):
        self._back.append(word)


def f(text):
    tokens, out = Tokens(text), []
    for word in tokens:
        if word == "twice":
            following = next(tokens, "end")
            tokens.back(following)
            out.append(following + "!")
        elif word == "not":
            next(tokens)
        else:
            out.append(word)
    return out
# Input: 'go twice left not right twice'
# Output: ['go', 'left!', 'left', 'end!', 'end']

# %% comprehension_scopes
def f(n):
    x = "outer"
    squares = [x * x for x in range(n)]
    nested = {a: [b for b in range(a) if a % (b + 1) == 0] for a in range(1, n + 1)}
    total = sum(y for y in squares if (half := y // 2) % 2 == 0)
    lazy = (x + str(k) for k in range(2))
    x = "changed"
    return squares, nested, total, half, list(lazy)
# Input: 6
# Output: ([0, 1, 4, 9, 16, 25], {1: [0], 2: [0, 1], 3: [0, 2], 4: [0, 1, 3], 5: [0, 4], 6: [0, 1, 2, 5]}, 55, 12, ['changed0', 'changed1'])

# %% accumulate_with_state
from itertools import accumulate, repeat, takewhile


def f(amount, rate, payment):
    balances = accumulate(repeat(payment), lambda left, paid: round(left * (1 + rate / 100) - paid, 2), initial=amount)
    rows = list(takewhile(lambda left: left > 0, balances))
    return len(rows), rows[:3], rows[-1]
# Input: 1000.0, 1.5, 95
# Output: (12, [1000.0, 920.0, 838.8], 50.94)

# %% async_without_loop
class Wait:
    def __init__(self, what):
        self.what = what

    def __await__(self):
        return (yield self.what)


async def child(n):
    got = await Wait(f"need {n}")
    return got + n


async def parent(n):
    total = 0
    for k in range(n):
        total += await child(k)
    return total


def f(answers):
    task, asked = parent(len(answers)), []
    try:
        asked.append(task.send(None))
        for a in answers:
            asked.append(task.send(a))
    except StopIteration as done:
        return asked, done.value
# Input: [10, 20, 30]
# Output: (['need 0', 'need 1', 'need 2'], 63)
