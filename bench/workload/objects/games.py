# %% mastermind_filter
from itertools import product


def f(colours, history):
    def feedback(secret, guess):
        exact = sum(a == b for a, b in zip(secret, guess))
        common = sum(min(secret.count(c), guess.count(c)) for c in colours)
        return exact, common - exact

    candidates = ["".join(p) for p in product(colours, repeat=4)]
    sizes = []
    for guess, answer in history:
        candidates = [c for c in candidates if feedback(c, guess) == tuple(answer)]
        sizes.append(len(candidates))
    return sizes, candidates[:4]
# Input: 'rgby', [('rrgg', (2, 0)), ('rbyb', (2, 1)), ('gbyr', (1, 3))]
# Output: ([34, 4, 1], ['rbgy'])

# %% nim_winning_move
def f(heaps):
    balance = 0
    for h in heaps:
        balance ^= h
    if not balance:
        return None
    for i, h in enumerate(heaps):
        if h ^ balance < h:
            return i, h - (h ^ balance), [*heaps[:i], h ^ balance, *heaps[i + 1 :]]
# Input: [3, 8, 5, 9]
# Output: (2, 3, [3, 8, 2, 9])

# %% grundy_values_of_kayles
def f(n):
    grundy = [0]
    for size in range(1, n + 1):
        reach = set()
        for taken in (1, 2):
            for left in range(size - taken + 1):
                reach.add(grundy[left] ^ grundy[size - taken - left])
        g = 0
        while g in reach:
            g += 1
        grundy.append(g)
    return grundy, [i for i, g in enumerate(grundy) if g == 0]
# Input: 24
# Output: ([0, 1, 2, 3, 1, 4, 3, 2, 1, 4, 2, 6, 4, 1, 2, 7, 1, 4, 3, 2, 1, 4, 6, 7, 4], [0])

# %% connect_four_winner
def f(moves):
    board = [[] for _ in range(7)]

    def at(c, r):
        return board[c][r] if 0 <= c < 7 and 0 <= r < len(board[c]) else None

    for turn, column in enumerate(moves):
        player = "XO"[turn % 2]
        c = int(column)
        if len(board[c]) == 6:
            return "full", turn
        board[c].append(player)
        r = len(board[c]) - 1
        for dc, dr in ((1, 0), (0, 1), (1, 1), (1, -1)):
            run = 1
            for sign in (1, -1):
                k = 1
                while at(c + sign * k * dc, r + sign * k * dr) == player:
                    run, k = run + 1, k + 1
            if run >= 4:
                return player, turn + 1, (dc, dr)
    return None
# Input: '343015634456645440625'
# Output: ('X', 19, (1, 1))

# %% poker_hand_rank
from collections import Counter


def f(hands):
    def rank(hand):
        values = sorted(("--23456789TJQKA".index(c[0]) for c in hand.split()), reverse=True)
        if values == [14, 5, 4, 3, 2]:
            values = [5, 4, 3, 2, 1]
        flush = len({c[1] for c in hand.split()}) == 1
        straight = values == list(range(values[0], values[0] - 5, -1))
        groups = sorted(Counter(values).items(), key=lambda g: (-g[1], -g[0]))
        shape = tuple(n for _, n in groups)
        kind = {(1, 1, 1, 1, 1): 0, (2, 1, 1, 1): 1, (2, 2, 1): 2, (3, 1, 1): 3, (3, 2): 6, (4, 1): 7}[shape]
        kind = max(kind, 8 * (straight and flush), 5 * flush, 4 * straight)
        return kind, [v for v, _ in groups]

    ranked = sorted(hands, key=rank, reverse=True)
    return ranked[0], [rank(h)[0] for h in hands]
# Input: ['2H 3D 5S 9C KD', 'AH 2H 3H 4H 5H', 'TS TC TD 4H 4C', '9C 9D 8C 8D 2S', '6H 7C 8D 9S TH']
# Output: ('AH 2H 3H 4H 5H', [0, 8, 6, 2, 4])

# %% bowling_score
def f(rolls):
    pins = []
    for c in rolls.replace(" ", ""):
        if c == "X":
            pins.append(10)
        elif c == "/":
            pins.append(10 - pins[-1])
        else:
            pins.append(0 if c == "-" else int(c))
    total, i, frames = 0, 0, []
    for _ in range(10):
        if pins[i] == 10:
            total += sum(pins[i : i + 3])
            i += 1
        else:
            total += sum(pins[i : i + 2]) + (pins[i + 2] if sum(pins[i : i + 2]) == 10 else 0)
            i += 2
        frames.append(total)
    return frames
# Input: 'X 7/ 9- X -8 8/ -6 X X X81'
# Output: [20, 39, 48, 66, 74, 84, 90, 120, 148, 167]

