"""[grounding]: categories and documents that proposers are led by."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from azr.config.run import AnchorsConfig, GroundingConfig, RunConfig, SelfPlayConfig
from azr.errors import ConfigError
from azr.game.grounding import check_documents, documents_in, theme_of
from azr.game.selfplay import play_step
from azr.run import session
from azr.types import Mode, Role
from tests.fakes import ScriptedPolicy, make_table
from tests.unit.test_novelty_in_play import various, writes

SELFPLAY = SelfPlayConfig(batch_size=6, trials_per_task=2, envelope="none", induction_inputs=4)


def prompts_of(grounding: GroundingConfig, **selfplay: object) -> dict[Mode, list[str]]:
    """The proposers' prompts of a step, by mode."""
    config = RunConfig(selfplay=SELFPLAY.changed(**selfplay), grounding=grounding)
    policy = ScriptedPolicy(writes(various))
    asyncio.run(play_step(make_table(config, policy), 1))
    found: dict[Mode, list[str]] = {mode: [] for mode in Mode}
    for prompt in policy.prompts:
        if prompt.role is Role.PROPOSER:
            found[prompt.mode].append(prompt.text)
    return found


def test_by_default_nobody_is_asked_for_anything():
    assert {theme_of(GroundingConfig(), seed) for seed in range(100)} == {""}


def test_categories_are_drawn_alike_and_as_often_as_said():
    config = GroundingConfig(category_share=0.5)
    drawn = Counter(theme_of(config, seed) for seed in range(4_800))
    assert len(config.categories) == 12
    assert len(drawn) == 13
    assert drawn[""] == pytest.approx(2_400, abs=150)
    assert all(150 < count < 250 for theme, count in drawn.items() if theme)
    assert theme_of(config, 7) == theme_of(config, 7)


@pytest.mark.parametrize("envelope", ["none", "completion"])
def test_proposers_of_programs_are_asked_and_others_are_not(envelope: str):
    config = GroundingConfig(category_share=1.0, categories=("birds", "bees"))
    found = prompts_of(config, envelope=envelope)
    for mode in (Mode.DEDUCTION, Mode.ABDUCTION):
        assert len(found[mode]) == 6
        assert all("be about: birds." in t or "be about: bees." in t for t in found[mode])
    assert found[Mode.INDUCTION]
    assert not any("be about" in text for text in found[Mode.INDUCTION])


def test_a_document_is_shown_in_place_of_a_category(tmp_path: Path):
    file = tmp_path / "problems.jsonl"
    file.write_text('{"text": " Sort {n} lists. "}\n\n{"text": "Find a cycle.", "id": 3}\n')
    config = GroundingConfig(file=str(file), file_share=0.5, category_share=1.0)
    drawn = Counter(theme_of(config, seed) for seed in range(1_000))
    shown = sum(count for theme, count in drawn.items() if "Do not copy it" in theme)
    assert shown == pytest.approx(500, abs=80)
    assert any("Sort {n} lists." in theme for theme in drawn)
    assert documents_in(str(file)) == ("Sort {n} lists.", "Find a cycle.")


def test_a_document_that_does_not_fit_is_left_out(tmp_path: Path):
    file = tmp_path / "long.jsonl"
    file.write_text('{"text": "' + "word " * 20_000 + '"}\n')
    config = GroundingConfig(file=str(file), file_share=1.0)
    found = prompts_of(config)
    assert len(found[Mode.DEDUCTION]) == 6
    assert not any("word word" in text for text in found[Mode.DEDUCTION])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"text": "a"}\nno json\n', "line 2 is not JSON"),
        (b'{"text": "a"}\n["b"]\n', "line 2 must be an object with a field text"),
        (b'\n{"text": 5}\n', "line 2, text: must be a text that is not blank, got 5"),
        (b'{"problem": "a"}\n', "line 1, text: must be a text that is not blank, got nothing"),
        (b'{"text": "  "}\n', "line 1, text"),
        (b"\n\n", "is empty"),
        (b"\xff\xfe\n", "cannot be read"),
        (b"[" * 100_000 + b"\n", "line 1 is not JSON"),
        (None, "cannot be read"),
    ],
)
def test_a_broken_file_is_refused_by_file_line_and_field(
    content: bytes | None, complaint: str, tmp_path: Path
):
    file = tmp_path / "broken.jsonl"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=complaint) as refused:
        check_documents(GroundingConfig(file=str(file)))
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_it_is_refused_before_anything_is_opened(tmp_path: Path):
    config = RunConfig(grounding=GroundingConfig(file=str(tmp_path / "none.jsonl")))
    config = config.changed(model=config.model.changed(name="org/model-of-the-hub"))
    with pytest.raises(ConfigError, match=r"grounding\.file"):
        session.refuse_what_is_missing(config, is_new=False)
    config = config.changed(
        grounding=GroundingConfig(), anchors=AnchorsConfig(file=str(tmp_path / "none.jsonl"))
    )
    with pytest.raises(ConfigError, match=r"anchors\.file"):
        session.refuse_what_is_missing(config, is_new=False)
