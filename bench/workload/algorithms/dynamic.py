# %% coin_change_ways_and_fewest
def f(coins, amount):
    ways = [1] + [0] * amount
    fewest = [0] + [None] * amount
    for coin in coins:
        for a in range(coin, amount + 1):
            ways[a] += ways[a - coin]
            if fewest[a - coin] is not None:
                better = fewest[a - coin] + 1
                if fewest[a] is None or better < fewest[a]:
                    fewest[a] = better
    return ways[amount], fewest[amount]
# Input: [1, 7, 10, 25], 63
# Output: (56, 6)

# %% knapsack_with_choice
def f(items, capacity):
    best = [(0, ())] * (capacity + 1)
    for name, weight, value in items:
        for room in range(capacity, weight - 1, -1):
            v, chosen = best[room - weight]
            if v + value > best[room][0]:
                best[room] = (v + value, (*chosen, name))
    return best[capacity]
# Input: [('map', 9, 150), ('tin', 13, 35), ('water', 15, 200), ('glucose', 15, 160), ('apple', 4, 39), ('rope', 7, 99)], 35
# Output: (488, ('map', 'water', 'apple', 'rope'))

# %% longest_common_subsequence
def f(a, b):
    rows = [[""] * (len(b) + 1)]
    for x in a:
        row = [""]
        for j, y in enumerate(b):
            row.append(rows[-1][j] + x if x == y else max(rows[-1][j + 1], row[j], key=len))
        rows.append(row)
    return rows[-1][-1]
# Input: 'dynamic programming', 'gradient planning'
# Output: 'dn paing'

# %% edit_script
def f(a, b):
    n, m = len(a), len(b)
    cost = [[i + j if i * j == 0 else 0 for j in range(m + 1)] for i in range(n + 1)]
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost[i][j] = min(cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]))
    steps, i, j = [], n, m
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]):
            if a[i - 1] != b[j - 1]:
                steps.append(f"{a[i - 1]}>{b[j - 1]}@{i - 1}")
            i, j = i - 1, j - 1
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            steps.append(f"-{a[i - 1]}@{i - 1}")
            i -= 1
        else:
            steps.append(f"+{b[j - 1]}@{i}")
            j -= 1
    return cost[n][m], steps[::-1]
# Input: 'intention', 'execution'
# Output: (5, ['i>e@0', 'n>x@1', 't>e@2', 'e>c@3', 'n>u@4'])

# %% patience_increasing
from bisect import bisect_left


def f(nums):
    tops, at, before = [], [], {}
    for i, x in enumerate(nums):
        k = bisect_left(tops, x)
        if k == len(tops):
            tops.append(x)
            at.append(i)
        else:
            tops[k] = x
            at[k] = i
        before[i] = at[k - 1] if k else None
    chain, i = [], at[-1]
    while i is not None:
        chain.append(nums[i])
        i = before[i]
    return chain[::-1], tops
# Input: [7, 2, 8, 1, 3, 4, 10, 6, 9, 5]
# Output: ([1, 3, 4, 6, 9], [1, 3, 4, 5, 9])

# %% matrix_chain_order
from functools import cache


def f(sizes):
    @cache
    def best(i, j):
        if i == j:
            return 0, "ABCDEFGH"[i]
        options = []
        for k in range(i, j):
            (a, left), (b, right) = best(i, k), best(k + 1, j)
            options.append((a + b + sizes[i] * sizes[k + 1] * sizes[j + 1], f"({left}{right})"))
        return min(options)

    return best(0, len(sizes) - 2)
# Input: (30, 35, 15, 5, 10, 20, 25)
# Output: (15125, '((A(BC))((DE)F))')

# %% house_robber_circle
def f(houses):
    def line(hs):
        take = skip = 0
        for h in hs:
            take, skip = skip + h, max(take, skip)
        return max(take, skip)

    return max(line(houses[1:]), line(houses[:-1])), line(houses)
# Input: [6, 1, 3, 10, 8, 2, 7]
# Output: (18, 24)

# %% word_break_sentences
def f(text, words):
    ends = {0: [[]]}
    for end in range(1, len(text) + 1):
        for start in range(end):
            if start in ends and text[start:end] in words:
                ends.setdefault(end, []).extend(s + [text[start:end]] for s in ends[start])
    return sorted(" ".join(s) for s in ends.get(len(text), []))
# Input: 'pineapplepenapple', {'apple', 'pen', 'applepen', 'pine', 'pineapple'}
# Output: ['pine apple pen apple', 'pine applepen apple', 'pineapple pen apple']

# %% burst_balloons
def f(nums):
    nums = [1, *nums, 1]
    n = len(nums)
    best = [[0] * n for _ in range(n)]
    for width in range(2, n):
        for left in range(n - width):
            right = left + width
            best[left][right] = max(
                best[left][k] + nums[left] * nums[k] * nums[right] + best[k][right]
                for k in range(left + 1, right)
            )
    return best[0][n - 1]
# Input: [3, 1, 5, 8, 2]
# Output: 192

