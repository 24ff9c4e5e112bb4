"""[anchors]: tasks of the user's own in the solver's stream."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from azr.config.run import AnchorsConfig, LearnerConfig, RunConfig, SelfPlayConfig
from azr.errors import ConfigError
from azr.game.anchors import anchors_in, anchors_of, prove_anchors
from azr.game.rewards.advantages import advantages_of
from azr.game.selfplay import play_step
from azr.records.metrics import step_metrics
from azr.records.rollouts import rollout_records
from azr.report.stories import stories_in
from azr.types import Experience, Mode, Prompt, Role, Verdict
from sandbox_wasm.grading import Stdin, Tests
from tests.fakes import ScriptedJudge, ScriptedPolicy, make_table
from tests.unit.test_novelty_in_play import various, writes

SQUARE = '{"prompt": "Print the square.", "ground_truth": {"inputs": ["3"], "outputs": ["9"]}}'
TWICE = '{"prompt": "Write twice(n).", "ground_truth": ["assert twice(3) == 6"]}'
SELFPLAY = SelfPlayConfig(batch_size=6, trials_per_task=2, envelope="none", induction_inputs=4)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "anchors.jsonl"
    path.write_text(f"{SQUARE}\n\n{TWICE}\n")
    return str(path)


def script(prompt: Prompt) -> str:
    """Right for one anchor, no program for the other; the rest as ever."""
    if "Print the square" in prompt.text:
        return "```python\nprint(int(input()) ** 2)\n```"
    return "no idea" if "twice(n)" in prompt.text else writes(various)(prompt)


def play(file: str, step: int = 1, judge: ScriptedJudge | None = None, **selfplay: object):
    config = RunConfig(
        selfplay=SELFPLAY.changed(**selfplay), anchors=AnchorsConfig(file=file, share=0.25)
    )
    judge = judge or ScriptedJudge(passes_check=lambda program, _: "** 2" in program)
    table = make_table(config, ScriptedPolicy(script), judge)
    return asyncio.run(play_step(table, step)), table


def anchored(experiences: list[Experience]) -> list[Experience]:
    return [e for e in experiences if e.is_anchor]


def test_each_line_is_a_task_with_its_check(file: str):
    first, second = anchors_in(file)
    assert isinstance(first.check, Stdin)
    assert isinstance(second.check, Tests)
    assert (first.statement, second.place) == ("Print the square.", f"anchors.file {file}, line 3")


def test_they_are_their_share_of_all_answers(file: str):
    config = AnchorsConfig(file=file, share=0.25)
    assert len(anchors_of(config, 18, 0)) == 6  # of 24
    counts = Counter(anchor.name for anchor in anchors_of(config, 18, 0))
    assert counts == {"line 1": 3, "line 3": 3}
    assert anchors_of(config, 18, 5) == anchors_of(config, 18, 5)
    assert anchors_of(AnchorsConfig(), 18, 0) == []


@pytest.mark.parametrize("envelope", ["none", "r1", "completion"])
def test_they_are_solved_beside_the_curriculum_and_paid_by_their_checks(file: str, envelope: str):
    experiences, table = play(file, envelope=envelope)
    found = anchored(experiences)
    assert len(found) == 6
    assert len(experiences) == 6 + 2 * 18
    assert {e.stream for e in found} == {(Role.SOLVER, Mode.INDUCTION)}
    assert {e.task for e in found} == {None}
    if envelope == "none":
        assert Counter(e.reward for e in found) == {1.0: 3, -1.0: 3}
        assert {e.verdict for e in found} == {Verdict.PASSED, Verdict.ILL_FORMED}
    assert not any("square" in t.program for mode in Mode for t in table.buffers.tasks(mode))


def test_they_have_a_baseline_of_their_own(file: str):
    """The curriculum's induction answers are compared as if there were no anchors."""
    experiences, _ = play(file)
    for advantage in ("trr++", "group"):
        config = LearnerConfig(advantage=advantage)
        together = dict(zip(map(id, experiences), advantages_of(experiences, config), strict=True))
        own = [e for e in experiences if not e.is_anchor]
        assert [together[id(e)] for e in own] == advantages_of(own, config)
        found = [together[id(e)] for e in anchored(experiences)]
        assert sum(found) == pytest.approx(0)
        # three attempts at each of two: equal in their groups
        assert any(found) == (advantage == "trr++")


def test_they_count_in_no_metric_of_a_stream_and_in_no_story(file: str):
    experiences, _ = play(file)
    advantages = [0.0] * len(experiences)
    metrics = step_metrics(experiences, advantages, {})
    assert (metrics["anchor/answers"], metrics["anchor/accuracy"]) == (6, 0.5)
    own = [e for e in experiences if not e.is_anchor]
    without = step_metrics(own, [0.0] * len(own), {})
    assert {n: v for n, v in metrics.items() if not n.startswith("anchor/")} == {
        **without, "rollouts": len(experiences)
    }  # fmt: skip
    stories = stories_in(list(rollout_records(1, experiences, advantages)))
    assert stories == stories_in(list(rollout_records(1, own, [0.0] * len(own))))


def prove(file: Path | str, judge: ScriptedJudge, **rollout: object) -> None:
    config = RunConfig(anchors=AnchorsConfig(file=str(file)))
    config = config.changed(rollout=config.rollout.changed(**rollout))
    asyncio.run(prove_anchors(make_table(config, ScriptedPolicy(script), judge)))


def test_one_that_an_empty_program_passes_is_refused(file: str):
    lax = ScriptedJudge(passes_check=lambda program, check: isinstance(check, Tests))
    with pytest.raises(ConfigError, match="line 3, ground_truth: an empty program passes it"):
        prove(file, lax)
    prove(file, ScriptedJudge())


def test_one_that_does_not_fit_is_refused(file: str):
    with pytest.raises(ConfigError, match=r"line 1: it must fit rollout\.max_prompt_tokens, got 4"):
        prove(file, ScriptedJudge(), max_prompt_tokens=4)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("no json", "line 2 is not JSON"),
        ("[1]", "line 2, prompt"),
        ('{"prompt": 3, "ground_truth": ["assert f(1)"]}', "line 2, prompt"),
        ('{"prompt": "a"}', "line 2, ground_truth"),
        ('{"prompt": "a", "ground_truth": {"inputs": ["1"], "outputs": []}}', "line 2, ground"),
        ('{"prompt": "a", "ground_truth": ["pass"]}', "line 2, ground_truth: no program can fail"),
        ('{"prompt": "a", "ground_truth": {"inputs": ["1"], "outputs": [""]}}', "line 2, ground"),
    ],
)
def test_a_broken_line_is_refused_by_file_line_and_field(line: str, complaint: str, tmp_path: Path):
    path = tmp_path / "anchors.jsonl"
    path.write_text(f"{SQUARE}\n{line}\n")
    with pytest.raises(ConfigError, match=complaint) as refused:
        anchors_in(str(path))
    assert str(path) in str(refused.value)


def test_a_file_without_a_line_is_refused(tmp_path: Path):
    path = tmp_path / "none.jsonl"
    with pytest.raises(ConfigError, match="cannot be read"):
        anchors_in(str(path))
    path.write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        anchors_in(str(path))
