"""What sessions cost: a turn beyond its own computing, a fork, a saved state, and live sessions.

    python bench/bench_sessions.py                     # a few hundred sessions, under a minute
    python bench/bench_sessions.py --sessions 10000    # as many as docs/sessions.md speaks of

Figures are CPU time of this process, worker included. A turn is compared with the same source as
a job of its own: what is left is what the session costs.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox_wasm import Job, Sandbox, Session, SessionLimits

EPISODE = (
    "import re, json, math\nfrom collections import Counter, defaultdict",
    "text = 'the quick brown fox jumps over the lazy dog ' * 20\nwords = text.split()",
    "def top(items, n=3):\n    return Counter(items).most_common(n)\ntop(words)",
    "class Note:\n    def __init__(self, key):\n        self.key, self.value = key, len(key)",
    "notes = [Note(word) for word in words]",
    "by_length = defaultdict(list)\nfor note in notes:\n    by_length[note.value].append(note.key)",
    "json.dumps({k: len(v) for k, v in by_length.items()})",
    "re.findall(r'q\\w+', text)[:2]",
    "missing",
    "sum(math.sqrt(n.value) for n in notes)",
    "print(len(notes), sorted(by_length))",
)
"""Turns as a model's tool calls are: imports, functions, classes, a mistake, some output."""
TURN = "total = sum(note.value for note in notes[:50])"
"""The turn that is measured, in a session after EPISODE."""
ALONE = "class N: value = 4\nnotes = [N] * 50\n" + TURN
"""About the same computing as a job of its own."""


def cpu_ms(function: Callable[[], object], times: int, repeats: int) -> list[float]:
    """Return the CPU time of one of so many calls in a row, in ms, once a repeat."""
    found: list[float] = []
    for _ in range(repeats):
        before = time.process_time()
        for _ in range(times):
            function()
        found.append((time.process_time() - before) / times * 1e3)
    return found


def told(values: list[float]) -> dict[str, float]:
    """Return median, least and most."""
    return {"median": round(statistics.median(values), 4), "least": round(min(values), 4),
            "most": round(max(values), 4)}  # fmt: skip


def episode(sandbox: Sandbox) -> Session:
    """Return a session after all turns of EPISODE."""
    session = sandbox.session()
    for source in EPISODE:
        session.run(source)
    return session


def measure_turns(sandbox: Sandbox, times: int, repeats: int) -> dict[str, Any]:
    """Measure turns, forks and saves of one session."""
    session = episode(sandbox)
    saved = session.save()
    for _ in range(200):  # pages and code become warm
        session.fork().run(TURN)
    resumed = cpu_ms(lambda: session.fork().run(TURN), times, repeats)
    job = cpu_ms(lambda: sandbox.run([Job("1", ALONE)]), times, repeats)
    numbers = iter(range(10**9))
    unseen = cpu_ms(lambda: session.fork().run(f"{TURN} + {next(numbers)}"), times, repeats)
    return {
        "state_bytes": len(saved),
        "turn_ms": told(resumed),
        "job_ms": told(job),
        "beyond_its_computing_ms": told([a - b for a, b in zip(resumed, job, strict=True)]),
        "turn_never_seen_ms": told(unseen),
        "fork_ms": told(cpu_ms(session.fork, 10 * times, repeats)),
        "save_ms": told(cpu_ms(session.save, max(1, times // 10), repeats)),
        "load_ms": told(cpu_ms(lambda: sandbox.load_session(saved), max(1, times // 10), repeats)),
    }


def measure_live(sandbox: Sandbox, count: int, turns: int) -> dict[str, Any]:
    """Keep so many sessions alive, none of them a fork, each after some turns of its own."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started_bytes = sandbox.stats()["state_bytes"]
    sessions: list[Session] = []
    for number in range(count):
        session = sandbox.session()
        session.run(f"number = {number}")
        for source in EPISODE[:turns]:
            session.run(source)
        sessions.append(session)
    state_bytes = sandbox.stats()["state_bytes"] - started_bytes
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert sessions[count // 2].run("number").value == str(count // 2)
    return {
        "sessions": count,
        "turns_each": turns + 1,
        "kilobytes_a_session": round(state_bytes / count / 1000, 1),
        "resident_kilobytes_a_session": round(grown / count / 1000, 1),
        "gibibytes_of_10000": round(state_bytes / count * 10_000 / 2**30, 2),
    }


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=300, metavar="N")
    parser.add_argument("--turns", type=int, default=300, metavar="N", help="of each repeat")
    parser.add_argument("--repeats", type=int, default=5, metavar="N")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write them there, too")
    args = parser.parse_args()
    limits = SessionLimits(max_sessions=args.sessions + 1000, max_bytes=16 * 1024**3)
    with Sandbox(workers=1, images=1, sessions=limits) as sandbox:
        report = {"turns": measure_turns(sandbox, args.turns, args.repeats)}
        for turns in (3, len(EPISODE)):
            report[f"live after {turns + 1} turns"] = measure_live(sandbox, args.sessions, turns)
    text = json.dumps(report, indent=2)
    sys.stdout.write(f"{text}\n")
    if args.output is not None:
        args.output.write_text(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
