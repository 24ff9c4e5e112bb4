"""What a 32-bit build changes: docs/conformance.md has a table with these rows."""
# ruff: noqa: E501 - a program on one line

import pytest

from sandbox_wasm import Job, Sandbox
from sandbox_wasm.values import equal
from tests.guest.native_python import run_natively

pytestmark = pytest.mark.guest

# As natively: what is compared with infinity, and what is counted beyond 2^31.
SAME = [
    "[sys.maxsize, min(sys.maxsize, 3 * 10**9), max(-sys.maxsize, -(10**12)), sys.maxsize > 2**32]",
    "min([10**10, 5 * 10**9], default=sys.maxsize)",
    "bisect.bisect(range(10**10), 5 * 10**9)",
    "bisect.bisect_left(range(10**18), True, key=lambda k: k * k >= 10**17)",
    "bisect.bisect_right(range(0, 10**11, 7), 7 * 10**9, 3, 10**10)",
    "bisect.bisect_left(range(10**10, 0, -1), -5 * 10**9, key=lambda k: -k)",
    "bisect.bisect_left(Squares(), 10**18 - 5)",
    "[bisect.bisect([1, 2, 2, 3], 2), bisect.bisect_left([1, 2, 2, 3], 2, 1, 3), bisect.bisect_left([], 0)]",
    "(random.seed(1), random.sample(range(10**10), 3), random.choice(range(10**10)))[1:]",
    "(random.seed(2), random.choices(range(10**12), k=3), random.randrange(10**18), random.randint(0, sys.maxsize))[1:]",
    "(random.seed(3), random.sample(range(100), 5), random.choice('abc'), random.getrandbits(70))[1:]",
    "(functools.lru_cache(sys.maxsize)(abs)(-3), functools.lru_cache(2**40)(abs)(-3), functools.lru_cache(0)(abs)(-3))",
    "[[1, 2, 3][:sys.maxsize], 'abc'.find('c', 0, sys.maxsize), [1].index(1, 0, sys.maxsize), 'abc'[-sys.maxsize:]]",
    "[range(10**10)[5 * 10**9], 10**9 in range(10**10), range(10**10).index(10**9), list(range(10**10)[7:9])]",
    "list(itertools.islice(itertools.count(2**31 - 2), 4)) + [next(itertools.count(sys.maxsize))]",
    "[list(enumerate('ab', 2**33)), collections.Counter(a=2**40).total(), heapq.nsmallest(sys.maxsize, [2, 1])]",
    "[1 << 40, hex(2**63), math.comb(2**33, 2), pow(3, 10**12, 10**9 + 7), math.isqrt(10**30), sum([2**40] * 3)]",
    "[zlib.decompress(zlib.compress(b'ab')), gzip.decompress(gzip.compress(b'ab')), gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(b'ab'))).read()]",
    "lzma.LZMAFile(io.BytesIO(lzma.compress(b'ab'))).read()",
    "[hash(Bag([1, 2])) == hash(frozenset([1, 2])), struct.calcsize('<l'), array.array('q', [2**40])[0]]",
]  # fmt: skip
# As the build is: right programs that rest on these come out differently, or raise.
DIFFERENT = {
    "hash(2**31)": "1",
    "hash(2**61 - 1)": "1073741823",
    "hash(10**18)": "1126526311",
    "hash(1.5)": "1073741825",
    "sys.hash_info.modulus": "2147483647",
    "list({10**10, 5 * 10**9, 2**40, 3})": "[1099511627776, 5000000000, 3, 10000000000]",
    "[sys.getsizeof(0), sys.getsizeof([]), sys.getsizeof('')]": "[16, 28, 21]",
    "id(sys) < 2**32": "True",
    "[struct.calcsize(c) for c in 'lLPnq']": "[4, 4, 4, 4, 8]",
    "[array.array(c).itemsize for c in 'lLq']": "[4, 4, 8]",
    "len(range(10**10))": "OverflowError",
    "len(Squares())": "OverflowError",
    "[0] * 2**31": "OverflowError",
    "array.array('l', [2**31])": "OverflowError",
    "struct.pack('l', 2**31)": "error",
    "list(itertools.islice('ab', sys.maxsize))": "ValueError",
    "itertools.repeat(1, sys.maxsize)": "OverflowError",
    "collections.deque('ab', sys.maxsize)": "OverflowError",
    "'a b'.split(' ', sys.maxsize)": "OverflowError",
    "'ab'.replace('a', 'b', sys.maxsize)": "OverflowError",
    "io.StringIO('ab').read(sys.maxsize)": "OverflowError",
    "csv.field_size_limit(sys.maxsize)": "OverflowError",
}
HEADER = """
import array, bisect, collections, csv, functools, gzip, heapq, io, itertools, lzma, math, random, struct, sys, zlib
from collections.abc import Set
class Squares:
    def __len__(self): return 10**10
    def __getitem__(self, k): return k * k
class Bag(Set):
    def __init__(self, items): self.items = list(items)
    def __contains__(self, x): return x in self.items
    def __iter__(self): return iter(self.items)
    def __len__(self): return len(self.items)
    __hash__ = Set._hash
"""


def test_programs_count_beyond_32_bits_as_natively(sandbox: Sandbox) -> None:
    sources = [f"{HEADER}def f(): return {expression}" for expression in SAME]
    natively = run_natively([(source, "") for source in sources])
    jobs = [Job(str(i), source, calls=[""]) for i, source in enumerate(sources)]
    for expression, (kind, expected), result in zip(SAME, natively, sandbox.run(jobs), strict=True):
        call = result.calls[0]
        assert kind == "value", (expression, expected)
        assert equal(call.value or repr(call.error), expected), (expression, call, expected)


def test_what_32_bits_change_is_as_documented(sandbox: Sandbox) -> None:
    jobs = [Job(text, HEADER, expressions=[text]) for text in DIFFERENT]
    for (text, expected), result in zip(DIFFERENT.items(), sandbox.run(jobs), strict=True):
        call = result.calls[0]
        assert expected in {call.value, (call.error or "").partition(":")[0]}, (text, call)
