# %% queens_first_solutions
def f(n, wanted):
    found = []

    def place(row, columns, up, down, board):
        if row == n:
            found.append(board)
            return
        for c in range(n):
            if len(found) < wanted and c not in columns and row + c not in up and row - c not in down:
                place(row + 1, columns | {c}, up | {row + c}, down | {row - c}, (*board, c))

    place(0, frozenset(), frozenset(), frozenset(), ())
    return found
# Input: 7, 3
# Output: [(0, 2, 4, 6, 1, 3, 5), (0, 3, 6, 2, 5, 1, 4), (0, 4, 1, 5, 2, 6, 3)]

# %% subset_sums_exact
def f(numbers, target):
    numbers, found = sorted(numbers), []

    def go(start, left, chosen):
        if left == 0:
            found.append(chosen)
        for i in range(start, len(numbers)):
            if numbers[i] > left:
                break
            if i == start or numbers[i] != numbers[i - 1]:
                go(i + 1, left - numbers[i], chosen + [numbers[i]])

    go(0, target, [])
    return found
# Input: [10, 1, 2, 7, 6, 1, 5, 3], 10
# Output: [[1, 1, 2, 6], [1, 1, 3, 5], [1, 2, 7], [1, 3, 6], [2, 3, 5], [3, 7], [10]]

# %% maze_shortest_path
from collections import deque


def f(maze):
    where = {c: (x, y) for y, row in enumerate(maze) for x, c in enumerate(row) if c in "SE"}
    queue, via = deque([where["S"]]), {where["S"]: ""}
    while queue:
        x, y = queue.popleft()
        if (x, y) == where["E"]:
            return len(via[x, y]), via[x, y]
        for letter, dx, dy in (("U", 0, -1), ("R", 1, 0), ("D", 0, 1), ("L", -1, 0)):
            p = (x + dx, y + dy)
            if maze[p[1]][p[0]] != "#" and p not in via:
                via[p] = via[x, y] + letter
                queue.append(p)
# Input: ['#########', '#S..#...#', '#.#.#.#.#', '#.#...#E#', '#########']
# Output: (12, 'RRDDRRUURRDD')

# %% word_search_grid
def f(board, words):
    h, w = len(board), len(board[0])

    def hunt(x, y, word, used):
        if board[y][x] != word[0]:
            return False
        if len(word) == 1:
            return True
        used = used | {(x, y)}
        return any(
            0 <= i < w and 0 <= j < h and (i, j) not in used and hunt(i, j, word[1:], used)
            for i, j in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1))
        )

    return {word: any(hunt(x, y, word, frozenset()) for y in range(h) for x in range(w)) for word in words}
# Input: ['ABCE', 'SFCS', 'ADEE'], ['ABCCED', 'SEE', 'ABCB', 'ASADFB']
# Output: {'ABCCED': True, 'SEE': True, 'ABCB': False, 'ASADFB': True}

# %% phone_letters_filtered
def f(digits, dictionary):
    keys = {"2": "abc", "3": "def", "4": "ghi", "5": "jkl", "6": "mno", "7": "pqrs", "8": "tuv", "9": "wxyz"}
    prefixes = {w[:i] for w in dictionary for i in range(len(w) + 1)}
    words = [""]
    for d in digits:
        words = [w + c for w in words for c in keys[d] if w + c in prefixes]
    return [w for w in words if w in dictionary]
# Input: '4663', ['good', 'gone', 'home', 'hood', 'hoof', 'goner']
# Output: ['gone', 'good', 'home', 'hood', 'hoof']

# %% graph_colouring
def f(neighbours, colours):
    order = sorted(neighbours, key=lambda v: (-len(neighbours[v]), v))
    tries = 0

    def paint(i, chosen):
        nonlocal tries
        if i == len(order):
            return chosen
        for colour in colours:
            tries += 1
            if all(chosen.get(w) != colour for w in neighbours[order[i]]):
                done = paint(i + 1, {**chosen, order[i]: colour})
                if done:
                    return done
        return None

    return paint(0, {}), tries
# Input: {'WA': ['NT', 'SA'], 'NT': ['WA', 'SA', 'Q'], 'SA': ['WA', 'NT', 'Q', 'NSW', 'V'], 'Q': ['NT', 'SA', 'NSW'], 'NSW': ['Q', 'SA', 'V'], 'V': ['SA', 'NSW'], 'T': []}, 'rgb'
# Output: ({'SA': 'r', 'NSW': 'g', 'NT': 'g', 'Q': 'b', 'V': 'b', 'WA': 'b', 'T': 'r'}, 15)

# %% crypt_addition
from itertools import permutations


def f(first, second, total):
    letters = sorted(set(first + second + total))
    leading = {first[0], second[0], total[0]}
    for digits in permutations(range(9, -1, -1), len(letters)):
        value = dict(zip(letters, digits))
        if any(value[c] == 0 for c in leading):
            continue
        a, b, t = (int("".join(str(value[c]) for c in w)) for w in (first, second, total))
        if a + b == t:
            return a, b, t
# Input: 'to', 'go', 'out'
# Output: (21, 81, 102)

# %% knights_tour_warnsdorff
def f(n, x, y):
    jumps = ((1, 2), (2, 1), (-1, 2), (-2, 1), (1, -2), (2, -1), (-1, -2), (-2, -1))
    board = {(x, y): 0}

    def free(x, y):
        return [(x + a, y + b) for a, b in jumps if 0 <= x + a < n and 0 <= y + b < n and (x + a, y + b) not in board]

    for step in range(1, n * n):
        options = free(x, y)
        if not options:
            return False, step
        x, y = min(options, key=lambda p: (len(free(*p)), p))
        board[x, y] = step
    return True, [[board[i, j] for i in range(n)] for j in range(n)][0]
