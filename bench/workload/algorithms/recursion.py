# %% hanoi_moves
def f(n):
    moves = []

    def move(k, source, target, spare):
        if k:
            move(k - 1, source, spare, target)
            moves.append(source + target)
            move(k - 1, spare, target, source)

    move(n, "A", "C", "B")
    return len(moves), " ".join(moves)
# Input: 4
# Output: (15, 'AB AC BC AB CA CB AB AC BC BA CA BC AB AC BC')

# %% ackermann
def f(m, n):
    calls = 0

    def ack(m, n):
        nonlocal calls
        calls += 1
        if m == 0:
            return n + 1
        return ack(m - 1, 1) if n == 0 else ack(m - 1, ack(m, n - 1))

    return ack(m, n), calls
# Input: 2, 6
# Output: (15, 119)

# %% hofstadter_pair
def f(n):
    def female(k):
        return 1 if k == 0 else k - male(female(k - 1))

    def male(k):
        return 0 if k == 0 else k - female(male(k - 1))

    return [(female(i), male(i)) for i in range(n)]
# Input: 14
# Output: [(1, 0), (1, 0), (2, 1), (2, 2), (3, 2), (3, 3), (4, 4), (5, 4), (5, 5), (6, 6), (6, 6), (7, 7), (8, 7), (8, 8)]

# %% quad_tree_compress
def f(rows):
    def pack(x, y, size):
        first = rows[y][x]
        if all(rows[j][i] == first for j in range(y, y + size) for i in range(x, x + size)):
            return first
        h = size // 2
        return "(" + pack(x, y, h) + pack(x + h, y, h) + pack(x, y + h, h) + pack(x + h, y + h, h) + ")"

    return pack(0, 0, len(rows))
# Input: ['00001111', '00001111', '00001111', '00000011', '11110000', '11110000', '11110000', '11110001']
# Output: '(0(11(1100)1)1(000(0001)))'

# %% expression_targets
def f(digits, target):
    found = []

    def go(i, text, value, last):
        if i == len(digits):
            if value == target:
                found.append(text)
            return
        for j in range(i + 1, len(digits) + 1):
            part = digits[i:j]
            if len(part) > 1 and part[0] == "0":
                break
            n = int(part)
            if i == 0:
                go(j, part, n, n)
            else:
                go(j, f"{text}+{part}", value + n, n)
                go(j, f"{text}-{part}", value - n, -n)
                go(j, f"{text}*{part}", value - last + last * n, last * n)

    go(0, "", 0, 0)
    return found
# Input: '12305', 15
# Output: ['12+3+0*5', '12+3-0*5']

# %% tree_depth_and_paths
def f(tree):
    def walk(node, path):
        if not isinstance(node, tuple):
            return [path + [node]]
        label, *children = node
        return [p for c in children for p in walk(c, path + [label])]

    paths = walk(tree, [])
    return max(map(len, paths)), ["/".join(map(str, p)) for p in paths]
# Input: ('a', ('b', 1, ('c', 2)), 3, ('d', ('e', ('g', 4))))
# Output: (5, ['a/b/1', 'a/b/c/2', 'a/3', 'a/d/e/g/4'])

