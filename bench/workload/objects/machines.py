# %% turing_busy_beaver
def f(rules, steps):
    tape, head, state, n = {}, 0, "A", 0
    while state != "H" and n < steps:
        write, move, state = rules[state, tape.get(head, 0)]
        tape[head] = write
        head += move
        n += 1
    cells = "".join(str(tape.get(i, 0)) for i in range(min(tape), max(tape) + 1))
    return n, sum(tape.values()), cells, state
# Input: {('A', 0): (1, 1, 'B'), ('A', 1): (1, 1, 'H'), ('B', 0): (0, 1, 'C'), ('B', 1): (1, 1, 'B'), ('C', 0): (1, -1, 'C'), ('C', 1): (1, -1, 'A')}, 100
# Output: (14, 6, '111111', 'H')

# %% brain_fold_interpreter
def f(code, data):
    jumps, stack = {}, []
    for i, c in enumerate(code):
        if c == "[":
            stack.append(i)
        elif c == "]":
            j = stack.pop()
            jumps[i], jumps[j] = j, i
    cells, at, pc, out, data = [0] * 30, 0, 0, [], list(data)
    while pc < len(code):
        c = code[pc]
        if c in "<>":
            at += 1 if c == ">" else -1
        elif c in "+-":
            cells[at] = (cells[at] + (1 if c == "+" else -1)) % 256
        elif c == ".":
            out.append(chr(cells[at]))
        elif c == ",":
            cells[at] = ord(data.pop(0)) if data else 0
        elif (c == "[") == (cells[at] == 0):
            pc = jumps[pc]
        pc += 1
    return "".join(out)
# Input: ',[>+>+<<-]>>[<<+>>-]<+++.>,>++++++[<-------->-]<[<+>-]<.', 'A9'
# Output: 'DM'

# %% register_machine
def f(source, a):
    program = [line.split() for line in source.split("\n")]
    registers, pc, steps = {"a": a}, 0, 0

    def value(x):
        return registers.get(x, 0) if x.isalpha() else int(x)

    while 0 <= pc < len(program) and steps < 10000:
        op, x, *rest = program[pc]
        steps += 1
        if op == "set":
            registers[x] = value(rest[0])
        elif op == "add":
            registers[x] = value(x) + value(rest[0])
        elif op == "mul":
            registers[x] = value(x) * value(rest[0])
        elif op == "jnz" and value(x):
            pc += value(rest[0])
            continue
        pc += 1
    return registers, steps
# Input: 'set r 1\nmul r a\nadd a -1\njnz a -2\nset done 1', 9
# Output: ({'a': 0, 'r': 362880, 'done': 1}, 29)

