# %% pascal_rows_mod
def f(n, modulus):
    row, rows = [1], []
    for _ in range(n):
        rows.append("".join("#" if x % modulus else "." for x in row))
        row = [1, *(a + b for a, b in zip(row, row[1:])), 1]
    return rows
# Input: 8, 2
# Output: ['#', '##', '#.#', '####', '#...#', '##..##', '#.#.#.#', '########']

# %% nth_permutation
from math import factorial


def f(items, n):
    pool, out = sorted(items), ""
    for k in range(len(pool) - 1, -1, -1):
        i, n = divmod(n, factorial(k))
        out += pool.pop(i)
    return out
# Input: 'azrlp', 77
# Output: 'razpl'

# %% next_permutation_until_sorted
def f(xs):
    xs, seen = list(xs), []
    while True:
        i = len(xs) - 2
        while i >= 0 and xs[i] >= xs[i + 1]:
            i -= 1
        if i < 0:
            return seen
        j = len(xs) - 1
        while xs[j] <= xs[i]:
            j -= 1
        xs[i], xs[j] = xs[j], xs[i]
        xs[i + 1 :] = xs[: i : -1]
        seen.append("".join(map(str, xs)))
# Input: (1, 3, 2, 2)
# Output: ['2123', '2132', '2213', '2231', '2312', '2321', '3122', '3212', '3221']

# %% integer_partitions
def f(n, largest=None):
    if n == 0:
        return [()]
    found = []
    for part in range(min(n, largest or n), 0, -1):
        found += [(part, *rest) for rest in f(n - part, part)]
    return found
# Input: 6
# Output: [(6,), (5, 1), (4, 2), (4, 1, 1), (3, 3), (3, 2, 1), (3, 1, 1, 1), (2, 2, 2), (2, 2, 1, 1), (2, 1, 1, 1, 1), (1, 1, 1, 1, 1, 1)]

