"""azr.game.selfplay: the game, with a scripted policy and a scripted judge (both fakes)."""

import asyncio
import re
from collections import Counter
from dataclasses import replace

import pytest

from azr.config.run import BuffersConfig, CurriculumConfig, RunConfig, SelfPlayConfig
from azr.errors import ConfigError, ExecutorUnavailable
from azr.game.selfplay import play_step
from azr.types import STREAMS, Answer, Experience, Mode, Prompt, Role, Task, Verdict
from tests.fakes import ScriptedJudge, ScriptedPolicy, make_table, make_task

BATCH = 4
TRIALS = 8
SELFPLAY = SelfPlayConfig(
    batch_size=BATCH, trials_per_task=TRIALS, envelope="none", induction_inputs=4, references=1
)
CONFIG = RunConfig(selfplay=SELFPLAY)
PLAYED = [stream for stream in STREAMS if stream[1] in SELFPLAY.modes]
SOLVED = {(Role.SOLVER, mode): BATCH for mode in SELFPLAY.modes}


def well_formed(prompt: Prompt) -> str:
    """What a good player writes: a new program for every seed, and some answer."""
    if prompt.role is Role.PROPOSER and prompt.mode is Mode.INDUCTION:
        inputs = "".join(f"```input\n{n}\n```\n" for n in range(4))
        return f"{inputs}```message\nNumber {prompt.seed}.\n```"
    if prompt.role is Role.PROPOSER:
        program = f"def f(x):\n    return x + {prompt.seed}"
        return f"```python\n{program}\n```\n```input\n1\n```"
    return "```python\ndef f(x):\n    return 0\n```\n```output\n0\n```\n```input\n0\n```"


def play(
    config: RunConfig = CONFIG,
    script=well_formed,
    judge: ScriptedJudge | None = None,
    step: int = 1,
) -> tuple[list[Experience], ScriptedPolicy]:
    policy = ScriptedPolicy(script)
    table = make_table(config, policy, judge)
    return asyncio.run(play_step(table, step)), policy


def with_selfplay(**changes) -> RunConfig:
    return RunConfig(selfplay=replace(SELFPLAY, **changes))


def test_every_stream_gives_one_full_batch():
    """Features 5 and 56: one policy in both roles, 2 x 3 x B experiences an update."""
    experiences, _ = play()
    assert Counter(e.stream for e in experiences) == dict.fromkeys(PLAYED, BATCH)


def test_a_valid_proposal_is_tried_by_g_solvers():
    """Feature 43: 1 proposal, G trials and 1 attempt a slot."""
    _, policy = play()
    roles = Counter(prompt.role for prompt in policy.prompts)
    assert roles == {Role.PROPOSER: 3 * BATCH, Role.SOLVER: 3 * BATCH * (TRIALS + 1)}


def test_all_proposals_of_a_step_are_under_way_at_once():
    """ARCHITECTURE 1: one coroutine a proposal, no phases."""
    _, policy = play()
    assert policy.most_under_way >= 3 * BATCH


@pytest.mark.parametrize(
    ("right", "expected"), [(0, 0.0), (1, 7 / 8), (4, 0.5), (7, 1 / 8), (8, 0.0)]
)
def test_a_proposer_is_paid_by_the_solve_rate(right: int, expected: float):
    """Feature 43: known success rates give 1 - rate, and 0 at both ends."""
    seen: Counter[str] = Counter()

    def passes(task: Task, answer: Answer) -> bool:
        seen[task.program] += 1
        return seen[task.program] <= right

    config = with_selfplay(modes=("deduction",), batch_size=1, same_step_tasks=False)
    experiences, _ = play(config, judge=ScriptedJudge(passes=passes))
    proposal = next(e for e in experiences if e.stream[0] is Role.PROPOSER)
    assert proposal.solve_rate == right / TRIALS
    assert proposal.reward == pytest.approx(expected)


@pytest.mark.parametrize("judge", [ScriptedJudge(admits=lambda _: False), None])
def test_without_any_valid_proposal_the_solvers_still_have_a_full_batch(
    judge: ScriptedJudge | None,
):
    """Feature 31, A14: the rest is filled from the past."""

    def junk(prompt: Prompt) -> str:
        return "I refuse." if prompt.role is Role.PROPOSER else well_formed(prompt)

    script = well_formed if judge else junk
    experiences, policy = play(script=script, judge=judge)
    solved = [e for e in experiences if e.stream[0] is Role.SOLVER]
    proposed = [e for e in experiences if e.stream[0] is Role.PROPOSER]
    assert len(solved) == 3 * BATCH
    assert all(e.task is not None and e.task.born_step == 0 for e in solved)
    assert {e.reward for e in proposed} == {-1.0}
    assert {e.solve_rate for e in proposed} == {None}
    assert sum(p.role is Role.SOLVER for p in policy.prompts) == 3 * BATCH  # no trials