# %% elo_tournament
def f(players, results, k):
    rating = dict.fromkeys(players, 1500.0)
    upsets = []
    for a, b, score in results:
        expected = 1 / (1 + 10 ** ((rating[b] - rating[a]) / 400))
        if abs(score - expected) > 0.55:
            upsets.append(a + b)
        change = k * (score - expected)
        rating[a] += change
        rating[b] -= change
    return {p: round(r, 2) for p, r in sorted(rating.items(), key=lambda pr: -pr[1])}, upsets
# Input: 'abc', [('a', 'b', 1), ('a', 'c', 1), ('b', 'a', 1), ('c', 'a', 0.5), ('c', 'b', 1), ('b', 'a', 1)], 60
# Output: ({'c': 1509.3, 'b': 1508.29, 'a': 1482.41}, ['ba', 'ba'])

# %% two_thousand_forty_eight
def f(board, moves):
    def squeeze(row):
        tiles, out = [t for t in row if t], []
        while tiles:
            if len(tiles) > 1 and tiles[0] == tiles[1]:
                out.append(2 * tiles.pop(0))
            else:
                out.append(tiles[0])
            tiles.pop(0)
        return out + [0] * (len(row) - len(out))

    def turn(b):
        return [list(r) for r in zip(*b[::-1])]

    for move in moves:
        turns = "LDRU".index(move)
        for _ in range(turns):
            board = turn(board)
        board = [squeeze(r) for r in board]
        for _ in range(-turns % 4):
            board = turn(board)
    return board, max(map(max, board))
# Input: [[2, 0, 2, 4], [4, 4, 0, 2], [2, 2, 2, 2], [0, 8, 0, 8]], 'LURD'
# Output: ([[0, 0, 0, 8], [0, 0, 0, 2], [0, 0, 0, 8], [0, 0, 8, 16]], 16)

# %% battleship_shots
def f(ships, shots):
    where, sunk, log = {}, [], ""
    for name, (row, column, size, across) in ships.items():
        for k in range(size):
            where["ABCDEFGH"[row + k * (not across)] + str(column + k * across)] = name
    left = {name: spec[2] for name, spec in ships.items()}
    for shot in shots:
        name = where.pop(shot, None)
        if name is None:
            log += "."
            continue
        left[name] -= 1
        log += "x" if left[name] else "X"
        if not left[name]:
            sunk.append(name)
    return log, sunk, sum(left.values())
# Input: {'sub': (0, 1, 2, True), 'tug': (2, 3, 3, False)}, ['A1', 'B1', 'A1', 'C3', 'E3', 'A2', 'D3', 'D4']
# Output: ('x..xxXX.', ['sub', 'tug'], 0)

# %% rock_paper_strategies
def f(rounds):
    beats = {"r": "s", "s": "p", "p": "r"}

    def rotate(mine, theirs):
        return "rps"[len(mine) % 3]

    def counter(mine, theirs):
        last = theirs[-1:] or "r"
        return next(m for m, loser in beats.items() if loser == last)

    def favourite(mine, theirs):
        best = max("rps", key=lambda m: (theirs.count(beats[m]), m))
        return best

    table = {}
    players = {"rotate": rotate, "counter": counter, "favourite": favourite}
    for a, play in players.items():
        for b, other in players.items():
            xs, ys, score = "", "", 0
            for _ in range(rounds):
                x, y = play(xs, ys), other(ys, xs)
                xs, ys = xs + x, ys + y
                score += (beats[x] == y) - (beats[y] == x)
            table[a[0] + b[0]] = score
    return table
# Input: 30
# Output: {'rr': 0, 'rc': -1, 'rf': 10, 'cr': 1, 'cc': 0, 'cf': 14, 'fr': -10, 'fc': -14, 'ff': 0}

# %% snake_on_a_grid
def f(size, food, moves):
    from collections import deque

    body, score = deque([(0, 0)]), 0
    food = deque(food)
    for n, move in enumerate(moves):
        x, y = body[0]
        dx, dy = {"U": (0, -1), "D": (0, 1), "L": (-1, 0), "R": (1, 0)}[move]
        head = (x + dx, y + dy)
        tail = body.pop()
        if head in body or not (0 <= head[0] < size and 0 <= head[1] < size):
            return "dead", n, score
        body.appendleft(head)
        if food and tuple(food[0]) == head:
            food.popleft()
            body.append(tail)
            score += 1
    return "alive", score, list(body)
# Input: 4, [(1, 0), (2, 0), (2, 1), (0, 3)], 'RRDDLLDRUUURD'
# Output: ('dead', 8, 4)

# %% yahtzee_categories
from collections import Counter


