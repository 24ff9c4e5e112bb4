# %% primes_in_one_line
f = lambda n: [p for p in range(2, n) if all(p % d for d in range(2, int(p**0.5) + 1))]
# Input: 60
# Output: [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]

# %% transpose_text
f = lambda *rows: ["".join(c) for c in zip(*rows)]
# Input: 'abc', 'def', 'ghi'
# Output: ['adg', 'beh', 'cfi']

# %% factorial_by_conditional
f = lambda n: 1 if n < 2 else n * f(n - 1)
# Input: 20
# Output: 2432902008176640000

# %% most_common_letter
f = lambda s: max(sorted(set(s)), key=s.count)
# Input: 'hello world, all told'
# Output: 'l'

# %% digits_summed_until_one
f = lambda n: n if n < 10 else f(sum(map(int, str(n))))
# Input: 98765432123456789
# Output: 8

# %% dict_from_two_lists
def f(keys, values): return {k: v for k, v in zip(keys, values) if v is not None}
# Input: ['a', 'b', 'c', 'a'], [1, None, 3, 4]
# Output: {'a': 4, 'c': 3}

# %% flatten_twice
f = lambda xs: [z for ys in xs for y in ys for z in (y if isinstance(y, (list, tuple)) else [y])]
# Input: [[1, [2, 3]], [], [(4,), 5]]
# Output: [1, 2, 3, 4, 5]

# %% hypotenuses_rounded
f = lambda *pairs: {p: round((p[0] ** 2 + p[1] ** 2) ** 0.5, 3) for p in pairs}
# Input: (3, 4), (1, 1), (8, 15)
# Output: {(3, 4): 5.0, (1, 1): 1.414, (8, 15): 17.0}

# %% binary_gap
f = lambda n: max(map(len, bin(n)[2:].strip("0").split("1")), default=0)
# Input: 1041
# Output: 5

# %% slices_compared
f = lambda s, k: s[:k] + s[k:] == s and (s[-k:], s[: -k or None], s[::-k])
# Input: 'abcdefgh', 3
# Output: ('fgh', 'abcde', 'heb')

# %% truth_table
f = lambda: [(a, b, a and not b, a or b, a ^ b, not a or b) for a in (False, True) for b in (False, True)]
# Input:
# Output: [(False, False, False, False, False, True), (False, True, False, True, True, True), (True, False, True, True, True, False), (True, True, False, True, False, True)]

# %% sum_of_multiples
f = lambda n, *ds: sum({k for d in ds for k in range(d, n, d)})
# Input: 100, 7, 11, 13
# Output: 1426

# %% chained_conditionals
f = lambda *xs: ["low" if x < 3 else "high" if x > 7 else "mid" if x != 5 else None for x in xs]
# Input: 1, 5, 9, 7, 2.999
# Output: ['low', None, 'high', 'mid', 'low']

# %% string_methods_at_once
f = lambda s: (s.title(), s.center(14, "*"), s.partition(" "), s.rfind("o"), s.translate({111: "0"}), s.isascii())
# Input: 'foo to you'
# Output: ('Foo To You', '**foo to you**', ('foo', ' ', 'to you'), 8, 'f00 t0 y0u', True)
