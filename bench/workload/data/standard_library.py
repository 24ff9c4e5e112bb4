# %% counter_arithmetic
from collections import Counter


def f(a, b):
    a, b = Counter(a), Counter(b)
    return [dict(sorted(c.items())) for c in (a + b, a - b, a & b, a | b)], a.total(), (+b).most_common(1)
# Input: 'mississippi', 'impish'
# Output: ([{'h': 1, 'i': 6, 'm': 2, 'p': 3, 's': 5}, {'i': 2, 'p': 1, 's': 3}, {'i': 2, 'm': 1, 'p': 1, 's': 1}, {'h': 1, 'i': 4, 'm': 1, 'p': 2, 's': 4}], 11, [('i', 2)])

# %% deque_rotation_buffer
from collections import deque


def f(stream, size):
    buffer, sums = deque(maxlen=size), []
    for x in stream:
        buffer.append(x)
        sums.append(sum(buffer))
    buffer.rotate(1)
    buffer.appendleft(99)
    return sums, list(buffer), buffer.index(99)
# Input: [4, 8, 15, 16, 23, 42], 4
# Output: ([4, 12, 27, 43, 62, 96], [99, 42, 15, 16], 0)

# %% sliding_window_maximum
from collections import deque


def f(nums, k):
    best, out = deque(), []
    for i, x in enumerate(nums):
        while best and nums[best[-1]] <= x:
            best.pop()
        best.append(i)
        if best[0] == i - k:
            best.popleft()
        if i >= k - 1:
            out.append(nums[best[0]])
    return out
# Input: [1, 3, -1, -3, 5, 3, 6, 7, 2, 1], 3
# Output: [3, 3, 5, 5, 6, 7, 7, 7]

# %% ordered_dict_moves
from collections import OrderedDict


def f(keys, touched):
    d = OrderedDict((k, i) for i, k in enumerate(keys))
    for i, k in enumerate(touched):
        d.move_to_end(k, last=bool(i % 2))
    oldest = d.popitem(last=False)
    return oldest, list(d), d == OrderedDict(reversed(d.items())), dict(d) == dict(reversed(d.items()))
# Input: 'abcdef', 'cde'
# Output: (('e', 4), ['c', 'a', 'b', 'f', 'd'], False, True)

# %% chain_map_scopes
from collections import ChainMap


def f(defaults, environment, flags):
    scope = ChainMap(flags, environment, defaults)
    inner = scope.new_child({"depth": 1})
    inner["user"] = "inner"
    del inner["depth"]
    return dict(sorted(inner.items())), scope["user"], len(inner.maps), inner.parents is scope
# Input: {'user': 'nobody', 'colour': 'red'}, {'user': 'sam'}, {'verbose': True}
# Output: ({'colour': 'red', 'user': 'inner', 'verbose': True}, 'sam', 4, False)

# %% named_records
from collections import namedtuple

Point = namedtuple("Point", "x y label", defaults=["-"])


def f(raw):
    points = [Point(*r) for r in raw]
    moved = points[0]._replace(x=10)
    centre = Point(sum(p.x for p in points) / len(points), sum(p.y for p in points) / len(points))
    return tuple(moved), tuple(centre), Point._fields, moved._asdict(), points[1] == (3, 4, "b")
# Input: [(1, 2), (3, 4, 'b'), (5, 0)]
# Output: ((10, 2, '-'), (3.0, 2.0, '-'), ('x', 'y', 'label'), {'x': 10, 'y': 2, 'label': '-'}, True)

# %% heap_merge_streams
import heapq


def f(streams):
    merged = list(heapq.merge(*streams))
    pairs = heapq.merge(*[[(abs(x), x) for x in s] for s in streams[:2]])
    return merged, heapq.nsmallest(3, merged), heapq.nlargest(2, merged, key=lambda x: x % 7), next(pairs)
# Input: [[1, 4, 9], [2, 3, 20], [0, 12]]
# Output: ([0, 1, 2, 3, 4, 9, 12, 20], [0, 1, 2], [20, 12], (1, 1))

# %% task_priority_queue
import heapq
from itertools import count


def f(commands):
    heap, tick, gone, done = [], count(), set(), []
    for verb, *args in commands:
        if verb == "add":
            heapq.heappush(heap, (-args[1], next(tick), args[0]))
        elif verb == "cancel":
            gone.add(args[0])
        else:
            while heap and heap[0][2] in gone:
                heapq.heappop(heap)
            done.append(heapq.heappop(heap)[2] if heap else None)
    return done, sorted(name for *_, name in heap)
# Input: [('add', 'low', 1), ('add', 'high', 9), ('add', 'high2', 9), ('pop',), ('cancel', 'high2'), ('pop',), ('pop',), ('add', 'x', 0)]
# Output: (['high', 'low', None], ['x'])

# %% itertools_tour
from itertools import accumulate, chain, compress, dropwhile, islice, pairwise, product, starmap, takewhile


