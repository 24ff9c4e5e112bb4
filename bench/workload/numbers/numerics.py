# %% newton_sqrt_steps
def f(a, tolerance):
    x, steps = a, 0
    while abs(x * x - a) > tolerance:
        x = (x + a / x) / 2
        steps += 1
    return round(x, 10), steps
# Input: 612.0, 1e-9
# Output: (24.7386337537, 9)

# %% bisection_root
import math


def f(lo, hi):
    def g(x):
        return math.exp(-x) - x

    for step in range(60):
        mid = (lo + hi) / 2
        if g(lo) * g(mid) <= 0:
            hi = mid
        else:
            lo = mid
        if hi - lo < 1e-8:
            return round(mid, 7), step
# Input: 0.0, 1.5
# Output: (0.5671433, 27)

# %% simpson_integral
import math


def f(n):
    def integrate(g, a, b):
        h = (b - a) / n
        odd = sum(g(a + i * h) for i in range(1, n, 2))
        even = sum(g(a + i * h) for i in range(2, n, 2))
        return h / 3 * (g(a) + 4 * odd + 2 * even + g(b))

    return [round(integrate(g, 0, 1), 8) for g in (math.sqrt, math.exp, lambda x: 4 / (1 + x * x))]
# Input: 64
# Output: [0.6665081, 1.71828183, 3.14159265]

# %% runge_kutta_pendulum
import math


def f(angle, dt, steps):
    def slope(state):
        theta, omega = state
        return omega, -9.81 * math.sin(theta)

    state, crossings = (angle, 0.0), 0
    for _ in range(steps):
        k1 = slope(state)
        k2 = slope(tuple(s + dt / 2 * k for s, k in zip(state, k1)))
        k3 = slope(tuple(s + dt / 2 * k for s, k in zip(state, k2)))
        k4 = slope(tuple(s + dt * k for s, k in zip(state, k3)))
        new = tuple(s + dt / 6 * (a + 2 * b + 2 * c + d) for s, a, b, c, d in zip(state, k1, k2, k3, k4))
        crossings += state[0] * new[0] < 0
        state = new
    energy = state[1] ** 2 / 2 - 9.81 * math.cos(state[0])
    return round(state[0], 5), round(state[1], 5), crossings, abs(energy + 9.81 * math.cos(angle)) < 1e-4
# Input: 1.0, 0.01, 400
# Output: (0.69217, 2.12226, 4, True)

# %% lagrange_interpolation
from fractions import Fraction


def f(points, x):
    total = Fraction(0)
    for i, (xi, yi) in enumerate(points):
        term = Fraction(yi)
        for j, (xj, _) in enumerate(points):
            if i != j:
                term *= Fraction(x - xj, xi - xj)
        total += term
    return str(total), float(total)
# Input: [(0, 1), (1, 3), (2, 2), (4, 5)], 3
# Output: ('3/2', 1.5)

# %% linear_regression
def f(xs, ys):
    n = len(xs)
    mx, my = sum(xs) / n, sum(ys) / n
    sxy = sum((x - mx) * (y - my) for x, y in zip(xs, ys))
    sxx = sum((x - mx) ** 2 for x in xs)
    slope = sxy / sxx
    intercept = my - slope * mx
    residual = sum((y - slope * x - intercept) ** 2 for x, y in zip(xs, ys))
    total = sum((y - my) ** 2 for y in ys)
    return round(slope, 6), round(intercept, 6), round(1 - residual / total, 6)
# Input: [1, 2, 3, 4, 5, 6], [2.1, 3.9, 6.2, 7.8, 10.1, 12.2]
# Output: (2.02, -0.02, 0.998211)

# %% kahan_summation
from math import fsum


def f(values, times):
    total = carry = naive = 0.0
    for _ in range(times):
        for v in values:
            naive += v
            y = v - carry
            t = total + y
            carry = (t - total) - y
            total = t
    exact = fsum(values * times)
    return total == exact, naive == exact, abs(naive - exact) > abs(total - exact), exact
# Input: [0.1, 1e8, -1e8, 0.3], 50
# Output: (False, False, False, 20.0)

# %% convex_hull
def f(points):
    points = sorted(set(points))

    def half(ps):
        chain = []
        for p in ps:
            while len(chain) > 1:
                (ax, ay), (bx, by) = chain[-2:]
                if (bx - ax) * (p[1] - ay) - (by - ay) * (p[0] - ax) > 0:
                    break
                chain.pop()
            chain.append(p)
        return chain[:-1]

    hull = half(points) + half(points[::-1])
    area = sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(hull, hull[1:] + hull[:1])) / 2
    return hull, area
# Input: [(0, 0), (4, 0), (4, 3), (2, 1), (1, 4), (2, 2), (0, 3), (4, 0), (3, 1)]
# Output: ([(0, 0), (4, 0), (4, 3), (1, 4), (0, 3)], 14.0)

# %% point_in_polygon
def f(polygon, points):
    def inside(x, y):
        odd = False
        j = len(polygon) - 1
        for i, (xi, yi) in enumerate(polygon):
            xj, yj = polygon[j]
            if (yi > y) != (yj > y) and x < (xj - xi) * (y - yi) / (yj - yi) + xi:
                odd = not odd
            j = i
        return odd

    return [inside(*p) for p in points]
# Input: [(0, 0), (6, 0), (6, 4), (3, 2), (0, 4)], [(3, 1), (3, 3), (1, 3), (7, 1), (5.5, 3.2)]
# Output: [True, False, True, False, True]

