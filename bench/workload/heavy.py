# %% queens_counted_by_bits
def f(n):
    full, count = (1 << n) - 1, 0

    def place(columns, left, right):
        nonlocal count
        if columns == full:
            count += 1
            return
        free = full & ~(columns | left | right)
        while free:
            bit = free & -free
            free ^= bit
            place(columns | bit, (left | bit) << 1 & full, (right | bit) >> 1)

    place(0, 0, 0)
    return count
# Input: 9
# Output: 352

# %% mandelbrot_rows
def f(width, height, limit):
    rows = []
    for j in range(height):
        row = ""
        for i in range(width):
            c = complex(-2.2 + 3.2 * i / width, -1.2 + 2.4 * j / height)
            z, n = 0j, 0
            while abs(z) <= 2 and n < limit:
                z, n = z * z + c, n + 1
            row += " .:-=+*#%@"[min(9, n * 10 // (limit + 1))]
        rows.append(row)
    return sum(r.count("@") for r in rows), rows[height // 2]
# Input: 48, 24, 60
# Output: (243, '   @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@-..        ')

# %% spectral_norm
def f(n):
    def a(i, j):
        return 1.0 / ((i + j) * (i + j + 1) // 2 + i + 1)

    def times(v):
        forward = [sum(a(i, j) * v[j] for j in range(n)) for i in range(n)]
        return [sum(a(j, i) * forward[j] for j in range(n)) for i in range(n)]

    u = [1.0] * n
    for _ in range(4):
        v = times(u)
        u = times(v)
    top = sum(x * y for x, y in zip(u, v))
    return round((top / sum(x * x for x in v)) ** 0.5, 7)
# Input: 36
# Output: 1.2741478

# %% fannkuch_flips
def f(n):
    from itertools import permutations

    best, checksum = 0, 0
    for number, p in enumerate(permutations(range(n))):
        p, flips = list(p), 0
        while p[0]:
            k = p[0] + 1
            p[:k] = p[:k][::-1]
            flips += 1
        best = max(best, flips)
        checksum += flips if number % 2 == 0 else -flips
    return best, checksum
# Input: 7
# Output: (16, -502)

# %% sudoku_solver
def f(puzzle):
    cells = list(puzzle)
    peers = []
    for i in range(81):
        r, c = divmod(i, 9)
        box = {(r // 3 * 3 + k // 3) * 9 + c // 3 * 3 + k % 3 for k in range(9)}
        peers.append(({r * 9 + k for k in range(9)} | {k * 9 + c for k in range(9)} | box) - {i})
    guesses = 0

    def solve():
        nonlocal guesses
        best, options = None, "0123456789"
        for i, c in enumerate(cells):
            if c == ".":
                used = {cells[p] for p in peers[i]}
                free = [d for d in "123456789" if d not in used]
                if len(free) < len(options):
                    best, options = i, free
        if best is None:
            return True
        for d in options:
            guesses += 1
            cells[best] = d
            if solve():
                return True
        cells[best] = "."
        return False

    solve()
    return "".join(cells), guesses
# Input: '53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79'
# Output: ('534678912672195348198342567859761423426853791713924856961537284287419635345286179', 51)

# %% n_body_energy
def f(steps):
    bodies = [
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 39.478],
        [4.84, -1.16, -0.10, 0.606, 2.81, -0.02, 0.037],
        [8.34, 4.12, -0.40, -1.01, 1.82, 0.008, 0.011],
        [12.89, -15.11, -0.22, 1.08, 0.868, -0.01, 0.0017],
    ]

    def energy():
        e = 0.0
        for i, b in enumerate(bodies):
            e += 0.5 * b[6] * (b[3] ** 2 + b[4] ** 2 + b[5] ** 2)
            for c in bodies[i + 1 :]:
                d = ((b[0] - c[0]) ** 2 + (b[1] - c[1]) ** 2 + (b[2] - c[2]) ** 2) ** 0.5
                e -= b[6] * c[6] / d
        return e

    before, dt = energy(), 0.01
    for _ in range(steps):
        for i, b in enumerate(bodies):
            for c in bodies[i + 1 :]:
                dx, dy, dz = b[0] - c[0], b[1] - c[1], b[2] - c[2]
                pull = dt / (dx * dx + dy * dy + dz * dz) ** 1.5
                for k, d in ((3, dx), (4, dy), (5, dz)):
                    b[k] -= d * c[6] * pull
                    c[k] += d * b[6] * pull
        for b in bodies:
            for k in range(3):
                b[k] += dt * b[k + 3]
    return round(before, 6), round(energy(), 6), [round(x, 4) for x in bodies[1][:3]]
# Input: 1000
# Output: (-0.165172, -0.165182, [1.6383, -4.8832, -0.0225])

# %% longest_collatz_below
def f(limit):
    lengths = [0, 1] + [0] * (limit - 2)
    best = (1, 1)
    for n in range(2, limit):
        m, steps = n, 0
        while m >= n:
            m = m // 2 if m % 2 == 0 else 3 * m + 1
            steps += 1
        lengths[n] = lengths[m] + steps
        best = max(best, (lengths[n], n))
    return best, sum(lengths) // limit
# Input: 15000
# Output: ((276, 13255), 89)

# %% pi_by_machin
def f(digits):
    unity = 10 ** (digits + 10)

    def arccot(x):
        total = term = unity // x
        n, sign = 3, -1
        while term:
            term //= x * x
            total += sign * (term // n)
            n, sign = n + 2, -sign
        return total

    text = str(4 * (4 * arccot(5) - arccot(239)) // 10**10)
    return text[:12], text[-12:], [text.count(d) for d in "0123456789"]
# Input: 1500
# Output: ('314159265358', '797509302955', [143, 163, 153, 147, 140, 156, 142, 143, 149, 165])

# %% edit_distance_of_generated_texts
def f(n):
    def text(seed):
        words, state = [], seed
        for _ in range(n):
            state = (state * 48271) % 2147483647
            words.append("acgt"[state % 4])
        return "".join(words)

    a, b = text(17), text(4242)
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1], a[:12], b[-12:]
# Input: 260
# Output: (144, 'ttaacgctttaa', 'gaatcgataagc')

# %% eight_puzzle_breadth_first
from collections import deque


def f(start, most):
    goal = "123456780"
    queue, depth = deque([start]), {start: 0}
    while queue and len(depth) < most:
        state = queue.popleft()
        if state == goal:
            return depth[state], len(depth)
        z = state.index("0")
        for step in (-3, 3, -1, 1):
            t = z + step
            if not 0 <= t < 9 or (step in (-1, 1) and t // 3 != z // 3):
                continue
            a, b = min(z, t), max(z, t)
            new = state[:a] + state[b] + state[a + 1 : b] + state[a] + state[b + 1 :]
            if new not in depth:
                depth[new] = depth[state] + 1
                queue.append(new)
    return None, len(depth)
# Input: '015483726', 20000
# Output: (16, 15272)

# %% prime_sieve_twins
def f(limit):
    sieve = bytearray([1]) * (limit // 2)
    for i in range(3, int(limit**0.5) + 1, 2):
        if sieve[i // 2]:
            sieve[i * i // 2 :: i] = bytes(len(range(i * i // 2, limit // 2, i)))
    primes = [2] + [2 * i + 1 for i in range(1, limit // 2) if sieve[i]]
    twins = [(p, q) for p, q in zip(primes, primes[1:]) if q - p == 2]
    endings = {}
    for p in primes:
        endings[p % 10] = endings.get(p % 10, 0) + 1
    return len(primes), len(twins), twins[-1], endings
# Input: 250000
# Output: (22044, 2588, (249971, 249973), {2: 1, 3: 5520, 5: 1, 7: 5517, 1: 5495, 9: 5510})

# %% knight_paths_matrix
def f(n, moves):
    jumps = [(1, 2), (2, 1), (-1, 2), (-2, 1), (1, -2), (2, -1), (-1, -2), (-2, -1)]
    ways = {(0, 0): 1}
    for _ in range(moves):
        new = {}
        for (x, y), w in ways.items():
            for dx, dy in jumps:
                if 0 <= x + dx < n and 0 <= y + dy < n:
                    new[x + dx, y + dy] = new.get((x + dx, y + dy), 0) + w
        ways = new
    return sum(ways.values()), ways.get((0, 0), 0)
# Input: 10, 60
# Output: (3199215403323821795050015364214202528019151578998, 16320541608344303870152421358629463772408380392)

# %% sort_generated_keys
def f(n):
    state, keys = 12345, []
    for _ in range(n):
        state = (1103515245 * state + 12345) & 0x7FFFFFFF
        keys.append((state >> 8) % 1000)
    order = sorted(range(n), key=lambda i: (keys[i], -i))
    runs = sum(keys[a] == keys[b] for a, b in zip(order, order[1:]))
    tally = {}
    for k in keys:
        tally[k] = tally.get(k, 0) + 1
    return order[:3], order[-1], runs, max(tally.values()), len(tally)
# Input: 30000
# Output: ([27843, 27736, 25254], 906, 29000, 47, 1000)