def f(xs):
    return (
        list(accumulate(xs, max)),
        list(chain.from_iterable([[x] * (x % 3) for x in xs])),
        list(compress(xs, (x & 1 for x in xs))),
        list(dropwhile(lambda x: x < 5, xs)),
        list(takewhile(lambda x: x < 5, xs)),
        [b - a for a, b in pairwise(xs)],
        sum(starmap(pow, product(xs[:2], repeat=2))),
        list(islice(xs, 1, None, 3)),
    )
# Input: [3, 4, 1, 5, 9, 2, 6]
# Output: ([3, 4, 4, 5, 9, 9, 9], [4, 1, 5, 5, 2, 2], [3, 1, 5, 9], [5, 9, 2, 6], [3, 4, 1], [1, -3, 4, 4, -7, 4], 428, [4, 9])

# %% groupby_runs
from itertools import groupby


def f(temperatures):
    spells = []
    for hot, days in groupby(enumerate(temperatures), key=lambda d: d[1] >= 25):
        days = list(days)
        if hot and len(days) > 1:
            spells.append((days[0][0], len(days), max(t for _, t in days)))
    return spells
# Input: [20, 26, 28, 24, 25, 30, 31, 22, 27]
# Output: [(1, 2, 28), (4, 3, 31)]

# %% cycle_schedule
from itertools import cycle, islice, repeat


def f(workers, shifts, days):
    names, hours = cycle(workers), cycle(shifts)
    roster = [[(next(names), h) for h in islice(hours, 2)] for _ in repeat(None, days)]
    return roster
# Input: ['ann', 'bo', 'cy'], ['day', 'night'], 4
# Output: [[('ann', 'day'), ('bo', 'night')], [('cy', 'day'), ('ann', 'night')], [('bo', 'day'), ('cy', 'night')], [('ann', 'day'), ('bo', 'night')]]

# %% permutations_with_rule
from itertools import permutations


def f(letters):
    good = []
    for p in permutations(letters):
        word = "".join(p)
        if all(abs(ord(a) - ord(b)) > 1 for a, b in zip(word, word[1:])):
            good.append(word)
    return len(good), good[:3], good[-1:]
# Input: 'abcde'
# Output: (14, ['acebd', 'adbec', 'bdace'], ['ecadb'])

# %% reduce_pipeline
from functools import partial, reduce


def f(text, steps):
    table = {
        "strip": str.strip,
        "upper": str.upper,
        "dash": partial(lambda sep, s: s.replace(" ", sep), "-"),
        "twice": lambda s: s * 2,
        "rev": lambda s: s[::-1],
    }
    return reduce(lambda value, name: table[name](value), steps, text), reduce(max, map(len, steps))
# Input: '  hello big world ', ['strip', 'dash', 'rev', 'upper', 'twice']
# Output: ('DLROW-GIB-OLLEHDLROW-GIB-OLLEH', 5)

# %% cached_calls_counted
from functools import lru_cache


def f(n):
    @lru_cache(maxsize=4)
    def slow(k):
        return 1 if k < 2 else slow(k - 1) + slow(k - 2)

    value = slow(n)
    info = slow.cache_info()
    return value, info.hits, info.misses, info.currsize
# Input: 30
# Output: (1346269, 28, 31, 4)

# %% single_dispatch_sizes
from functools import singledispatch


@singledispatch
def size(x):
    return 1


@size.register
def _(x: list):
    return sum(map(size, x))


@size.register(str)
def _(x):
    return len(x)


@size.register
def _(x: dict):
    return 10 * len(x) + size(list(x.values()))


def f(*things):
    return [size(t) for t in things]
# Input: 5, 'abc', [1, 'xy', [2, {'k': 'long', 'm': [3]}]], {}
# Output: [1, 3, 29, 0]

# %% total_ordering_cards
from functools import cmp_to_key, total_ordering


@total_ordering
class Card:
    def __init__(self, text):
        self.rank, self.suit = "23456789TJQKA".index(text[0]), text[1]

    def __eq__(self, other):
        return self.rank == other.rank

    def __lt__(self, other):
        return self.rank < other.rank


def f(hand):
    cards = sorted(map(Card, hand.split()), reverse=True)
    order = sorted(hand.split(), key=cmp_to_key(lambda a, b: (a[1] > b[1]) - (a[1] < b[1])))
    return [c.suit for c in cards], max(cards) >= min(cards), order
# Input: '9h Ad 2c Kh 2s'
# Output: (['d', 'h', 'h', 'c', 's'], True, ['2c', 'Ad', '9h', 'Kh', '2s'])

# %% bisect_grades
from bisect import bisect, bisect_left


def f(scores, breakpoints, letters):
    grades = [letters[bisect(breakpoints, s)] for s in scores]
    ranked = sorted(scores)
    percentile = {s: round(100 * bisect_left(ranked, s) / len(ranked)) for s in scores}
    return "".join(grades), percentile
