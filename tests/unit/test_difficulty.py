"""The band of solve rates and the weights by learnability: exact odds, and in self-play."""

import asyncio
from collections import Counter
from random import Random

import pytest

from azr.config.run import BuffersConfig, NoveltyConfig, RunConfig, SelfPlayConfig
from azr.errors import ConfigError
from azr.game.selfplay import play_step
from azr.game.tasks.buffers import TaskBuffers
from azr.game.tasks.difficulty import Band, learnability_weight, moved_rate
from azr.types import Mode, Role
from tests.fakes import ScriptedJudge, ScriptedPolicy, make_table, make_task
from tests.unit.test_drawing import DRAWS, bound, chi_square, shelf_of
from tests.unit.test_novelty import DEDUCTION
from tests.unit.test_novelty_in_play import alternating, various, writes

BAND = Band(0.3, 0.8)
RATES = [0.0, 0.3, 0.5, 0.8, 1.0, None]
INSIDE = {1, 2, 3, 5}


def banded(rates: list[float | None]):
    shelf = shelf_of([0] * len(rates), rates)
    shelf.band = BAND
    return shelf


def test_the_band_holds_its_ends_and_what_nobody_tried():
    assert [BAND.holds(rate) for rate in RATES] == [False, True, True, True, False, True]
    assert not Band(0.6, 0.8).holds(None)
    assert Band().is_everything
    assert not BAND.is_everything


def test_an_attempt_moves_a_rate_as_an_exponential_mean():
    assert moved_rate(0.5, 0.2, passed=True) == pytest.approx(0.6)
    assert moved_rate(0.5, 0.2, passed=False) == pytest.approx(0.4)
    assert moved_rate(None, 0.2, passed=True) == pytest.approx(0.6)
    assert learnability_weight(0.5) == learnability_weight(None) == 0.25
    assert learnability_weight(0.0) == learnability_weight(1.0) == 0.01


@pytest.mark.parametrize("strategy", ["uniform", "max_new", "half_new", "learnable"])
def test_seven_draws_in_eight_are_of_the_band(strategy: str):
    shelf = banded(RATES)
    counts = Counter(
        shelf.batch(strategy, 1, Random(s), since=9, before=None)[0] for s in range(DRAWS)
    )
    inside = {1, 2, 3} if strategy == "learnable" else INSIDE  # 5 has no rate
    expected = dict.fromkeys(range(6), DRAWS / 8 / 6)
    if strategy == "learnable":  # explored draws are of the learnable tasks' rest: of all
        assert sum(counts[place] for place in inside) > DRAWS * 0.85
        return
    for place in inside:
        expected[place] += DRAWS * 7 / 8 / len(inside)
    assert chi_square(counts, expected) < bound(5)


def test_references_are_of_the_band_and_others_fill_up():
    shelf = banded(RATES)
    for seed in range(20):
        assert set(shelf.references("uniform", 4, Random(seed), None)) == INSIDE
        more = shelf.references("uniform", 6, Random(seed), None)
        assert set(more[:4]) == INSIDE
        assert set(more) == set(range(6))


def test_learnability_has_the_odds_of_its_weights():
    shelf = shelf_of([0] * 4, [0.0, 0.5, 0.9, None])
    counts = Counter(
        shelf.batch("learnability", 1, Random(s), since=0, before=None)[0] for s in range(DRAWS)
    )
    weights = [0.01, 0.25, 0.09, 0.25]
    expected = {place: DRAWS * weight / sum(weights) for place, weight in enumerate(weights)}
    assert chi_square(counts, expected) < bound(3)


def test_a_task_enters_the_band_when_its_rate_does():
    shelf = banded([0.0, 1.0, 0.5])
    assert shelf.references("uniform", 1, Random(0), None) == [2]
    shelf.rate(2, 0.9)
    shelf.rate(0, 0.35)
    assert shelf.references("uniform", 1, Random(0), None) == [0]


