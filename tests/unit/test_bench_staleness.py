"""The simulator of steps played ahead: times that can be told by hand."""

import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(BENCH))
    import bench_staleness  # noqa: PLC0415 - only beside the bench's script

    yield bench_staleness
    sys.path.remove(str(BENCH))
    del sys.modules["bench_staleness"], sys.modules["bench_sandbox"]


@pytest.fixture(scope="module")
def rows(bench):
    """One slot, 100 tokens each; play 100 + 1 + 100 = 201 s, an update of 30 s, a push of 2 s."""
    how = bench.Machine(
        token_s=1.0, sequence_s=0.0, flop_per_token=1.0, flop_per_s=10.0, prompt_tokens=50,
        push_s=2.0, verdict_s=1.0,
    )  # fmt: skip
    work = bench.Work(slots=1, trials=3, valid=1.0, proposals=[100], answers=[100])
    return [bench.simulated(work, how, 1, 1, k, 40) for k in (0, 1, 3)]


def test_without_staleness_play_update_and_push_follow_each_other(rows):
    assert rows[0].step_s == pytest.approx(201 + 30 + 2)
    assert rows[0].idle_learner == pytest.approx(1 - 32 / 233)
    assert rows[0].tokens_per_s == pytest.approx(500 / 233)


def test_ahead_a_step_takes_a_share_of_its_own_play(rows):
    """With k + 1 steps under way, each ends after its own play and the pushes meanwhile."""
    assert rows[1].step_s == pytest.approx((201 + 30 + 2 + 2) / 2, rel=0.03)
    assert rows[2].step_s == pytest.approx((201 + 30 + 4 * 2) / 4, rel=0.05)
    assert rows[0].idle_engine > 0.1
    assert max(row.idle_engine for row in rows[1:]) < 0.02


def test_where_the_learner_is_what_is_waited_for_more_staleness_buys_nothing(bench):
    slow = bench.Machine(token_s=0.1, sequence_s=0.0, flop_per_token=1.0, flop_per_s=1.0)
    work = bench.Work(slots=1, trials=0, valid=0.0, proposals=[100], answers=[100])
    steps = [bench.simulated(work, slow, 1, 1, k, 20).step_s for k in (1, 4)]
    assert steps == pytest.approx([3200 + 3.0] * 2, rel=1e-6)