# Input: [33, 99, 77, 70, 89, 90, 100], [60, 70, 80, 90], 'FDCBA'
# Output: ('FACCBAA', {33: 0, 99: 71, 77: 29, 70: 14, 89: 43, 90: 57, 100: 86})

# %% enum_flags
from enum import Enum, IntFlag, auto


class Right(IntFlag):
    READ = auto()
    WRITE = auto()
    RUN = auto()


class Planet(Enum):
    EARTH = 5.97
    MARS = 0.642

    @property
    def heavy(self):
        return self.value > 1


def f(number):
    right = Right(number)
    names = [r.name for r in Right if r & right]
    return names, int(right | Right.WRITE), Right.RUN in right, [p.name for p in Planet if p.heavy], Planet(0.642).name
# Input: 5
# Output: (['READ', 'RUN'], 7, True, ['EARTH'], 'MARS')

# %% dataclass_fields
from dataclasses import asdict, astuple, dataclass, field, replace


@dataclass(order=True, frozen=True)
class Item:
    weight: float
    name: str = field(compare=False)
    tags: tuple = ()


def f(raw):
    items = [Item(*r) for r in raw]
    lightest = min(items)
    heavier = replace(lightest, weight=lightest.weight * 2)
    try:
        lightest.name = "x"
    except AttributeError as error:
        problem = type(error).__name__
    return asdict(heavier), [astuple(i)[1] for i in sorted(items)], problem, items[0] == items[-1]
# Input: [(2.5, 'pan'), (1.0, 'cup', ('t',)), (2.5, 'pot')]
# Output: ({'weight': 2.0, 'name': 'cup', 'tags': ('t',)}, ['cup', 'pan', 'pot'], 'FrozenInstanceError', True)

# %% text_wrap_module
import textwrap


def f(text):
    lines = textwrap.wrap(text, 18, initial_indent="* ", subsequent_indent="  ")
    return lines, textwrap.shorten(text, 24, placeholder=" [...]"), textwrap.dedent("   a\n     b\n").splitlines()
# Input: 'the wheels on the bus go round and round all day'
# Output: (['* the wheels on', '  the bus go round', '  and round all', '  day'], 'the wheels on the [...]', ['a', '  b'])

# %% json_round_trip
import json


def f(value):
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    back = json.loads(text, parse_float=lambda s: "f" + s)
    return text, back, json.loads(text) == value
# Input: {'b': [1, 2.50, None, True], 'a': {'é': '\n"'}, 'c': (1, 2)}
# Output: ('{"a":{"\\u00e9":"\\n\\""},"b":[1,2.5,null,true],"c":[1,2]}', {'a': {'é': '\n"'}, 'b': [1, 'f2.5', None, True], 'c': [1, 2]}, False)

# %% decimal_money
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal


def f(amounts, rate):
    cents = Decimal("0.01")
    total = sum(Decimal(a) for a in amounts)
    tax = (total * Decimal(rate)).quantize(cents, ROUND_HALF_UP)
    even = [str(Decimal(a).quantize(Decimal(1), ROUND_HALF_EVEN)) for a in amounts]
    return str(total), str(tax), even, 0.1 + 0.2 == 0.3, Decimal("0.1") + Decimal("0.2") == Decimal("0.3")
# Input: ['0.5', '1.5', '2.505', '19.99'], '0.19'
# Output: ('24.495', '4.65', ['0', '2', '3', '20'], False, True)

# %% checksums_of_three_kinds
import zlib


def f(words):
    fnv, pearson, log = 0xCBF29CE484222325, 0, []
    table = [(i * 167 + 13) % 256 for i in range(256)]
    for word in words:
        for byte in word.encode():
            fnv = (fnv ^ byte) * 0x100000001B3 % 2**64
            pearson = table[pearson ^ byte]
        log.append((hex(fnv)[-6:], pearson, zlib.crc32(word.encode()), zlib.adler32(word.encode())))
    packed = zlib.compress(" ".join(words * 40).encode(), 9)
    return log, len(packed) < 60, zlib.decompress(packed).count(b"third")
# Input: ['genesis', 'second', 'third']
# Output: ([('ec4db9', 69, 2319113088, 193856239), ('9a3401', 161, 3055489385, 147456637), ('3fca12', 103, 607264868, 107741724)], True, 40)

# %% statistics_summary
import statistics as st


def f(data):
    return (
        st.mean(data),
        st.median(data),
        st.multimode(data),
        round(st.pstdev(data), 4),
        [round(q, 3) for q in st.quantiles(data, n=4)],
        round(st.harmonic_mean(data), 5),
    )
# Input: [2, 4, 4, 5, 7, 7, 9, 10]
# Output: (6, 6.0, [4, 7], 2.5495, [4.0, 6.0, 8.5], 4.71469)
