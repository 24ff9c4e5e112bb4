# %% transpose_and_trace
def f(m):
    t = [list(row) for row in zip(*m)]
    return t, sum(m[i][i] for i in range(len(m))), m == t
# Input: [[1, 2, 3], [2, 5, 6], [3, 6, 9]]
# Output: ([[1, 2, 3], [2, 5, 6], [3, 6, 9]], 15, True)

# %% spiral_order
def f(grid):
    out = []
    while grid:
        out += grid.pop(0)
        grid = [list(row) for row in zip(*grid)][::-1]
    return out
# Input: [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
# Output: [1, 2, 3, 4, 8, 12, 11, 10, 9, 5, 6, 7]

# %% spiral_fill
def f(n):
    grid = [[0] * n for _ in range(n)]
    x = y = 0
    dx, dy = 1, 0
    for k in range(1, n * n + 1):
        grid[y][x] = k
        nx, ny = x + dx, y + dy
        if not (0 <= nx < n and 0 <= ny < n) or grid[ny][nx]:
            dx, dy = -dy, dx
        x, y = x + dx, y + dy
    return grid
# Input: 4
# Output: [[1, 2, 3, 4], [12, 13, 14, 5], [11, 16, 15, 6], [10, 9, 8, 7]]

# %% matrix_power
def f(matrix, exponent, modulus=10**9 + 7):
    n = len(matrix)

    def times(a, b):
        return [[sum(a[i][k] * b[k][j] for k in range(n)) % modulus for j in range(n)] for i in range(n)]

    result = [[int(i == j) for j in range(n)] for i in range(n)]
    while exponent:
        if exponent & 1:
            result = times(result, matrix)
        matrix = times(matrix, matrix)
        exponent >>= 1
    return result
# Input: [[1, 1, 0], [1, 0, 1], [0, 1, 1]], 1000000000000000
# Output: [[421481456, 421481455, 421481455], [421481455, 421481456, 421481455], [421481455, 421481455, 421481456]]

# %% determinant_by_fractions
from fractions import Fraction


def f(rows):
    m = [[Fraction(x) for x in row] for row in rows]
    det = Fraction(1)
    for c in range(len(m)):
        pivot = next((r for r in range(c, len(m)) if m[r][c]), None)
        if pivot is None:
            return 0
        if pivot != c:
            m[c], m[pivot] = m[pivot], m[c]
            det = -det
        det *= m[c][c]
        for r in range(c + 1, len(m)):
            k = m[r][c] / m[c][c]
            m[r] = [a - k * b for a, b in zip(m[r], m[c])]
    return det.numerator, det.denominator
# Input: [[0, 2, 1], [3, 1.5, -1], [4, 0, 0.25]]
# Output: (-31, 2)

# %% game_of_life
def f(rows, generations):
    alive = {(x, y) for y, row in enumerate(rows) for x, c in enumerate(row) if c == "#"}
    for _ in range(generations):
        near = {}
        for x, y in alive:
            for dx in (-1, 0, 1):
                for dy in (-1, 0, 1):
                    if dx or dy:
                        near[x + dx, y + dy] = near.get((x + dx, y + dy), 0) + 1
        alive = {p for p, n in near.items() if n == 3 or (n == 2 and p in alive)}
    return sorted(alive)
# Input: ['.#.', '..#', '###'], 8
# Output: [(2, 4), (3, 2), (3, 4), (4, 3), (4, 4)]

# %% sudoku_conflicts
def f(board):
    bad = set()
    units = [[(r, c) for c in range(9)] for r in range(9)]
    units += [[(r, c) for r in range(9)] for c in range(9)]
    units += [[(r + i, c + j) for i in range(3) for j in range(3)] for r in (0, 3, 6) for c in (0, 3, 6)]
    for unit in units:
        where = {}
        for r, c in unit:
            if board[r][c] != ".":
                where.setdefault(board[r][c], []).append((r, c))
        bad.update(p for places in where.values() if len(places) > 1 for p in places)
    return sorted(bad)
# Input: ['53..7....', '6..195...', '.98....6.', '8...6...3', '4..8.3..1', '7...2...6', '.6....28.', '...419..5', '....8.57.']
# Output: [(7, 8), (8, 6)]

# %% flood_fill_area
def f(grid, x, y, ink):
    rows = [list(r) for r in grid]
    old = rows[y][x]
    stack, painted = [(x, y)], 0
    while stack:
        i, j = stack.pop()
        if 0 <= j < len(rows) and 0 <= i < len(rows[j]) and rows[j][i] == old != ink:
            rows[j][i] = ink
            painted += 1
            stack += [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)]
    return painted, ["".join(r) for r in rows]
# Input: ['..#..', '.##.#', '#....', '..#..'], 3, 2, 'o'
# Output: (11, ['..#oo', '.##o#', '#oooo', 'oo#oo'])

# %% island_sizes
def f(grid):
    land = {(r, c) for r, row in enumerate(grid) for c, v in enumerate(row) if v}
    sizes = []
    while land:
        todo, size = {land.pop()}, 0
        while todo:
            r, c = todo.pop()
            size += 1
            near = {(r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)} & land
            land -= near
            todo |= near
        sizes.append(size)
    return sorted(sizes)
