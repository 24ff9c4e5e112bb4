"""azr.game.selfplay: the game, with a scripted policy and a scripted judge (both fakes)."""

import asyncio
from collections import Counter

import pytest

from azr.config.run import BuffersConfig, RunConfig, SelfPlayConfig
from azr.errors import ConfigError, ExecutorUnavailable
from azr.game.selfplay import play_step
from azr.types import STREAMS, Answer, Experience, Mode, Prompt, Role, Task, Verdict
from tests.fakes import ScriptedJudge, ScriptedPolicy, make_table

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
    return RunConfig(selfplay=SELFPLAY.changed(**changes))


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
        selfplay=SELFPLAY.changed(train_proposer=False, modes=(Mode.DEDUCTION,), batch_size=8),
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
