# %% sieve_with_gaps
def f(n):
    flags = bytearray([1]) * (n + 1)
    flags[0:2] = b"\0\0"
    for p in range(2, int(n**0.5) + 1):
        if flags[p]:
            flags[p * p :: p] = bytes(len(range(p * p, n + 1, p)))
    primes = [i for i, v in enumerate(flags) if v]
    gaps = [b - a for a, b in zip(primes, primes[1:])]
    widest = max(gaps)
    return len(primes), primes[-1], widest, primes[gaps.index(widest)]
# Input: 1000
# Output: (168, 997, 20, 887)

# %% prime_factor_exponents
def f(n):
    factors, p = {}, 2
    while p * p <= n:
        while n % p == 0:
            factors[p] = factors.get(p, 0) + 1
            n //= p
        p += 1 if p == 2 else 2
    if n > 1:
        factors[n] = 1
    return factors
# Input: 7007007000
# Output: {2: 3, 3: 1, 5: 3, 7: 1, 333667: 1}

# %% euler_totient_table
def f(n):
    phi = list(range(n + 1))
    for p in range(2, n + 1):
        if phi[p] == p:
            for k in range(p, n + 1, p):
                phi[k] -= phi[k] // p
    return phi[1:], sum(phi[d] for d in range(1, n + 1) if n % d == 0) == n
# Input: 20
# Output: ([1, 1, 2, 2, 4, 2, 6, 4, 6, 4, 10, 4, 12, 6, 8, 8, 16, 6, 18, 8], True)

# %% miller_rabin
def f(numbers):
    def is_prime(n):
        if n < 2:
            return False
        for p in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
            if n % p == 0:
                return n == p
        d, s = n - 1, 0
        while d % 2 == 0:
            d, s = d // 2, s + 1
        for a in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
            x = pow(a, d, n)
            if x in (1, n - 1):
                continue
            for _ in range(s - 1):
                x = x * x % n
                if x == n - 1:
                    break
            else:
                return False
        return True

    return [is_prime(n) for n in numbers]
# Input: [561, 7919, 1000000007, 3215031751, 2305843009213693951, 2305843009213693953]
# Output: [False, True, True, False, True, False]

# %% chinese_remainders
from math import gcd


def f(congruences):
    x, m = 0, 1
    for r, n in congruences:
        g = gcd(m, n)
        if (r - x) % g:
            return None
        step = (r - x) // g * pow(m // g, -1, n // g) % (n // g)
        x, m = x + m * step, m // g * n
        x %= m
    return x, m
# Input: [(2, 3), (3, 5), (2, 7), (8, 10)]
# Output: (128, 210)

