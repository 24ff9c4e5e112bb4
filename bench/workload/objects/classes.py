# %% vector_operators
class Vector:
    def __init__(self, *xs):
        self.xs = xs

    def __add__(self, other):
        return Vector(*(a + b for a, b in zip(self.xs, other.xs)))

    def __mul__(self, k):
        if isinstance(k, Vector):
            return sum(a * b for a, b in zip(self.xs, k.xs))
        return Vector(*(x * k for x in self.xs))

    __rmul__ = __mul__

    def __neg__(self):
        return -1 * self

    def __abs__(self):
        return (self * self) ** 0.5

    def __iter__(self):
        return iter(self.xs)

    def __repr__(self):
        return f"<{' '.join(map(str, self.xs))}>"


def f(a, b):
    a, b = Vector(*a), Vector(*b)
    return repr(a + 2 * b), a * b, abs(-b), tuple(a * 3), max(*a)
# Input: (1, 2, -2), (3, 0, 4)
# Output: ('<7 2 6>', -5, 5.0, (3, 6, -6), 2)

# %% linked_list_reversed_in_groups
class Node:
    def __init__(self, value, rest=None):
        self.value, self.rest = value, rest


def f(values, k):
    head = None
    for v in reversed(values):
        head = Node(v, head)

    def flip(node):
        probe = node
        for _ in range(k):
            if probe is None:
                return node
            probe = probe.rest
        done, at = flip(probe), node
        for _ in range(k):
            at.rest, done, at = done, at, at.rest
        return done

    out, node = [], flip(head)
    while node:
        out.append(node.value)
        node = node.rest
    return out
# Input: [1, 2, 3, 4, 5, 6, 7, 8], 3
# Output: [3, 2, 1, 6, 5, 4, 7, 8]

# %% search_tree_with_removal
class Tree:
    def __init__(self):
        self.root = None

    def insert(self, key):
        def put(node):
            if node is None:
                return [key, None, None]
            side = 1 if key < node[0] else 2
            if key != node[0]:
                node[side] = put(node[side])
            return node

        self.root = put(self.root)

    def remove(self, key):
        def cut(node, key):
            if node is None:
                return None
            if key != node[0]:
                side = 1 if key < node[0] else 2
                node[side] = cut(node[side], key)
                return node
            if node[1] is None or node[2] is None:
                return node[1] or node[2]
            heir = node[2]
            while heir[1]:
                heir = heir[1]
            node[0] = heir[0]
            node[2] = cut(node[2], heir[0])
            return node

        self.root = cut(self.root, key)

    def __iter__(self):
        stack, node = [], self.root
        while stack or node:
            while node:
                stack.append(node)
                node = node[1]
            node = stack.pop()
            yield node[0]
            node = node[2]


def f(keys, removed):
    tree = Tree()
    for k in keys:
        tree.insert(k)
    before = tree.root[0]
    for k in removed:
        tree.remove(k)
    return before, tree.root[0], list(tree)
# Input: [50, 30, 70, 20, 40, 60, 80, 65], [50, 20, 99]
# Output: (50, 60, [30, 40, 60, 65, 70, 80])

# %% shapes_polymorphism
import math


class Shape:
    sides = 0

    def area(self):
        raise NotImplementedError(type(self).__name__)

    def describe(self):
        try:
            return f"{type(self).__name__}: {self.area():.2f}, {self.sides} sides"
        except NotImplementedError as error:
            return f"no area of {error}"


class Circle(Shape):
    def __init__(self, r):
        self.r = r

    def area(self):
        return math.pi * self.r**2


class Rectangle(Shape):
    sides = 4

    def __init__(self, a, b):
        self.a, self.b = a, b

    def area(self):
        return self.a * self.b


class Square(Rectangle):
    def __init__(self, a):
        super().__init__(a, a)


class Blob(Shape):
    pass


def f(raw):
    kinds = {c.__name__: c for c in (Circle, Rectangle, Square, Blob)}
    shapes = [kinds[name](*args) for name, *args in raw]
    return [s.describe() for s in shapes], sum(isinstance(s, Rectangle) for s in shapes)
# Input: [('Circle', 2), ('Square', 3), ('Rectangle', 2, 5.5), ('Blob',)]
# Output: (['Circle: 12.57, 0 sides', 'Square: 9.00, 4 sides', 'Rectangle: 11.00, 4 sides', 'no area of Blob'], 2)

# %% context_managers_nested
class Scope:
    def __init__(self, name, log, swallow=False):
        self.name, self.log, self.swallow = name, log, swallow

    def __enter__(self):
        self.log.append(f"+{self.name}")
        return self

    def __exit__(self, kind, value, trace):
        self.log.append(f"-{self.name}{':' + kind.__name__ if kind else ''}")
        return self.swallow


