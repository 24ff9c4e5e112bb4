"""Which tasks solvers get, and who plays."""

import asyncio
import re
from collections import Counter

import pytest

from azr.config.run import BuffersConfig, CurriculumConfig, RunConfig
from azr.errors import ConfigError
from azr.game.selfplay import play_step
from azr.types import Answer, Experience, Mode, Prompt, Role, Task, Verdict
from tests.fakes import ScriptedJudge, ScriptedPolicy, make_table, make_task
from tests.unit.test_selfplay import (
    BATCH,
    PLAYED,
    SELFPLAY,
    SOLVED,
    TRIALS,
    play,
    well_formed,
    with_selfplay,
)

# ---------------------------------------------------------------- which tasks are solved

DRAWING = ("max_new", "half_new", "uniform", "step", "learnable")


def aged_table(config: RunConfig, policy: ScriptedPolicy | None = None, steps: int = 4, **judge):
    """A table whose buffers hold 2 tasks a mode of each of the steps 1 to `steps`."""
    table = make_table(config, policy or ScriptedPolicy(well_formed), ScriptedJudge(**judge))
    for step in range(1, steps + 1):
        tasks = [make_task(m, 10 * step + n, born_step=step) for m in Mode for n in range(2)]
        table.buffers.add(tasks)
    return table


def births(experiences: list[Experience], role: Role = Role.SOLVER) -> Counter[int]:
    return Counter(e.task.born_step for e in experiences if e.stream[0] is role and e.task)


@pytest.mark.parametrize("solver_tasks", DRAWING)
@pytest.mark.parametrize("same_step_tasks", [True, False])
@pytest.mark.parametrize("valid", [True, False])
def test_every_strategy_fills_the_batch_of_every_stream(
    solver_tasks: str, same_step_tasks: bool, valid: bool
):
    """Feature 31, A14: also with 0 valid proposals and 1 task in the buffer."""
    config = with_selfplay(solver_tasks=solver_tasks, same_step_tasks=same_step_tasks)
    experiences, _ = play(config, judge=ScriptedJudge(admits=lambda _: valid))
    assert Counter(e.stream for e in experiences) == dict.fromkeys(PLAYED, BATCH)
    assert all(e.task is not None for e in experiences if e.stream[0] is Role.SOLVER)
    assert play(config, judge=ScriptedJudge(admits=lambda _: valid))[0] == experiences


def test_max_new_solves_each_new_task_of_the_step_once():
    """METHOD 4 and Algorithm 1: B tasks of this iteration, filled up from the buffer."""
    config = with_selfplay(solver_tasks="max_new")
    experiences = asyncio.run(play_step(aged_table(config), 5))
    solved = [e.task for e in experiences if e.stream[0] is Role.SOLVER]
    proposed = [e.task for e in experiences if e.stream[0] is Role.PROPOSER]
    assert sorted(map(repr, solved)) == sorted(map(repr, proposed))


def test_half_new_solves_half_of_them():
    config = with_selfplay(solver_tasks="half_new", modes=("deduction",), batch_size=8)
    experiences = asyncio.run(play_step(aged_table(config, steps=20), 21))
    assert births(experiences)[21] >= 4


def test_one_step_later_the_new_tasks_are_those_of_the_last_step():
    """A4: AZR's order, in which solver prompts are made before the step's proposals."""
    config = with_selfplay(solver_tasks="max_new", same_step_tasks=False, batch_size=2)
    experiences = asyncio.run(play_step(aged_table(config), 5))
    assert births(experiences) == {4: 6}
    assert births(experiences, Role.PROPOSER) == {5: 6}


def test_a_wider_window_reaches_further_back():
    config = with_selfplay(
        solver_tasks="max_new", same_step_tasks=False, batch_size=4, update_iteration=2
    )
    table = aged_table(config)
    both = [births(asyncio.run(play_step(table, step))) for step in (5, 6)]
    # 8 places of a mode for the 4 tasks of the steps 3 and 4, and others
    assert sum((b[3] for b in both), 0) == 6
    assert sum((b[4] for b in both), 0) == 6
    assert all(max(b) < 5 for b in both)


def test_the_prompts_of_a_block_are_drawn_from_before_it():
    """Feature 59: data_len = train_batch_size * update_iteration prompts are made at once."""
    config = with_selfplay(
        solver_tasks="uniform", same_step_tasks=False, batch_size=2, update_iteration=3,
        references=6,
    )  # fmt: skip
    policy = ScriptedPolicy(well_formed)
    table = aged_table(config, policy, steps=3)
    solved = [asyncio.run(play_step(table, step)) for step in (4, 5, 6)]
    for mode in SELFPLAY.modes:
        asked = [
            e.task for step in solved for e in step if e.stream == (Role.SOLVER, mode) and e.task
        ]
        assert max(task.born_step for task in asked) <= 3
        assert len(set(asked)) == len(asked) == 6  # one draw, taken apart
    # a new program adds its seed, a number of many digits; old ones add less than 100
    shown = [p.text for p in policy.prompts if p.role is Role.PROPOSER]
    assert not any(re.search(r"x \+ \d{4}", text) for text in shown)
    policy.prompts.clear()
    asyncio.run(play_step(table, 7))
    assert any(re.search(r"x \+ \d{4}", p.text) for p in policy.prompts)


def test_learnable_tasks_are_preferred_by_their_recorded_rate():
    config = with_selfplay(solver_tasks="learnable", same_step_tasks=False, batch_size=2)
    table = make_table(config, ScriptedPolicy(well_formed))
    for mode in Mode:
        tasks = [make_task(mode, n, born_step=n) for n in range(1, 6)]
        table.buffers.add(tasks, [0.0, 0.5, 1.0, 0.125, None])
    assert births(asyncio.run(play_step(table, 6))) == {2: 3, 4: 3}


