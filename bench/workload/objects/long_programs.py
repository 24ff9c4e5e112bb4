# %% script_language
import re


class ScriptError(Exception):
    pass


class Parser:
    """A small language: let, while, if, print, expressions with precedence."""

    POWER = {"<": 1, ">": 1, "==": 1, "+": 2, "-": 2, "*": 3, "/": 3, "%": 3}

    def __init__(self, text):
        self.tokens = re.findall(r"\d+|\w+|==|[-+*/%<>(){}=;]", text) + ["end of text"]
        self.at = 0

    def peek(self):
        return self.tokens[self.at]

    def take(self, wanted=None):
        token = self.tokens[self.at]
        if wanted is not None and token != wanted:
            raise ScriptError(f"expected {wanted!r}, found {token!r}")
        self.at += 1
        return token

    def program(self, closing):
        body = []
        while self.peek() != closing:
            body.append(self.statement())
        self.take(closing)
        return body

    def statement(self):
        word = self.take()
        if word in ("while", "if"):
            condition = self.expression()
            self.take("{")
            body, other = self.program("}"), []
            if word == "if" and self.peek() == "else":
                self.take()
                self.take("{")
                other = self.program("}")
            return word, condition, body, other
        if word == "print":
            tree = (word, self.expression())
        else:
            self.take("=")
            tree = ("set", word, self.expression())
        self.take(";")
        return tree

    def expression(self, least=0):
        token = self.take()
        if token == "(":
            left = self.expression()
            self.take(")")
        elif token == "-":
            left = ("-", 0, self.expression(4))
        else:
            left = int(token) if token.isdigit() else token
        while self.POWER.get(self.peek(), 0) > least:
            sign = self.take()
            left = (sign, left, self.expression(self.POWER[sign]))
        return left


