"""Mapping ranks to lower hop-bytes, beside Scotch's scotch_gmap on the same graph and tree: four
patterns of 128 ranks on 8 nodes x 2 packages x 8 cores with link costs 20/5/1, then a larger tree.
Both mappings are measured twice, by our evaluator and by the one below; they must agree."""
import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile

import harness

TURNS = {128: 21, 4096: 5}
SEEDS = range(1, 11)  # of the random graphs

# A tree: nodes, packages, cores, and Scotch's link costs from the root down. The way from one core
# to another counts every link cost from where they part, so costs add up.
SMALL = ((8, 20), (2, 5), (8, 1))
LARGE = ((256, 20), (2, 5), (8, 1))


def n_leaves(tree):
    n = 1
    for size, _ in tree:
        n *= size
    return n


def machine(tree):
    (nodes, _), (packages, _), (cores, _) = tree
    return f"host:{nodes} pack:{packages} core:{cores} pu:1"


def apart(tree):
    """What leaves cost that part at each level, the innermost first: 1, 6, 26."""
    costs, total = [], 0
    for _, cost in reversed(tree):
        total += cost
        costs.append(total)
    return costs


def hop_bytes(tree, edges, leaves):
    """The independent evaluator."""
    sizes = [size for size, _ in tree][1:] + [1]
    for i in range(len(sizes) - 2, -1, -1):
        sizes[i] *= sizes[i + 1]  # leaves below one part of each level
    costs = list(reversed(apart(tree)))
    total = 0
    for (a, b), weight in edges.items():
        for size, cost in zip(sizes, costs):
            if leaves[a] // size != leaves[b] // size:
                total += weight * cost
                break
    return total


def stencil(rows, columns):
    edges = {}
    for r in range(rows * columns):
        if r % columns + 1 < columns:
            edges[r, r + 1] = 1
        if r // columns + 1 < rows:
            edges[r, r + columns] = 1
    return edges


def groups(n, size):
    return {(a, b): 1 for a in range(n) for b in range(a + 1, n) if a // size == b // size}


def random_graph(n, degree, seed):
    """Each rank speaks to `degree` others on average; weights 1 to 100."""
    draw, edges = random.Random(seed), {}
    while len(edges) < n * degree // 2:
        a, b = draw.randrange(n), draw.randrange(n)
        if a != b:
            edges[min(a, b), max(a, b)] = draw.randint(1, 100)
    return edges


def shuffled(edges, n, seed):
    order = list(range(n))
    random.Random(seed).shuffle(order)
    return {tuple(sorted((order[a], order[b]))): w for (a, b), w in edges.items()}


def write_matrix(path, edges):
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(f"{a} {b} {w}\n" for (a, b), w in sorted(edges.items()))


def write_grf(path, n, edges):
    """Scotch's source graph, version 0: counts, base and flags (010: weights of edges), then a line a
    vertex: how many edges, and (weight, end) each."""
    rows = [[] for _ in range(n)]
    for (a, b), weight in sorted(edges.items()):
        rows[a].append((weight, b))
        rows[b].append((weight, a))
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"0\n{n} {2 * len(edges)}\n0 010\n")
        for row in rows:
            f.write(" ".join([str(len(row))] + [f"{w} {end}" for w, end in row]) + "\n")


def write_tgt(path, tree):
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"tleaf {len(tree)} " + " ".join(f"{size} {cost}" for size, cost in tree) + "\n")


def read_map(path, n):
    leaves = [None] * n
    with open(path, encoding="utf-8") as f:
        for text in f.read().splitlines()[1:]:
            vertex, leaf = map(int, text.split())
            leaves[vertex] = leaf
    return leaves


def scotch(folder, tree, n, edges):
    """Leaves that scotch_gmap gives: with its defaults, and with its strategy for quality."""
    grf, tgt, out = (os.path.join(folder, name) for name in ("x.grf", "x.tgt", "x.map"))
    write_grf(grf, n, edges)
    write_tgt(tgt, tree)
    found = []
    for strategy in ([], ["-cq"]):
        subprocess.run(["scotch_gmap", *strategy, grf, tgt, out], check=True, capture_output=True)
        found.append(read_map(out, n))
    return found


