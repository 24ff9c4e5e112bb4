"""azr.game.composite: when proposals are composed, of what, and what becomes of them."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.config.run import CompositeConfig, RunConfig, SandboxConfig, SelfPlayConfig
from azr.errors import ConfigError
from azr.game.composite import MAX_CANDIDATES, Odds, functions_to_build_on, odds_at
from azr.game.judge.judge import SandboxJudge
from azr.game.selfplay import play_step
from azr.game.tasks.buffers import TaskBuffers
from azr.game.tasks.task_json import task_from_json, task_to_json
from azr.records.metrics import step_metrics
from azr.types import Experience, Mode, Prompt, Role, Task
from tests.fakes import InProcessExecutor, ScriptedJudge, ScriptedPolicy, make_table, make_task

ALWAYS = CompositeConfig(start_step=1, chance=1.0)
FUNCTION = "def g_0(x):\n    return x"
MODES = [Mode.DEDUCTION, Mode.ABDUCTION, Mode.ERROR]


def test_by_default_nothing_is_ever_composed():
    assert {odds_at(CompositeConfig(), step).chance for step in range(600)} == {0.0}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, Odds(0.0, 1)),
        (9, Odds(0.0, 1)),
        (10, Odds(0.5, 1)),
        (100, Odds(0.5, 1)),
        (101, Odds(0.5, 1)),
        (150, Odds(0.5, 1)),
        (151, Odds(0.51, 2)),
        (200, Odds(0.51, 2)),
        (201, Odds(0.52, 3)),
        (251, Odds(0.53, 3)),
        (101 + 50 * 30, Odds(0.8, 3)),
        (10**6, Odds(0.8, 3)),
    ],
)
def test_the_schedule_is_the_reference_s(step: int, expected: Odds):
    """Feature 34: the first increment comes 50 steps after step 101. (AZR: scheduler_step)"""
    found = odds_at(CompositeConfig(start_step=10, n_max=1, schedule=True), step)
    assert found.n_max == expected.n_max
    assert found.chance == pytest.approx(expected.chance)


@given(st.integers(1, 2000), st.integers(1, 4), st.floats(0, 1))
def test_the_schedule_never_falls(step: int, n_max: int, chance: float):
    config = CompositeConfig(start_step=1, n_max=n_max, chance=chance, schedule=True)
    now, later = odds_at(config, step), odds_at(config, step + 1)
    assert chance <= now.chance <= later.chance <= max(chance, 0.8)
    assert n_max <= now.n_max <= later.n_max <= max(n_max, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"chance": 1.5}, r"composite\.chance must be a finite number, in \[0, 1\], got 1.5"),
        ({"n_min": 0}, r"composite\.n_min must be .* at least 1, got 0: start_step = -1"),
        (
            {"n_min": 3, "n_max": 2},
            r"n_max must be at least composite\.n_min = 3, got 2",
        ),
        ({"start_step": -2}, r"composite\.start_step must be at least 1, or -1, got -2"),
        ({"start_step": 0}, r"composite\.start_step must be at least 1, or -1, got 0"),
        ({"min_own_operations": -1}, r"composite\.min_own_operations must be .* at least 0"),
    ],
)
def test_impossible_values_are_refused(values: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        CompositeConfig(**values)  # type: ignore[arg-type]


def ask(config: CompositeConfig, mode: Mode, buffers: TaskBuffers, seed: int = 0, step: int = 1):
    judge = ScriptedJudge()
    made = asyncio.run(functions_to_build_on(config, mode, buffers, judge, step=step, seed=seed))
    return made, judge.composed


def stocked() -> TaskBuffers:
    buffers = TaskBuffers(":memory:")
    for mode in Mode:
        buffers.add([make_task(mode, n) for n in range(40)])
    return buffers


def test_one_to_three_functions_are_drawn_and_chance_decides():
    buffers = stocked()
    counts = [len(ask(ALWAYS, Mode.DEDUCTION, buffers, seed)[0]) for seed in range(300)]
    assert all(80 < counts.count(n) < 120 for n in (1, 2, 3))
    half = [
        bool(ask(ALWAYS.changed(chance=0.5), Mode.DEDUCTION, buffers, seed)[0])
        for seed in range(300)
    ]
    assert 120 < sum(half) < 180


@pytest.mark.parametrize("mode", MODES)
def test_functions_come_from_tasks_of_the_mode_that_are_not_composite(mode: Mode):
    buffers = TaskBuffers(":memory:")
    plain = [make_task(mode, n) for n in range(3)]
    composed = [replace(make_task(mode, n), functions=(FUNCTION,)) for n in range(3, 6)]
    buffers.add(plain + composed)
    _, [(programs, _)] = ask(ALWAYS, mode, buffers)
    assert set(programs) == {task.program for task in plain}
    only = TaskBuffers(":memory:")
    only.add(composed)
    assert ask(ALWAYS, mode, only) == ((), [])


def test_induction_proposers_are_given_no_functions():
    assert ask(ALWAYS, Mode.INDUCTION, stocked()) == ((), [])


def test_a_draw_is_a_function_of_buffers_seed_and_step():
    buffers = stocked()
    first = ask(ALWAYS, Mode.DEDUCTION, buffers, seed=5)
    assert first == ask(ALWAYS, Mode.DEDUCTION, buffers, seed=5)
    assert first != ask(ALWAYS, Mode.DEDUCTION, buffers, seed=6)
    assert len(first[1][0][0]) == MAX_CANDIDATES


def composing(prompt: Prompt) -> str:
    """A player that builds on whatever functions it is given."""
    if prompt.role is Role.PROPOSER:
        names = [f"g_{n}(x)" for n in range(len(prompt.demands.functions))]
        body = " + ".join((*names, str(prompt.seed)))
        return f"```python\ndef f(x):\n    return {body}\n```\n```input\n1\n```"
    return "```output\n0\n```\n```input\n0\n```"


def play(config: RunConfig, script=composing) -> tuple[list[Experience], TaskBuffers]:
    buffers = TaskBuffers(":memory:")
    for mode in MODES:
        buffers.add([make_task(mode, n) for n in range(4)])
    table = make_table(config, ScriptedPolicy(script), buffers=buffers)
    table = replace(table, judge=SandboxJudge(InProcessExecutor(), SandboxConfig()))
    return asyncio.run(play_step(table, 2)), buffers


CONFIG = RunConfig(
    selfplay=SelfPlayConfig(
        modes=tuple(MODES), batch_size=4, trials_per_task=2, envelope="none", references=2
    ),
    composite=ALWAYS,
)


def test_proposals_build_on_past_programs_and_become_tasks_of_their_own():
    """Feature 33: renamed in the guest, checked there, stored whole, with what is theirs apart."""
    experiences, buffers = play(CONFIG)
    proposed = [e for e in experiences if e.stream[0] is Role.PROPOSER]
    assert all(e.task is not None and e.task.functions for e in proposed)
    for experience in proposed:
        task, prompt = experience.task, experience.rollout.prompt
        assert task is not None
        assert prompt.demands.functions == task.functions
        assert all(function in prompt.text for function in task.functions)
        assert (
            task.own_program
            == experience.rollout.completion.split("```python\n")[1].split("\n```")[0]
        )
        names: dict[str, object] = {}
        exec(task.program, names)  # trusted: the test wrote it
        value = names["f"](1)  # type: ignore[operator]
        expected = repr("NoError") if task.mode is Mode.ERROR else str(value)
        assert task.cases[0].output == expected
    assert {t.functions for t in buffers.tasks(Mode.ABDUCTION)} >= {
        e.task.functions for e in proposed if e.task and e.stream[1] is Mode.ABDUCTION
    }


def test_a_proposal_that_calls_none_of_them_is_refused():
    def stubborn(prompt: Prompt) -> str:
        return composing(replace(prompt, demands=type(prompt.demands)()))

    experiences, _ = play(CONFIG, stubborn)
    reasons = {e.reason for e in experiences if e.stream[0] is Role.PROPOSER}
    assert reasons == {"g_0 is not called"}


def test_wrappers_are_refused_where_own_operations_are_demanded():
    def wrapping(prompt: Prompt) -> str:
        return composing(prompt).replace(f" + {prompt.seed}", "")

    config = CONFIG.changed(composite=ALWAYS.changed(n_max=1, min_own_operations=1))
    reasons = {e.reason for e in play(config, wrapping)[0] if e.stream[0] is Role.PROPOSER}
    assert reasons == {"a mere wrapper"}
    lenient = CONFIG.changed(composite=ALWAYS.changed(n_max=1))
    assert all(e.task for e in play(lenient, wrapping)[0] if e.stream[0] is Role.PROPOSER)


def test_metrics_tell_how_many_were_asked_and_how_many_of_those_are_valid():
    experiences, _ = play(CONFIG)
    metrics = step_metrics(experiences, [0.0] * len(experiences), {})
    assert metrics["composite/deduction"] == metrics["valid_composite/deduction"] == 1.0
    plain, _ = play(CONFIG.changed(composite=CompositeConfig()))
    assert not any("composite" in name for name in step_metrics(plain, [0.0] * len(plain), {}))


def test_a_step_replays_with_functions_too():
    assert play(CONFIG)[0] == play(CONFIG)[0]


def test_seeding_composes_nothing():
    """It is step 0, and the first step that can be configured is 1."""
    assert odds_at(ALWAYS, 0) == Odds(0.0, 3)


def test_a_composite_task_survives_its_record_and_old_records_have_no_functions():
    task = replace(make_task(), program=f"{FUNCTION}\n\n\ndef f(x): 0", functions=(FUNCTION,))
    assert task_from_json(task_to_json(task)) == task
    assert task.own_program == "def f(x): 0"
    assert "functions" not in task_to_json(make_task())
    assert make_task().own_program == make_task().program


def test_references_may_be_shown_without_their_functions():
    own = "def f(x):\n    return g_0(x)"
    task = Task(
        mode=Mode.DEDUCTION,
        program=f"{FUNCTION}\n\n\n{own}",
        cases=make_task().cases,
        functions=(FUNCTION,),
    )
    buffers = TaskBuffers(":memory:")
    buffers.add([task])
    for whole in (True, False):
        config = CONFIG.changed(composite=CompositeConfig(whole_references=whole))
        table = make_table(config, ScriptedPolicy(composing), buffers=buffers)
        text = table.prompts.proposer(Mode.DEDUCTION, buffers, 0).text
        assert own in text
        assert (FUNCTION in text) is whole