# %% stock_with_fee_and_cooldown
def f(prices, fee):
    hold, free, rest = -prices[0], 0, 0
    for p in prices[1:]:
        hold, free, rest = max(hold, rest - p), hold + p - fee, max(rest, free)
    with_rest = max(free, rest)
    hold, free = -prices[0], 0
    for p in prices[1:]:
        hold, free = max(hold, free - p), max(free, hold + p - fee)
    return with_rest, free
# Input: [1, 3, 2, 8, 4, 9, 3, 7], 2
# Output: (7, 10)

# %% egg_drop_floors
def f(eggs, floors):
    reach, tries = [0] * (eggs + 1), 0
    while reach[eggs] < floors:
        tries += 1
        for e in range(eggs, 0, -1):
            reach[e] += reach[e - 1] + 1
    return tries, reach
# Input: 3, 200
# Output: (11, [0, 11, 66, 231])

# %% palindrome_cuts
def f(s):
    n = len(s)
    cuts = list(range(-1, n))
    for centre in range(n):
        for odd in (0, 1):
            i, j = centre, centre + odd
            while i >= 0 and j < n and s[i] == s[j]:
                cuts[j + 1] = min(cuts[j + 1], cuts[i] + 1)
                i, j = i - 1, j + 1
    return cuts[n], cuts
# Input: 'banabanacc'
# Output: (2, [-1, 0, 1, 2, 1, 0, 1, 2, 1, 2, 2])

# %% wildcard_table
def f(text, pattern):
    row = [True] + [False] * len(text)
    for p in pattern:
        new = [p == "*" and row[0]]
        for j, c in enumerate(text, 1):
            new.append(row[j] or new[j - 1] if p == "*" else row[j - 1] and p in ("?", c))
        row = new
    return row[-1], [i for i, ok in enumerate(row) if ok]
# Input: 'abcdeabce', '*b?*e'
# Output: (True, [5, 9])

# %% travelling_salesman_mask
def f(distance):
    n = len(distance)
    best = {(1, 0): (0, [0])}
    for mask in range(1, 1 << n, 2):
        for last in range(n):
            if (mask, last) in best:
                length, path = best[mask, last]
                for to in range(n):
                    if not mask >> to & 1:
                        key, new = (mask | 1 << to, to), length + distance[last][to]
                        if key not in best or new < best[key][0]:
                            best[key] = (new, path + [to])
    full = (1 << n) - 1
    return min((best[full, k][0] + distance[k][0], best[full, k][1]) for k in range(1, n))
# Input: [[0, 10, 15, 20, 9], [10, 0, 35, 25, 4], [15, 35, 0, 30, 21], [20, 25, 30, 0, 7], [9, 4, 21, 7, 0]]
# Output: (66, [0, 1, 4, 3, 2])

# %% digit_dp_count
from functools import cache


def f(limit, forbidden):
    digits = list(map(int, str(limit)))

    @cache
    def count(i, tight, previous, started):
        if i == len(digits):
            return int(started)
        total = 0
        for d in range((digits[i] if tight else 9) + 1):
            if started and (previous, d) in forbidden:
                continue
            total += count(i + 1, tight and d == digits[i], d, started or d > 0)
        return total

    forbidden = set(forbidden)
    return count(0, True, -1, False)
# Input: 123456789, [(1, 3), (4, 4), (0, 7)]
# Output: 99501597

# %% optimal_game_of_ends
def f(coins):
    n = len(coins)
    lead = list(coins)
    first = []
    for width in range(1, n):
        for i in range(n - width):
            j = i + width
            left, right = coins[i] - lead[i + 1], coins[j] - lead[i]
            lead[i] = max(left, right)
            if width == n - 1:
                first.append("left" if left > right else "right")
    return (sum(coins) + lead[0]) // 2, first
# Input: [8, 15, 3, 7, 20, 4]
# Output: (31, ['left'])

# %% text_justify_badness
def f(words, width):
    n = len(words)
    cost = [0] + [None] * n
    cut = [0] * (n + 1)
    for j in range(1, n + 1):
        length = -1
        for i in range(j - 1, -1, -1):
            length += len(words[i]) + 1
            if length > width:
                break
            bad = 0 if j == n else (width - length) ** 3
            if cost[i] is not None and (cost[j] is None or cost[i] + bad < cost[j]):
                cost[j], cut[j] = cost[i] + bad, i
    lines, j = [], n
    while j:
        lines.insert(0, " ".join(words[cut[j] : j]))
        j = cut[j]
    return cost[n], lines
# Input: ['the', 'best', 'of', 'all', 'possible', 'worlds', 'is', 'tidy'], 11
# Output: (187, ['the best', 'of all', 'possible', 'worlds is', 'tidy'])

# %% subset_sum_closest_halves
def f(weights):
    reachable = 1
    for w in weights:
        reachable |= reachable << w
    total = sum(weights)
    half = max(s for s in range(total // 2 + 1) if reachable >> s & 1)
    return total - 2 * half, half, bin(reachable).count("1") - 1
# Input: [31, 26, 33, 21, 40, 17]
# Output: (2, 83, 55)