# %% segment_intersection
from fractions import Fraction


def f(p, q, r, s):
    (x1, y1), (x2, y2), (x3, y3), (x4, y4) = p, q, r, s
    d = (x1 - x2) * (y3 - y4) - (y1 - y2) * (x3 - x4)
    if d == 0:
        return "parallel"
    t = Fraction((x1 - x3) * (y3 - y4) - (y1 - y3) * (x3 - x4), d)
    u = Fraction((x1 - x3) * (y1 - y2) - (y1 - y3) * (x1 - x2), d)
    if 0 <= t <= 1 and 0 <= u <= 1:
        return str(x1 + t * (x2 - x1)), str(y1 + t * (y2 - y1))
    return "apart", str(t), str(u)
# Input: (0, 0), (6, 4), (0, 5), (5, 0)
# Output: ('3', '2')

# %% fast_fourier
import cmath


def f(samples):
    def fft(xs):
        n = len(xs)
        if n == 1:
            return xs
        even, odd = fft(xs[::2]), fft(xs[1::2])
        turned = [cmath.exp(-2j * cmath.pi * k / n) * odd[k] for k in range(n // 2)]
        return [e + t for e, t in zip(even, turned)] + [e - t for e, t in zip(even, turned)]

    spectrum = fft([complex(s) for s in samples])
    return [round(abs(z), 4) for z in spectrum]
# Input: [1, 2, 0, -1, 3, 0.5, -2, 1]
# Output: [4.5, 1.7136, 6.5, 5.0561, 0.5, 5.0561, 6.5, 1.7136]

# %% polynomial_long_division
def f(dividend, divisor):
    rest, quotient = [float(c) for c in dividend], []
    while len(rest) >= len(divisor):
        k = rest[0] / divisor[0]
        quotient.append(k)
        for i, c in enumerate(divisor):
            rest[i] -= k * c
        rest.pop(0)
    value = 0.0
    for c in dividend:
        value = value * 2 + c
    return quotient, rest, value
# Input: [1, -12, 0, -42], [1, -3]
# Output: ([1.0, -9.0, -27.0], [-123.0], -82.0)

# %% power_iteration
def f(matrix, rounds):
    v = [1.0] * len(matrix)
    for _ in range(rounds):
        w = [sum(a * x for a, x in zip(row, v)) for row in matrix]
        norm = max(abs(x) for x in w)
        v = [x / norm for x in w]
    return round(norm, 8), [round(x, 6) for x in v]
# Input: [[2, 1, 0], [1, 3, 1], [0, 1, 4]], 60
# Output: (4.73205081, [0.267949, 0.732051, 1.0])

# %% weighted_quantile
def f(values, weights, quantiles):
    pairs = sorted(zip(values, weights))
    total = sum(weights)
    out = []
    for q in quantiles:
        running = 0.0
        for value, weight in pairs:
            running += weight
            if running >= q * total:
                out.append(value)
                break
    return out
# Input: [10, 40, 20, 30], [1.0, 0.5, 3.0, 1.5], [0.1, 0.5, 0.75, 0.99]
# Output: [10, 20, 30, 40]

# %% linear_congruential_pi
def f(seed, n):
    state, inside = seed, 0

    def draw():
        nonlocal state
        state = (1103515245 * state + 12345) % 2**31
        return state / 2**31

    for _ in range(n):
        x, y = draw(), draw()
        inside += x * x + y * y <= 1
    return 4 * inside / n, state
# Input: 42, 2000
# Output: (3.16, 1369456138)

# %% float_edges
import math


def f(xs):
    facts = []
    for x in xs:
        m, e = math.frexp(x)
        facts.append((x.hex(), m, e, math.floor(x), math.trunc(x), round(x), x.is_integer()))
    return facts, math.isclose(0.1 * 3, 0.3), math.inf - 1 == math.inf, math.copysign(2, -0.0), 1e308 * 10 > 1e308
# Input: [2.5, -0.75, 1024.0]
# Output: ([('0x1.4000000000000p+1', 0.625, 2, 2, 2, 2, False), ('-0x1.8000000000000p-1', -0.75, 0, -1, 0, -1, False), ('0x1.0000000000000p+10', 0.5, 11, 1024, 1024, 1024, True)], True, True, -2.0, True)

# %% gradient_descent_rosenbrock
def f(x, y, rate, steps):
    def loss(a, b):
        return (1 - a) ** 2 + 100 * (b - a * a) ** 2

    seen = [loss(x, y)]
    for _ in range(steps):
        gx = -2 * (1 - x) - 400 * x * (y - x * x)
        gy = 200 * (y - x * x)
        x, y = x - rate * gx, y - rate * gy
        seen.append(loss(x, y))
    return round(x, 5), round(y, 5), all(a >= b for a, b in zip(seen, seen[1:])), round(seen[-1], 6)
# Input: -0.5, 0.5, 0.001, 500
# Output: (0.24215, 0.05568, True, 0.575218)

# %% vector_geometry
import math


def f(a, b):
    dot = sum(x * y for x, y in zip(a, b))
    cross = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    angle = math.degrees(math.acos(dot / math.hypot(*a) / math.hypot(*b)))
    shadow = tuple(round(dot / sum(y * y for y in b) * y, 5) for y in b)
    return dot, cross, round(angle, 4), shadow, math.dist(a, b)
# Input: (1, 2, 2), (3, 0, 4)
# Output: (11, (8, 2, -6), 42.8334, (1.32, 0.0, 1.76), 3.4641016151377544)
