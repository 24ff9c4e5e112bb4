# %% disjoint_sets_by_size
class Sets:
    def __init__(self, n):
        self.up, self.size, self.count = list(range(n)), [1] * n, n

    def find(self, x):
        while self.up[x] != x:
            self.up[x] = self.up[self.up[x]]
            x = self.up[x]
        return x

    def join(self, a, b):
        a, b = self.find(a), self.find(b)
        if a == b:
            return False
        if self.size[a] < self.size[b]:
            a, b = b, a
        self.up[b] = a
        self.size[a] += self.size[b]
        self.count -= 1
        return True


def f(n, links):
    sets = Sets(n)
    useless = [link for link in links if not sets.join(*link)]
    return sets.count, useless, max(sets.size), [sets.find(i) for i in range(n)]
# Input: 9, [(0, 1), (2, 3), (1, 3), (0, 2), (4, 5), (6, 7), (7, 4), (5, 6)]
# Output: (3, [(0, 2), (5, 6)], 4, [0, 0, 0, 0, 6, 6, 6, 6, 8])

# %% fenwick_tree
class Fenwick:
    def __init__(self, n):
        self.tree = [0] * (n + 1)

    def add(self, i, delta):
        i += 1
        while i < len(self.tree):
            self.tree[i] += delta
            i += i & -i

    def upto(self, i):
        total = 0
        while i:
            total += self.tree[i]
            i &= i - 1
        return total


def f(values, operations):
    tree, out = Fenwick(len(values)), []
    for i, v in enumerate(values):
        tree.add(i, v)
    for kind, a, b in operations:
        if kind == "sum":
            out.append(tree.upto(b) - tree.upto(a))
        else:
            tree.add(a, b)
    return out, tree.tree
# Input: [5, 3, 7, 9, 6, 4, 1, 2], [('sum', 0, 8), ('add', 3, -9), ('sum', 2, 5), ('add', 0, 100), ('sum', 0, 4)]
# Output: ([37, 13, 115], [0, 105, 108, 7, 115, 6, 10, 1, 128])

# %% segment_tree_lazy
class Ranges:
    def __init__(self, values):
        self.n = 1
        while self.n < len(values):
            self.n *= 2
        self.top = [-(10**9)] * (2 * self.n)
        self.late = [0] * (2 * self.n)
        self.top[self.n : self.n + len(values)] = values
        for i in range(self.n - 1, 0, -1):
            self.top[i] = max(self.top[2 * i], self.top[2 * i + 1])

    def visit(self, lo, hi, delta=None, node=1, a=0, b=None):
        b = self.n if b is None else b
        if hi <= a or b <= lo:
            return -(10**9)
        if lo <= a and b <= hi:
            if delta:
                self.top[node] += delta
                self.late[node] += delta
            return self.top[node]
        mid = (a + b) // 2
        found = max(
            self.visit(lo, hi, delta, 2 * node, a, mid),
            self.visit(lo, hi, delta, 2 * node + 1, mid, b),
        )
        if delta:
            self.top[node] = max(self.top[2 * node], self.top[2 * node + 1]) + self.late[node]
        return found + self.late[node]


def f(values, operations):
    tree, out = Ranges(values), []
    for lo, hi, *delta in operations:
        found = tree.visit(lo, hi, *delta)
        if not delta:
            out.append(found)
    return out
# Input: [2, 8, -3, 5, 5, 1], [(0, 6), (0, 3, -10), (0, 6), (2, 5, 4), (2, 4), (5, 6, 20), (0, 6), (0, 2)]
# Output: [8, 5, 9, 21, -2]

# %% lru_cache_linked
class Cache:
    def __init__(self, room):
        self.room, self.map = room, {}
        self.head = {"key": None}
        self.head["next"] = self.head["prev"] = self.head

    def _cut(self, n):
        n["prev"]["next"], n["next"]["prev"] = n["next"], n["prev"]

    def _front(self, n):
        first = self.head["next"]
        n["prev"], n["next"] = self.head, first
        self.head["next"] = first["prev"] = n

    def get(self, key):
        if key not in self.map:
            return -1
        node = self.map[key]
        self._cut(node)
        self._front(node)
        return node["value"]

    def put(self, key, value):
        if self.get(key) != -1:
            self.map[key]["value"] = value
            return
        if len(self.map) == self.room:
            last = self.head["prev"]
            self._cut(last)
            del self.map[last["key"]]
        self.map[key] = {"key": key, "value": value}
        self._front(self.map[key])