@pytest.mark.parametrize(
    ("store", "right", "kept"),
    [
        ("all", 8, True),
        ("non_one", 8, False),
        ("non_one", 0, True),
        ("non_extremes", 0, False),
        ("non_extremes", 8, False),
        ("non_extremes", 3, True),
    ],
)
def test_the_valid_program_filter(store: str, right: int, kept: bool):
    """Feature 28; the rate that was measured is kept with the task."""
    seen: Counter[str] = Counter()

    def passes(task: Task, _answer: Answer) -> bool:
        seen[task.program] += 1
        return seen[task.program] <= right

    selfplay = SELFPLAY.changed(modes=(Mode.DEDUCTION,), same_step_tasks=False)
    config = RunConfig(selfplay=selfplay, buffers=BuffersConfig(store=store))
    table = make_table(config, ScriptedPolicy(well_formed), ScriptedJudge(passes=passes))
    asyncio.run(play_step(table, 1))
    rates = [rate for _, rate in table.buffers.rated_tasks(Mode.DEDUCTION)]  # type: ignore[attr-defined]
    assert rates == [None, *([right / TRIALS] * BATCH if kept else [])]


# ---------------------------------------------------------------- who plays


def test_pretraining_asks_solvers_alone_and_keeps_their_labels():
    """Feature 58, A13: AZR's pretrain_pred_steps."""
    config = with_selfplay(pretrain_solver_steps=2)
    for step, streams in ((1, {Role.SOLVER}), (2, {Role.SOLVER}), (3, set(Role))):
        experiences, policy = play(config, step=step)
        assert {e.stream[0] for e in experiences} == streams
        assert {p.role for p in policy.prompts} == streams
        assert set(Counter(e.stream for e in experiences).values()) == {BATCH}


@pytest.mark.parametrize("solver_tasks", ["same_step", *DRAWING])
def test_solver_only_training_works_with_every_strategy(solver_tasks: str):
    experiences, policy = play(with_selfplay(train_proposer=False, solver_tasks=solver_tasks))
    assert {p.role for p in policy.prompts} == {Role.SOLVER}
    assert Counter(e.stream for e in experiences) == SOLVED


def test_an_untrained_proposer_still_fills_the_buffers():
    """AZR's train_propose = False: proposals are made and stored, and not learned from."""
    config = with_selfplay(train_proposer=False, propose_untrained=True)
    table = make_table(config, ScriptedPolicy(well_formed))
    experiences = asyncio.run(play_step(table, 1))
    assert Counter(e.stream for e in experiences) == SOLVED
    assert births(experiences) == {1: 3 * BATCH}
    assert table.buffers.count(Mode.DEDUCTION) == 1 + BATCH  # type: ignore[attr-defined]


@pytest.mark.parametrize("envelope", ["r1", "boxed", "none", "completion"])
def test_without_references_proposers_are_asked_all_the_same(envelope: str):
    """Feature 10, AZR's include_references = False."""
    policy = ScriptedPolicy(lambda _: "")
    table = aged_table(with_selfplay(references=0, envelope=envelope), policy)
    asyncio.run(play_step(table, 5))
    proposers = [p.text for p in policy.prompts if p.role is Role.PROPOSER]
    assert len(proposers) == 3 * BATCH
    triplets = [
        p.text for p in policy.prompts if p.role is Role.PROPOSER and p.mode is Mode.DEDUCTION
    ]
    assert len(set(triplets)) == 1  # one fixed prompt
    assert not any("return x + " in text for text in triplets)


def test_a_program_over_the_curriculum_is_refused_unless_it_was_given():
    """Induction proposers do not choose the program they are shown."""
    long_program = "def f(x):\n    x += 1\n    x += 2\n    return x"

    def script(prompt: Prompt) -> str:
        is_program = prompt.role is Role.PROPOSER and prompt.mode is not Mode.INDUCTION
        inputs = f"```python\n{long_program}\n```\n```input\n1\n```"
        return inputs if is_program else well_formed(prompt)

    curriculum = CurriculumConfig(lines_from=2, lines_to=4, steps=10)
    config = RunConfig(selfplay=SELFPLAY, curriculum=curriculum)
    early, _ = play(config, script=script, step=1)
    reasons = Counter((e.stream[1], e.reason) for e in early if e.stream[0] is Role.PROPOSER)
    assert reasons == {
        (Mode.DEDUCTION, "over the curriculum"): BATCH,
        (Mode.ABDUCTION, "over the curriculum"): BATCH,
        (Mode.INDUCTION, ""): BATCH,
    }
    late, _ = play(config, script=script, step=10)
    assert {e.verdict for e in late} == {Verdict.PASSED}


def test_trials_to_train_on_are_refused_where_other_tasks_than_the_own_are_drawn():
    with pytest.raises(ConfigError, match="train_on_trials must be off with"):
        with_selfplay(train_on_trials=True, solver_tasks="max_new")


def test_a_solver_alone_tries_each_task_that_is_drawn_g_times():
    """Groups for GRPO, of tasks that are neither too easy nor too hard."""
    config = with_selfplay(train_on_trials=True, train_proposer=False, solver_tasks="learnable")
    experiences, _ = play(config)
    assert Counter(e.stream for e in experiences) == {
        (Role.SOLVER, mode): BATCH * TRIALS for mode in SELFPLAY.modes
    }
