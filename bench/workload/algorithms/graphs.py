# %% dijkstra_with_paths
import heapq


def f(roads, start):
    best, heap = {}, [(0, start, [start])]
    while heap:
        cost, here, path = heapq.heappop(heap)
        if here in best:
            continue
        best[here] = (cost, "".join(path))
        for there, length in roads.get(here, {}).items():
            if there not in best:
                heapq.heappush(heap, (cost + length, there, path + [there]))
    return best
# Input: {'a': {'b': 7, 'c': 9, 'f': 14}, 'b': {'c': 10, 'd': 15}, 'c': {'d': 11, 'f': 2}, 'd': {'e': 6}, 'f': {'e': 9}}, 'a'
# Output: {'a': (0, 'a'), 'b': (7, 'ab'), 'c': (9, 'ac'), 'f': (11, 'acf'), 'd': (20, 'acd'), 'e': (20, 'acfe')}

# %% topological_layers
def f(needs):
    layers, done, left = [], set(), dict(needs)
    while left:
        ready = sorted(t for t, before in left.items() if set(before) <= done)
        if not ready:
            return layers, "cycle among", sorted(left)
        layers.append(ready)
        done.update(ready)
        for t in ready:
            del left[t]
    return layers
# Input: {'shop': [], 'cook': ['shop', 'wash'], 'wash': [], 'eat': ['cook'], 'nap': ['eat'], 'dishes': ['eat']}
# Output: [['shop', 'wash'], ['cook'], ['eat'], ['dishes', 'nap']]

# %% kruskal_spanning_tree
def f(edges):
    parent = {}

    def root(v):
        parent.setdefault(v, v)
        while parent[v] != v:
            parent[v] = parent[parent[v]]
            v = parent[v]
        return v

    tree, total = [], 0
    for weight, a, b in sorted(edges):
        ra, rb = root(a), root(b)
        if ra != rb:
            parent[rb] = ra
            tree.append(a + b)
            total += weight
    return total, tree
# Input: [(7, 'a', 'd'), (5, 'a', 'e'), (8, 'b', 'c'), (7, 'b', 'e'), (5, 'c', 'e'), (15, 'd', 'e'), (6, 'd', 'f'), (9, 'e', 'g'), (11, 'f', 'g')]
# Output: (39, ['ae', 'ce', 'df', 'ad', 'be', 'eg'])

# %% tarjan_components
def f(graph):
    index, low, stack, on_stack, out = {}, {}, [], set(), []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        on_stack.add(v)
        for w in graph.get(v, ()):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in on_stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            group = []
            while True:
                w = stack.pop()
                on_stack.discard(w)
                group.append(w)
                if w == v:
                    break
            out.append(sorted(group))

    for v in sorted(graph):
        if v not in index:
            visit(v)
    return out
# Input: {1: [2], 2: [3], 3: [1, 4], 4: [5], 5: [6, 7], 6: [4], 7: [8], 8: [7]}
# Output: [[7, 8], [4, 5, 6], [1, 2, 3]]

# %% two_colouring
def f(edges):
    near = {}
    for a, b in edges:
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    side = {}
    for start in near:
        if start in side:
            continue
        side[start] = 0
        queue = [start]
        for v in queue:
            for w in near[v]:
                if w not in side:
                    side[w] = 1 - side[v]
                    queue.append(w)
                elif side[w] == side[v]:
                    return False, (v, w)
    return True, [sorted(v for v, s in side.items() if s == k) for k in (0, 1)]
# Input: [(1, 4), (1, 5), (2, 4), (3, 6), (2, 6), (7, 8)]
# Output: (True, [[1, 2, 3, 7], [4, 5, 6, 8]])

