"""The options that touch a proposal, all at once: written by a script, judged by the sandbox."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from azr.config.run import (
    BuffersConfig,
    CompositeConfig,
    CurriculumConfig,
    IntrinsicConfig,
    NoveltyConfig,
    ParsingConfig,
    RunConfig,
    SandboxConfig,
    SelfPlayConfig,
)
from azr.game.judge.judge import SandboxJudge
from azr.game.rewards.appraiser import Appraiser
from azr.game.seeding import seed_buffers
from azr.game.selfplay import play_step
from azr.game.tasks.buffers import TaskBuffers
from azr.game.tasks.seed_files import import_seeds, write_tasks
from azr.types import Experience, Mode, Prompt, Role, Task
from sandbox_wasm import Sandbox
from tests.direct import DirectExecutor
from tests.fakes import ScriptedPolicy, make_table

pytestmark = pytest.mark.guest

BATCH = 6
CONFIG = RunConfig(
    selfplay=SelfPlayConfig(
        modes=tuple(Mode),
        batch_size=BATCH,
        trials_per_task=2,
        envelope="none",
        induction_inputs=4,
        references=2,
        solver_tasks="learnable",
        error_banned=("raise",),
    ),
    parsing=ParsingConfig(
        entry="any_last", strip=("comments", "prints"), seeding_strip=("comments",)
    ),
    composite=CompositeConfig(start_step=1, chance=0.5, n_max=2, min_own_operations=1),
    intrinsic=IntrinsicConfig(complexity=0.1, combine="sum", clip=1.0),
    novelty=NoveltyConfig(
        dedupe="structure", max_copies=1, min_nodes=8, repetition_penalty=0.1, window=4
    ),
    buffers=BuffersConfig(seed_tasks=5, max_seed_rounds=6, store="all", reference_sampling="easy"),
    curriculum=CurriculumConfig(lines_from=8, lines_to=12, steps=4),
)


def script(prompt: Prompt) -> str:
    """Programs of a name of their own, with comments, which build on what they are given."""
    if prompt.role is Role.SOLVER:
        return ("```output\n3\n```\n```input\n3\n```", "```output\nNoError\n```", "no")[
            prompt.seed % 3
        ]
    inputs = "".join(f"```input\n{n}\n```\n" for n in range(4))
    if prompt.mode is Mode.INDUCTION:
        return f"{inputs}```message\nNumber {prompt.seed}.\n```"
    number = prompt.seed % 8
    given = "".join(
        f"    last = str(g_{n}(x))  # builds\n" for n in range(len(prompt.demands.functions))
    )
    body = (
        f"{given}    print(x)\n    return [x{' + x' * number}, {number}]"
        if number < 7
        else "    return x  # too small"
    )
    return f"```python\ndef puzzle(x):  # mine\n{body}\n```\n```input\n{prompt.seed % 5}\n```"


def all_tasks(buffers: TaskBuffers) -> list[Task]:
    return [task for mode in Mode for task in buffers.tasks(mode)]


def run(sandbox: Sandbox, file=None, steps: int = 3) -> tuple[list[Experience], TaskBuffers]:
    buffers = TaskBuffers(":memory:")
    judge = SandboxJudge(DirectExecutor(sandbox), CONFIG.sandbox, CONFIG.parsing)
    table = make_table(CONFIG, ScriptedPolicy(script), buffers=buffers)
    table = replace(table, judge=judge, appraiser=Appraiser(CONFIG, judge, buffers))

    async def whole() -> list[Experience]:
        if file:
            await import_seeds(file, judge, buffers, storable=table.appraiser.storable)
        await seed_buffers(table, buffers)
        played = [await play_step(table, step) for step in range(1, steps + 1)]
        return [experience for step in played for experience in step]

    return asyncio.run(whole()), buffers


def test_all_options_that_touch_a_proposal_play_together(sandbox: Sandbox, tmp_path):
    experiences, buffers = run(sandbox)
    streams = Counter(e.stream for e in experiences)
    assert streams == dict.fromkeys(((role, mode) for role in Role for mode in Mode), 3 * BATCH)
    proposals = [e for e in experiences if e.stream[0] is Role.PROPOSER]
    new = [e.task for e in proposals if e.task is not None]
    composite = [task for task in new if task.functions]
    assert composite
    assert {task.mode for task in new} == set(Mode)
    written = [task for task in new if task.mode is not Mode.INDUCTION]
    for task in written:  # renamed and rewritten; what it was given stays as it was
        assert "puzzle" not in task.own_program
        assert "#" not in task.own_program
        assert "print" not in task.own_program
        assert task.program.startswith("def g_0(" if task.functions else "def f(")
    reasons = {e.reason for e in proposals}
    assert "not novel: copy" in reasons
    assert not any("wrong" in reason or "unreadable" in reason for reason in reasons)
    outputs = {task.cases[0].output for task in buffers.tasks(Mode.ERROR)}
    assert outputs == {"'NoError'"}
    assert [(e.verdict, e.task, e.reward) for e in run(sandbox)[0]] == [
        (e.verdict, e.task, e.reward) for e in experiences
    ]

    file = tmp_path / "seeds.jsonl"
    write_tasks(file, [(task, None) for task in all_tasks(buffers)])
    _, again = run(sandbox, file, steps=0)
    found = {(t.mode, t.program, t.functions, t.cases) for t in all_tasks(again)}
    missing = [
        t for t in all_tasks(buffers) if (t.mode, t.program, t.functions, t.cases) not in found
    ]
    assert missing == []


def test_the_defaults_ask_the_guest_for_nothing_but_verdicts_and_profiles(sandbox: Sandbox):
    executor = DirectExecutor(sandbox)
    config = RunConfig(
        selfplay=RunConfig().selfplay.changed(batch_size=2, trials_per_task=2, envelope="none")
    )
    judge, buffers = SandboxJudge(executor, SandboxConfig()), TaskBuffers(":memory:")
    buffers.add_zero_tasks()
    plain = ScriptedPolicy(lambda prompt: script(prompt).replace("puzzle", "f"))
    table = make_table(config, plain, buffers=buffers)
    table = replace(table, judge=judge, appraiser=Appraiser(config, judge, buffers))
    asyncio.run(play_step(table, 1))
    assert {job.entry for job in executor.jobs} == {"f", "profile"}