# %% gcd_tower
def f(a, b, depth=0):
    if b == 0:
        return [(a, depth)]
    return [(a // b, a % b)] + f(b, a % b, depth + 1)
# Input: 1071, 462
# Output: [(2, 147), (3, 21), (7, 0), (21, 3)]

# %% build_tree_from_traversals
def f(preorder, inorder):
    def build(lo, hi):
        nonlocal at
        if lo > hi:
            return None
        root = preorder[at]
        at += 1
        k = place[root]
        left = build(lo, k - 1)
        return root, left, build(k + 1, hi)

    def post(node):
        return "" if node is None else post(node[1]) + post(node[2]) + node[0]

    at, place = 0, {c: i for i, c in enumerate(inorder)}
    tree = build(0, len(inorder) - 1)
    return tree, post(tree)
# Input: 'gdbaceih', 'abcdeghi'
# Output: (('g', ('d', ('b', ('a', None, None), ('c', None, None)), ('e', None, None)), ('i', ('h', None, None), None)), 'acbedhig')

# %% sierpinski_text
def f(n):
    if n == 0:
        return ["*"]
    smaller = f(n - 1)
    pad = " " * (2 ** (n - 1))
    return [pad + line + pad for line in smaller] + [line + " " + line for line in smaller]
# Input: 3
# Output: ['       *       ', '      * *      ', '     *   *     ', '    * * * *    ', '   *       *   ', '  * *     * *  ', ' *   *   *   * ', '* * * * * * * *']

# %% all_parse_trees_sum
def f(tokens):
    from functools import cache

    @cache
    def values(lo, hi):
        if hi - lo == 1:
            return (tokens[lo],)
        out = []
        for k in range(lo + 1, hi, 2):
            for a in values(lo, k):
                for b in values(k + 1, hi):
                    out.append({"+": a + b, "-": a - b, "*": a * b}[tokens[k]])
        return tuple(sorted(out))

    return values(0, len(tokens))
# Input: (2, '*', 3, '-', 4, '*', 5)
# Output: (-34, -14, -10, -10, 10)

# %% mutual_parity_by_trampoline
def f(n):
    def even(k):
        return True if k == 0 else lambda: odd(k - 1)

    def odd(k):
        return False if k == 0 else lambda: even(k - 1)

    bounces, result = 0, even(n)
    while callable(result):
        result = result()
        bounces += 1
    return result, bounces
# Input: 1501
# Output: (False, 1501)

# %% regions_by_halving
def f(values):
    def solve(lo, hi):
        if hi - lo == 1:
            v = values[lo]
            return v, v, v, v
        mid = (lo + hi) // 2
        s1, p1, q1, b1 = solve(lo, mid)
        s2, p2, q2, b2 = solve(mid, hi)
        return s1 + s2, max(p1, s1 + p2), max(q2, s2 + q1), max(b1, b2, q1 + p2)

    return solve(0, len(values))
# Input: [4, -6, 7, -1, 4, -9, 3, 2, 2, -5]
# Output: (1, 8, 3, 10)

# %% count_inversions_merge
def f(xs):
    if len(xs) < 2:
        return xs, 0
    mid = len(xs) // 2
    (left, a), (right, b) = f(xs[:mid]), f(xs[mid:])
    merged, inversions, i = [], a + b, 0
    for x in right:
        while i < len(left) and left[i] <= x:
            merged.append(left[i])
            i += 1
        inversions += len(left) - i
        merged.append(x)
    return merged + left[i:], inversions
# Input: [8, 4, 2, 1, 9, 3, 7, 3]
# Output: ([1, 2, 3, 3, 4, 7, 8, 9], 15)

# %% towers_of_exponents
def f(base, height, modulus):
    def phi(m):
        result, p, n = m, 2, m
        while p * p <= n:
            if n % p == 0:
                while n % p == 0:
                    n //= p
                result -= result // p
            p += 1
        return result - result // n if n > 1 else result

    def tower(h, m):
        if m == 1:
            return 1
        if h == 0:
            return 1
        e = tower(h - 1, phi(m))
        value = pow(base, e, m)
        return value + m if base**min(e, 64) >= m else value

    return tower(height, modulus) % modulus
# Input: 3, 6, 1000000
# Output: 595387

# %% permutations_by_swaps
def f(s):
    chars, out = list(s), []

    def heap(k):
        if k == 1:
            out.append("".join(chars))
            return
        heap(k - 1)
        for i in range(k - 1):
            j = i if k % 2 == 0 else 0
            chars[j], chars[k - 1] = chars[k - 1], chars[j]
            heap(k - 1)

    heap(len(chars))
    return out[:7], len(set(out))
# Input: 'wxyz'
# Output: (['wxyz', 'xwyz', 'ywxz', 'wyxz', 'xywz', 'yxwz', 'zxwy'], 24)
