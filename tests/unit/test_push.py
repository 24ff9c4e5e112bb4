"""`azr export --push`: the hub's real client, a hub on this machine, and the model's card."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from azr.cli.main import main
from azr.report.card import head, model_card
from tests.curricula import make_curriculum
from tests.fake_hub import TOKEN, FakeHub, serving


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with serving(FakeHub()) as there:
        monkeypatch.setattr(constants, "ENDPOINT", there.url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield there


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_curriculum(tmp_path_factory.mktemp("made") / "grown", steps=12)
    for step in (6, 12):
        model = run / "checkpoints" / f"step_{step}" / "model"
        model.mkdir(parents=True)
        (model / "config.json").write_text("{}")
        (model / "model.safetensors").write_bytes(b"weights %d" % step)
    return run


def test_a_model_is_sent_with_its_card_to_a_private_repository(
    hub: FakeHub, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(made), str(tmp_path / "out"), "--push", "me/grown"]) == 0
    assert hub.made["me/grown"]["visibility"] == "private"
    sent = hub.repos["me/grown"]
    assert set(sent) == {"README.md", "config.json", "model.safetensors"}
    assert sent["model.safetensors"] == b"weights 12"
    assert sent["README.md"] == (tmp_path / "out" / "README.md").read_bytes()
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'out'}\n"
    assert f"{hub.url}/me/grown" in said.err


def test_who_may_not_push_keeps_the_folder_and_learns_how_to_go_on(
    hub: FakeHub, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert main(["export", str(made), str(tmp_path / "out"), "--push", "me/grown"]) == 1
    said = capsys.readouterr().err
    assert "me/grown was not sent" in said
    assert "hf auth login" in said
    assert f"hf upload me/grown {tmp_path / 'out'}" in said
    assert (tmp_path / "out" / "model.safetensors").exists()
    assert hub.repos == {}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--push", "no name"], "--push must be OWNER/NAME"),
        (["--push", "name"], "--push must be OWNER/NAME"),
        (["--public"], "--public is about a repository"),
    ],
)
def test_flags_that_cannot_be_meant_copy_nothing(
    words: list[str], line: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(made), str(tmp_path / "out"), *words]) == 2
    assert line in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_card_says_what_was_measured_up_to_its_step(made: Path) -> None:
    card, early = (model_card(made, step, "me/grown") for step in (12, 6))
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert "base_model" not in card, "a folder is no hub's model"
    assert "trained for 12 steps" in card
    assert "| cruxeval-o, pass@1 | share of items |" in card
    assert "No suite was run during training." in early, "step 10 is later"
    assert "| Answers correct | share of solver answers |" in early
    assert "Decay of the curriculum: " in card
    assert "uncertain, with 6 steps" in early
    assert "def f" not in card, "nothing that a model wrote"


def test_a_card_names_the_hubs_model_that_was_trained() -> None:
    assert '\nbase_model: "Qwen/Qwen2.5-Coder-3B"\n' in head("Qwen/Qwen2.5-Coder-3B")
    assert "base_model" not in head("a/b/c")
    assert "base_model" not in head("")


def test_a_name_cannot_break_out_of_the_card(made: Path) -> None:
    card = model_card(made, 12, "a\n# b | <script>`")
    assert "# a \\# b \\| \\<script\\>\\`\n" in card


def test_the_card_of_an_adapter_names_the_library_that_loads_it(made: Path) -> None:
    assert "library_name: peft\n" in model_card(made, 12, "me/grown", is_adapter=True)
    assert "library_name: transformers\n" in model_card(made, 12, "me/grown")