# Input: [[1, 1, 0, 0, 1], [0, 1, 0, 1, 1], [1, 0, 0, 0, 0], [1, 0, 1, 1, 1]]
# Output: [2, 3, 3, 3]

# %% minesweeper_hints
def f(field):
    out = []
    for y, row in enumerate(field):
        line = ""
        for x, c in enumerate(row):
            if c == "*":
                line += c
                continue
            around = [field[j][max(0, x - 1) : x + 2] for j in range(max(0, y - 1), min(len(field), y + 2))]
            n = "".join(around).count("*")
            line += str(n) if n else "."
        out.append(line)
    return out
# Input: ['*...', '..*.', '....', '.**.']
# Output: ['*211', '12*1', '1332', '1**1']

# %% saddle_points
def f(matrix):
    if len({len(r) for r in matrix}) > 1:
        raise ValueError("ragged")
    columns = list(zip(*matrix))
    return [(r, c, v) for r, row in enumerate(matrix) for c, v in enumerate(row) if v == max(row) and v == min(columns[c])]
# Input: [[9, 8, 7], [5, 3, 2], [6, 6, 7]]
# Output: [(1, 0, 5)]

# %% magic_square_odd
def f(n):
    square = [[0] * n for _ in range(n)]
    r, c = 0, n // 2
    for k in range(1, n * n + 1):
        square[r][c] = k
        if square[(r - 1) % n][(c + 1) % n]:
            r = (r + 1) % n
        else:
            r, c = (r - 1) % n, (c + 1) % n
    diagonals = sum(square[i][i] for i in range(n)), sum(square[i][~i] for i in range(n))
    return square, diagonals
# Input: 5
# Output: ([[17, 24, 1, 8, 15], [23, 5, 7, 14, 16], [4, 6, 13, 20, 22], [10, 12, 19, 21, 3], [11, 18, 25, 2, 9]], (65, 65))

# %% prefix_sums_2d
def f(grid, queries):
    h, w = len(grid), len(grid[0])
    acc = [[0] * (w + 1) for _ in range(h + 1)]
    for r in range(h):
        for c in range(w):
            acc[r + 1][c + 1] = grid[r][c] + acc[r][c + 1] + acc[r + 1][c] - acc[r][c]
    return [acc[r2][c2] - acc[r1][c2] - acc[r2][c1] + acc[r1][c1] for r1, c1, r2, c2 in queries]
# Input: [[1, 2, 3], [4, 5, 6], [7, 8, 9]], [(0, 0, 3, 3), (1, 1, 3, 3), (0, 2, 2, 3), (1, 0, 1, 2)]
# Output: [45, 28, 9, 0]

# %% largest_rectangle_of_ones
def f(grid):
    heights = [0] * (len(grid[0]) + 1)
    best = 0
    for row in grid:
        for c, v in enumerate(row):
            heights[c] = heights[c] + 1 if v == "1" else 0
        stack = [-1]
        for c, h in enumerate(heights):
            while stack[-1] >= 0 and heights[stack[-1]] >= h:
                top = stack.pop()
                best = max(best, heights[top] * (c - stack[-1] - 1))
            stack.append(c)
    return best
# Input: ['10100', '10111', '11111', '10010']
# Output: 6

# %% toroidal_shift
def f(grid, dr, dc):
    grid = [row[-dc % len(row) :] + row[: -dc % len(row)] for row in grid]
    k = -dr % len(grid)
    return grid[k:] + grid[:k]
# Input: ['abcd', 'efgh', 'ijkl'], 1, -1
# Output: ['jkli', 'bcda', 'fghe']

# %% relational_join
def f(people, orders):
    by_id = {}
    for pid, name in people:
        by_id[pid] = name
    joined = [(by_id.get(pid), item, n) for pid, item, n in orders]
    lonely = [name for pid, name in people if all(pid != o[0] for o in orders)]
    totals = {}
    for name, _, n in joined:
        totals[name] = totals.get(name, 0) + n
    return joined, lonely, totals
# Input: [(1, 'ida'), (2, 'jon'), (3, 'kim')], [(3, 'pen', 2), (1, 'ink', 1), (3, 'cap', 5), (9, 'map', 1)]
# Output: ([('kim', 'pen', 2), ('ida', 'ink', 1), ('kim', 'cap', 5), (None, 'map', 1)], ['jon'], {'kim': 7, 'ida': 1, None: 1})

# %% gaussian_solve
def f(a, b):
    n = len(a)
    m = [row[:] + [x] for row, x in zip(a, b)]
    for i in range(n):
        p = max(range(i, n), key=lambda r: abs(m[r][i]))
        m[i], m[p] = m[p], m[i]
        for r in range(n):
            if r != i:
                k = m[r][i] / m[i][i]
                for c in range(i, n + 1):
                    m[r][c] -= k * m[i][c]
    return [round(m[i][n] / m[i][i], 9) for i in range(n)]
# Input: [[2.0, 1.0, -1.0], [-3.0, -1.0, 2.0], [-2.0, 1.0, 2.0]], [8.0, -11.0, -3.0]
# Output: [2.0, 3.0, -1.0]
