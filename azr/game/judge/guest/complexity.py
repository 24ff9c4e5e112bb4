"""GUEST TEXT: how complex a program is, by the measures of Campbell, McCabe and Halstead.

Part of what profile.py sends. Its walks keep their own stacks, as those do.
"""

import ast

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LOOPS = (ast.For, ast.AsyncFor, ast.While)
TRIES = tuple(getattr(ast, name) for name in ("Try", "TryStar") if hasattr(ast, name))
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def cognitive(tree, inside):
    """Cognitive complexity (G. A. Campbell, SonarSource), with the increments of complexipy.

    +1, and +1 more for each level of nesting: if, loop, except, match, conditional expression,
    comprehension (each of its `for`). +1: elif, else of an if, an `if` of a comprehension, a run
    of one boolean operator, a function that calls itself. complexipy overlooks some expressions
    (subscripts, f-strings, operands of arithmetic); here every expression is looked into.
    """
    total, stack = 0, [(tree, 0, None)]
    while stack:
        node, nesting, within = stack.pop()
        count = COUNTERS.get(type(node))
        if count is None:
            stack += [(child, nesting, None) for child in inside[node]]
        else:
            points, inner = count(node, nesting, within)
            total += points
            stack += inner
    return total


def at(nesting, nodes, within=None):
    return [(node, nesting, within) for node in nodes if node is not None]


def count_if(node, nesting, within):
    """`within` is "elif" for an if that is the elif of another."""
    points = 1 if within == "elif" else 1 + nesting
    inner = at(nesting, [node.test]) + at(nesting + 1, node.body)
    is_elif = (
        len(node.orelse) == 1
        and isinstance(node.orelse[0], ast.If)
        and node.orelse[0].col_offset == node.col_offset
    )
    if is_elif:
        return points, inner + at(nesting, node.orelse, "elif")
    return points + bool(node.orelse), inner + at(nesting + 1, node.orelse)


def count_loop(node, nesting, within):
    heads = [node.test] if isinstance(node, ast.While) else [node.target, node.iter]
    return 1 + nesting, at(nesting, heads + node.orelse) + at(nesting + 1, node.body)


def count_handler(node, nesting, within):
    return 1 + nesting, at(nesting, [node.type]) + at(nesting + 1, node.body)


def count_match(node, nesting, within):
    inner = [statement for case in node.cases for statement in case.body]
    guards = [case.guard for case in node.cases]
    return 1 + nesting, at(nesting, [node.subject, *guards]) + at(nesting + 1, inner)


def count_choice(node, nesting, within):
    return 1 + nesting, at(nesting + 1, ast.iter_child_nodes(node))


def count_boolean(node, nesting, within):
    """A run of one operator counts once: `a and (b and c)` is one run, `a and b or c` two."""
    operator = type(node.op)
    return int(within is not operator), at(nesting, node.values, operator)


def count_comprehension(node, nesting, within):
    points, inner = 0, []
    for generator in node.generators:
        points += 1 + nesting + len(generator.ifs)
        inner += at(nesting, [generator.iter]) + at(nesting + 1, generator.ifs)
    results = [getattr(node, name, None) for name in ("elt", "key", "value")]
    return points, inner + at(nesting + 1, results)


def count_lambda(node, nesting, within):
    return 0, at(nesting, [node.args]) + at(nesting + 1, [node.body])


def count_function(node, nesting, within):
    """A function in a function is one level deeper, unless the outer one is a mere decorator."""
    body = node.body
    decorates = (
        len(body) == 2 and isinstance(body[0], FUNCTIONS) and isinstance(body[1], ast.Return)
    )
    inner = at(nesting, [node.args, *node.decorator_list])
    depth = nesting + (within == "function")
    return int(calls_itself(node)), inner + at(depth, body, None if decorates else "function")


def count_class(node, nesting, within):
    return 0, at(nesting, [*node.decorator_list, *node.bases, *node.body])


def calls_itself(function):
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == function.name
        for node in ast.walk(function)
    )


COUNTERS = {
    ast.If: count_if,
    ast.ExceptHandler: count_handler,
    ast.Match: count_match,
    ast.IfExp: count_choice,
    ast.BoolOp: count_boolean,
    ast.Lambda: count_lambda,
    ast.ClassDef: count_class,
    **dict.fromkeys(LOOPS, count_loop),
    **dict.fromkeys(COMPREHENSIONS, count_comprehension),
    **dict.fromkeys(FUNCTIONS, count_function),
}


# ---------------------------------------------------------------- McCabe and Halstead


def cyclomatic(inside):
    """1 + decision points of the whole program, weighed as radon weighs them.

    radon's total leaves functions within functions out; here they count.
    """
    found = [(DECISIONS[type(node)], node) for node in inside if type(node) in DECISIONS]
    return 1 + sum(decisions(node) for decisions, node in found)


def decide_match(node):
    wild = any(getattr(case.pattern, "pattern", False) is None for case in node.cases)
    return len(node.cases) - wild


DECISIONS = {
    ast.BoolOp: lambda node: len(node.values) - 1,
    ast.comprehension: lambda node: 1 + len(node.ifs),
    ast.Match: decide_match,
    **dict.fromkeys((ast.If, ast.IfExp, ast.Assert), lambda _: 1),
    **dict.fromkeys(LOOPS, lambda node: 1 + bool(node.orelse)),
    **dict.fromkeys(TRIES, lambda node: len(node.handlers) + bool(node.orelse)),
}


def halstead(tree, inside):
    """(distinct operators, distinct operands, operators, operands), as radon counts them.

    Only operators of expressions count. The same name in two functions is two operands, and an
    operand that is an expression is like no other.
    """
    operators, operands, stack = [], [], [(tree, None)]
    while stack:
        node, context = stack.pop()
        kind = type(node)
        if kind in FUNCTIONS:
            stack += [(statement, node.name) for statement in node.body]
            continue
        if kind in PARTS:
            found_operators, found_operands = PARTS[kind](node)
            operators += [type(operator).__name__ for operator in found_operators]
            operands += [(context, operand_key(operand)) for operand in found_operands]
        stack += [(child, context) for child in inside[node]]
    return len(set(operators)), len(set(operands)), len(operators), len(operands)


PARTS = {
    ast.BinOp: lambda node: ([node.op], [node.left, node.right]),
    ast.UnaryOp: lambda node: ([node.op], [node.operand]),
    ast.BoolOp: lambda node: ([node.op], node.values),
    ast.AugAssign: lambda node: ([node.op], [node.target, node.value]),
    ast.Compare: lambda node: (node.ops, [node.left, *node.comparators]),
}


def operand_key(operand):
    if isinstance(operand, ast.Name):
        return operand.id
    if isinstance(operand, ast.Attribute):
        return operand.attr
    return operand.value if isinstance(operand, ast.Constant) else operand
