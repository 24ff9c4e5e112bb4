"""Appraiser.screen in every order of play: each slot reports once, and nobody waits for ever."""

import asyncio
from collections import Counter

import pytest

from azr.config.run import CurriculumConfig, NoveltyConfig, RunConfig, SelfPlayConfig
from azr.errors import ExecutorUnavailable
from azr.game.rewards.appraiser import MAX_KNOWN, Appraiser
from azr.game.rewards.novelty import Precedents, copy_key, objections
from azr.game.selfplay import play_step
from azr.game.table import Table
from azr.game.tasks.buffers import TaskBuffers
from azr.types import (
    Case,
    Experience,
    Mode,
    Profile,
    Prompt,
    Role,
    Rollout,
    Ruling,
    Task,
    prefix_of,
)
from tests.fakes import ScriptedJudge, ScriptedPolicy, make_table, profile_here
from tests.unit.test_selfplay import well_formed

BATCH = 6
SELFPLAY = SelfPlayConfig(
    batch_size=BATCH, trials_per_task=2, envelope="none", induction_inputs=4, references=1
)
COPIES = NoveltyConfig(max_copies=1)
LONG = "def f(x):\n" + "    x += 1\n" * 20 + "    return x"
WORDY = "def f(x):\n" + "    x = x + 1; y = x ; z = y\n" * 8 + "    return x" + " + 1" * 4000


def everything_that_can_happen(prompt: Prompt) -> str:
    """Novel, a copy, not to be parsed, over the curriculum, invalid, too long to be asked."""
    if prompt.role is Role.SOLVER or prompt.mode is Mode.INDUCTION:
        return well_formed(prompt)
    program = [
        f"def f(x):\n    return [x{' + x' * (prompt.seed % 9)}]",
        "def f(x):\n    return 0",
        "",
        LONG,
        "def f(x):\n    return 'invalid'",
        WORDY,
    ][prompt.seed % 6]
    return f"```python\n{program}\n```\n```input\n{prompt.seed}\n```" if program else "no."


def table_of(selfplay: SelfPlayConfig, novelty: NoveltyConfig = COPIES, script=None) -> Table:
    config = RunConfig(
        selfplay=selfplay,
        novelty=novelty,
        curriculum=CurriculumConfig(lines_from=10, lines_to=10),
    )
    judge = ScriptedJudge(admits=lambda proposal: "invalid" not in proposal.program)
    return make_table(config, ScriptedPolicy(script or everything_that_can_happen), judge)


def play(table: Table, step: int = 1) -> tuple[list[Experience], Counter[tuple[Mode, int]]]:
    """A step, and how often each slot was screened."""
    reports: Counter[tuple[Mode, int]] = Counter()
    screen = table.appraiser.screen

    async def counted(mode: Mode, slot: int, ruling: Ruling) -> Ruling:
        reports[mode, slot] += 1
        return await screen(mode, slot, ruling)

    table.appraiser.screen = counted  # type: ignore[method-assign]

    async def in_time() -> list[Experience]:
        return await asyncio.wait_for(play_step(table, step), 60)

    try:
        return asyncio.run(in_time()), reports
    finally:
        table.appraiser.screen = screen  # type: ignore[method-assign]


ORDERS: list[dict[str, object]] = [
    {},
    {"modes": ("deduction", "abduction", "induction", "error")},
    {"same_step_tasks": False},
    {"update_iteration": 2},
    {"train_on_trials": True},
    {"train_proposer": False, "propose_untrained": True},
    {"train_proposer": False, "propose_untrained": True, "train_on_trials": True},
    {"train_proposer": False, "propose_untrained": True, "same_step_tasks": False},
    *({"solver_tasks": how} for how in ("max_new", "half_new", "uniform", "step", "learnable")),
    *({"solver_tasks": how, "same_step_tasks": False} for how in ("max_new", "learnable")),
    {"solver_tasks": "max_new", "train_proposer": False, "propose_untrained": True},
    {"solver_tasks": "uniform", "update_iteration": 2},
]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_each_slot_reports_once_whatever_becomes_of_its_proposal(order: dict[str, object]):
    selfplay = SELFPLAY.changed(**order)  # type: ignore[arg-type]
    table = table_of(selfplay)
    everything, reasons = set[str](), set[str]()
    for step in (1, 2, 3, 4):
        experiences, reports = play(table, step)
        assert reports == dict.fromkeys(
            ((mode, slot) for mode in selfplay.modes for slot in range(BATCH)), 1
        )
        reasons |= {e.reason for e in experiences if e.stream[0] is Role.PROPOSER}
        everything |= {
            (e.stream[1], e.group)
            for e in experiences
            if e.stream[0] is Role.SOLVER and e.task is not None
        }
    assert len(everything) == BATCH * len(selfplay.modes)  # a solver's batch is always full
    if selfplay.train_proposer:
        assert {
            "",
            "not novel: copy",
            "parse: no program block",
            "over the curriculum",
            "raised: ValueError",
            "too long to ask",
        } <= reasons
    programs = [task.program for task in table.buffers.tasks(Mode.DEDUCTION)]
    assert len(programs) == len(set(programs)) > 1