def test_solvers_train_on_the_tasks_of_the_same_step():
    """A4: the reference solves last step's tasks; the paper's Algorithm 1 this step's."""
    experiences, _ = play(step=5)
    solved = [e.task for e in experiences if e.stream[0] is Role.SOLVER]
    proposed = [e.task for e in experiences if e.stream[0] is Role.PROPOSER]
    assert solved == proposed
    assert {task.born_step for task in solved if task} == {5}


def test_lag_1_solves_only_tasks_of_the_past():
    """A4: the reference's behaviour as an option."""
    experiences, _ = play(with_selfplay(same_step_tasks=False), step=5)
    assert {e.task.born_step for e in experiences if e.stream[0] is Role.SOLVER and e.task} == {0}
    assert {e.task.born_step for e in experiences if e.stream[0] is Role.PROPOSER and e.task} == {5}


def test_every_valid_task_is_stored_whatever_it_was_paid():
    """Feature 27: tasks that nobody solves stay in the game."""
    policy = ScriptedPolicy(well_formed)
    table = make_table(CONFIG, policy, ScriptedJudge(passes=lambda _t, _a: False))
    before = table.buffers.count(Mode.DEDUCTION)  # type: ignore[attr-defined]
    experiences = asyncio.run(play_step(table, 1))
    proposals = [e for e in experiences if e.stream == (Role.PROPOSER, Mode.DEDUCTION)]
    assert {e.reward for e in proposals} == {0.0}
    assert table.buffers.count(Mode.DEDUCTION) == before + BATCH  # type: ignore[attr-defined]


def test_solver_only_training_proposes_nothing():
    """Feature 58, A13: the streams keep their labels."""
    experiences, policy = play(with_selfplay(train_proposer=False))
    assert {p.role for p in policy.prompts} == {Role.SOLVER}
    assert Counter(e.stream for e in experiences) == {
        (Role.SOLVER, mode): BATCH for mode in SELFPLAY.modes
    }


def test_the_modes_in_play_are_the_run_s_choice():
    experiences, _ = play(with_selfplay(modes=("abduction",)))
    assert {e.stream[1] for e in experiences} == {Mode.ABDUCTION}


def test_unreadable_answers_are_told_from_wrong_ones():
    def script(prompt: Prompt) -> str:
        return "No idea." if prompt.role is Role.SOLVER else well_formed(prompt)

    experiences, _ = play(script=script)
    solved = [e for e in experiences if e.stream[0] is Role.SOLVER]
    assert {e.verdict for e in solved} == {Verdict.ILL_FORMED}
    assert {e.reward for e in solved} == {-1.0}
    assert all(e.reason.startswith("parse: ") for e in solved)


def test_a_broken_executor_raises_and_stores_nothing():
    """A step is scored in full or not at all; no failure becomes a reward."""
    table = make_table(CONFIG, ScriptedPolicy(well_formed), ScriptedJudge(is_broken=True))
    with pytest.raises(ExecutorUnavailable):
        asyncio.run(play_step(table, 1))
    assert [table.buffers.count(mode) for mode in Mode] == [1, 1, 1, 1]  # type: ignore[attr-defined]


def test_an_executor_that_breaks_in_the_middle_stores_nothing():
    judge = ScriptedJudge()

    def passes(_task: Task, _answer: Answer) -> bool:
        judge.is_broken = True
        return True

    judge.passes = passes
    table = make_table(CONFIG, ScriptedPolicy(well_formed), judge)
    with pytest.raises(ExecutorUnavailable):
        asyncio.run(play_step(table, 1))
    assert [table.buffers.count(mode) for mode in Mode] == [1, 1, 1, 1]  # type: ignore[attr-defined]


def test_a_step_replays():
    """Same seed, same buffers, same completions: the same experiences."""
    assert play()[0] == play()[0]


def test_no_two_rollouts_of_a_step_share_a_seed():
    """A6: with one seed for all, G trials would be G copies of one answer."""
    _, policy = play()
    assert len({p.seed for p in policy.prompts}) == len(policy.prompts)


def test_empty_completions_end_no_step():
    """An engine that returns nothing is a bad player, not an error."""
    experiences, _ = play(script=lambda _: "")
    assert {e.verdict for e in experiences} == {Verdict.ILL_FORMED}


def test_a_task_that_cannot_be_asked_is_not_admitted():
    """A14: its prompt would be longer than the budget."""

    def wordy(prompt: Prompt) -> str:
        if prompt.role is Role.SOLVER:
            return well_formed(prompt)
        program = "def f(x):\n" + "    x = x + 1\n" * 3000 + "    return x"
        return f"```python\n{program}\n```\n```input\n1\n```"

    experiences, _ = play(with_selfplay(modes=("deduction",)), script=wordy)
    proposals = [e for e in experiences if e.stream[0] is Role.PROPOSER]
    assert {(e.verdict, e.reason) for e in proposals} == {(Verdict.FAILED, "too long to ask")}