def f(dice):
    counts = Counter(dice)
    top = max(counts.values())
    runs = max(len([1 for k in range(n) if start + k in counts]) for n in (4, 5) for start in (1, 2, 3) if all(start + k in counts for k in range(n))) if any(all(s + k in counts for k in range(4)) for s in (1, 2, 3)) else 0
    scores = {
        "chance": sum(dice),
        "three": sum(dice) * (top >= 3),
        "full": 25 * (sorted(counts.values()) == [2, 3]),
        "small": 30 * (runs >= 4),
        "large": 40 * (runs == 5),
        "yahtzee": 50 * (top == 5),
    }
    upper = {face: face * counts[face] for face in range(1, 7) if counts[face]}
    return max(scores, key=lambda n: (scores[n], n)), scores, upper
# Input: [2, 3, 4, 5, 3]
# Output: ('small', {'chance': 17, 'three': 0, 'full': 0, 'small': 30, 'large': 0, 'yahtzee': 0}, {2: 2, 3: 6, 4: 4, 5: 5})

# %% dominoes_chain
def f(tiles):
    longest = []

    def extend(chain, rest):
        nonlocal longest
        if len(chain) > len(longest):
            longest = chain
        for i, (a, b) in enumerate(rest):
            for tile in {(a, b), (b, a)}:
                if not chain or chain[-1][1] == tile[0]:
                    extend([*chain, tile], rest[:i] + rest[i + 1 :])

    extend([], [tuple(t) for t in tiles])
    loops = longest[0][0] == longest[-1][1]
    return len(longest), loops, sum(map(sum, longest))
# Input: [(1, 2), (5, 3), (3, 1), (1, 2), (2, 4), (1, 6), (2, 5)]
# Output: (7, False, 38)

# %% monopoly_walk
def f(rolls, size):
    place, jail, doubles, money, visits = 0, 0, 0, 100, {}
    for a, b in rolls:
        if jail:
            jail -= 1
            if a != b:
                continue
            jail = 0
        doubles = doubles + 1 if a == b else 0
        if doubles == 3:
            place, jail, doubles = size // 4, 2, 0
            continue
        laps, place = divmod(place + a + b, size)
        money += 20 * laps
        if place % 7 == 0 and place:
            money -= place
        visits[place] = visits.get(place, 0) + 1
        if place == 3 * size // 4:
            place, jail = size // 4, 2
    return place, money, visits
# Input: [(3, 4), (2, 2), (5, 5), (1, 1), (3, 6), (4, 4), (6, 5), (1, 2), (6, 6), (2, 3), (4, 5)], 20
# Output: (13, 146, {7: 2, 11: 1, 1: 1, 13: 2, 4: 2, 19: 1})

# %% life_cycle_detection
def f(start):
    def step(cells):
        counts = {}
        for x, y in cells:
            for i in (x - 1, x, x + 1):
                for j in (y - 1, y, y + 1):
                    counts[i, j] = counts.get((i, j), 0) + 1
        return frozenset(c for c, n in counts.items() if n == 3 or n == 4 and c in cells)

    def normal(cells):
        if not cells:
            return cells
        x0, y0 = min(x for x, _ in cells), min(y for _, y in cells)
        return frozenset((x - x0, y - y0) for x, y in cells)

    seen, cells, n = {}, frozenset(map(tuple, start)), 0
    while normal(cells) not in seen:
        seen[normal(cells)] = n
        cells, n = step(cells), n + 1
    return seen[normal(cells)], n - seen[normal(cells)], len(cells)
# Input: [(0, 0), (0, 1), (0, 2), (1, 1)]
# Output: (9, 2, 12)

# %% bank_with_errors
class Refused(Exception):
    def __init__(self, wanted, have):
        super().__init__(f"{wanted} of {have}")
        self.missing = wanted - have


class Account:
    opened = 0

    def __init__(self, owner, balance=0):
        self.owner, self.balance, self.history = owner, balance, []
        Account.opened += 1

    def withdraw(self, amount):
        if amount > self.balance:
            raise Refused(amount, self.balance)
        self.balance -= amount
        self.history.append(-amount)

    def transfer(self, other, amount):
        try:
            self.withdraw(amount)
        except Refused as r:
            return r.missing
        else:
            other.balance += amount
            other.history.append(amount)
            return 0
        finally:
            self.history.append("t")


def f(transfers):
    a, b = Account("ann", 100), Account("bob")
    missing = [(a if way == ">" else b).transfer(b if way == ">" else a, n) for way, n in transfers]
    return missing, a.balance, b.balance, a.history, b.history, Account.opened
# Input: [('>', 70), ('>', 50), ('<', 20), ('<', 51)]
# Output: ([0, 20, 0, 1], 50, 50, [-70, 't', 't', 20], [70, -20, 't', 't'], 2)
