# %% digital_root_and_persistence
def f(n):
    steps, product = 0, n
    while product > 9:
        p = 1
        for d in str(product):
            p *= int(d)
        product, steps = p, steps + 1
    return 1 + (n - 1) % 9, steps
# Input: 277777788888899
# Output: (2, 11)

# %% collatz_record
def f(limit):
    known = {1: 1}

    def length(n):
        trail = []
        while n not in known:
            trail.append(n)
            n = 3 * n + 1 if n % 2 else n // 2
        base = known[n]
        for k, m in enumerate(reversed(trail), 1):
            known[m] = base + k
        return known[trail[0]] if trail else base

    return max((length(n), n) for n in range(1, limit))
# Input: 300
# Output: (128, 235)

# %% egyptian_fraction
from fractions import Fraction


def f(a, b):
    rest, parts = Fraction(a, b), []
    while rest:
        d = -(-rest.denominator // rest.numerator)
        parts.append(d)
        rest -= Fraction(1, d)
    return parts
# Input: 5, 121
# Output: [25, 757, 763309, 873960180913, 1527612795642093418846225]

# %% continued_fraction
from fractions import Fraction


def f(numerator, denominator):
    terms, a, b = [], numerator, denominator
    while b:
        q, (a, b) = a // b, (b, a % b)
        terms.append(q)
    convergents = []
    for k in range(1, len(terms) + 1):
        value = Fraction(terms[k - 1])
        for t in reversed(terms[: k - 1]):
            value = t + 1 / value
        convergents.append(str(value))
    return terms, convergents
# Input: 649, 200
# Output: ([3, 4, 12, 4], ['3', '13/4', '159/49', '649/200'])

# %% floor_division_signs
def f(pairs):
    return [(a // b, a % b, divmod(a, b) == (a // b, a % b), int(a / b), round(a / b)) for a, b in pairs]
# Input: [(7, 2), (-7, 2), (7, -2), (-7, -2), (5, 2), (-1.5, 0.5)]
# Output: [(3, 1, True, 3, 4), (-4, 1, True, -3, -4), (-4, -1, True, -3, -4), (3, -1, True, 3, 4), (2, 1, True, 2, 2), (-3.0, 0.0, True, -3, -3)]

# %% big_factorial_digits
from math import factorial


def f(n):
    value = factorial(n)
    text = str(value)
    zeros = len(text) - len(text.rstrip("0"))
    legendre = sum(n // 5**k for k in range(1, 6))
    return len(text), sum(map(int, text)), zeros == legendre, value % (10**9 + 7)
# Input: 250
# Output: (493, 1953, True, 574624441)

# %% karatsuba
def f(x, y):
    def multiply(a, b):
        if a < 10**4 or b < 10**4:
            return a * b
        half = max(len(str(a)), len(str(b))) // 2
        base = 10**half
        a1, a0 = divmod(a, base)
        b1, b0 = divmod(b, base)
        low, high = multiply(a0, b0), multiply(a1, b1)
        cross = multiply(a0 + a1, b0 + b1) - low - high
        return high * base * base + cross * base + low

    result = multiply(x, y)
    return result, result == x * y
# Input: 3141592653589793238462643383279502884197, 2718281828459045235360287471352662497757
# Output: (8539734222673567065463550869546574495033651792769471169863641572989199543246129, True)

# %% long_division_period
def f(a, b):
    digits, seen = [], {}
    whole, rest = divmod(a, b)
    while rest and rest not in seen:
        seen[rest] = len(digits)
        digit, rest = divmod(rest * 10, b)
        digits.append(str(digit))
    if not rest:
        return f"{whole}." + "".join(digits)
    start = seen[rest]
    return f"{whole}." + "".join(digits[:start]) + "(" + "".join(digits[start:]) + ")"
# Input: 115, 52
# Output: '2.21(153846)'

# %% balanced_ternary
def f(n):
    out, sign = "", n < 0
    n = abs(n)
    while n:
        n, r = divmod(n, 3)
        if r == 2:
            n, r = n + 1, -1
        out = "-0+"[r + 1] + out
    flipped = out.translate(str.maketrans("+-", "-+"))
    return (flipped if sign else out) or "0"
# Input: -1000
# Output: '--0-00-'

# %% integer_square_roots
def f(numbers):
    def root(n):
        if n < 2:
            return n
        x = 1 << ((n.bit_length() + 1) // 2)
        while True:
            y = (x + n // x) // 2
            if y >= x:
                return x
            x = y

    return [(root(n), n - root(n) ** 2) for n in numbers]
# Input: [0, 15, 16, 99980001, 1000000000000000000000000000002]
# Output: [(0, 0), (3, 6), (4, 0), (9999, 0), (1000000000000000, 2)]

# %% kaprekar_routine
def f(n, width):
    chain = [n]
    while True:
        digits = sorted(str(chain[-1]).zfill(width))
        big, small = int("".join(digits[::-1])), int("".join(digits))
        if big - small in chain:
            return chain, big - small
        chain.append(big - small)
# Input: 3524, 4
# Output: ([3524, 3087, 8352, 6174], 6174)

# %% compound_interest_table
def f(principal, rate, years, monthly):
    balance, rows = principal, []
    for year in range(1, years + 1):
        for _ in range(12):
            balance += balance * rate / 1200
            balance += monthly
        rows.append((year, round(balance, 2)))
    paid = principal + 12 * years * monthly
    return rows, f"{balance / paid - 1:.3%}"
# Input: 1000.0, 4.5, 4, 25
# Output: ([(1, 1352.21), (2, 1720.59), (3, 2105.9), (4, 2508.91)], '14.041%')

# %% gcd_and_bezout
def f(a, b):
    x0, y0, x1, y1 = 1, 0, 0, 1
    r0, r1 = a, b
    while r1:
        q = r0 // r1
        r0, r1 = r1, r0 - q * r1
        x0, x1 = x1, x0 - q * x1
        y0, y1 = y1, y0 - q * y1
    return r0, x0, y0, a * x0 + b * y0 == r0
# Input: 240, 46
# Output: (2, -9, 47, True)

# %% leap_days_between
def f(first, last):
    def leap(y):
        return y % 4 == 0 and (y % 100 != 0 or y % 400 == 0)

    def count(y):
        return y // 4 - y // 100 + y // 400

    by_formula = count(last) - count(first - 1)
    return by_formula, sum(map(leap, range(first, last + 1))), [y for y in range(first, last) if y % 100 == 0 and leap(y)]
# Input: 1583, 2024
# Output: (108, 108, [1600, 2000])

# %% zeller_weekday
def f(dates):
    names = ("Sat", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri")
    out = []
    for y, m, d in dates:
        if m < 3:
            y, m = y - 1, m + 12
        k, j = y % 100, y // 100
        out.append(names[(d + 13 * (m + 1) // 5 + k + k // 4 + j // 4 + 5 * j) % 7])
    return out
# Input: [(2000, 1, 1), (1969, 7, 20), (2024, 2, 29), (1815, 6, 18)]
# Output: ['Sat', 'Sun', 'Thu', 'Sun']

# %% coins_in_a_scale
def f(weight):
    left, right, power = [], [], 1
    while weight:
        weight, r = divmod(weight, 3)
        if r == 1:
            right.append(power)
        elif r == 2:
            left.append(power)
            weight += 1
        power *= 3
    return left, right, sum(right) - sum(left)
# Input: 1234
# Output: ([9, 243, 729], [1, 27, 2187], 1234)

# %% complex_roots
import cmath


def f(n, z):
    r, phi = cmath.polar(z)
    roots = [cmath.rect(r ** (1 / n), (phi + 2 * cmath.pi * k) / n) for k in range(n)]
    back = [abs(w**n - z) < 1e-9 for w in roots]
    return [(round(w.real, 6), round(w.imag, 6)) for w in roots], all(back), (1 + 2j) * (3 - 1j)
# Input: 4, -16
# Output: ([(1.414214, 1.414214), (-1.414214, 1.414214), (-1.414214, -1.414214), (1.414214, -1.414214)], True, (5+5j))

# %% self_describing_numbers
def f(limit):
    found = []
    for n in range(limit):
        s = str(n)
        if all(s.count(str(i)) == int(d) for i, d in enumerate(s)):
            found.append(n)
    return found
# Input: 2100
# Output: [1210, 2020]

# %% reverse_and_add
def f(n, most):
    for step in range(most):
        s = str(n)
        if s == s[::-1]:
            return step, n
        n += int(s[::-1])
    return None
# Input: 187, 40
# Output: (23, 8813200023188)