def test_an_answer_is_graded_against_the_task_that_was_asked():
    config = RunConfig(
        selfplay=replace(SELFPLAY, train_proposer=False, modes=(Mode.DEDUCTION,), batch_size=8),
        buffers=BuffersConfig(max_tasks=4),
    )
    asked: list[Task] = []

    def passes(task: Task, _answer: Answer) -> bool:
        asked.append(task)
        return True

    experiences, policy = play(config, judge=ScriptedJudge(passes=passes))
    assert asked == [p.task for p in policy.prompts]
    assert [e.task for e in experiences] == [p.task for p in policy.prompts]


ON_TRIALS = with_selfplay(train_on_trials=True)


def test_trials_become_the_solvers_experiences_and_nothing_more_is_sampled():
    """Weakness D: 80 % of the generations were thrown away."""
    experiences, policy = play(ON_TRIALS)
    expected = {
        stream: BATCH if stream[0] is Role.PROPOSER else BATCH * TRIALS for stream in PLAYED
    }
    assert Counter(e.stream for e in experiences) == expected
    roles = Counter(prompt.role for prompt in policy.prompts)
    assert roles == {Role.PROPOSER: 3 * BATCH, Role.SOLVER: 3 * BATCH * TRIALS}


def test_the_trials_of_a_task_are_one_group_of_one_prompt():
    experiences, _ = play(ON_TRIALS)
    groups: dict[object, list[Experience]] = {}
    for e in experiences:
        groups.setdefault((e.stream, e.group), []).append(e)
    assert len(groups) == 2 * 3 * BATCH
    for (stream, group), members in groups.items():
        assert group.startswith(f"{stream[1]}/")
        assert len(members) == (TRIALS if stream[0] is Role.SOLVER else 1)
        assert len({e.rollout.prompt.text for e in members}) == 1
        assert len({e.rollout.prompt.seed for e in members}) == len(members)
        assert len({id(e.task) for e in members}) == 1


def test_a_proposal_and_its_trials_agree_on_the_solve_rate():
    """The rewards of the trials are what the proposer's was made of."""
    seen: Counter[str] = Counter()

    def passes(task: Task, _answer: Answer) -> bool:
        seen[task.program] += 1
        return seen[task.program] % 3 == 0

    config = with_selfplay(train_on_trials=True, modes=("deduction",))
    experiences, _ = play(config, judge=ScriptedJudge(passes=passes))
    for proposal in (e for e in experiences if e.stream[0] is Role.PROPOSER):
        trials = [
            e for e in experiences if e.stream[0] is Role.SOLVER and e.group == proposal.group
        ]
        passed = sum(e.verdict is Verdict.PASSED for e in trials)
        assert proposal.solve_rate == passed / TRIALS
        assert {e.task for e in trials} == {proposal.task}
        assert {e.reward for e in trials} == {1.0, -0.5}


def test_where_no_proposal_is_valid_the_solver_has_one_attempt_at_the_past():
    """A14 with trials: the batch is never empty, and never larger than it must be."""
    experiences, policy = play(ON_TRIALS, judge=ScriptedJudge(admits=lambda _: False))
    assert Counter(e.stream for e in experiences) == dict.fromkeys(PLAYED, BATCH)
    assert {e.task.born_step for e in experiences if e.stream[0] is Role.SOLVER and e.task} == {0}
    assert sum(p.role is Role.SOLVER for p in policy.prompts) == 3 * BATCH


def test_without_a_proposer_each_drawn_task_is_tried_g_times():
    experiences, _ = play(with_selfplay(train_on_trials=True, train_proposer=False))
    assert Counter(e.stream for e in experiences) == {
        (Role.SOLVER, mode): BATCH * TRIALS for mode in SELFPLAY.modes
    }
    assert set(Counter((e.stream, e.group) for e in experiences).values()) == {TRIALS}


def test_training_on_trials_changes_no_prompt_and_replays():
    """Trials have the seeds they had when they were thrown away."""
    with_trials, without = play(ON_TRIALS), play()
    assert with_trials[0] == play(ON_TRIALS)[0]
    seeds = {p.seed for p in without[1].prompts}
    assert {p.seed for p in with_trials[1].prompts} < seeds


def test_trials_are_of_this_step_and_refused_with_lag_1():
    with pytest.raises(ConfigError, match="train_on_trials must be off"):
        with_selfplay(train_on_trials=True, same_step_tasks=False)


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

    selfplay = replace(SELFPLAY, modes=(Mode.DEDUCTION,), same_step_tasks=False)
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
