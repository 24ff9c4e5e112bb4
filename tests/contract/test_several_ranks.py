"""Several ranks learn what one learns, and go on from each other's checkpoints.

Real processes over gloo (tests.ranked): three, whose parts of the parameters are uneven and for
one empty, then two of them. One process alone is what they are compared with.
"""

import json
import os
import socket
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
)

from azr.models.checkpoint import Checkpoint, latest_checkpoint
from azr.models.process_group import ALONE
from tests import ranked
from tests.tiny import make_tiny_model, make_tiny_tokenizer

pytestmark = pytest.mark.slow

SIZES = (2, 3)
ROOT = Path(__file__).parents[2]


def make_untied_model(folder: Path) -> None:
    """Biases, a head of its own, and keys of so few rows that one rank of three has none."""
    tokenizer = make_tiny_tokenizer()
    tokenizer.save_pretrained(folder)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=1,
        max_position_embeddings=256,
        tie_word_embeddings=False,
        initializer_range=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = Qwen2ForCausalLM(config)
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(parameter, std=0.3)
        model.save_pretrained(folder)


SMALL: dict[str, Any] = {
    "vocab_size": 259,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "initializer_range": 0.3,
}
FAMILIES = {
    "qwen3": Qwen3Config(**SMALL),
    "gemma3": Gemma3TextConfig(
        **SMALL, sliding_window=5, layer_types=["sliding_attention", "full_attention"]
    ),
    "gpt2": GPT2Config(
        vocab_size=259, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3
    ),
}
"""Buffers of other kinds, and embeddings of positions."""