def f(bad):
    log = []
    with Scope("outer", log), Scope("guard", log, swallow=True), Scope("inner", log):
        log.append(10 // bad)
    log.append("after")
    return log
# Input: 0
# Output: ['+outer', '+guard', '+inner', '-inner:ZeroDivisionError', '-guard:ZeroDivisionError', '-outer', 'after']

# %% property_and_descriptor
class Bounded:
    def __init__(self, low, high):
        self.low, self.high = low, high

    def __set_name__(self, owner, name):
        self.name = "_" + name

    def __get__(self, thing, owner=None):
        return self if thing is None else getattr(thing, self.name, self.low)

    def __set__(self, thing, value):
        setattr(thing, self.name, min(self.high, max(self.low, value)))


class Oven:
    heat = Bounded(20, 250)
    minutes = Bounded(0, 90)

    @property
    def cost(self):
        return round((self.heat - 20) * self.minutes / 1000, 2)

    @cost.setter
    def cost(self, value):
        self.minutes = int(value * 1000 / (self.heat - 20))


def f(settings):
    oven, out = Oven(), []
    for name, value in settings:
        setattr(oven, name, value)
        out.append((oven.heat, oven.minutes, oven.cost))
    return out, Oven.heat.high, sorted(vars(oven))
# Input: [('heat', 180), ('minutes', 45), ('heat', 999), ('cost', 3.3)]
# Output: ([(180, 0, 0.0), (180, 45, 7.2), (250, 45, 10.35), (250, 14, 3.22)], 250, ['_heat', '_minutes'])

# %% container_protocol
class Ring:
    def __init__(self, items):
        self._items = list(items)

    def __len__(self):
        return len(self._items)

    def __getitem__(self, i):
        if isinstance(i, slice):
            return [self[k] for k in range(i.start or 0, i.stop, i.step or 1)]
        return self._items[i % len(self._items)]

    def __setitem__(self, i, value):
        self._items[i % len(self._items)] = value

    def __delitem__(self, i):
        del self._items[i % len(self._items)]

    def __contains__(self, x):
        return any(x == y or x == -y for y in self._items)

    def __bool__(self):
        return len(self) > 1


def f(items):
    ring = Ring(items)
    ring[11] = 99
    head = ring[-1], ring[2:9:2]
    del ring[5]
    return head, 3 in ring, -99 in ring, len(ring), bool(Ring([0])), [x for x in zip(range(4), reversed(ring))]
# Input: [1, 2, -3, 4]
# Output: ((99, [-3, 1, -3, 1]), True, True, 3, False, [(0, 99), (1, -3), (2, 1)])

# %% mixins_and_mro
class Base:
    def trail(self):
        return ["base"]


class Loud(Base):
    def trail(self):
        return ["loud", *super().trail()]


class Slow(Base):
    def trail(self):
        return ["slow", *super().trail()]


class Both(Loud, Slow):
    def trail(self):
        return ["both", *super().trail()]


def f(order):
    made = type("Made", tuple({"L": Loud, "S": Slow, "B": Both}[c] for c in order), {"tag": order})
    return made().trail(), [c.__name__ for c in made.__mro__[:-1]], made.tag, issubclass(made, Base)
# Input: 'BS'
# Output: (['both', 'loud', 'slow', 'base'], ['Made', 'Both', 'Loud', 'Slow', 'Base'], 'BS', True)

# %% registry_by_init_subclass
class Command:
    known = {}

    def __init_subclass__(cls, name=None, **rest):
        super().__init_subclass__(**rest)
        Command.known[name or cls.__name__.lower()] = cls


class Push(Command):
    def run(self, stack, word):
        stack.append(int(word))


class Fold(Command, name="sum"):
    def run(self, stack, word):
        total = sum(stack)
        stack.clear()
        stack.append(total)


class Pair(Command):
    def run(self, stack, word):
        stack.append((stack.pop(), word))


def f(script):
    stack = []
    for line in script.split(";"):
        name, _, word = line.strip().partition(" ")
        handler = Command.known.get(name)
        if handler is None:
            return f"unknown {name!r}, known: {sorted(Command.known)}", stack
        handler().run(stack, word)
    return stack
# Input: 'push 3; push 4; sum; pair x; pop'
# Output: ("unknown 'pop', known: ['pair', 'push', 'sum']", [(7, 'x')])

# %% matrix_class_with_matmul
class Matrix:
    def __init__(self, rows):
        self.rows = [list(r) for r in rows]

    def __matmul__(self, other):
        columns = list(zip(*other.rows))
        return Matrix([[sum(a * b for a, b in zip(r, c)) for c in columns] for r in self.rows])

    def __pow__(self, n):
        result = Matrix([[int(i == j) for j in range(len(self.rows))] for i in range(len(self.rows))])
        for bit in bin(n)[2:]:
            result = result @ result
            if bit == "1":
                result = result @ self
        return result

    def __eq__(self, other):
        return isinstance(other, Matrix) and self.rows == other.rows

    def __getattr__(self, name):
        if name == "T":
            return Matrix(zip(*self.rows))
        raise AttributeError(name)


def f(rows, n):
    m = Matrix(rows)
    return (m**n).rows, m.T.rows, m @ m == m**2, hasattr(m, "inverse"), m == rows
# Input: [[1, 1], [1, 0]], 30
# Output: ([[1346269, 832040], [832040, 514229]], [[1, 1], [1, 0]], True, False, False)
