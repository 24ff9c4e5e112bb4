# %% invert_many_to_one
def f(mapping):
    inverse = {}
    for key, values in mapping.items():
        for value in values:
            inverse.setdefault(value, []).append(key)
    return {k: sorted(v) for k, v in sorted(inverse.items()) if len(v) > 1}
# Input: {'ann': ['red', 'blue'], 'bob': ['blue', 'tan'], 'cyd': ['tan', 'blue']}
# Output: {'blue': ['ann', 'bob', 'cyd'], 'tan': ['bob', 'cyd']}

# %% deep_merge
def f(a, b):
    merged = dict(a)
    for key, value in b.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = f(merged[key], value)
        elif isinstance(value, list) and isinstance(merged.get(key), list):
            merged[key] = merged[key] + [v for v in value if v not in merged[key]]
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged
# Input: {'a': {'x': 1, 'y': [1]}, 'b': 2, 'c': 3}, {'a': {'y': [1, 2], 'z': 0}, 'c': None}
# Output: {'a': {'x': 1, 'y': [1, 2], 'z': 0}, 'b': 2}

# %% flatten_keys
def f(tree, prefix=""):
    flat = {}
    for key, value in tree.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, dict) and value:
            flat |= f(value, path)
        else:
            flat[path] = value
    return flat
# Input: {'db': {'host': 'h', 'port': {'tls': 1, 7: 2}}, 'empty': {}, 'k': None}
# Output: {'db.host': 'h', 'db.port.tls': 1, 'db.port.7': 2, 'empty': {}, 'k': None}

# %% lookup_by_path
def f(data, paths):
    results = []
    for path in paths:
        here = data
        try:
            for step in path.split("/"):
                here = here[int(step)] if isinstance(here, list) else here[step]
        except (KeyError, IndexError, ValueError, TypeError) as problem:
            here = type(problem).__name__
        results.append(here)
    return results
# Input: {'a': [{'b': 1}, {'b': [2, 3]}]}, ['a/1/b/0', 'a/2', 'a/x', 'q', 'a/0/b/c']
# Output: [2, 'IndexError', 'ValueError', 'KeyError', 'TypeError']

# %% two_sum_first_pair
def f(nums, target):
    at = {}
    for i, x in enumerate(nums):
        if target - x in at:
            return at[target - x], i
        at.setdefault(x, i)
# Input: [11, 2, 7, 2, 15, 9], 9
# Output: (1, 2)

# %% inventory_ledger
def f(events):
    stock, log = {}, []
    for verb, item, *rest in events:
        amount = rest[0] if rest else 1
        if verb == "in":
            stock[item] = stock.get(item, 0) + amount
        elif verb == "out":
            have = stock.get(item, 0)
            taken = min(have, amount)
            stock[item] = have - taken
            if taken < amount:
                log.append(f"short of {amount - taken} {item}")
        elif verb == "rename":
            stock[rest[0]] = stock.pop(item, 0) + stock.get(rest[0], 0)
    return {k: v for k, v in stock.items() if v}, log
# Input: [('in', 'nut', 5), ('out', 'nut', 7), ('in', 'bolt'), ('in', 'cog', 2), ('rename', 'bolt', 'cog'), ('out', 'cog')]
# Output: ({'cog': 2}, ['short of 2 nut'])

# %% lru_by_order
def f(capacity, requests):
    cache, hits = {}, 0
    for key in requests:
        if key in cache:
            hits += 1
            cache[key] = cache.pop(key) + 1
        else:
            if len(cache) == capacity:
                cache.pop(next(iter(cache)))
            cache[key] = 0
    return hits, cache
# Input: 3, 'abcadbeabcde'
# Output: (2, {'c': 0, 'd': 0, 'e': 0})

# %% pivot_rows
def f(rows, index, column, value):
    table, columns = {}, []
    for row in rows:
        if row[column] not in columns:
            columns.append(row[column])
        cell = table.setdefault(row[index], {})
        cell[row[column]] = cell.get(row[column], 0) + row[value]
    return {k: [v.get(c, 0) for c in columns] for k, v in table.items()}
# Input: [{'who': 'x', 'day': 'mon', 'n': 1}, {'who': 'y', 'day': 'tue', 'n': 2}, {'who': 'x', 'day': 'tue', 'n': 4}, {'who': 'x', 'day': 'mon', 'n': 8}], 'who', 'day', 'n'
# Output: {'x': [9, 4], 'y': [0, 2]}

# %% dict_diff
def f(before, after):
    changes = []
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            changes.append(("-", key, before[key]))
        elif key not in before:
            changes.append(("+", key, after[key]))
        elif before[key] != after[key]:
            changes.append(("~", key, before[key], after[key]))
    return changes
# Input: {'a': 1, 'b': [2], 'd': 4}, {'a': 1.0, 'b': [2, 3], 'c': None}
# Output: [('~', 'b', [2], [2, 3]), ('+', 'c', None), ('-', 'd', 4)]