def make_families(models: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        for name, config in FAMILIES.items():
            AutoModelForCausalLM.from_config(config).save_pretrained(models / f"family-{name}")


def free_ports(number: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [str(opened.getsockname()[1]) for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def start(rank: int, folder: Path, ports: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.ranked", str(rank), str(folder), *ports],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all of them have written what they saw; `alone` holds what one process saw."""
    folder = tmp_path_factory.mktemp("ranks")
    make_tiny_model(folder / "models" / "tied")
    make_untied_model(folder / "models" / "untied")
    make_families(folder / "models")
    alone = folder / "alone"
    alone.mkdir()
    for script, cuts in (("plain", "cuts"), ("adapters", "adapters")):
        learner, _ = ranked.go_through(script, folder / "models", ALONE)
        ranked.save(learner, alone / cuts, 3, ALONE)
    ports = free_ports(2)
    processes = [start(rank, folder, ports) for rank in range(3)]
    seen: dict[str, Any] = {}
    for name in ranked.SCRIPTS:
        learner, seen[name] = ranked.go_through(name, folder / "models", ALONE)
        torch.save(ranked.weights_of(learner), alone / f"{name}.pt")
        if name == "plain":
            seen["failures"] = {
                "diverged": ranked.diverge(learner),
                "after": learner.learn(ranked.steps()[0]),
            }
    seen["families"] = ranked.learned_families(folder / "models", ALONE)
    (alone / "seen-0.json").write_text(json.dumps(seen))
    said = [process.communicate(timeout=900)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], "\n".join(said)
    return folder


def seen_by(folder: Path, name: str, rank: int = 0) -> Any:
    return json.loads((folder / name / f"seen-{rank}.json").read_text())


def weights(folder: Path, name: str, script: str) -> dict[str, torch.Tensor]:
    return torch.load(folder / name / f"{script}.pt", weights_only=True)


def largest_difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    assert list(a) == list(b)
    return max(float((a[name] - b[name]).abs().max()) for name in a)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("script", ["plain", "everything", "adapters"])
def test_in_float32_they_learn_what_one_learns(folder: Path, size: int, script: str) -> None:
    one, several = seen_by(folder, "alone")[script], seen_by(folder, f"ranks-{size}")[script]
    for mine, theirs in zip(one["statistics"], several["statistics"], strict=True):
        mine.pop("read_tokens"), theirs.pop("read_tokens")  # prompts may be split over ranks
        assert theirs == pytest.approx(mine, rel=1e-4, abs=1e-6)
    assert several["probe"] == pytest.approx(one["probe"], abs=1e-4)
    found, right = (weights(folder, name, script) for name in (f"ranks-{size}", "alone"))
    assert largest_difference(found, right) < 1e-5


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("script", ["everything", "adapters"])
def test_every_rollout_has_the_divergence_that_one_process_finds(
    folder: Path, size: int, script: str
) -> None:
    start, end = seen_by(folder, "alone")[script]["divergences"]
    assert set(start) == {0.0}
    assert len(set(end)) == len(end) == 10
    for rank in range(size):
        again = seen_by(folder, f"ranks-{size}", rank)[script]["divergences"]
        assert again == [start, pytest.approx(end, rel=1e-3)]


@pytest.mark.parametrize("name", ["alone", "ranks-2", "ranks-3"])
def test_in_bfloat16_the_model_without_adapters_is_where_it_started(
    folder: Path, name: str
) -> None:
    start, end = seen_by(folder, name)["rough adapters"]["divergences"]
    assert set(start) == {0.0}
    assert all(end)


@pytest.mark.parametrize("family", FAMILIES)
def test_other_kinds_of_models_are_sharded_whole(folder: Path, family: str) -> None:
    one, several = (
        seen_by(folder, name)["families"][f"family-{family}"] for name in ("alone", "ranks-2")
    )
    assert several == pytest.approx(one, rel=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_in_bfloat16_they_are_as_near_to_float32_as_one_is(folder: Path, size: int) -> None:
    exact, one, several = (
        seen_by(folder, name)[script]["statistics"][0]
        for name, script in (("alone", "plain"), ("alone", "rough"), (f"ranks-{size}", "rough"))
    )
    for name in ("entropy", "mismatch/mean_abs", "grad_norm"):
        error = abs(one[name] - exact[name])
        assert abs(several[name] - exact[name]) < 3 * error + 0.01 * abs(exact[name])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("script", ranked.SCRIPTS)
def test_a_rank_holds_its_rows_and_nothing_whole_after_an_update(
    folder: Path, size: int, script: str
) -> None:
    """Also the probe's forward, which has no backward, leaves nothing gathered."""
    shapes = {name: value.shape for name, value in weights(folder, "alone", script).items()}
    for rank in range(size):
        held = seen_by(folder, f"ranks-{size}", rank)[script]["held"]
        for name, shape in shapes.items():
            rows = min(-(-shape[0] // size), max(0, shape[0] - rank * -(-shape[0] // size)))
            assert held[name] == rows * shape[1:].numel()


@pytest.mark.parametrize("size", SIZES)
def test_every_rank_reports_the_same(folder: Path, size: int) -> None:
    reports = [seen_by(folder, f"ranks-{size}", rank) for rank in range(size)]
    for report in reports:
        for failure in ("diverged", "full", "elsewhere"):
            del report["failures"][failure]
        for script in ranked.SCRIPTS:
            del report[script]["held"]
            report.pop(f"missed {script}", None)
    assert all(report == reports[0] for report in reports)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("script", ["rough", "rough adapters"])
def test_in_bfloat16_one_rank_that_misses_one_push_is_found(
    folder: Path, size: int, script: str
) -> None:
    reports = [seen_by(folder, f"ranks-{size}", rank) for rank in range(size)]
    said = [report[f"missed {script}"]["said"] for report in reports]
    *others, last = said
    assert others == [["proved", "proved"]] * (size - 1)
    assert last == ["proved", "version 2 was pushed, but the engine has version 1"]


@pytest.mark.parametrize("size", SIZES)
def test_what_fails_on_one_rank_fails_on_all_and_leaves_them_as_they_were(
    folder: Path, size: int
) -> None:
    right = seen_by(folder, "alone")["failures"]
    for rank in range(size):
        failures = seen_by(folder, f"ranks-{size}", rank)["failures"]
        assert "rollout_logprobs is not finite" in failures["diverged"]
        assert "No space left" in failures["full"] or "the disk is full" in failures["full"]
        assert "must be on a file system that all machines" in failures["elsewhere"]
        assert failures["after"]["grad_norm"] == pytest.approx(
            right["after"]["grad_norm"], rel=1e-4
        )
    assert "step 3 is intact" in seen_by(folder, f"ranks-{size}")["failures"]["full"]


def cut_in(folder: Path) -> Checkpoint:
    cut = latest_checkpoint(folder)
    assert cut is not None
    return cut


def moments(cut: Checkpoint) -> dict[str, torch.Tensor]:
    """The optimizer's whole moments, out of all ranks' files."""
    found: defaultdict[str, list[tuple[list[int], torch.Tensor]]] = defaultdict(list)
    for file in (cut.trainer / "moments").glob("*.safetensors"):
        with safe_open(file, "pt") as opened:
            places = json.loads(opened.metadata()["DCP_SHARDING_INFO"])
            for name, place in places.items():
                found[name].append((place["saved_offsets"], opened.get_tensor(name)))
    return {name: joined(found[name]) for name in sorted(found)}


def joined(parts: list[tuple[list[int], torch.Tensor]]) -> torch.Tensor:
    """The parts one behind the other, as their places say; one of no rows is nothing."""
    rows = [part for _, part in sorted(parts, key=lambda placed: placed[0])]
    return rows[0] if rows[0].ndim == 0 else torch.cat(rows)


@pytest.mark.parametrize(
    ("written", "read"),
    [("alone", 2), ("alone", 3), ("ranks-3", 3), ("ranks-3", 2), ("ranks-2", 1), ("ranks-3", 1)],
)
def test_any_number_of_ranks_goes_on_from_a_checkpoint_bit_for_bit(
    folder: Path, written: str, read: int, tmp_path: Path
) -> None:
    first = cut_in(folder / written / "cuts")
    again = folder / f"ranks-{read}" / f"from-{written}"
    if read == 1:
        learner = ranked.continued(folder / written / "cuts", folder / "models", ALONE)
        again = tmp_path / "cuts"
        ranked.save(learner, again, 3, ALONE)
    second = cut_in(again)
    before, after = moments(first), moments(second)
    assert before
    assert list(before) == list(after)
    assert all(torch.equal(before[key], after[key]) for key in before)
    old, new = (load_file(cut.model / "model.safetensors") for cut in (first, second))
    assert list(old) == list(new)
    assert all(torch.equal(old[name], new[name]) for name in old)
    assert first.trainer_state()["num_updates"] == second.trainer_state()["num_updates"] == 3


@pytest.mark.parametrize("size", SIZES)
def test_what_goes_on_learns_the_same(folder: Path, size: int) -> None:
    right = ranked.continued(folder / "alone" / "cuts", folder / "models", ALONE)
    expected = dict(right.learn(ranked.steps()[0]))
    expected.pop("read_tokens")
    found = seen_by(folder, f"ranks-{size}")
    for other in ("alone", "ranks-3"):
        found[other].pop("read_tokens")
        assert found[other] == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_what_goes_on_with_adapters_learns_the_same(folder: Path, size: int) -> None:
    models, cuts = folder / "models", folder / "alone" / "adapters"
    expected = dict(ranked.continued(cuts, models, ALONE, "adapters").learn(ranked.steps()[0]))
    found = seen_by(folder, f"ranks-{size}")["resumed adapters"]
    found.pop("read_tokens"), expected.pop("read_tokens")
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_model_on_disk_is_the_same_kind_of_folder(folder: Path) -> None:
    one, several = (cut_in(folder / name / "cuts").model for name in ("alone", "ranks-3"))
    assert sorted(p.name for p in one.iterdir()) == sorted(p.name for p in several.iterdir())
    for name in ("config.json", "generation_config.json", "tokenizer.json"):
        assert (one / name).read_text() == (several / name).read_text()