# Input: 6, 0, 0
# Output: (True, [0, 9, 34, 21, 6, 11])

# %% boolean_satisfaction
def f(clauses):
    def solve(clauses, known):
        clauses = [c for c in clauses if not any(x in known for x in c)]
        clauses = [[x for x in c if -x not in known] for c in clauses]
        if not clauses:
            return known
        if [] in clauses:
            return None
        unit = next((c[0] for c in clauses if len(c) == 1), None)
        options = [unit] if unit else [clauses[0][0], -clauses[0][0]]
        for x in options:
            answer = solve(clauses, known | {x})
            if answer is not None:
                return answer
        return None

    answer = solve(clauses, frozenset())
    return answer and sorted(answer, key=abs)
# Input: [[1, -2, 3], [-1, 2], [-3, 4], [2, 3], [-2, -4], [-1, -3]]
# Output: [1, 2, -3, -4]

# %% restore_addresses
def f(digits):
    found = []

    def go(rest, parts):
        left = 4 - len(parts)
        if not left:
            if not rest:
                found.append(".".join(parts))
            return
        for size in (1, 2, 3):
            part, tail = rest[:size], rest[size:]
            if len(part) == size and left - 1 <= len(tail) <= 3 * (left - 1) and str(int(part)) == part and int(part) < 256:
                go(tail, [*parts, part])

    go(digits, [])
    return found
# Input: '101023'
# Output: ['1.0.10.23', '1.0.102.3', '10.1.0.23', '10.10.2.3', '101.0.2.3']

# %% exact_cover_pentominoes_in_a_strip
def f(width):
    cells = [(x, y) for x in range(width) for y in range(2)]
    shapes = {"I": [(0, 0), (0, 1)], "O": [(0, 0), (0, 1), (1, 0), (1, 1)], "L": [(0, 0), (0, 1), (1, 0)], "J": [(0, 0), (0, 1), (1, 1)], "-": [(0, 0), (1, 0)]}

    def fill(used):
        spot = next((c for c in cells if c not in used), None)
        if spot is None:
            return 1
        ways = 0
        for shape in shapes.values():
            for ax, ay in shape:
                placed = {(spot[0] + x - ax, spot[1] + y - ay) for x, y in shape}
                if placed <= set(cells) - used and min(placed) == spot:
                    ways += fill(used | placed)
        return ways

    return fill(frozenset())
# Input: 5
# Output: 21

# %% water_jugs_search
from collections import deque


def f(sizes, goal):
    start = (0,) * len(sizes)
    queue, via = deque([start]), {start: None}
    while queue:
        state = queue.popleft()
        if goal in state:
            path = []
            while state:
                path.append(state)
                state = via[state]
            return path[::-1]
        following = []
        for i, size in enumerate(sizes):
            for level in (0, size):
                following.append((*state[:i], level, *state[i + 1 :]))
            for j, other in enumerate(sizes):
                if i != j:
                    poured = min(state[i], other - state[j])
                    new = list(state)
                    new[i] -= poured
                    new[j] += poured
                    following.append(tuple(new))
        for s in following:
            if s not in via:
                via[s] = state
                queue.append(s)
# Input: (3, 5), 4
# Output: [(0, 0), (0, 5), (3, 2), (0, 2), (2, 0), (2, 5), (3, 4)]

# %% tic_tac_toe_minimax
def f(board):
    lines = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]
    visited = 0

    def value(cells, player):
        nonlocal visited
        visited += 1
        for a, b, c in lines:
            if cells[a] != "." and cells[a] == cells[b] == cells[c]:
                return (1 if cells[a] == "x" else -1), None
        moves = [i for i, c in enumerate(cells) if c == "."]
        if not moves:
            return 0, None
        scored = []
        for m in moves:
            after = cells[:m] + player + cells[m + 1 :]
            scored.append((value(after, "o" if player == "x" else "x")[0], -m))
        best = max(scored) if player == "x" else min(scored)
        return best[0], -best[1]

    return value(board, "x"), visited
# Input: 'xo..x...o'
# Output: ((1, 3), 238)

# %% partition_into_equal_sums
def f(nums, k):
    total = sum(nums)
    if total % k:
        return None
    nums, bins = sorted(nums, reverse=True), [[] for _ in range(k)]

    def place(i):
        if i == len(nums):
            return True
        tried = set()
        for b in bins:
            if sum(b) + nums[i] <= total // k and sum(b) not in tried:
                tried.add(sum(b))
                b.append(nums[i])
                if place(i + 1):
                    return True
                b.pop()
        return False

    return bins if place(0) else False
# Input: [4, 3, 2, 3, 5, 2, 1, 6, 4], 3
# Output: [[6, 4], [5, 4, 1], [3, 3, 2, 2]]

# %% generate_mountain_ranges
def f(steps):
    ranges = []

    def climb(path, height, left):
        if height > left:
            return
        if not left:
            ranges.append(path)
            return
        climb(path + "/", height + 1, left - 1)
        if height:
            climb(path + "\\", height - 1, left - 1)

    climb("", 0, steps)
    peaks = [r.count("/\\") for r in ranges]
    return len(ranges), max(peaks), peaks.count(2), ranges[1]
# Input: 8
# Output: (14, 4, 6, '///\\/\\\\\\')
