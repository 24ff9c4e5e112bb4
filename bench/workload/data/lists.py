# %% rotate_in_place
def f(xs, k):
    def reverse(i, j):
        while i < j:
            xs[i], xs[j] = xs[j], xs[i]
            i, j = i + 1, j - 1

    n = len(xs)
    k %= n
    reverse(0, n - 1)
    reverse(0, k - 1)
    reverse(k, n - 1)
    return xs
# Input: [1, 2, 3, 4, 5, 6, 7], -2
# Output: [3, 4, 5, 6, 7, 1, 2]

# %% moving_average
def f(values, window):
    total, out = 0.0, []
    for i, v in enumerate(values):
        total += v
        if i >= window:
            total -= values[i - window]
        if i >= window - 1:
            out.append(round(total / window, 3))
    return out
# Input: [3, 5, 2, 8, 13, -1, 0.5], 3
# Output: [3.333, 5.0, 7.667, 6.667, 4.167]

# %% flatten_with_depths
def f(nested, depth=0):
    out = []
    for item in nested:
        out += f(item, depth + 1) if isinstance(item, list) else [(item, depth)]
    return out
# Input: [1, [2, [3, []], 4], [[[5]]]]
# Output: [(1, 0), (2, 1), (3, 2), (4, 1), (5, 3)]

# %% merge_intervals
def f(intervals):
    merged = []
    for lo, hi in sorted(intervals):
        if merged and lo <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], hi)
        else:
            merged.append([lo, hi])
    gaps = [(a[1], b[0]) for a, b in zip(merged, merged[1:])]
    return merged, gaps
# Input: [(8, 10), (1, 3), (2, 6), (15, 18), (17, 20), (6, 7)]
# Output: ([[1, 7], [8, 10], [15, 20]], [(7, 8), (10, 15)])

# %% water_between_walls
def f(heights):
    left, right = 0, len(heights) - 1
    low = water = 0
    while left < right:
        lower = min(heights[left], heights[right])
        low = max(low, lower)
        water += low - lower
        if heights[left] < heights[right]:
            left += 1
        else:
            right -= 1
    return water
# Input: [0, 1, 0, 2, 1, 0, 1, 3, 2, 1, 2, 1]
# Output: 6

# %% next_greater_circular
def f(nums):
    n, stack = len(nums), []
    out = [None] * n
    for i in range(2 * n):
        while stack and nums[stack[-1]] < nums[i % n]:
            out[stack.pop()] = nums[i % n]
        if i < n:
            stack.append(i)
    return out
# Input: [3, 8, 4, 1, 2, 8, 5]
# Output: [8, None, 8, 2, 8, None, 8]

# %% max_subarray_bounds
def f(nums):
    best = (nums[0], 0, 0)
    start, running = 0, 0
    for i, x in enumerate(nums):
        if running <= 0:
            start, running = i, 0
        running += x
        if running > best[0]:
            best = (running, start, i)
    return best
# Input: [-2, 1, -3, 4, -1, 2, 1, -5, 4]
# Output: (6, 3, 6)

# %% three_sum
def f(nums, target=0):
    nums, found = sorted(nums), []
    for i, a in enumerate(nums):
        if i and nums[i - 1] == a:
            continue
        lo, hi = i + 1, len(nums) - 1
        while lo < hi:
            s = a + nums[lo] + nums[hi]
            if s < target:
                lo += 1
            elif s > target:
                hi -= 1
            else:
                found.append((a, nums[lo], nums[hi]))
                lo += 1
                while lo < hi and nums[lo] == nums[lo - 1]:
                    lo += 1
    return found
# Input: [-1, 0, 1, 2, -1, -4, 3, 1]
# Output: [(-4, 1, 3), (-1, -1, 2), (-1, 0, 1)]

# %% majority_vote
def f(votes):
    winner, lead = None, 0
    for vote in votes:
        if lead == 0:
            winner = vote
        lead += 1 if vote == winner else -1
    return winner if votes.count(winner) * 2 > len(votes) else None
# Input: ['a', 'b', 'a', 'c', 'a', 'a', 'b']
# Output: 'a'

# %% sorted_rotated_minimum
def f(xs):
    lo, hi, steps = 0, len(xs) - 1, 0
    while lo < hi:
        steps += 1
        mid = (lo + hi) // 2
        if xs[mid] > xs[hi]:
            lo = mid + 1
        else:
            hi = mid
    return xs[lo], lo, steps
# Input: [14, 18, 27, 30, 41, 2, 5, 9, 11]
# Output: (2, 5, 3)

# %% products_without_self
def f(nums):
    out, before, after = [1] * len(nums), 1, 1
    for i in range(len(nums)):
        out[i] *= before
        before *= nums[i]
        out[~i] *= after
        after *= nums[~i]
    return out