# %% elementary_automaton
def f(rule, width, generations):
    cells = [0] * width
    cells[width // 2] = 1
    rows = []
    for _ in range(generations):
        rows.append("".join(".#"[c] for c in cells))
        cells = [rule >> (4 * cells[i - 1] + 2 * cells[i] + cells[(i + 1) % width]) & 1 for i in range(width)]
    return rows
# Input: 110, 17, 7
# Output: ['........#........', '.......##........', '......###........', '.....##.#........', '....#####........', '...##...#........', '..###..##........']

# %% langtons_ant
def f(steps):
    black, x, y, dx, dy = set(), 0, 0, 0, -1
    for _ in range(steps):
        if (x, y) in black:
            black.discard((x, y))
            dx, dy = dy, -dx
        else:
            black.add((x, y))
            dx, dy = -dy, dx
        x, y = x + dx, y + dy
    return len(black), (x, y), (min(b[0] for b in black), max(b[1] for b in black))
# Input: 1500
# Output: (168, (8, -12), (-8, 6))

# %% lindenmayer_turtle
def f(axiom, rules, rounds, angle_steps):
    for _ in range(rounds):
        axiom = "".join(rules.get(c, c) for c in axiom)
    directions = [(1, 0), (0, 1), (-1, 0), (0, -1)]
    x = y = facing = 0
    visited, stack = {(0, 0)}, []
    for c in axiom:
        if c == "F":
            dx, dy = directions[facing]
            x, y = x + dx, y + dy
            visited.add((x, y))
        elif c in "+-":
            facing = (facing + (angle_steps if c == "+" else -angle_steps)) % 4
        elif c == "[":
            stack.append((x, y, facing))
        elif c == "]":
            x, y, facing = stack.pop()
    return len(axiom), (x, y), len(visited)
# Input: 'FX', {'X': 'X+YF+', 'Y': '-FX-Y'}, 8, 1
# Output: (1022, (16, 0), 190)

# %% elevator_simulation
def f(floors, calls):
    at, direction, time, log = 0, 1, 0, []
    waiting, inside = sorted(calls), []
    while waiting or inside:
        out = [c for c in inside if c[2] == at]
        entering = [c for c in waiting if c[0] <= time and c[1] == at]
        for c in out:
            log.append((c[3], time))
        inside = [c for c in inside if c not in out] + entering
        waiting = [c for c in waiting if c not in entering]
        wanted = [c[2] for c in inside] + [c[1] for c in waiting if c[0] <= time]
        if wanted and not any((w - at) * direction > 0 for w in wanted):
            direction = -direction
        if wanted:
            at = min(floors, max(0, at + direction))
        time += 1
    return log, at
# Input: 6, [(0, 2, 5, 'ann'), (1, 4, 0, 'bob'), (3, 0, 3, 'cyd'), (9, 6, 1, 'dan')]
# Output: ([('ann', 5), ('bob', 10), ('cyd', 13), ('dan', 21)], 1)

# %% traffic_light_states
def f(events):
    table = {
        ("red", "timer"): "green",
        ("green", "timer"): "amber",
        ("amber", "timer"): "red",
        ("green", "button"): "amber",
    }
    state, path, ignored = "red", [], 0
    for event in events:
        following = table.get((state, event))
        if event == "fault":
            following = "blink"
        elif state == "blink":
            following = "red" if event == "reset" else None
        if following is None:
            ignored += 1
            continue
        state = following
        path.append(state[0])
    return "".join(path), ignored
# Input: ['timer', 'button', 'button', 'timer', 'fault', 'timer', 'reset', 'timer']
# Output: ('garbrg', 2)

# %% regex_to_automaton
def f(pattern, texts):
    def literal(i):
        if pattern[i] == "(":
            node, i = alternatives(i + 1)
            return node, i + 1
        return ("c", pattern[i]), i + 1

    def sequence(i):
        nodes = []
        while i < len(pattern) and pattern[i] not in "|)":
            node, i = literal(i)
            while i < len(pattern) and pattern[i] in "*+?":
                node, i = (pattern[i], node), i + 1
            nodes.append(node)
        return ("seq", nodes), i

    def alternatives(i):
        node, i = sequence(i)
        options = [node]
        while i < len(pattern) and pattern[i] == "|":
            node, i = sequence(i + 1)
            options.append(node)
        return ("or", options), i

    def ends(node, text, starts):
        kind, part = node
        if kind == "c":
            return {i + 1 for i in starts if text[i : i + 1] == part}
        if kind == "seq":
            for p in part:
                starts = ends(p, text, starts)
            return starts
        if kind == "or":
            return set().union(*(ends(p, text, starts) for p in part))
        if kind == "?":
            return starts | ends(part, text, starts)
        reached = set(starts) if kind == "*" else set()
        fresh = ends(part, text, starts)
        while fresh - reached:
            reached |= fresh
            fresh = ends(part, text, fresh)
        return reached

    tree, _ = alternatives(0)
    return [len(t) in ends(tree, t, {0}) for t in texts]
# Input: '(ab|c)*d+(e|fg?)?', ['d', 'abcabdde', 'cdfg', 'abd fg', 'acd', 'cccdddf']
# Output: [True, True, True, False, False, True]

# %% stack_vm_with_calls
def f(source):
    code, labels = [], {}
    for line in source.split("\n"):
        word, *args = line.split()
        if word.endswith(":"):
            labels[word[:-1]] = len(code)
        else:
            code.append((word, *args))
    stack, frames, pc, locals_ = [], [], 0, {}
    while code[pc][0] != "halt":
        op, *args = code[pc]
        pc += 1
        if op == "push":
            stack.append(int(args[0]))
        elif op == "load":
            stack.append(locals_[args[0]])
        elif op == "store":
            locals_[args[0]] = stack.pop()
        elif op in ("add", "sub", "mul"):
            b, a = stack.pop(), stack.pop()
            stack.append({"add": a + b, "sub": a - b, "mul": a * b}[op])
        elif op == "jz":
            if stack.pop() == 0:
                pc = labels[args[0]]
        elif op == "call":
            frames.append((pc, locals_))
            pc, locals_ = labels[args[0]], {}
        elif op == "ret":
            pc, locals_ = frames.pop()
    return stack
# Input: 'push 7\ncall fib\nhalt\nfib:\nstore n\nload n\njz zero\nload n\npush 1\nsub\njz one\nload n\npush 1\nsub\ncall fib\nload n\npush 2\nsub\ncall fib\nadd\nret\nzero:\npush 0\nret\none:\npush 1\nret'
# Output: [13]

# %% unification
def f(equations):
    bound = {}

    def walk(t):
        while isinstance(t, str) and t.isupper() and t in bound:
            t = bound[t]
        return t

    def unify(a, b):
        a, b = walk(a), walk(b)
        if a == b:
            return True
        if isinstance(a, str) and a.isupper():
            bound[a] = b
            return True
        if isinstance(b, str) and b.isupper():
            return unify(b, a)
        if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
            return all(unify(x, y) for x, y in zip(a, b))
        return False

    def resolve(t):
        t = walk(t)
        return tuple(map(resolve, t)) if isinstance(t, tuple) else t

    fine = [unify(a, b) for a, b in equations]
    return fine, {name: resolve(name) for name in sorted(bound)}
# Input: [(('f', 'X', ('g', 'Y')), ('f', 'a', 'Z')), (('pair', 'Y', 'Y'), ('pair', 'b', 'W')), ('W', 'c')]
# Output: ([True, True, False], {'W': 'b', 'X': 'a', 'Y': 'b', 'Z': ('g', 'b')})

# %% logic_gates_adder
def f(a, b, width):
    calls = 0

    def nand(x, y):
        nonlocal calls
        calls += 1
        return 1 - x * y

    def xor(x, y):
        n = nand(x, y)
        return nand(nand(x, n), nand(y, n))

    def full(x, y, carry):
        half = xor(x, y)
        return xor(half, carry), nand(nand(x, y), nand(half, carry))

    carry, bits = 0, []
    for i in range(width):
        s, carry = full(a >> i & 1, b >> i & 1, carry)
        bits.append(s)
    return sum(s << i for i, s in enumerate(bits)), carry, calls
# Input: 183, 99, 8
# Output: (26, 1, 88)

# %% mini_sql_select
def f(tables, query):
    words = query.replace(",", " ").split()
    columns = words[1 : words.index("from")]
    rows = tables[words[words.index("from") + 1]]
    if "where" in words:
        name, op, raw = words[words.index("where") + 1 :][:3]
        other = int(raw) if raw.lstrip("-").isdigit() else raw
        tests = {"=": lambda v: v == other, "<": lambda v: v < other, ">": lambda v: v > other}
        rows = [r for r in rows if tests[op](r[name])]
    if "order" in words:
        key = words[words.index("order") + 2]
        rows = sorted(rows, key=lambda r: r[key], reverse=words[-1] == "desc")
    if columns == ["count"]:
        return len(rows)
    return [tuple(r[c] for c in (columns if columns != ["*"] else sorted(r))) for r in rows]
# Input: {'pets': [{'name': 'rex', 'age': 4}, {'name': 'tom', 'age': 9}, {'name': 'sly', 'age': 7}]}, 'select name, age from pets where age > 4 order by age desc'
# Output: [('tom', 9), ('sly', 7)]

# %% spreadsheet_recalculation
def f(cells, edits):
    def value(name, busy=()):
        if name in busy:
            return "#LOOP"
        raw = cells.get(name, "0")
        if not raw.startswith("="):
            return int(raw)
        total, sign = 0, 1
        for part in raw[1:].replace("-", "+-").split("+"):
            sign, part = (-1, part[1:]) if part.startswith("-") else (1, part)
            v = int(part) if part.isdigit() else value(part, (*busy, name))
            if isinstance(v, str):
                return v
            total += sign * v
        return total

    history = []
    for name, raw in edits:
        cells[name] = raw
        history.append({n: value(n) for n in sorted(cells)})
    return history
# Input: {'a1': '5', 'b1': '=a1+10', 'c1': '=b1-a1+d9'}, [('a1', '7'), ('d9', '=b1'), ('a1', '=c1')]
# Output: [{'a1': 7, 'b1': 17, 'c1': 10}, {'a1': 7, 'b1': 17, 'c1': 27, 'd9': 17}, {'a1': '#LOOP', 'b1': '#LOOP', 'c1': '#LOOP', 'd9': '#LOOP'}]

# %% blackjack_dealer
def f(deck, stand):
    def total(hand):
        points = sum(11 if c == "A" else 10 if c in "TJQK" else int(c) for c in hand)
        aces = hand.count("A")
        while points > 21 and aces:
            points, aces = points - 10, aces - 1
        return points

    cards, score, rounds = list(deck), 0, []
    while len(cards) >= 10:
        player, dealer = cards[:2], cards[2:4]
        del cards[:4]
        while total(player) < stand:
            player.append(cards.pop(0))
        if total(player) <= 21:
            while total(dealer) < 17:
                dealer.append(cards.pop(0))
        p, d = total(player), total(dealer)
        outcome = -1 if p > 21 else 1 if d > 21 or p > d else -(p < d)
        score += outcome
        rounds.append(("".join(player), "".join(dealer), outcome))
    return score, rounds
# Input: 'A7T362K9485JQ2A6T97354A8', 16
# Output: (1, [('A7', 'T36', -1), ('2K8', '945', 1), ('JQ', '2A6', 1)])

# %% cellular_forest_fire
def f(rows, minutes):
    forest = [list(r) for r in rows]
    history = []
    for _ in range(minutes):
        burning = [(y, x) for y, r in enumerate(forest) for x, c in enumerate(r) if c == "*"]
        if not burning:
            break
        for y, x in burning:
            forest[y][x] = "."
            for j, i in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= j < len(forest) and 0 <= i < len(forest[j]) and forest[j][i] == "T":
                    forest[j][i] = "*"
        history.append(len(burning))
    return history, ["".join(r) for r in forest]
# Input: ['TTT.T', 'T*T.T', 'T.TTT', '..T.T'], 4
# Output: ([1, 3, 4, 2], ['....T', '....T', '....*', '....T'])