def measure(build, folder, tree, edges, told=None):
    matrix = os.path.join(folder, "matrix.txt")
    write_matrix(matrix, edges)
    argv = [os.path.join(build, "bin", "bench_mapping"), machine(tree),
            ",".join(map(str, apart(tree))), matrix, str(TURNS[n_leaves(tree)])]
    if told is not None:
        leaves = os.path.join(folder, "leaves.txt")
        with open(leaves, "w", encoding="utf-8") as f:
            f.write("\n".join(map(str, told)) + "\n")
        argv.append(leaves)
    return json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout)


def compare(build, folder, tree, edges):
    """Our figures, and those of Scotch's mappings ([] without it). What either evaluator says of
    either mapping is the same, or this is no measurement."""
    n, told = n_leaves(tree), []
    seen = None
    for leaves in scotch(folder, tree, n, edges) if shutil.which("scotch_gmap") else [None]:
        seen = measure(build, folder, tree, edges, leaves)
        if leaves is not None:
            told.append(seen["told"])
            if told[-1] != hop_bytes(tree, edges, leaves):
                raise RuntimeError(f"Scotch's map: {told[-1]} by us, not {hop_bytes(tree, edges, leaves)}")
    if seen["ours"] != hop_bytes(tree, edges, seen["leaves"]):
        raise RuntimeError(f"our map: {seen['ours']} by us, not {hop_bytes(tree, edges, seen['leaves'])}")
    if seen["ours"] > seen["by_slot"]:
        raise RuntimeError(f"worse than by slot: {seen['ours']}, {seen['by_slot']}")
    seen["scotch"] = min(told) if told else None
    return seen


def cases(tree, rows, columns):
    n = n_leaves(tree)
    yield "stencil", stencil(rows, columns)
    yield "stencil, shuffled", shuffled(stencil(rows, columns), n, 1)
    yield "groups of 8, shuffled", shuffled(groups(n, 8), n, 1)


def case_lines(size, name, seen):
    title = f"{size} {name}"
    yield harness.line("mapping", title, "hop-bytes", [seen["ours"]], peer=seen["scotch"])
    yield harness.line("mapping", f"{title}, by slot", "hop-bytes", [seen["by_slot"]], peer=seen["scotch"])
    yield harness.line("mapping", f"{title}, by node", "hop-bytes", [seen["by_node"]], peer=seen["scotch"])
    yield harness.line("mapping", f"{title}, time", "ms", seen["ms"])


def random_lines(build, folder):
    """Ten graphs: what ours cost of Scotch's, their geometric mean and the worst."""
    ratios, times = [], []
    for seed in SEEDS:
        seen = compare(build, folder, SMALL, random_graph(n_leaves(SMALL), 6, seed))
        times += seen["ms"]
        if seen["scotch"] is None:
            continue
        ratios.append(seen["ours"] / seen["scotch"])
    if ratios:
        mean = harness.line("mapping", "128 random, of Scotch", "ratio", ratios, 1.0, "scotch_gmap's hop-bytes")
        mean["value"] = statistics.geometric_mean(ratios)
        mean["ratio"] = mean["value"]
        yield mean
        yield harness.line("mapping", "128 random, worst", "ratio", [max(ratios)], 1.0, "scotch_gmap's hop-bytes")
    yield harness.line("mapping", "128 random, time", "ms", times)


def run(build, root):
    if shutil.which("scotch_gmap") is None:
        print("mapping: skipped beside Scotch: there is no scotch_gmap (scripts/deps.sh --bench)", flush=True)
    with tempfile.TemporaryDirectory(prefix="gridmill-bench.") as folder:
        for name, edges in cases(SMALL, 8, 16):
            yield from case_lines(128, name, compare(build, folder, SMALL, edges))
        yield from random_lines(build, folder)
        for name, edges in cases(LARGE, 64, 64):
            yield from case_lines(4096, name, compare(build, folder, LARGE, edges))
        edges = random_graph(n_leaves(LARGE), 6, 1)
        yield from case_lines(4096, "random", compare(build, folder, LARGE, edges))