@pytest.mark.parametrize(
    "order", [{"pretrain_solver_steps": 1}, {"train_proposer": False}], ids=str
)
@pytest.mark.parametrize("solver_tasks", ["same_step", "max_new"])
def test_where_nothing_is_proposed_nobody_reports(order: dict[str, object], solver_tasks: str):
    selfplay = SELFPLAY.changed(solver_tasks=solver_tasks, **order)  # type: ignore[arg-type]
    table = table_of(selfplay)
    experiences, reports = play(table, 1)
    assert not reports
    assert {e.stream for e in experiences} == {(Role.SOLVER, mode) for mode in selfplay.modes}
    _, reports = play(table, 2)
    assert reports.total() == (3 * BATCH if selfplay.train_proposer else 0)


@pytest.mark.parametrize("solver_tasks", ["same_step", "max_new"])
@pytest.mark.parametrize("breaks", ["sampling", "profiling"])
def test_a_failure_ends_the_step_and_nobody_is_left_waiting(solver_tasks: str, breaks: str):
    class Dying(ScriptedPolicy):
        async def sample(self, prompt: Prompt) -> Rollout:
            if len(self.prompts) == 4:
                raise ExecutorUnavailable("broken")
            return await ScriptedPolicy.sample(self, prompt)

    class Blind(ScriptedJudge):
        async def profile(self, programs):
            raise ExecutorUnavailable("broken")

    config = RunConfig(selfplay=SELFPLAY.changed(solver_tasks=solver_tasks), novelty=COPIES)
    policy = (Dying if breaks == "sampling" else ScriptedPolicy)(well_formed)
    table = make_table(config, policy, (Blind if breaks == "profiling" else ScriptedJudge)())
    with pytest.raises(ExecutorUnavailable, match="broken"):
        play(table)
    assert table.buffers.count(Mode.DEDUCTION) == 1


# ---------------------------------------------------------------- composite tasks

GIVEN = ("def g_0(x):\n    while x > 9: x -= 1\n    return [x, x]",)
OTHERS = ("def g_0(x):\n    return {x: [n for n in range(x) if n % 3 and n > 1]}",)
BODY = "def f(x):\n    return g_0(x)[0] + 1"


def composite(program: str, functions: tuple[str, ...]) -> Task:
    whole = prefix_of(functions) + program
    return Task(mode=Mode.DEDUCTION, program=whole, cases=(Case("1", "1"),), functions=functions)


def own_profile(task: Task) -> Profile | None:
    return profile_here(task.own_program)


def judged(tasks: list[Task], **rules) -> list[str]:
    candidates = [(task, own_profile(task)) for task in tasks]
    return objections(candidates, Precedents(), NoveltyConfig(**rules))


def test_the_same_program_on_other_functions_is_no_copy():
    tasks = [composite(BODY, GIVEN), composite(BODY, OTHERS), composite(BODY, GIVEN)]
    assert judged(tasks, max_copies=1) == ["", "", "not novel: copy"]
    renamed = composite("def f(number):\n    return g_0(number)[0] + 1", GIVEN)
    assert copy_key(renamed, own_profile(renamed)) == copy_key(tasks[0], own_profile(tasks[0]))


def test_a_proposer_is_measured_by_what_it_wrote_itself():
    """Neither the nodes nor the complexity of the functions it was given are its merit."""
    task = composite("def f(x):\n    return g_0(x)", GIVEN)
    assert judged([task], min_nodes=12) == ["not novel: too small"]
    config = RunConfig(selfplay=SELFPLAY)
    buffers = TaskBuffers(":memory:")
    appraiser = Appraiser(config, ScriptedJudge(), buffers)
    prompt = Prompt(role=Role.PROPOSER, mode=Mode.DEDUCTION, text="", references=(task,))

    async def appraised():
        await appraiser.begin(1)
        return await appraiser.appraise(prompt, task)

    found = asyncio.run(appraised())
    assert found.profile == own_profile(task)
    assert found.merits.complexity == 0
    assert found.merits.mean_edit_distance == 0


# ---------------------------------------------------------------- what is kept in memory


def test_a_profile_that_is_forgotten_meanwhile_is_no_error(monkeypatch: pytest.MonkeyPatch):
    """Two slots ask at once; the first one's known program is pushed out by the second's."""
    monkeypatch.setattr("azr.game.rewards.appraiser.MAX_KNOWN", 2)
    assert MAX_KNOWN > 2
    appraiser = Appraiser(RunConfig(), ScriptedJudge(), TaskBuffers(":memory:"))
    programs = [f"def f(x):\n    return x + {n}" for n in range(6)]

    async def ask():
        await appraiser.profiles(programs[:1])
        return await asyncio.gather(
            appraiser.profiles(programs[1:4]), appraiser.profiles([programs[0], programs[5]])
        )

    _, (known, new) = asyncio.run(ask())
    assert [known, new] == [profile_here(programs[0]), profile_here(programs[5])]