class Machine:
    def __init__(self, fuel):
        self.names, self.printed, self.fuel = {}, [], fuel

    def value(self, tree):
        if isinstance(tree, int):
            return tree
        if isinstance(tree, str):
            if tree not in self.names:
                raise ScriptError(f"{tree} has no value")
            return self.names[tree]
        sign, a, b = tree[0], self.value(tree[1]), self.value(tree[2])
        if sign in "/%" and b == 0:
            raise ScriptError("division by zero")
        return {"+": a + b, "-": a - b, "*": a * b, "<": int(a < b), ">": int(a > b), "==": int(a == b)}.get(
            sign, None if sign not in "/%" else (a // b if sign == "/" else a % b)
        )

    def run(self, body):
        for kind, first, *rest in body:
            self.fuel -= 1
            if self.fuel < 0:
                raise ScriptError("out of fuel")
            if kind == "print":
                self.printed.append(self.value(first))
            elif kind == "set":
                self.names[first] = self.value(rest[0])
            elif kind == "if":
                self.run(rest[0] if self.value(first) else rest[1])
            else:
                while self.value(first):
                    self.run(rest[0])


def f(text, fuel):
    machine = Machine(fuel)
    try:
        machine.run(Parser(text).program("end of text"))
    except ScriptError as error:
        machine.printed.append(str(error))
    return machine.printed, machine.fuel
# Input: 'n = 27; steps = 0; while n > 1 { if n % 2 == 0 { n = n / 2; } else { n = 3 * n + 1; } steps = steps + 1; } print steps; print -2 * (3 - 5) - 7 % 4; print steps / (n - 1);', 400
# Output: ([111, 1, 'division by zero'], 61)

# %% avl_tree_with_ranks
class Node:
    __slots__ = ("height", "key", "left", "right", "size")

    def __init__(self, key):
        self.key, self.left, self.right, self.height, self.size = key, None, None, 1, 1


def height(node):
    return node.height if node else 0


def size(node):
    return node.size if node else 0


def update(node):
    node.height = 1 + max(height(node.left), height(node.right))
    node.size = 1 + size(node.left) + size(node.right)
    return node


def rotate_right(node):
    top = node.left
    node.left, top.right = top.right, node
    update(node)
    return update(top)


def rotate_left(node):
    top = node.right
    node.right, top.left = top.left, node
    update(node)
    return update(top)


def balanced(node):
    update(node)
    lean = height(node.left) - height(node.right)
    if lean > 1:
        if height(node.left.left) < height(node.left.right):
            node.left = rotate_left(node.left)
        return rotate_right(node)
    if lean < -1:
        if height(node.right.right) < height(node.right.left):
            node.right = rotate_right(node.right)
        return rotate_left(node)
    return node


def insert(node, key):
    if node is None:
        return Node(key)
    if key < node.key:
        node.left = insert(node.left, key)
    elif key > node.key:
        node.right = insert(node.right, key)
    return balanced(node)


def smallest(node):
    while node.left:
        node = node.left
    return node


def remove(node, key):
    if node is None:
        return None
    if key < node.key:
        node.left = remove(node.left, key)
    elif key > node.key:
        node.right = remove(node.right, key)
    else:
        if not node.left or not node.right:
            return node.left or node.right
        heir = smallest(node.right)
        node.key = heir.key
        node.right = remove(node.right, heir.key)
    return balanced(node)


def kth(node, k):
    while True:
        left = size(node.left)
        if k == left:
            return node.key
        if k < left:
            node = node.left
        else:
            node, k = node.right, k - left - 1


def f(keys, removed, ranks):
    root = None
    for key in keys:
        root = insert(root, key)
    tall = root.height, root.key
    for key in removed:
        root = remove(root, key)
    return tall, (root.height, root.key, root.size), [kth(root, k) for k in ranks]
# Input: [10, 20, 30, 40, 50, 25, 5, 15, 27, 60, 70, 80, 22, 21], [40, 10, 99, 50], [0, 3, 7, 10]
# Output: ((5, 30), (4, 25, 11), [5, 21, 30, 80])

# %% invoice_report
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class Line:
    product: str
    count: int
    price: float
    discount: float = 0.0

    @property
    def net(self):
        return round(self.count * self.price * (1 - self.discount), 2)


@dataclass
class Invoice:
    number: int
    customer: str
    country: str
    lines: list = field(default_factory=list)

    RATES = {"de": 0.19, "fr": 0.20, "us": 0.0}

    def net(self):
        return round(sum(line.net for line in self.lines), 2)

    def tax(self):
        return round(self.net() * self.RATES.get(self.country, 0.15), 2)


def parse(text):
    invoices, problems = [], []
    for number, raw in enumerate(text.splitlines(), 1):
        raw = raw.strip()
        if not raw:
            continue
        kind, _, rest = raw.partition(" ")
        if kind == "invoice":
            try:
                n, customer, country = rest.split()
                invoices.append(Invoice(int(n), customer, country))
            except ValueError:
                problems.append((number, "invoice needs: number customer country"))
        elif kind == "item":
            parts = rest.split()
            if not invoices:
                problems.append((number, "item before invoice"))
                continue
            try:
                extra = [float(parts[3].rstrip("%")) / 100] if len(parts) > 3 else []
                invoices[-1].lines.append(Line(parts[0], int(parts[1]), float(parts[2]), *extra))
            except (IndexError, ValueError) as error:
                problems.append((number, type(error).__name__))
        else:
            problems.append((number, f"unknown word {kind!r}"))
    return invoices, problems


def summary(invoices):
    by_country, by_product = defaultdict(float), defaultdict(int)
    for invoice in invoices:
        by_country[invoice.country] += invoice.net() + invoice.tax()
        for line in invoice.lines:
            by_product[line.product] += line.count
    best = max(by_product, key=lambda p: (by_product[p], p)) if by_product else None
    return {c: round(t, 2) for c, t in sorted(by_country.items())}, best


def f(text):
    invoices, problems = parse(text)
    lines = [f"{i.number:05d} {i.customer:<6}{i.net():>9.2f}{i.tax():>8.2f}" for i in invoices if i.lines]
    return lines, summary(invoices), problems
# Input: 'item x 1 1\ninvoice 17 ann de\nitem pen 10 1.25\nitem ink 2 9.99 10%\n\ninvoice 18 bob\ninvoice 19 cyd us\nitem pen 3 1.25\nitem cap two 5\nvoid\ninvoice 20 dan xx\nitem cap 1 20'
# Output: (['00017 ann       30.48    5.79', '00019 cyd        3.75    0.00', '00020 dan       20.00    3.00'], ({'de': 36.27, 'us': 3.75, 'xx': 23.0}, 'pen'), [(1, 'item before invoice'), (6, 'invoice needs: number customer country'), (9, 'ValueError'), (10, "unknown word 'void'")])