# %% partition_numbers_pentagonal
def f(n):
    p = [1]
    for i in range(1, n + 1):
        total, k = 0, 1
        while k * (3 * k - 1) // 2 <= i:
            sign = 1 if k % 2 else -1
            total += sign * p[i - k * (3 * k - 1) // 2]
            if k * (3 * k + 1) // 2 <= i:
                total += sign * p[i - k * (3 * k + 1) // 2]
            k += 1
        p.append(total)
    return p[-1], p[:11]
# Input: 150
# Output: (40853235313, [1, 1, 2, 3, 5, 7, 11, 15, 22, 30, 42])

# %% catalan_parentheses
def f(n):
    out = []

    def build(text, opened, closed):
        if closed == n:
            out.append(text)
            return
        if opened < n:
            build(text + "(", opened + 1, closed)
        if closed < opened:
            build(text + ")", opened, closed + 1)

    build("", 0, 0)
    return len(out), out[:4], out[-1]
# Input: 6
# Output: (132, ['(((((())))))', '((((()()))))', '((((())())))', '((((()))()))'], '()()()()()()')

# %% derangements
from itertools import permutations


def f(n):
    by_list = sum(all(i != p for i, p in enumerate(q)) for q in permutations(range(n)))
    a, b = 1, 0
    for k in range(2, n + 1):
        a, b = b, (k - 1) * (a + b)
    return by_list, b
# Input: 6
# Output: (265, 265)

# %% combinations_by_hand
def f(items, k):
    if k == 0:
        yield_ = [()]
    elif len(items) < k:
        yield_ = []
    else:
        head, rest = items[0], items[1:]
        yield_ = [(head, *tail) for tail in f(rest, k - 1)] + f(rest, k)
    return yield_
# Input: 'abcd', 2
# Output: [('a', 'b'), ('a', 'c'), ('a', 'd'), ('b', 'c'), ('b', 'd'), ('c', 'd')]

# %% binary_necklaces
def f(n):
    seen, names = set(), []
    for code in range(1 << n):
        word = f"{code:0{n}b}"
        smallest = min(word[i:] + word[:i] for i in range(n))
        if smallest not in seen:
            seen.add(smallest)
            names.append(smallest)
    return len(names), names
# Input: 5
# Output: (8, ['00000', '00001', '00011', '00101', '00111', '01011', '01111', '11111'])

# %% de_bruijn
def f(alphabet, n):
    k, word = len(alphabet), []
    a = [0] * k * n

    def db(t, p):
        if t > n:
            if n % p == 0:
                word.extend(a[1 : p + 1])
        else:
            a[t] = a[t - p]
            db(t + 1, p)
            for j in range(a[t - p] + 1, k):
                a[t] = j
                db(t + 1, t)

    db(1, 1)
    text = "".join(alphabet[i] for i in word)
    windows = {(text * 2)[i : i + n] for i in range(len(text))}
    return text, len(windows) == k**n
# Input: 'abc', 3
# Output: ('aaabaacabbabcacbaccbbbcbccc', True)

# %% lattice_paths_with_holes
def f(width, height, holes):
    holes = set(map(tuple, holes))
    ways = {(0, 0): 1}
    for y in range(height + 1):
        for x in range(width + 1):
            if (x, y) in holes:
                ways[x, y] = 0
            elif (x, y) != (0, 0):
                ways[x, y] = ways.get((x - 1, y), 0) + ways.get((x, y - 1), 0)
    return ways[width, height]
# Input: 9, 7, [[3, 2], [4, 4], [8, 1]]
# Output: 4517

# %% birthday_probability
def f(days, limit):
    chance, people = 1.0, 0
    while 1 - chance < limit:
        chance *= (days - people) / days
        people += 1
    return people, round(1 - chance, 6)
# Input: 365, 0.5
# Output: (23, 0.507297)

# %% dice_sum_distribution
def f(dice):
    ways = {0: 1}
    for sides in dice:
        new = {}
        for total, n in ways.items():
            for face in range(1, sides + 1):
                new[total + face] = new.get(total + face, 0) + n
        ways = new
    most = max(ways.values())
    return ways, [t for t, n in ways.items() if n == most], sum(ways.values())
# Input: [4, 6, 6]
# Output: ({3: 1, 4: 3, 5: 6, 6: 10, 7: 14, 8: 18, 9: 20, 10: 20, 11: 18, 12: 14, 13: 10, 14: 6, 15: 3, 16: 1}, [9, 10], 144)

# %% inclusion_exclusion_multiples
from itertools import combinations
from math import lcm, prod


def f(limit, divisors):
    total = 0
    for k in range(1, len(divisors) + 1):
        for group in combinations(divisors, k):
            total += (-1) ** (k + 1) * (limit // lcm(*group))
    brute = sum(any(n % d == 0 for d in divisors) for n in range(1, limit + 1))
    return total, brute, prod(divisors)
# Input: 1000, [6, 10, 15, 4]
# Output: (399, 399, 3600)

# %% young_tableau_hooks
from math import factorial, prod


def f(shape):
    columns = [sum(row > c for row in shape) for c in range(shape[0])]
    hooks = [[row - c + columns[c] - r - 1 for c in range(row)] for r, row in enumerate(shape)]
    return hooks, factorial(sum(shape)) // prod(h for row in hooks for h in row)
# Input: (5, 4, 1)
# Output: ([[7, 5, 4, 3, 1], [5, 3, 2, 1], [1]], 288)

# %% secret_santa_cycles
def f(gives_to):
    cycles, todo = [], set(gives_to)
    for start in sorted(gives_to):
        if start in todo:
            cycle, at = [], start
            while at in todo:
                todo.discard(at)
                cycle.append(at)
                at = gives_to[at]
            cycles.append(cycle)
    order = 1
    for c in cycles:
        a, b = order, len(c)
        while b:
            a, b = b, a % b
        order = order * len(c) // a
    return cycles, order, (-1) ** sum(len(c) - 1 for c in cycles)
# Input: {'a': 'c', 'b': 'e', 'c': 'd', 'd': 'a', 'e': 'b', 'f': 'f'}
# Output: ([['a', 'c', 'd'], ['b', 'e'], ['f']], 6, -1)
