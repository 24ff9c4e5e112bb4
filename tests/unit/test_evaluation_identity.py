"""What an evaluation's folder says of it: the engine that really ran, and the whole command."""

import json
import sys
from pathlib import Path

import pytest
import torch

from azr.config.engines import ENGINES
from azr.errors import CheckpointError, ConfigError
from azr.evaluation.examination import claim_folder, command_line
from azr.rollout import opening
from tests.examinations import examination


@pytest.fixture
def vllm_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "problem_with", lambda _: None)


@pytest.mark.usefixtures("vllm_works")
@pytest.mark.parametrize(
    ("asked", "has_gpu", "runs"),
    [
        ("transformers", False, "transformers"),
        ("auto", False, "vllm-cpu"),
        ("vllm", False, "vllm-cpu"),
        ("auto", True, "vllm"),
    ],
)
def test_results_name_the_engine_that_runs(
    asked: str, has_gpu: bool, runs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    plan = examination(tmp_path, asked)
    assert plan.description()["engine"] == plan.identity()["engine"] == runs


def test_auto_without_vllm_is_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {ENGINES["vllm"]: "ImportError: none"}
    monkeypatch.setattr(opening, "problem_with", broken.get)
    assert examination(tmp_path, "auto").identity()["engine"] == "transformers"


@pytest.mark.usefixtures("vllm_works")
def test_every_engine_of_the_registry_is_examined_as_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once any but transformers would have been taken for vLLM."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name, engine in ENGINES.items():
        plan = examination(tmp_path, name)
        assert plan.config.rollout.engine == name
        assert plan.identity()["engine"] == engine.builds["cpu"]


@pytest.mark.usefixtures("vllm_works")
def test_attempts_of_two_engines_never_mix(tmp_path: Path) -> None:
    claim_folder(examination(tmp_path, "transformers"), overwrite=False)
    claim_folder(examination(tmp_path, "transformers"), overwrite=False)
    with pytest.raises(CheckpointError, match="its engine is 'transformers', not 'vllm"):
        claim_folder(examination(tmp_path, "vllm"), overwrite=False)
    with pytest.raises(CheckpointError, match="its dtype is 'float32', not 'bfloat16'"):
        claim_folder(examination(tmp_path, "transformers", "bfloat16"), overwrite=False)


def test_a_folder_of_before_does_not_say_its_engine(tmp_path: Path) -> None:
    """Its attempts may be of any: they are not gone on with."""
    asked = examination(tmp_path, "transformers")
    claim_folder(asked, overwrite=False)
    file = asked.folder / "plan.json"
    file.write_text(json.dumps({k: v for k, v in asked.identity().items() if k != "engine"}))
    with pytest.raises(CheckpointError, match="does not say its engine"):
        claim_folder(asked, overwrite=False)


def test_the_command_is_kept_as_one_can_type_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/azr", "eval", "a model", "--suite", "easy-o"])
    assert command_line() == "azr eval 'a model' --suite easy-o"


def test_a_folder_that_cannot_be_made_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ConfigError, match=r"--output .*out cannot be a folder: File exists"):
        claim_folder(examination(tmp_path, "transformers"), overwrite=False)
