# %% quicksort_three_way
def f(xs):
    swaps = 0

    def sort(lo, hi):
        nonlocal swaps
        if lo >= hi:
            return
        pivot, lt, i, gt = xs[lo], lo, lo + 1, hi
        while i <= gt:
            if xs[i] < pivot:
                xs[lt], xs[i] = xs[i], xs[lt]
                lt, i, swaps = lt + 1, i + 1, swaps + 1
            elif xs[i] > pivot:
                xs[i], xs[gt] = xs[gt], xs[i]
                gt, swaps = gt - 1, swaps + 1
            else:
                i += 1
        sort(lo, lt - 1)
        sort(gt + 1, hi)

    sort(0, len(xs) - 1)
    return xs, swaps
# Input: [4, 9, 4, 4, 1, 9, 4, 4, 9, 4, 4, 1, 4]
# Output: ([1, 1, 4, 4, 4, 4, 4, 4, 4, 4, 9, 9, 9], 5)

# %% heapsort_by_hand
def f(xs):
    def sink(i, n):
        while (child := 2 * i + 1) < n:
            if child + 1 < n and xs[child] < xs[child + 1]:
                child += 1
            if xs[i] >= xs[child]:
                return
            xs[i], xs[child] = xs[child], xs[i]
            i = child

    n = len(xs)
    for i in range(n // 2 - 1, -1, -1):
        sink(i, n)
    heap = xs[:]
    for end in range(n - 1, 0, -1):
        xs[0], xs[end] = xs[end], xs[0]
        sink(0, end)
    return heap, xs
# Input: [5, 13, 2, 25, 7, 17, 20, 8, 4]
# Output: ([25, 13, 20, 8, 7, 17, 2, 5, 4], [2, 4, 5, 7, 8, 13, 17, 20, 25])

# %% radix_sort_words
def f(words):
    width = max(map(len, words))
    passes = []
    for place in range(width - 1, -1, -1):
        buckets = {}
        for w in words:
            buckets.setdefault(w[place] if place < len(w) else "", []).append(w)
        words = [w for key in sorted(buckets) for w in buckets[key]]
        passes.append(words[0])
    return words, passes
# Input: ['dab', 'cab', 'fad', 'bad', 'dad', 'ebb', 'a', 'ace', 'add', 'fed', 'bed', 'be', 'bee']
# Output: (['a', 'ace', 'add', 'bad', 'be', 'bed', 'bee', 'cab', 'dab', 'dad', 'ebb', 'fad', 'fed'], ['a', 'a', 'a'])

# %% counting_sort_stable
def f(records, key):
    keys = [r[key] for r in records]
    low = min(keys)
    counts = [0] * (max(keys) - low + 2)
    for k in keys:
        counts[k - low + 1] += 1
    for i in range(1, len(counts)):
        counts[i] += counts[i - 1]
    out = [None] * len(records)
    for r in records:
        at = counts[r[key] - low]
        out[at] = r
        counts[r[key] - low] += 1
    return out
# Input: [('x', 3), ('y', -1), ('z', 3), ('w', 0), ('v', -1)], 1
# Output: [('y', -1), ('v', -1), ('w', 0), ('x', 3), ('z', 3)]

# %% shell_sort_gaps
def f(xs):
    gap, moves, gaps = 1, 0, []
    while gap < len(xs) // 3:
        gap = 3 * gap + 1
    while gap:
        gaps.append(gap)
        for i in range(gap, len(xs)):
            x, j = xs[i], i
            while j >= gap and xs[j - gap] > x:
                xs[j] = xs[j - gap]
                j -= gap
                moves += 1
            xs[j] = x
        gap //= 3
    return "".join(xs), moves, gaps
# Input: ['s', 'h', 'e', 'l', 'l', 's', 'o', 'r', 't', 'e', 'x', 'a', 'm', 'p', 'l', 'e']
# Output: ('aeeehlllmoprsstx', 35, [13, 4, 1])

# %% quickselect_kth
def f(xs, k):
    xs, rounds = list(xs), 0
    while True:
        rounds += 1
        pivot = xs[len(xs) // 2]
        smaller = [x for x in xs if x < pivot]
        same = xs.count(pivot)
        if k < len(smaller):
            xs = smaller
        elif k < len(smaller) + same:
            return pivot, rounds
        else:
            k -= len(smaller) + same
            xs = [x for x in xs if x > pivot]
# Input: [31, 8, 48, 73, 11, 3, 20, 29, 65, 15], 6
# Output: (31, 7)

# %% search_in_sorted_matrix
def f(matrix, targets):
    found = {}
    for t in targets:
        r, c, steps = 0, len(matrix[0]) - 1, 0
        while r < len(matrix) and c >= 0:
            steps += 1
            if matrix[r][c] == t:
                found[t] = (r, c, steps)
                break
            if matrix[r][c] > t:
                c -= 1
            else:
                r += 1
        else:
            found[t] = steps
    return found
# Input: [[1, 4, 7, 11], [2, 5, 8, 12], [3, 6, 9, 16], [10, 13, 14, 17]], [5, 14, 15]
# Output: {5: (1, 1, 4), 14: (3, 2, 5), 15: 5}

# %% ship_capacity_by_bisection
def f(weights, days):
    def needed(capacity):
        used, load = 1, 0
        for w in weights:
            if load + w > capacity:
                used, load = used + 1, 0
            load += w
        return used

    lo, hi = max(weights), sum(weights)
    while lo < hi:
        mid = (lo + hi) // 2
        if needed(mid) <= days:
            hi = mid
        else:
            lo = mid + 1
    return lo, needed(lo), needed(lo - 1)
# Input: [3, 2, 2, 4, 1, 4, 9, 5, 7], 4
# Output: (12, 4, 5)

# %% median_of_two_sorted
def f(a, b):
    if len(a) > len(b):
        a, b = b, a
    lo, hi, half = 0, len(a), (len(a) + len(b) + 1) // 2
    while True:
        i = (lo + hi) // 2
        j = half - i
        if i < len(a) and j > 0 and b[j - 1] > a[i]:
            lo = i + 1
        elif i > 0 and j < len(b) and a[i - 1] > b[j]:
            hi = i - 1
        else:
            left = max(a[i - 1 : i] + b[j - 1 : j]) if i and j else (a[i - 1] if i else b[j - 1])
            if (len(a) + len(b)) % 2:
                return left
            return (left + min(a[i : i + 1] + b[j : j + 1])) / 2
# Input: [1, 5, 9, 22], [2, 3, 8, 10, 11, 30]
# Output: 8.5

# %% interval_scheduling
def f(talks):
    chosen, free = [], 0
    for name, start, end in sorted(talks, key=lambda t: (t[2], t[1])):
        if start >= free:
            chosen.append(name)
            free = end
    rooms, ends = 0, []
    for _, start, end in sorted(talks, key=lambda t: t[1]):
        ends = [e for e in ends if e > start] + [end]
        rooms = max(rooms, len(ends))
    return chosen, rooms
# Input: [('a', 1, 4), ('b', 3, 5), ('c', 0, 6), ('d', 5, 7), ('e', 3, 8), ('f', 6, 10), ('g', 8, 11)]
# Output: (['a', 'd', 'g'], 4)

# %% natural_string_order
def f(names):
    def key(name):
        parts, word = [], ""
        for c in name.lower() + "\0":
            if word and c.isdigit() != word[-1].isdigit():
                parts.append((0, int(word), "") if word.isdigit() else (1, 0, word))
                word = ""
            word += c
        return parts

    return sorted(names, key=key)
# Input: ['file10.txt', 'File2.txt', 'file1a.txt', 'file1.txt', '3d', '12', 'file02.md']
# Output: ['3d', '12', 'file1a.txt', 'file1.txt', 'File2.txt', 'file02.md', 'file10.txt']

# %% topn_with_ties
def f(scores, n):
    ranked = sorted(scores, key=lambda s: (-s[1], s[0]))
    if len(ranked) <= n:
        return ranked
    cut = ranked[n - 1][1]
    return [s for s in ranked if s[1] >= cut]
# Input: [('z', 3), ('b', 9), ('a', 7), ('c', 7), ('d', 7), ('e', 1)], 2
# Output: [('b', 9), ('a', 7), ('c', 7), ('d', 7)]

# %% bubble_sort_networks
def f(n):
    comparators = [(i, i + 1) for end in range(n - 1, 0, -1) for i in range(end)]

    def sorts(network):
        for code in range(1 << n):
            bits = [code >> i & 1 for i in range(n)]
            for i, j in network:
                if bits[i] > bits[j]:
                    bits[i], bits[j] = bits[j], bits[i]
            if bits != sorted(bits):
                return False
        return True

    needed = [k for k in range(len(comparators)) if not sorts(comparators[:k] + comparators[k + 1 :])]
    return sorts(comparators), len(comparators), needed
# Input: 5
# Output: (True, 10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])

# %% dutch_flag_with_log
def f(colours):
    order = {"r": 0, "w": 1, "b": 2}
    balls, log = list(colours), []
    lo, mid, hi = 0, 0, len(balls) - 1
    while mid <= hi:
        kind = order[balls[mid]]
        if kind == 0:
            balls[lo], balls[mid] = balls[mid], balls[lo]
            lo, mid = lo + 1, mid + 1
        elif kind == 1:
            mid += 1
        else:
            balls[mid], balls[hi] = balls[hi], balls[mid]
            hi -= 1
            log.append("".join(balls))
    return "".join(balls), log
# Input: 'bwrrbwbr'
# Output: ('rrrwwbbb', ['rwrrbwbb', 'rrrwbwbb', 'rrrwwbbb'])

# %% external_merge_runs
def f(stream, memory):
    runs, current, waiting = [], [], []
    heap, rest = sorted(stream[:memory]), list(stream[memory:])
    while heap:
        smallest = heap.pop(0)
        current.append(smallest)
        if rest:
            x = rest.pop(0)
            if x >= smallest:
                heap.append(x)
                heap.sort()
            else:
                waiting.append(x)
        if not heap:
            runs.append(current)
            current, heap, waiting = [], sorted(waiting), []
    return runs
# Input: [29, 14, 35, 13, 17, 10, 42, 5, 31, 36, 9, 51], 3
# Output: [[14, 29, 35], [10, 13, 17, 31, 36, 42, 51], [5, 9]]

# %% h_index_and_relatives
def f(citations):
    ranked = sorted(citations, reverse=True)
    h = sum(c >= i for i, c in enumerate(ranked, 1))
    g, running = 0, 0
    for i, c in enumerate(ranked, 1):
        running += c
        if running >= i * i:
            g = i
    return h, g, sum(c >= 10 for c in ranked)
# Input: [25, 8, 5, 3, 3, 11, 0, 17]
# Output: (5, 8, 3)

# %% interval_map
from bisect import bisect_left, bisect_right


class Calendar:
    def __init__(self):
        self.starts, self.ends, self.names = [], [], []

    def book(self, start, end, name):
        i = bisect_right(self.ends, start)
        j = bisect_left(self.starts, end)
        if i != j:
            return self.names[i:j]
        self.starts.insert(i, start)
        self.ends.insert(i, end)
        self.names.insert(i, name)
        return True

    def free(self, lo, hi):
        edges = [lo, *(x for pair in zip(self.starts, self.ends) for x in pair), hi]
        return [(a, b) for a, b in zip(edges[::2], edges[1::2]) if a < b]


def f(requests):
    calendar = Calendar()
    return [calendar.book(*r) for r in requests], calendar.free(8, 18)
# Input: [(9, 10, 'a'), (12, 14, 'b'), (9, 11, 'c'), (10, 12, 'd'), (8, 18, 'e'), (16, 17, 'g')]
# Output: ([True, True, ['a'], True, ['a', 'd', 'b'], True], [(8, 9), (14, 16), (17, 18)])
