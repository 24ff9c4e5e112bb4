"""Seed files meet the real sandbox: the kinds of broken tasks that the reference ships stay out."""

import asyncio
import json
from pathlib import Path

import pytest

from azr.config.run import SandboxConfig
from azr.game.judge.judge import SandboxJudge
from azr.game.tasks.buffers import TaskBuffers
from azr.game.tasks.seed_files import import_seeds
from azr.types import Mode
from sandbox_wasm import Sandbox
from tests.direct import DirectExecutor

pytestmark = [pytest.mark.guest, pytest.mark.slow]

SOUND = [
    ("def f(s):\n    return sorted(s)", "'hello'", "['e', 'h', 'l', 'l', 'o']"),
    ("import re\ndef f(s):\n    return re.findall('a+', s)", "'aba'", "['a', 'a']"),
    ("def f(n):\n    return list(range(n))", "300", repr(list(range(300)))),
]
BROKEN = [
    # A1: judged valid by the reference, whose gold output is then ''
    ("def f(n, calls=[]):\n    calls.append(n)\n    return iter(calls)", "1", ""),
    ("def f(n):\n    return (i for i in range(n))", "3", ""),
    ("def f(n):\n    raise StopIteration", "3", ""),
    ("import os\ndef f(n):\n    return os.urandom(n)", "4", "b'abcd'"),
    # A2: an output cut in the middle
    ("def f(n):\n    return list(range(n))", "300", "[0, 1, 2, ...97, 298, 299]"),
    # A3: the order of a set's strings
    ("def f(s):\n    return list(set(s))", "['ab', 'cd', 'ef', 'gh']", "['ab', 'cd', 'ef', 'gh']"),
    ("def f(n):\n    while True: pass", "3", "3"),
    ("def f(n):\n    return __import__('subprocess')", "3", "3"),
    # B: an input that would run, were it evaluated
    ("def f(n):\n    return n", "__import__('os').getpid()", "1"),
]


def test_of_a_seed_file_the_sound_tasks_enter_and_no_others(sandbox: Sandbox, tmp_path: Path):
    path = tmp_path / "seed_io.jsonl"
    keys = ("snippet", "input", "output")
    records = [dict(zip(keys, record, strict=True)) for record in [*BROKEN, *SOUND]]
    path.write_text("".join(json.dumps({**record, "imports": []}) + "\n" for record in records))
    buffers = TaskBuffers(":memory:")
    judge = SandboxJudge(DirectExecutor(sandbox), SandboxConfig(fuel=200_000_000))
    imported = asyncio.run(import_seeds(path, judge, buffers))
    assert imported.refused.total() == 2 * len(BROKEN)
    for mode in (Mode.DEDUCTION, Mode.ABDUCTION):
        found = [(t.program, t.cases[0].input, t.cases[0].output) for t in buffers.tasks(mode)]
        assert found == SOUND
