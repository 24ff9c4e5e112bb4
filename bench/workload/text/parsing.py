# %% infix_calculator
def f(text):
    tokens = text.replace("(", " ( ").replace(")", " ) ").split()
    pos = 0

    def peek():
        return tokens[pos] if pos < len(tokens) else None

    def take():
        nonlocal pos
        pos += 1
        return tokens[pos - 1]

    def factor():
        token = take()
        if token == "(":
            value = expression()
            take()
            return value
        return -factor() if token == "-" else int(token)

    def term():
        value = factor()
        while peek() in ("*", "/", "%"):
            op, right = take(), factor()
            value = value * right if op == "*" else value // right if op == "/" else value % right
        return value

    def expression():
        value = term()
        while peek() in ("+", "-"):
            value = value + term() if take() == "+" else value - term()
        return value

    return expression()
# Input: '2 * ( 3 + 4 ) - - 5 % 3 + ( 18 / 5 )'
# Output: 16

# %% shunting_yard
def f(expression):
    rank = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}
    output, stack = [], []
    for token in expression.split():
        if token in rank:
            while stack and stack[-1] != "(" and (rank[stack[-1]], token != "^") >= (rank[token], True):
                output.append(stack.pop())
            stack.append(token)
        elif token == "(":
            stack.append(token)
        elif token == ")":
            while stack[-1] != "(":
                output.append(stack.pop())
            stack.pop()
        else:
            output.append(token)
    return " ".join(output + stack[::-1])
# Input: 'a + b * c ^ d ^ e - ( f - g ) / h'
# Output: 'a b c d e ^ ^ * + f g - h / -'

# %% reverse_polish
import operator