# %% floyd_warshall_closeness
def f(nodes, edges):
    far = 10**9
    d = {(a, b): 0 if a == b else far for a in nodes for b in nodes}
    for a, b, w in edges:
        d[a, b] = min(d[a, b], w)
    for k in nodes:
        for i in nodes:
            for j in nodes:
                if d[i, k] + d[k, j] < d[i, j]:
                    d[i, j] = d[i, k] + d[k, j]
    reach = {a: [b for b in nodes if a != b and d[a, b] < far // 2] for a in nodes}
    negative = any(d[v, v] < 0 for v in nodes)
    return d["a", "d"], reach, negative
# Input: 'abcde', [('a', 'b', 3), ('b', 'c', -2), ('c', 'd', 2), ('a', 'd', 5), ('d', 'b', 1)]
# Output: (3, {'a': ['b', 'c', 'd'], 'b': ['c', 'd'], 'c': ['b', 'd'], 'd': ['b', 'c'], 'e': []}, False)

# %% bellman_ford_cycle
def f(n, edges):
    dist, via = [0] * n, [None] * n
    changed = None
    for _ in range(n):
        changed = None
        for a, b, w in edges:
            if dist[a] + w < dist[b]:
                dist[b], via[b], changed = dist[a] + w, a, b
    if changed is None:
        return dist
    for _ in range(n):
        changed = via[changed]
    cycle, v = [changed], via[changed]
    while v != changed:
        cycle.append(v)
        v = via[v]
    return cycle[::-1]
# Input: 5, [(0, 1, 1), (1, 2, -1), (2, 3, -1), (3, 1, 1), (3, 4, 5)]
# Output: [3, 1, 2]

# %% euler_trail
def f(edges):
    near = {}
    for i, (a, b) in enumerate(edges):
        near.setdefault(a, []).append((b, i))
        near.setdefault(b, []).append((a, i))
    odd = sorted(v for v, e in near.items() if len(e) % 2)
    if len(odd) not in (0, 2):
        return odd
    used, stack, trail = set(), [odd[0] if odd else min(near)], []
    while stack:
        v = stack[-1]
        while near[v] and near[v][-1][1] in used:
            near[v].pop()
        if near[v]:
            w, i = near[v].pop()
            used.add(i)
            stack.append(w)
        else:
            trail.append(stack.pop())
    return "".join(map(str, trail))
# Input: [(1, 2), (1, 3), (2, 3), (2, 4), (3, 4), (2, 5), (3, 5), (4, 5)]
# Output: '521324354'

# %% bridges_and_cut_vertices
def f(graph):
    seen, low, bridges, cuts = {}, {}, [], set()

    def visit(v, parent):
        seen[v] = low[v] = len(seen)
        children = 0
        for w in graph[v]:
            if w == parent:
                continue
            if w in seen:
                low[v] = min(low[v], seen[w])
                continue
            children += 1
            visit(w, v)
            low[v] = min(low[v], low[w])
            if low[w] > seen[v]:
                bridges.append((v, w))
            if parent is not None and low[w] >= seen[v]:
                cuts.add(v)
        if parent is None and children > 1:
            cuts.add(v)

    visit(next(iter(graph)), None)
    return sorted(bridges), sorted(cuts)
# Input: {0: [1, 2], 1: [0, 2], 2: [0, 1, 3], 3: [2, 4, 5], 4: [3, 5], 5: [3, 4, 6], 6: [5]}
# Output: ([(2, 3), (5, 6)], [2, 3, 5])

# %% maximum_flow
from collections import deque


def f(capacity, source, sink):
    rest = {u: dict(vs) for u, vs in capacity.items()}
    for u, vs in capacity.items():
        for v in vs:
            rest.setdefault(v, {}).setdefault(u, 0)
    total = 0
    while True:
        via, queue = {source: None}, deque([source])
        while queue and sink not in via:
            u = queue.popleft()
            for v, c in rest[u].items():
                if c and v not in via:
                    via[v] = u
                    queue.append(v)
        if sink not in via:
            return total, sorted(via)
        path, v = [], sink
        while via[v] is not None:
            path.append((via[v], v))
            v = via[v]
        push = min(rest[u][v] for u, v in path)
        for u, v in path:
            rest[u][v] -= push
            rest[v][u] += push
        total += push
# Input: {'s': {'a': 10, 'c': 10}, 'a': {'b': 4, 'c': 2, 'd': 8}, 'b': {'t': 10}, 'c': {'d': 9}, 'd': {'b': 6, 't': 10}}, 's', 't'
# Output: (19, ['c', 's'])

# %% bipartite_matching
def f(wishes):
    taken = {}

    def place(person, tried):
        for job in wishes[person]:
            if job not in tried:
                tried.add(job)
                if job not in taken or place(taken[job], tried):
                    taken[job] = person
                    return True
        return False

    placed = sum(place(p, set()) for p in wishes)
    return placed, sorted((p, j) for j, p in taken.items())
# Input: {'ann': ['chef', 'maid'], 'bob': ['chef'], 'cat': ['maid', 'pilot'], 'dan': ['pilot']}
# Output: (3, [('ann', 'maid'), ('bob', 'chef'), ('cat', 'pilot')])

# %% stable_marriage
def f(men, women):
    rank = {w: {m: i for i, m in enumerate(prefs)} for w, prefs in women.items()}
    free, engaged, offers = list(men), {}, {m: iter(p) for m, p in men.items()}
    proposals = 0
    while free:
        m = free.pop()
        w = next(offers[m])
        proposals += 1
        if w not in engaged:
            engaged[w] = m
        elif rank[w][m] < rank[w][engaged[w]]:
            free.append(engaged[w])
            engaged[w] = m
        else:
            free.append(m)
    return dict(sorted(engaged.items())), proposals
# Input: {'x': 'ABC', 'y': 'ACB', 'z': 'ABC'}, {'A': 'yzx', 'B': 'zxy', 'C': 'xyz'}
# Output: ({'A': 'y', 'B': 'z', 'C': 'x'}, 6)

# %% page_rank
def f(links, damping, rounds):
    pages = sorted(set(links) | {q for qs in links.values() for q in qs})
    rank = dict.fromkeys(pages, 1 / len(pages))
    for _ in range(rounds):
        loose = sum(rank[p] for p in pages if not links.get(p))
        new = {p: (1 - damping + damping * loose) / len(pages) for p in pages}
        for p in pages:
            for q in links.get(p, ()):
                new[q] += damping * rank[p] / len(links[p])
        rank = new
    return {p: round(r, 4) for p, r in rank.items()}, round(sum(rank.values()), 6)
# Input: {'a': 'bc', 'b': 'c', 'c': 'a', 'd': 'c'}, 0.85, 40
# Output: ({'a': 0.3725, 'b': 0.1958, 'c': 0.3941, 'd': 0.0375}, 1.0)

# %% tree_diameter_and_centre
def f(edges):
    near = {}
    for a, b in edges:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)

    def farthest(start):
        via, layer = {start: None}, [start]
        while layer:
            last = min(layer)
            layer = [(w, v) for v in layer for w in sorted(near[v]) if w not in via]
            via.update(layer)
            layer = [w for w, _ in layer]
        path = []
        while last is not None:
            path.append(last)
            last = via[last]
        return path

    path = farthest(farthest(min(near))[0])
    return len(path) - 1, path, path[len(path) // 2]
# Input: [(1, 2), (2, 3), (2, 4), (4, 5), (5, 6), (4, 7), (6, 8)]
# Output: (5, [1, 2, 4, 5, 6, 8], 5)

# %% lowest_common_ancestor
def f(parents, queries):
    n = len(parents)
    depth = [0] * n
    for v in range(1, n):
        depth[v] = depth[parents[v]] + 1
    up = [list(parents)]
    while 1 << len(up) < n:
        up.append([up[-1][up[-1][v]] for v in range(n)])

    def lca(a, b):
        if depth[a] < depth[b]:
            a, b = b, a
        for k in range(len(up)):
            if depth[a] - depth[b] >> k & 1:
                a = up[k][a]
        if a == b:
            return a
        for row in reversed(up):
            if row[a] != row[b]:
                a, b = row[a], row[b]
        return parents[a]

    return [lca(a, b) for a, b in queries], depth
# Input: [0, 0, 0, 1, 1, 2, 4, 4, 6], [(8, 7), (3, 7), (8, 5), (6, 8)]
# Output: ([4, 1, 0, 6], [0, 1, 1, 2, 2, 2, 3, 3, 4])

# %% itinerary_of_tickets
def f(tickets, start):
    out = {}
    for a, b in sorted(tickets, reverse=True):
        out.setdefault(a, []).append(b)
    route, stack = [], [start]
    while stack:
        if out.get(stack[-1]):
            stack.append(out[stack[-1]].pop())
        else:
            route.append(stack.pop())
    return route[::-1]
# Input: [('JFK', 'SFO'), ('JFK', 'ATL'), ('SFO', 'ATL'), ('ATL', 'JFK'), ('ATL', 'SFO')], 'JFK'
# Output: ['JFK', 'ATL', 'JFK', 'SFO', 'ATL', 'SFO']

# %% degrees_of_separation
def f(friends, a, b):
    sides, layers = [{a: 0}, {b: 0}], [[a], [b]]
    while all(layers):
        k = 0 if len(layers[0]) <= len(layers[1]) else 1
        new = []
        for person in layers[k]:
            for other in friends.get(person, ""):
                if other in sides[1 - k]:
                    return sides[k][person] + 1 + sides[1 - k][other], len(sides[0]) + len(sides[1])
                if other not in sides[k]:
                    sides[k][other] = sides[k][person] + 1
                    new.append(other)
        layers[k] = new
    return None
# Input: {'a': 'bc', 'b': 'ad', 'c': 'ad', 'd': 'bce', 'e': 'dfg', 'f': 'e', 'g': 'eh', 'h': 'g'}, 'a', 'h'
# Output: (5, 8)