# %% perfect_abundant_deficient
def f(limit):
    sums = [0] + [1] * limit
    for d in range(2, limit // 2 + 1):
        for k in range(2 * d, limit + 1, d):
            sums[k] += d
    kinds = {"perfect": [], "abundant": 0, "deficient": 0}
    for n in range(2, limit + 1):
        if sums[n] == n:
            kinds["perfect"].append(n)
        else:
            kinds["abundant" if sums[n] > n else "deficient"] += 1
    friends = [(n, sums[n]) for n in range(2, limit + 1) if n < sums[n] <= limit and sums[sums[n]] == n]
    return kinds, friends
# Input: 1300
# Output: ({'perfect': [6, 28, 496], 'abundant': 317, 'deficient': 979}, [(220, 284), (1184, 1210)])

# %% goldbach_pairs
def f(n):
    def prime(k):
        return k > 1 and all(k % d for d in range(2, int(k**0.5) + 1))

    return [(p, n - p) for p in range(2, n // 2 + 1) if prime(p) and prime(n - p)]
# Input: 96
# Output: [(7, 89), (13, 83), (17, 79), (23, 73), (29, 67), (37, 59), (43, 53)]

# %% modular_inverse_table
def f(p):
    inverse = [0, 1]
    for a in range(2, p):
        inverse.append((p - p // a) * inverse[p % a] % p)
    return inverse, all(a * b % p == 1 for a, b in enumerate(inverse) if a)
# Input: 17
# Output: ([0, 1, 9, 6, 13, 7, 3, 5, 15, 2, 12, 14, 10, 4, 11, 8, 16], True)

# %% primitive_root
def f(p):
    order, q, n = [], 2, p - 1
    while n > 1:
        if n % q == 0:
            order.append(q)
            while n % q == 0:
                n //= q
        q += 1
    for g in range(2, p):
        if all(pow(g, (p - 1) // q, p) != 1 for q in order):
            logs = {pow(g, k, p): k for k in range(p - 1)}
            return g, order, logs[2], logs[p - 1]
# Input: 191
# Output: (19, [2, 5, 19], 44, 95)

# %% baby_step_giant_step
from math import isqrt


def f(base, target, p):
    m = isqrt(p) + 1
    table = {}
    value = 1
    for j in range(m):
        table.setdefault(value, j)
        value = value * base % p
    stride = pow(base, -m, p)
    gamma = target
    for i in range(m):
        if gamma in table:
            x = i * m + table[gamma]
            return x, pow(base, x, p) == target
        gamma = gamma * stride % p
# Input: 5, 3333, 10007
# Output: (8541, True)

# %% pollard_rho
from math import gcd


def f(n):
    for c in range(1, 20):
        x = y = 2
        d = 1
        while d == 1:
            x = (x * x + c) % n
            y = (y * y + c) % n
            y = (y * y + c) % n
            d = gcd(abs(x - y), n)
        if d != n:
            return tuple(sorted((d, n // d)))
# Input: 1000036000099
# Output: (1000003, 1000033)

# %% rsa_toy
def f(p, q, e, message):
    n, phi = p * q, (p - 1) * (q - 1)
    d = pow(e, -1, phi)
    secret = [pow(ord(c), e, n) for c in message]
    return n, d, secret, "".join(chr(pow(s, d, n)) for s in secret)
# Input: 61, 53, 17, 'azr'
# Output: (3233, 2753, [1632, 1830, 2412], 'azr')

# %% legendre_and_tonelli
def f(n, p):
    if pow(n, (p - 1) // 2, p) != 1:
        return None
    q, s = p - 1, 0
    while q % 2 == 0:
        q //= 2
        s += 1
    z = next(z for z in range(2, p) if pow(z, (p - 1) // 2, p) == p - 1)
    m, c, t, r = s, pow(z, q, p), pow(n, q, p), pow(n, (q + 1) // 2, p)
    while t != 1:
        i, u = 0, t
        while u != 1:
            u, i = u * u % p, i + 1
        b = pow(c, 1 << (m - i - 1), p)
        m, c = i, b * b % p
        t, r = t * c % p, r * b % p
    return sorted((r, p - r))
# Input: 1030, 10009
# Output: [1632, 8377]

# %% farey_sequence
def f(n):
    a, b, c, d = 0, 1, 1, n
    out = [(a, b)]
    while c <= n:
        k = (n + b) // d
        a, b, c, d = c, d, k * c - a, k * d - b
        out.append((a, b))
    return out, all(q * r - p * s == 1 for (p, q), (r, s) in zip(out, out[1:]))
# Input: 6
# Output: ([(0, 1), (1, 6), (1, 5), (1, 4), (1, 3), (2, 5), (1, 2), (3, 5), (2, 3), (3, 4), (4, 5), (5, 6), (1, 1)], True)

# %% moebius_and_mertens
def f(n):
    mu, primes, composite = [0, 1] + [0] * (n - 1), [], [False] * (n + 1)
    for i in range(2, n + 1):
        if not composite[i]:
            primes.append(i)
            mu[i] = -1
        for p in primes:
            if i * p > n:
                break
            composite[i * p] = True
            if i % p == 0:
                break
            mu[i * p] = -mu[i]
    return mu[1:], sum(mu)
# Input: 31
# Output: ([1, -1, -1, 0, -1, 1, -1, 0, 0, 1, -1, 0, -1, 1, 1, 0, -1, 0, -1, 0, 1, 1, -1, 0, 0, 1, 0, 0, -1, -1, -1], -4)

# %% sum_of_two_squares
def f(limit):
    ways = {}
    a = 0
    while a * a <= limit:
        b = a
        while a * a + b * b <= limit:
            ways.setdefault(a * a + b * b, []).append((a, b))
            b += 1
        a += 1
    return {n: w for n, w in sorted(ways.items()) if len(w) > 1}
# Input: 130
# Output: {25: [(0, 5), (3, 4)], 50: [(1, 7), (5, 5)], 65: [(1, 8), (4, 7)], 85: [(2, 9), (6, 7)], 100: [(0, 10), (6, 8)], 125: [(2, 11), (5, 10)], 130: [(3, 11), (7, 9)]}

# %% lucas_lehmer
def f(exponents):
    def mersenne(p):
        if p == 2:
            return True
        m, s = (1 << p) - 1, 4
        for _ in range(p - 2):
            s = s * s - 2
            s = (s & m) + (s >> p)
            s = 0 if s == m else s
            if s > m:
                s = (s & m) + (s >> p)
        return s == 0

    return [p for p in exponents if mersenne(p)]
# Input: [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 61, 67, 89, 107, 127]
# Output: [2, 3, 5, 7, 13, 17, 19, 31, 61, 89, 107, 127]

# %% pythagorean_primitives
from math import gcd


def f(perimeter):
    found = []
    m = 2
    while 2 * m * (m + 1) <= perimeter:
        for n in range(1 + m % 2, m, 2):
            if gcd(m, n) == 1 and 2 * m * (m + n) <= perimeter:
                found.append(tuple(sorted((m * m - n * n, 2 * m * n, m * m + n * n))))
        m += 1
    return sorted(found, key=sum)
# Input: 150
# Output: [(3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (20, 21, 29), (12, 35, 37), (9, 40, 41), (28, 45, 53), (11, 60, 61), (16, 63, 65)]

# %% bell_numbers_and_stirling
def f(n):
    row, bells = [1], [1]
    for _ in range(n):
        new = [row[-1]]
        for x in row:
            new.append(new[-1] + x)
        row = new
        bells.append(row[0])
    stirling = [[1]]
    for i in range(1, 6):
        previous = stirling[-1] + [0]
        stirling.append([0] + [previous[k - 1] + k * previous[k] for k in range(1, i + 1)])
    return bells, stirling[-1], sum(stirling[-1]) == bells[5]
# Input: 12
# Output: ([1, 1, 2, 5, 15, 52, 203, 877, 4140, 21147, 115975, 678570, 4213597], [0, 1, 15, 25, 10, 1], True)