def test_a_band_that_no_task_meets_is_told_once_and_draws_from_all():
    said: list[str] = []
    buffers = TaskBuffers(":memory:", band=BAND, say=said.append)
    buffers.add([make_task(number=n) for n in range(4)], [0.0, 1.0, 1.0, 0.0])
    drawn = {buffers.draw(Mode.DEDUCTION, seed).program for seed in range(40)}
    drawn |= {t.program for t in buffers.draw_batch(Mode.DEDUCTION, 4, 0, "learnability")}
    buffers.rewind(0)
    buffers.draw(Mode.DEDUCTION, 0)
    assert len(drawn) == 4
    [line] = said
    assert "no deduction task has a solve rate in buffers.band = [0.3, 0.8]" in line


def test_rates_are_measured_again_and_survive_a_copy(tmp_path):
    buffers = TaskBuffers(":memory:", band=BAND)
    known, unknown, stranger = (make_task(number=n) for n in range(3))
    buffers.add([known, unknown], [1.0, None])
    attempts = [(known, False), (known, False), (unknown, True), (stranger, True)]
    buffers.remeasure(attempts, 0.5)
    rates = [rate for _, rate in buffers.rated_tasks(Mode.DEDUCTION)]
    assert rates == [0.25, 0.75]
    buffers.backup(tmp_path / "cut")
    again = TaskBuffers(":memory:", band=BAND)
    again.restore(tmp_path / "cut")
    assert again.stats()["buffer/deduction/in_band"] == 0.5
    assert again.draw_batch(Mode.DEDUCTION, 2, 7, "uniform") == buffers.draw_batch(
        Mode.DEDUCTION, 2, 7, "uniform"
    )


def play(buffers: BuffersConfig, selfplay: SelfPlayConfig, judge: ScriptedJudge):
    config = RunConfig(selfplay=selfplay, buffers=buffers)
    table = make_table(config, ScriptedPolicy(writes(various)), judge)
    return asyncio.run(play_step(table, 1)), table


def test_trials_outside_of_the_band_are_not_learned_from():
    trials = DEDUCTION.changed(train_on_trials=True)
    band = BuffersConfig(band=(0.3, 0.8))
    always, _ = play(band, trials, ScriptedJudge())
    half, _ = play(band, trials, alternating())
    for experiences, each in ((always, 1), (half, trials.trials_per_task)):
        solvers = [e for e in experiences if e.stream[0] is Role.SOLVER]
        assert len(solvers) == trials.batch_size * each
    assert all(e.task and e.task.born_step == 0 for e in always if e.stream[0] is Role.SOLVER)


def test_attempts_at_older_tasks_alone_move_rates():
    lagging = DEDUCTION.changed(same_step_tasks=False)  # solves the zero task
    _, table = play(BuffersConfig(rate_weight=0.5), lagging, ScriptedJudge())
    rates = {t.born_step: rate for t, rate in table.buffers.rated_tasks(Mode.DEDUCTION)}
    assert rates[0] == pytest.approx(1 - 0.5 ** (lagging.batch_size + 1))
    assert rates[1] == 1.0
    _, still = play(BuffersConfig(), lagging, ScriptedJudge())
    assert {t.born_step: r for t, r in still.buffers.rated_tasks(Mode.DEDUCTION)}[0] is None


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"buffers": {"band": (0.8, 0.3)}}, "buffers.band must be"),
        ({"buffers": {"band": (0.3, 1.5)}}, "buffers.band must be"),
        ({"buffers": {"band": (0.3, 0.8), "reference_sampling": "easy"}}, "reference_sampling"),
        ({"buffers": {"band": (0.3, 0.8)}, "selfplay": {"solver_tasks": "step"}}, "solver_tasks"),
        ({"buffers": {"rate_weight": 0.2}, "selfplay": {"update_iteration": 2}}, "rate_weight"),
        ({"buffers": {"rate_weight": 0.2}, "novelty": {"dedupe": "none"}}, "rate_weight"),
        ({"buffers": {"rate_weight": 0.2, "reference_sampling": "easy"}}, "rate_weight"),
        ({"buffers": {"recheck": 8}, "selfplay": {"update_iteration": 2}}, "recheck"),
    ],
)
def test_what_contradicts_is_refused(sections: dict[str, dict[str, object]], key: str):
    kinds = {"buffers": BuffersConfig, "selfplay": SelfPlayConfig, "novelty": NoveltyConfig}
    with pytest.raises(ConfigError, match=key):
        RunConfig(**{name: kinds[name](**values) for name, values in sections.items()})