def f(program):
    ops = {"+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "max": max}
    stack = []
    for word in program.split():
        if word in ops:
            b, a = stack.pop(), stack.pop()
            stack.append(ops[word](a, b))
        elif word == "dup":
            stack.append(stack[-1])
        elif word == "swap":
            stack[-1], stack[-2] = stack[-2], stack[-1]
        else:
            stack.append(int(word))
    return stack
# Input: '3 4 + dup * 7 swap // 100 9 max'
# Output: [0, 100]

# %% json_reader
def f(text):
    def skip(i):
        while i < len(text) and text[i] in " \n\t":
            i += 1
        return i

    def value(i):
        i = skip(i)
        if text[i] == "{":
            result, i = {}, skip(i + 1)
            while text[i] != "}":
                key, i = value(i)
                result[key], i = value(skip(i) + 1)
                i = skip(i)
                i = skip(i + 1) if text[i] == "," else i
            return result, i + 1
        if text[i] == "[":
            result, i = [], skip(i + 1)
            while text[i] != "]":
                item, i = value(i)
                result.append(item)
                i = skip(i)
                i = skip(i + 1) if text[i] == "," else i
            return result, i + 1
        if text[i] == '"':
            end = text.index('"', i + 1)
            return text[i + 1 : end], end + 1
        for word, meaning in (("true", True), ("false", False), ("null", None)):
            if text.startswith(word, i):
                return meaning, i + len(word)
        j = i
        while j < len(text) and text[j] in "+-.eE0123456789":
            j += 1
        number = text[i:j]
        return (float if set(number) & set(".eE") else int)(number), j

    return value(0)[0]
# Input: '{"a": [1, -2.5e1, true, null], "b": {"c": "d, e"}, "f": []}'
# Output: {'a': [1, -25.0, True, None], 'b': {'c': 'd, e'}, 'f': []}

# %% key_value_config
def f(lines):
    config, section = {"": {}}, ""
    for number, line in enumerate(lines, 1):
        line = line.split(";")[0].strip()
        if not line:
            continue
        if line[0] == "[" and line[-1] == "]":
            section = line[1:-1].lower()
            config.setdefault(section, {})
        elif "=" in line:
            key, value = (part.strip() for part in line.split("=", 1))
            config[section][key] = int(value) if value.lstrip("-").isdigit() else value
        else:
            config.setdefault("errors", []).append(number)
    return config
# Input: ['debug = 1', '[Server]', 'host = a=b', 'port = -80 ; why', 'what is this', '[empty]']
# Output: {'': {'debug': 1}, 'server': {'host': 'a=b', 'port': -80}, 'errors': [5], 'empty': {}}

# %% csv_with_quotes
def f(text):
    rows, row, cell, quoted = [], [], "", False
    i = 0
    while i < len(text):
        c = text[i]
        if quoted:
            if c == '"' and text[i + 1 : i + 2] == '"':
                cell += c
                i += 1
            elif c == '"':
                quoted = False
            else:
                cell += c
        elif c == '"':
            quoted = True
        elif c == ",":
            row.append(cell)
            cell = ""
        elif c == "\n":
            rows.append(row + [cell])
            row, cell = [], ""
        else:
            cell += c
        i += 1
    return rows + [row + [cell]] if row or cell else rows
# Input: 'a,b\n"x, y","say ""hi"""\n,"two\nlines"\n'
# Output: [['a', 'b'], ['x, y', 'say "hi"'], ['', 'two\nlines']]

# %% roman_both_ways
PAIRS = [(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]


def f(values):
    def to_roman(n):
        out = ""
        for value, letters in PAIRS:
            while n >= value:
                out, n = out + letters, n - value
        return out

    def from_roman(s):
        total, i = 0, 0
        for value, letters in PAIRS:
            while s.startswith(letters, i):
                total, i = total + value, i + len(letters)
        return total

    return [to_roman(v) if isinstance(v, int) else from_roman(v) for v in values]
# Input: [1994, 'MCMXCIV', 3999, 'XLII', 48]
# Output: ['MCMXCIV', 1994, 'MMMCMXCIX', 42, 'XLVIII']

# %% s_expression_tree
def f(text):
    stack = [[]]
    word = ""
    for c in text + " ":
        if c in "() ":
            if word:
                stack[-1].append(int(word) if word.isdigit() else word)
                word = ""
            if c == "(":
                stack.append([])
            elif c == ")":
                done = stack.pop()
                stack[-1].append(tuple(done))
        else:
            word += c
    return stack[0]
# Input: '(define (square x) (* x x)) (square 12)'
# Output: [('define', ('square', 'x'), ('*', 'x', 'x')), ('square', 12)]

# %% lisp_evaluator
def f(program):
    tokens = program.replace("(", " ( ").replace(")", " ) ").split()

    def read(at):
        if tokens[at] != "(":
            token = tokens[at]
            return (int(token) if token.lstrip("-").isdigit() else token), at + 1
        items, at = [], at + 1
        while tokens[at] != ")":
            item, at = read(at)
            items.append(item)
        return items, at + 1

    def evaluate(tree, names):
        if isinstance(tree, int):
            return tree
        if isinstance(tree, str):
            return names[tree]
        head, *rest = tree
        if head == "let":
            return evaluate(rest[2], {**names, rest[0]: evaluate(rest[1], names)})
        if head == "if":
            return evaluate(rest[1] if evaluate(rest[0], names) else rest[2], names)
        if head == "fn":
            return lambda *args: evaluate(rest[1], {**names, **dict(zip(rest[0], args))})
        function = evaluate(head, names)
        return function(*(evaluate(r, names) for r in rest))

    base = {"+": lambda a, b: a + b, "*": lambda a, b: a * b, "-": lambda a, b: a - b, "<": lambda a, b: a < b}
    return evaluate(read(0)[0], base)
# Input: '(let twice (fn (g) (fn (x) (g (g x)))) (if (< 2 3) ((twice (twice (fn (y) (* y 3)))) 2) 0))'
# Output: 162

# %% duration_to_seconds
def f(text):
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    total, number = 0, ""
    for c in text.replace(" ", ""):
        if c.isdigit():
            number += c
        elif c in units and number:
            total += int(number) * units[c]
            number = ""
        else:
            return f"bad character {c!r}"
    return total if not number else "no unit"
# Input: '1d 2h 30m 15s'
# Output: 95415

# %% markdown_inline
def f(line):
    level = len(line) - len(line.lstrip("#"))
    text = line[level:].strip()
    for mark, tag in (("**", "b"), ("*", "i"), ("`", "code")):
        parts = text.split(mark)
        if len(parts) % 2:
            text = "".join(p if i % 2 == 0 else f"<{tag}>{p}</{tag}>" for i, p in enumerate(parts))
    tag = f"h{level}" if level else "p"
    return f"<{tag}>{text}</{tag}>"
# Input: '## A **bold** and *thin* `x = 1` line'
# Output: '<h2>A <b>bold</b> and <i>thin</i> <code>x = 1</code> line</h2>'

# %% url_pieces
def f(url):
    scheme, _, rest = url.partition("://")
    rest, _, fragment = rest.partition("#")
    rest, _, query = rest.partition("?")
    host, slash, path = rest.partition("/")
    host, _, port = host.partition(":")
    params = {}
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        params.setdefault(key, []).append(value.replace("+", " "))
    return scheme, host, int(port or 80), slash + path, params, fragment
# Input: 'http://example.org:8080/a/b?x=1&y=two+words&x=3#top'
# Output: ('http', 'example.org', 8080, '/a/b', {'x': ['1', '3'], 'y': ['two words']}, 'top')

# %% chess_fen_row_counts
def f(fen):
    board = []
    for row in fen.split("/"):
        cells = []
        for c in row:
            cells += ["."] * int(c) if c.isdigit() else [c]
        board.append(cells)
    material = {"p": 1, "n": 3, "b": 3, "r": 5, "q": 9, "k": 0}
    white = sum(material[c.lower()] for row in board for c in row if c.isupper())
    black = sum(material[c] for row in board for c in row if c.islower())
    return white - black, [len(row) for row in board]
# Input: 'r1bqkb1r/pppp1ppp/2n2n2/4p2Q/2B1P3/8/PPPP1PPP/RNB1K1NR'
# Output: (0, [8, 8, 8, 8, 8, 8, 8, 8])

# %% molecule_atoms
def f(formula):
    def group(i):
        counts = {}
        while i < len(formula) and formula[i] != ")":
            if formula[i] == "(":
                inner, i = group(i + 1)
                i += 1
            else:
                j = i + 1
                while j < len(formula) and formula[j].islower():
                    j += 1
                inner, i = {formula[i:j]: 1}, j
            k = i
            while k < len(formula) and formula[k].isdigit():
                k += 1
            times = int(formula[i:k] or 1)
            i = k
            for atom, n in inner.items():
                counts[atom] = counts.get(atom, 0) + n * times
        return counts, i

    return dict(sorted(group(0)[0].items()))
# Input: 'K4(ON(SO3)2)2'
# Output: {'K': 4, 'N': 2, 'O': 14, 'S': 4}

# %% diff_lines
def f(old, new):
    n, m = len(old), len(new)
    table = [[0] * (m + 1) for _ in range(n + 1)]
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            if old[i] == new[j]:
                table[i][j] = table[i + 1][j + 1] + 1
            else:
                table[i][j] = max(table[i + 1][j], table[i][j + 1])
    i = j = 0
    out = []
    while i < n or j < m:
        if i < n and j < m and old[i] == new[j]:
            out.append(" " + old[i])
            i, j = i + 1, j + 1
        elif j == m or (i < n and table[i + 1][j] >= table[i][j + 1]):
            out.append("-" + old[i])
            i += 1
        else:
            out.append("+" + new[j])
            j += 1
    return out
# Input: ['a', 'b', 'c', 'd'], ['a', 'x', 'c', 'e', 'd']
# Output: [' a', '-b', '+x', ' c', '+e', ' d']

# %% polynomial_text
def f(text):
    text = text.replace(" ", "").replace("-", "+-")
    powers = {}
    for term in filter(None, text.split("+")):
        head, x, tail = term.partition("x")
        power = int(tail[1:] or 1) if x else 0
        if tail == "" and x:
            power = 1
        factor = {"": 1, "-": -1}.get(head) or int(head)
        powers[power] = powers.get(power, 0) + factor
    derived = {p - 1: c * p for p, c in powers.items() if p}
    return dict(sorted(powers.items())), dict(sorted(derived.items()))
# Input: '3x^2 - x + 7 - 2x^3 + x^2'
# Output: ({0: 7, 1: -1, 2: 4, 3: -2}, {0: -1, 1: 8, 2: -6})

# %% nested_comments_removed
def f(source):
    depth, kept, i = 0, [], 0
    while i < len(source):
        two = source[i : i + 2]
        if two == "/*":
            depth += 1
            i += 2
        elif two == "*/" and depth:
            depth -= 1
            i += 2
        else:
            if not depth:
                kept.append(source[i])
            i += 1
    return "".join(kept), depth
# Input: 'int a; /* one /* two */ still */ int b; /* open'
# Output: ('int a;  int b; ', 1)
