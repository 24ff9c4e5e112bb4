# %% power_set_by_size
def f(items):
    subsets = [frozenset()]
    for x in sorted(items):
        subsets += [s | {x} for s in subsets]
    return sorted((sorted(s) for s in subsets), key=lambda s: (len(s), s))
# Input: {3, 1, 2}
# Output: [[], [1], [2], [3], [1, 2], [1, 3], [2, 3], [1, 2, 3]]

# %% set_algebra_words
def f(a, b, c):
    a, b, c = set(a), set(b), set(c)
    return {
        "all": a & b & c,
        "one": (a | b | c) - (a & b) - (a & c) - (b & c),
        "sym": a ^ b,
        "sub": (a & b) <= b,
        "apart": a.isdisjoint(c - a),
    }
# Input: 'banana', 'bandana', 'cabana'
# Output: {'all': {'b', 'n', 'a'}, 'one': {'d', 'c'}, 'sym': {'d'}, 'sub': True, 'apart': True}

# %% jaccard_pairs
from itertools import combinations


def f(texts):
    sets = {t: {t[i : i + 2] for i in range(len(t) - 1)} for t in texts}
    scored = [(round(len(sets[a] & sets[b]) / len(sets[a] | sets[b]), 3), a, b) for a, b in combinations(texts, 2)]
    return sorted(scored, reverse=True)[:3]
# Input: ['night', 'nacht', 'light', 'knight', 'slight']
# Output: [(0.8, 'night', 'knight'), (0.8, 'light', 'slight'), (0.6, 'night', 'light')]

# %% happy_numbers
def f(limit):
    happy = []
    for n in range(1, limit):
        seen, x = set(), n
        while x != 1 and x not in seen:
            seen.add(x)
            x = sum(int(d) ** 2 for d in str(x))
        if x == 1:
            happy.append(n)
    return happy
# Input: 60
# Output: [1, 7, 10, 13, 19, 23, 28, 31, 32, 44, 49]

# %% longest_consecutive
def f(nums):
    pool, best = set(nums), []
    for n in pool:
        if n - 1 not in pool:
            end = n
            while end + 1 in pool:
                end += 1
            if end - n + 1 > len(best):
                best = list(range(n, end + 1))
    return best
# Input: [100, 4, 200, 1, 3, 2, 101, 201, 102]
# Output: [1, 2, 3, 4]

# %% union_by_overlap
def f(groups):
    merged = []
    for group in map(set, groups):
        apart = []
        for other in merged:
            if group & other:
                group |= other
            else:
                apart.append(other)
        merged = [*apart, group]
    return sorted(map(sorted, merged))
# Input: [[1, 2], [3, 4], [5], [2, 3], [6, 5], [7]]
# Output: [[1, 2, 3, 4], [5, 6], [7]]

# %% tuple_sorting_mixed
def f(people):
    by_age = sorted(people, key=lambda p: p[1])
    by_both = sorted(by_age, key=lambda p: p[0][0])
    oldest, *others = by_age[::-1]
    return by_both, oldest, len(others), max(people, key=lambda p: (len(p[0]), -p[1]))
# Input: [('cora', 30), ('abe', 41), ('carl', 22), ('amy', 41)]
# Output: ([('abe', 41), ('amy', 41), ('carl', 22), ('cora', 30)], ('amy', 41), 3, ('carl', 22))

# %% nested_unpacking
def f(rows):
    out = []
    for (a, (b, *c)), *d in rows:
        out.append((a, b, c, d))
    (first, *_), last = out[0], out[-1]
    return out, first, last[-1]
# Input: [((1, 'xyz'), 9, 8), ((2, [3]),), ((4, (5, 6)), None)]
# Output: ([(1, 'x', ['y', 'z'], [9, 8]), (2, 3, [], []), (4, 5, [6], [None])], 1, [None])

# %% set_cover_greedy
def f(universe, subsets):
    left, chosen = set(universe), []
    while left:
        name = max(sorted(subsets), key=lambda n: len(left & subsets[n]))
        gain = left & subsets[name]
        if not gain:
            return chosen, sorted(left)
        chosen.append(name)
        left -= gain
    return chosen, []
# Input: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], {'a': {1, 2, 3, 8}, 'b': {1, 2, 3, 4, 5}, 'c': {4, 5, 7}, 'd': {5, 6, 7}, 'e': {6, 7, 8, 9}}
# Output: (['b', 'e'], [10])

# %% pareto_front
def f(points):
    return sorted(
        p for p in points
        if not any(all(a <= b for a, b in zip(q, p)) and q != p for q in points)
    )
# Input: [(1, 9), (2, 7), (3, 8), (4, 3), (5, 5), (8, 2), (9, 9)]
# Output: [(1, 9), (2, 7), (4, 3), (8, 2)]

# %% sum_free_greedy
def f(n, size):
    chosen, sums = [], set()
    while len(chosen) < size:
        if n not in sums:
            sums |= {n + c for c in chosen}
            chosen.append(n)
        n += 1
    return chosen
# Input: 2, 9
# Output: [2, 3, 4, 8, 9, 14, 15, 20, 21]

# %% golomb_ruler_check
def f(marks):
    seen = {}
    for i, a in enumerate(marks):
        for b in marks[i + 1 :]:
            if b - a in seen:
                return False, seen[b - a], (a, b)
            seen[b - a] = (a, b)
    return True, sorted(set(range(1, marks[-1] + 1)) - seen.keys())
# Input: (0, 1, 4, 9, 11)
# Output: (True, [6])

# %% comparison_of_sequences
def f():
    facts = [
        (1, 2, 3) < (1, 2, 4),
        (1, 2) < (1, 2, -1),
        [1, [2, 3]] == [1.0, [2, 3]],
        {1, 2} < {2, 1},
        {1, 2} <= {2, 1, 3},
        "Zebra" < "apple",
        (0, "b") > (0, "a", 1),
        max([], default=None) is None,
        b"ab" < b"b",
    ]
    return "".join("01"[x] for x in facts)
# Input:
# Output: '111011111'

# %% seating_conflicts
def f(guests, quarrels):
    quarrels = set(map(frozenset, quarrels))
    tables = []
    for guest in guests:
        for table in tables:
            if not any(frozenset((guest, other)) in quarrels for other in table):
                table.add(guest)
                break
        else:
            tables.append({guest})
    return [sorted(t) for t in tables]
# Input: ['a', 'b', 'c', 'd', 'e'], ['ab', 'bc', 'ac', 'de']
# Output: [['a', 'd'], ['b', 'e'], ['c']]

# %% multiset_difference
def f(a, b):
    rest = list(a)
    for x in b:
        if x in rest:
            rest.remove(x)
    return tuple(rest), sorted(set(a).difference(b))
# Input: (1, 2, 2, 3, 3, 3, 4), (2, 3, 3, 9)
# Output: ((1, 2, 3, 4), [1, 4])