# Input: [2, -3, 0, 4]
# Output: [0, 0, -24, 0]

# %% chunks_and_strides
def f(xs, n):
    chunks = [xs[i : i + n] for i in range(0, len(xs), n)]
    strides = [xs[i::n] for i in range(n)]
    del xs[::n]
    xs[1:3] = ["*"]
    return chunks, strides, xs
# Input: [1, 2, 3, 4, 5, 6, 7, 8], 3
# Output: ([[1, 2, 3], [4, 5, 6], [7, 8]], [[1, 4, 7], [2, 5, 8], [3, 6]], [2, '*', 6, 8])

# %% stable_partition
def f(items, pivot):
    lower = [x for x in items if x < pivot]
    equal = [x for x in items if x == pivot]
    upper = [x for x in items if x > pivot]
    return lower + equal + upper, (len(lower), len(lower) + len(equal))
# Input: [9, 3, 5, 5.0, 1, 12, True, 5], 5
# Output: ([3, 1, True, 5, 5.0, 5, 9, 12], (3, 6))

# %% candies_for_ratings
def f(ratings):
    n = len(ratings)
    candies = [1] * n
    for i in range(1, n):
        if ratings[i] > ratings[i - 1]:
            candies[i] = candies[i - 1] + 1
    for i in reversed(range(n - 1)):
        if ratings[i] > ratings[i + 1]:
            candies[i] = max(candies[i], candies[i + 1] + 1)
    return sum(candies), candies
# Input: [1, 0, 2, 5, 4, 3, 3, 7]
# Output: (14, [2, 1, 2, 3, 2, 1, 1, 2])

# %% josephus_circle
def f(people, step):
    order, at = [], 0
    people = list(people)
    while people:
        at = (at + step - 1) % len(people)
        order.append(people.pop(at))
    return "".join(order)
# Input: 'ABCDEFGHIJ', 4
# Output: 'DHBGCJIAFE'

# %% pancake_flips
def f(xs):
    xs, flips = list(xs), []
    for size in range(len(xs), 1, -1):
        biggest = xs.index(max(xs[:size]))
        if biggest != size - 1:
            for k in (biggest + 1, size):
                if k > 1:
                    xs[:k] = xs[:k][::-1]
                    flips.append(k)
    return xs, flips
# Input: [3, 6, 1, 5, 2, 4]
# Output: ([1, 2, 3, 4, 5, 6], [2, 6, 3, 5, 3, 4, 2, 3])

# %% missing_and_repeated
def f(nums):
    n = len(nums)
    for i in range(n):
        while nums[nums[i] - 1] != nums[i]:
            j = nums[i] - 1
            nums[i], nums[j] = nums[j], nums[i]
    return [(i + 1, x) for i, x in enumerate(nums) if x != i + 1]
# Input: [4, 3, 2, 7, 8, 2, 3, 1]
# Output: [(5, 3), (6, 2)]

# %% running_median
from bisect import insort


def f(stream):
    kept, medians = [], []
    for x in stream:
        insort(kept, x)
        mid = len(kept) // 2
        medians.append(kept[mid] if len(kept) % 2 else (kept[mid - 1] + kept[mid]) / 2)
    return medians
# Input: [5, 15, 1, 3, 8, 7, 9, 2]
# Output: [5, 10.0, 5, 4.0, 5, 6.0, 7, 6.0]

# %% zip_shortest_longest_strict
from itertools import zip_longest


def f(a, b):
    out = [list(zip(a, b)), list(zip_longest(a, b, fillvalue="-"))]
    try:
        list(zip(a, b, strict=True))
    except ValueError as error:
        out.append(type(error).__name__)
    return out
# Input: 'abc', [1, 2]
# Output: [[('a', 1), ('b', 2)], [('a', 1), ('b', 2), ('c', '-')], 'ValueError']

# %% equal_sum_split_point
def f(nums):
    total, left = sum(nums), 0
    for i, x in enumerate(nums):
        if left * 2 == total - x:
            return i
        left += x
    return -1
# Input: [1, 7, 3, 6, 5, 6]
# Output: 3

# %% list_aliasing
def f(n):
    rows = [[0] * n] * 2
    rows[0][0] = 1
    copy = [row[:] for row in rows]
    copy[1][0] += 5
    row = rows[1]
    row += [9]
    tail = rows[-1] = rows[-1] + [7]
    return rows, copy, tail is rows[1], rows[0] is row
# Input: 2
# Output: ([[1, 0, 9], [1, 0, 9, 7]], [[1, 0], [6, 0]], True, True)