def f(room, calls):
    cache = Cache(room)
    answers = [cache.get(*c) if len(c) == 1 else cache.put(*c) for c in calls]
    return answers, sorted(cache.map)
# Input: 2, [(1, 10), (2, 20), (1,), (3, 30), (2,), (1, 11), (4, 40), (3,), (1,)]
# Output: ([None, None, 10, None, -1, None, None, -1, 11], [1, 4])

# %% binary_heap_with_decrease
class Heap:
    def __init__(self):
        self.items, self.at = [], {}

    def _swap(self, i, j):
        self.items[i], self.items[j] = self.items[j], self.items[i]
        self.at[self.items[i][1]], self.at[self.items[j][1]] = i, j

    def _up(self, i):
        while i and self.items[i] < self.items[(i - 1) // 2]:
            self._swap(i, (i - 1) // 2)
            i = (i - 1) // 2

    def push(self, key, name):
        self.at[name] = len(self.items)
        self.items.append((key, name))
        self._up(len(self.items) - 1)

    def decrease(self, name, key):
        i = self.at[name]
        self.items[i] = (key, name)
        self._up(i)

    def pop(self):
        self._swap(0, len(self.items) - 1)
        key, name = self.items.pop()
        del self.at[name]
        i = 0
        while True:
            small = min((c for c in (i, 2 * i + 1, 2 * i + 2) if c < len(self.items)), key=self.items.__getitem__, default=i)
            if small == i:
                return name
            self._swap(i, small)
            i = small


def f(entries, decreases):
    heap = Heap()
    for key, name in entries:
        heap.push(key, name)
    for name, key in decreases:
        heap.decrease(name, key)
    return "".join(heap.pop() for _ in range(len(entries)))
# Input: [(5, 'a'), (9, 'b'), (3, 'c'), (7, 'd'), (8, 'e'), (6, 'f')], [('e', 1), ('b', 4)]
# Output: 'ecbafd'

# %% skip_list_deterministic
class Skip:
    def __init__(self, levels):
        self.heads = [[] for _ in range(levels)]

    def insert(self, x):
        for level, row in enumerate(self.heads):
            if x % 2**level == 0:
                i = 0
                while i < len(row) and row[i] < x:
                    i += 1
                row.insert(i, x)

    def find(self, x):
        steps, low = 0, None
        for row in reversed(self.heads):
            for y in row:
                if low is not None and y <= low:
                    continue
                steps += 1
                if y == x:
                    return True, steps
                if y > x:
                    break
                low = y
        return False, steps


def f(values, wanted):
    skip = Skip(4)
    for v in values:
        skip.insert(v)
    return skip.heads, [skip.find(w) for w in wanted]
# Input: [12, 3, 8, 25, 16, 40, 7, 24, 6, 19], [24, 7, 20]
# Output: ([[3, 6, 7, 8, 12, 16, 19, 24, 25, 40], [6, 8, 12, 16, 24, 40], [8, 12, 16, 24, 40], [8, 16, 24, 40]], [(True, 3), (True, 5), (False, 7)])

# %% persistent_stack_versions
class Stack:
    __slots__ = ("top", "below", "depth")

    def __init__(self, top=None, below=None):
        self.top, self.below = top, below
        self.depth = below.depth + 1 if below else 0

    def push(self, x):
        return Stack(x, self)

    def pop(self):
        return self.below or self


def f(operations):
    versions = [Stack()]
    for version, *push in operations:
        old = versions[version]
        versions.append(old.push(*push) if push else old.pop())
    shared = sum(v.below is w for v in versions for w in versions)
    return [(v.depth, v.top) for v in versions], shared
# Input: [(0, 'a'), (1, 'b'), (1, 'c'), (2,), (3, 'd'), (0,), (5,)]
# Output: ([(0, None), (1, 'a'), (2, 'b'), (2, 'c'), (1, 'a'), (3, 'd'), (0, None), (2, 'c')], 12)

# %% text_buffer_with_undo
class Buffer:
    def __init__(self):
        self.text, self.done, self.undone = "", [], []

    def edit(self, at, cut, put):
        self.done.append((at, put, self.text[at : at + cut]))
        self.undone.clear()
        self._apply(at, cut, put)

    def _apply(self, at, cut, put):
        self.text = self.text[:at] + put + self.text[at + cut :]

    def undo(self):
        if self.done:
            at, put, old = self.done.pop()
            self.undone.append((at, old, put))
            self._apply(at, len(put), old)

    def redo(self):
        if self.undone:
            at, old, put = self.undone.pop()
            self.done.append((at, put, old))
            self._apply(at, len(old), put)


def f(steps):
    buffer, seen = Buffer(), []
    for step in steps:
        if step == "u":
            buffer.undo()
        elif step == "r":
            buffer.redo()
        else:
            buffer.edit(*step)
        seen.append(buffer.text)
    return seen
# Input: [(0, 0, 'hello'), (5, 0, ' world'), (0, 1, 'J'), 'u', 'u', 'r', (0, 5, 'bye'), 'r', 'u', 'u', 'u', 'u']
# Output: ['hello', 'hello world', 'Jello world', 'hello world', 'hello', 'hello world', 'bye world', 'bye world', 'hello world', 'hello', '', '']

# %% sparse_polynomials
class Poly(dict):
    def __missing__(self, power):
        return 0

    def __add__(self, other):
        return Poly({p: c for p in {*self, *other} if (c := self[p] + other[p])})

    def __mul__(self, other):
        out = Poly()
        for p, a in self.items():
            for q, b in other.items():
                out[p + q] += a * b
        return Poly({p: c for p, c in out.items() if c})

    def __call__(self, x):
        return sum(c * x**p for p, c in self.items())

    def __str__(self):
        return " + ".join(f"{c}x^{p}" for p, c in sorted(self.items(), reverse=True)) or "0"


def f(a, b, x):
    a, b = Poly(a), Poly(b)
    square = (a + b) * (a + b)
    return str(a * b), str(square), square(x) == (a(x) + b(x)) ** 2, str(a + Poly({p: -c for p, c in a.items()}))
# Input: {2: 1, 0: -3}, {50: 2, 1: 1}, 3
# Output: ('2x^52 + -6x^50 + 1x^3 + -3x^1', '4x^100 + 4x^52 + 4x^51 + -12x^50 + 1x^4 + 2x^3 + -5x^2 + -6x^1 + 9x^0', True, '0')

# %% queue_from_two_stacks
class Queue:
    def __init__(self):
        self.front, self.back, self.moves = [], [], 0

    def put(self, x):
        self.back.append(x)

    def get(self):
        if not self.front:
            while self.back:
                self.front.append(self.back.pop())
                self.moves += 1
        return self.front.pop() if self.front else None


def f(script):
    queue, out = Queue(), ""
    for c in script:
        if c == "-":
            out += queue.get() or "?"
        else:
            queue.put(c)
    return out, queue.moves, queue.front, queue.back
# Input: 'ab-c--d-e-f-----gh'
# Output: ('abcdef????', 6, [], ['g', 'h'])

# %% huffman_codes
import heapq


def f(text):
    counts = {}
    for c in text:
        counts[c] = counts.get(c, 0) + 1
    heap = [(n, c, c) for c, n in counts.items()]
    heapq.heapify(heap)
    while len(heap) > 1:
        n1, c1, left = heapq.heappop(heap)
        n2, c2, right = heapq.heappop(heap)
        heapq.heappush(heap, (n1 + n2, min(c1, c2), (left, right)))
    codes, todo = {}, [(heap[0][2], "")]
    for node, code in todo:
        if isinstance(node, str):
            codes[node] = code or "0"
        else:
            todo += [(node[0], code + "0"), (node[1], code + "1")]
    packed = "".join(codes[c] for c in text)
    return dict(sorted(codes.items())), len(packed), packed[:16]
# Input: 'abracadabra alakazam'
# Output: ({' ': '11010', 'a': '0', 'b': '1110', 'c': '11011', 'd': '11110', 'k': '11111', 'l': '1000', 'm': '1001', 'r': '101', 'z': '1100'}, 55, '0111010101101101')
