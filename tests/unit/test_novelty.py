"""novelty and appraiser: gate, copies, clusters; the same after a kill, in any order."""

import random
from collections import deque
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from azr.config.run import NoveltyConfig, SelfPlayConfig
from azr.game.rewards.novelty import (
    Precedents,
    cluster_sizes,
    copy_key,
    objections,
    with_repetition_penalty,
)
from azr.types import (
    Appraisal,
    Case,
    Experience,
    Merits,
    Mode,
    Profile,
    Role,
    Task,
    prefix_of,
)
from tests.fakes import (
    make_experience,
    profile_here,
)

SELFPLAY = SelfPlayConfig(
    batch_size=6, trials_per_task=4, envelope="none", induction_inputs=4, references=2
)
DEDUCTION = SELFPLAY.changed(modes=("deduction",))
DULL = "def f(x):\n    return None"
SAME_DULL = "def f(y):\n    return None  # again"


def profile(program: str) -> Profile:
    found = profile_here(program)
    assert found is not None
    return found


def triplet(program: str, functions: tuple[str, ...] = ()) -> Task:
    whole = prefix_of(functions) + program
    return Task(mode=Mode.DEDUCTION, program=whole, cases=(Case("1", "1"),), functions=functions)


def judged(programs: list[str], past: Precedents | None = None, **rules) -> list[str]:
    candidates = [(triplet(program), profile_here(program)) for program in programs]
    return objections(candidates, past or Precedents(), NoveltyConfig(**rules))


# ---------------------------------------------------------------- the gate, as a function


def test_by_default_everything_is_novel():
    assert judged([DULL, DULL, DULL]) == ["", "", ""]


def test_of_equal_programs_the_first_by_slot_is_novel():
    assert judged([DULL, SAME_DULL, DULL], max_copies=1) == ["", *["not novel: copy"] * 2]
    assert judged([DULL, SAME_DULL, DULL], max_copies=2) == ["", "", "not novel: copy"]


def test_copies_in_the_buffer_count():
    past = Precedents()
    past.copies[profile(DULL).structure] = 1
    assert judged([SAME_DULL], past, max_copies=1) == ["not novel: copy"]
    assert past.copies.total() == 1  # looked at, not changed


def test_what_is_nearer_than_the_least_distance_is_refused():
    longer = "def f(x):\n    for i in x:\n        x = i\n    return x"
    assert judged(["def f(x): return x + 1", "def f(a): return a + 2"], min_distance=0.01) == [
        "",
        "not novel: too near",
    ]
    assert judged([DULL, longer], min_distance=0.3) == ["", ""]
    assert judged([DULL, longer], min_distance=1.0) == ["", "not novel: too near"]


def test_the_window_forgets():
    plus, loop = "def f(x): return x + 1", "def f(x):\n    while x: x -= 1\n    return [x]"
    assert judged([plus, loop, plus], min_distance=0.01, window=2)[2] == "not novel: too near"
    assert judged([plus, loop, plus], min_distance=0.01, window=1)[2] == ""
    past = Precedents(recent=deque([profile(plus), profile(loop)]))
    assert judged([plus], past, min_distance=0.01, window=1) == [""]


def test_trivial_programs_are_refused():
    reasons = judged(["def f(x): return x", DULL], require_use_of_input=True)
    assert reasons == ["", "not novel: ignores its input"]
    assert judged([DULL, "def f(x): return [x + 1]"], min_nodes=7) == ["not novel: too small", ""]


def test_what_is_refused_is_no_precedent():
    assert judged([DULL, DULL], min_nodes=99, max_copies=1) == ["not novel: too small"] * 2


def test_without_a_profile_only_the_text_itself_is_a_copy():
    """A program whose analysis ends without a result is neither judged nor let off."""
    everything = {
        "max_copies": 1,
        "min_distance": 0.5,
        "min_nodes": 5,
        "require_use_of_input": True,
    }
    assert judged(["def", "def", "def "], **everything) == ["", "not novel: copy", ""]
    assert copy_key(triplet("def"), None) != copy_key(triplet("def "), None)


# ---------------------------------------------------------------- the price of repetition


def proposal(program: str, reward: float) -> Experience:
    appraisal = Appraisal(profile=profile_here(program), merits=Merits())
    plain = make_experience(reward, role=Role.PROPOSER)
    return replace(plain, appraisal=appraisal)


def test_a_clusters_share_is_taken_off():
    """R-Zero: reward - penalty * |cluster| / batch, never below 0."""
    loop = "def f(x):\n    while x: x -= 1\n    return [x]"
    batch = [proposal(DULL, 0.5), proposal(SAME_DULL, 0.25), proposal(loop, 0.5)]
    batch += [proposal(DULL, 0.0), make_experience(-1.0, role=Role.PROPOSER)]
    paid = with_repetition_penalty(batch, 8, NoveltyConfig(repetition_penalty=1.0))
    assert [e.reward for e in paid] == [0.125, 0.0, 0.375, 0.0, -1.0]
    half = with_repetition_penalty(batch, 8, NoveltyConfig(repetition_penalty=0.5))
    assert half[0].reward == 0.5 - 0.5 * 3 / 8


SEQUENCES = st.lists(st.text(alphabet='!"#$', min_size=1, max_size=12), max_size=9)


@given(SEQUENCES, st.floats(0, 1), st.randoms(use_true_random=False))
def test_clusters_do_not_depend_on_the_order(
    sequences: list[str], distance: float, shuffle: random.Random
):
    some = profile(DULL)
    profiles = [replace(some, sequence=sequence) for sequence in sequences]
    sizes = cluster_sizes(profiles, distance)
    order = list(range(len(profiles)))
    shuffle.shuffle(order)
    assert cluster_sizes([profiles[i] for i in order], distance) == [sizes[i] for i in order]
    assert all(1 <= size <= len(profiles) for size in sizes)