# %% sorted_by_value_then_key
def f(scores):
    ranking, place, last = {}, 0, object()
    for i, (name, score) in enumerate(sorted(scores.items(), key=lambda kv: (-kv[1], kv[0])), 1):
        if score != last:
            place, last = i, score
        ranking[name] = place
    return ranking
# Input: {'dora': 70, 'abe': 95, 'carl': 70, 'bea': 88, 'eve': 12}
# Output: {'abe': 1, 'bea': 2, 'carl': 3, 'dora': 3, 'eve': 5}

# %% subarrays_with_sum
def f(nums, k):
    seen, running, count = {0: 1}, 0, 0
    for x in nums:
        running += x
        count += seen.get(running - k, 0)
        seen[running] = seen.get(running, 0) + 1
    return count
# Input: [3, 4, 7, 2, -3, 1, 4, 2, 0, 7], 7
# Output: 7

# %% trie_autocomplete
def f(words, prefix):
    root = {}
    for word in words:
        node = root
        for c in word:
            node = node.setdefault(c, {})
        node["$"] = word
    node = root
    for c in prefix:
        node = node.get(c)
        if node is None:
            return []
    found, stack = [], [node]
    while stack:
        here = stack.pop()
        for c in sorted(here, reverse=True):
            if c == "$":
                found.append(here[c])
            else:
                stack.append(here[c])
    return found
# Input: ['car', 'cart', 'dog', 'care', 'cab', 'carton'], 'car'
# Output: ['car', 'care', 'cart', 'carton']

# %% evaluate_divisions
def f(facts, question):
    ratios = {}
    for (a, b), value in facts.items():
        ratios.setdefault(a, {})[b] = value
        ratios.setdefault(b, {})[a] = 1 / value
    start, goal = question
    stack, seen = [(start, 1.0)], {start}
    while stack:
        name, value = stack.pop()
        if name == goal:
            return round(value, 6)
        for other, ratio in ratios.get(name, {}).items():
            if other not in seen:
                seen.add(other)
                stack.append((other, value * ratio))
# Input: {('a', 'b'): 2.0, ('b', 'c'): 3.0, ('d', 'c'): 0.5}, ('a', 'd')
# Output: 12.0

# %% group_sums_by_keys
def f(orders):
    totals = {}
    for customer, country, amount in orders:
        for key in ((customer, country), (customer,), (country,), ()):
            totals[key] = totals.get(key, 0) + amount
    return {k: totals[k] for k in sorted(totals, key=lambda k: (len(k), k))}
# Input: [('ann', 'de', 3), ('bob', 'fr', 4), ('ann', 'fr', 5)]
# Output: {(): 12, ('ann',): 8, ('bob',): 4, ('de',): 3, ('fr',): 9, ('ann', 'de'): 3, ('ann', 'fr'): 5, ('bob', 'fr'): 4}

# %% memo_with_mixed_keys
def f():
    d = {1: "int", 1.0: "float", True: "bool", "1": "str", (1,): "tuple", None: 0, frozenset([1]): "set"}
    d[False] = d.pop(None) + len(d)
    return list(d.items())[:3], d[0], d[frozenset({1.0})]
# Input:
# Output: ([(1, 'bool'), ('1', 'str'), ((1,), 'tuple')], 4, 'set')

# %% view_sets
def f(a, b):
    both = a.keys() & b.keys()
    same = a.items() & b.items()
    return sorted(both), sorted(same), sorted(a.keys() ^ b.keys()), a.keys() <= b.keys(), list(reversed(a))
# Input: {'p': 1, 'q': 2, 'r': 3}, {'q': 2, 'r': 4, 's': 5}
# Output: (['q', 'r'], [('q', 2)], ['p', 's'], False, ['r', 'q', 'p'])

# %% resolve_references
def f(variables):
    def expand(name, path=()):
        if name in path:
            return "<cycle>"
        value = variables.get(name, "?")
        while "$" in value:
            head, _, tail = value.partition("$")
            word = tail.split()[0]
            value = head + expand(word, (*path, name)) + tail[len(word) :]
        return value

    return {name: expand(name) for name in variables}
# Input: {'home': '/h', 'bin': '$home /bin', 'all': '$bin : $lib', 'x': '$y', 'y': '$x'}
# Output: {'home': '/h', 'bin': '/h /bin', 'all': '/h /bin : ?', 'x': '<cycle>', 'y': '<cycle>'}

# %% vending_state
def f(prices, coins, wish):
    paid = sum(coins)
    if wish not in prices:
        return "unknown", coins
    if paid < prices[wish]:
        return "pay", prices[wish] - paid
    change = {}
    rest = paid - prices[wish]
    for coin in (200, 100, 50, 20, 10, 5):
        if rest >= coin:
            change[coin], rest = divmod(rest, coin)
    return wish, change, rest
# Input: {'tea': 120, 'soup': 185}, [200, 50, 20], 'soup'
# Output: ('soup', {50: 1, 20: 1, 10: 1, 5: 1}, 0)
