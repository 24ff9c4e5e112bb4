"""configs/: every file loads; a paper's run has METHOD's numbers, and its header is true."""

import re
from pathlib import Path

import pytest

from azr.config.loading import load
from azr.config.run import LoraConfig, RunConfig
from azr.game.schedule import slots_in
from azr.run.planning.fit import Fit, fit_of, least_gpu, least_gpus, num_gpus, on_gpus
from azr.run.planning.memory import GIB
from azr.run.planning.shape import find_shape
from azr.run.planning.text import describe
from azr.types import Mode

CONFIGS = Path(__file__).parents[2] / "configs"
PAPER = {
    "qwen2.5-coder-3b": "Qwen/Qwen2.5-Coder-3B",
    "qwen2.5-7b": "Qwen/Qwen2.5-7B",
    "qwen2.5-coder-7b": "Qwen/Qwen2.5-Coder-7B",
    "llama3.1-8b": "meta-llama/Llama-3.1-8B",
    "qwen2.5-14b": "Qwen/Qwen2.5-14B",
    "qwen2.5-coder-14b": "Qwen/Qwen2.5-Coder-14B",
}
NEWEST_CODE = {"qwen3-4b": "Qwen/Qwen3-4B-Base"}
RUNS = PAPER | NEWEST_CODE


def read(name: str) -> RunConfig:
    return load([CONFIGS / f"{name}.toml"], [])


@pytest.mark.parametrize("file", sorted(CONFIGS.rglob("*.toml")), ids=lambda file: file.stem)
def test_every_configuration_loads_and_is_estimated(file: Path) -> None:
    config = load([file], [])
    assert config.name
    assert config.model.name
    shape = find_shape(config.model.name)
    assert shape is not None
    assert "verdict" in describe(config, shape, 80 * GIB)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_what_all_runs_have_in_common(name: str) -> None:
    """The facts of the method, sections 2 to 9."""
    config = read(name)
    assert config.name == name
    assert config.model.name == RUNS[name]
    assert (config.model.dtype, config.rollout.dtype) == ("bfloat16", "bfloat16")
    assert config.model.gradient_checkpointing
    play, rollout, learner = config.selfplay, config.rollout, config.learner
    assert play.modes == (Mode.DEDUCTION, Mode.ABDUCTION, Mode.INDUCTION)
    assert (play.batch_size, play.trials_per_task) == (64, 8)
    assert (play.references, play.induction_inputs) == (6, 10)
    assert (play.envelope, play.chat_template) == ("r1", False)
    assert (play.same_step_tasks, play.train_proposer) == (True, True)
    assert slots_in(play, 1) == 64 * 3 * 2
    assert (rollout.max_prompt_tokens, rollout.max_completion_tokens) == (6144, 8096)
    assert rollout.temperature == 1.0
    assert (learner.lr, learner.warmup_steps, learner.max_grad_norm) == (1e-6, 0, 1.0)
    assert learner.betas == (0.9, 0.999)
    assert (learner.advantage, learner.whitening) == ("trr++", "sample")
    rewards = config.rewards
    assert (rewards.wrong, rewards.ill_formed, rewards.unlearnable) == (-0.5, -1.0, 0.0)
    assert (rewards.learnability, rewards.induction) == ("one_minus", "binary")
    assert config.buffers.max_tasks == 16_384
    assert config.buffers.seed_tasks == (64 if name == "llama3.1-8b" else 256)
    assert (config.checkpoint.every, config.checkpoint.keep) == (10, 1)
    assert config.loss.aggregation == "token_mean"
    assert config.loss.kl == config.rewards.kl == "none"


@pytest.mark.parametrize("name", sorted(PAPER))
def test_the_papers_loss(name: str) -> None:
    config = read(name)
    assert config.steps == 500
    assert (config.loss.loss, config.loss.clip_low, config.loss.clip_high) == ("ppo", 0.2, 0.2)
    assert (config.loss.entropy_coef, config.learner.weight_decay) == (0.001, 0.01)


def test_the_newest_codes_loss() -> None:
    config = read("qwen3-4b")
    assert config.steps == 2079 // 64 * 30 == 960
    assert (config.loss.loss, config.loss.dual_clip) == ("dual_clip", 3.0)
    assert (config.loss.clip_low, config.loss.clip_high) == (0.2, 0.28)
    assert (config.loss.entropy_coef, config.learner.weight_decay) == (0.0, 0.0)


def test_the_codes_deviations_are_merged_over_a_papers_run() -> None:
    files = [CONFIGS / "qwen2.5-coder-7b.toml", CONFIGS / "reference-code.toml"]
    config = load(files, [])
    assert config.model.name == "Qwen/Qwen2.5-Coder-7B"
    assert not config.selfplay.same_step_tasks
    assert (config.rewards.unlearnable, config.learner.whitening) == (-0.5, "token")


@pytest.mark.parametrize("name", sorted(RUNS))
def test_every_key_of_a_papers_run_names_its_source(name: str) -> None:
    lines = (CONFIGS / f"{name}.toml").read_text().splitlines()
    keys = [line for line in lines if "=" in line and not line.startswith("#")]
    source = re.compile(r"# (paper|branch `paper`|code|ours)")
    assert [line for line in keys if not source.search(line)] == [
        f'name = "{name}"',
        f'name = "{RUNS[name]}"',
    ]


GPUS = {"3b": 2, "4b": 3, "7b": 4, "8b": 4, "14b": 8}
"""Of 80 GiB each; as the authors, but for one more where a learner and an engine have no room."""


@pytest.mark.parametrize("name", sorted(RUNS))
def test_every_run_fits_its_gpus(name: str) -> None:
    """An H100 of 80 GB reports 79.6 GiB."""
    config, shape = read(name), find_shape(RUNS[name])
    assert shape is not None
    assert num_gpus(config) == GPUS[name.rpartition("-")[2].removeprefix("llama3.1-")]
    assert fit_of(config, shape, int(79.6 * GIB))[0] is Fit.FITS


FITS = re.compile(r"^# - (\d+) GPUs? of (\d+) GiB.*, with\n#   ((?:.+ \\\n#   )?.+)$", re.MULTILINE)
STANDS = re.compile(r"^# This file: (\d+) GPUs of 80 GiB, (\d+) GiB of each", re.MULTILINE)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_what_a_header_says_of_the_hardware_is_our_estimate(name: str) -> None:
    text = (CONFIGS / f"{name}.toml").read_text()
    config, shape = read(name), find_shape(RUNS[name])
    assert shape is not None
    stands = STANDS.search(text)
    assert stands is not None
    assert int(stands[1]) == num_gpus(config)
    used = re.search(r"about ([\d.]+) of", fit_of(config, shape, 80 * GIB)[1])
    assert used is not None
    assert float(used[1]) == pytest.approx(int(stands[2]), abs=0.55)
    plans = [(int(number), int(gib), flags) for number, gib, flags in FITS.findall(text)]
    assert 1 in [number for number, _, _ in plans]
    for number, gib, flags in plans:
        assert least_gpu(on_gpus(config, number), shape) == gib
        words = flags.replace("\\\n#", "").split()
        pairs = zip((word.removeprefix("--") for word in words[::2]), words[1::2], strict=True)
        changed = load([CONFIGS / f"{name}.toml"], list(pairs))
        assert num_gpus(changed) == number
        assert fit_of(changed, shape, gib * GIB)[0] is Fit.FITS


METHOD = CONFIGS.parent / "docs" / "method"
HARDWARE = (METHOD / "hardware.md").read_text(encoding="utf-8")


def run_of(model: str) -> RunConfig:
    """A model's own file, or the 3B's with another model."""
    named = {name: file for file, name in RUNS.items()}
    file = CONFIGS / f"{named.get(model, 'qwen2.5-coder-3b')}.toml"
    return load([file], [("model.name", model)])


@pytest.mark.parametrize(("page", "rank"), [("hardware.md", 0), ("lora.md", 16)])
def test_the_pages_numbers_of_gpus_are_the_estimates(page: str, rank: int) -> None:
    text = (METHOD / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[?([\w.-]+/[\w.-]+)[^|]* \| [\d.]+ \|(.+)\|$", text, re.MULTILINE)
    assert {model for model, _ in rows} >= set(RUNS.values())
    for model, cells in rows:
        config, shape = run_of(model).changed(lora=LoraConfig(rank=rank)), find_shape(model)
        assert shape is not None
        sizes = (24, 40, 48, 80, 141, 180)
        numbers = [least_gpus(config, shape, gib * GIB) for gib in sizes]
        one = least_gpu(on_gpus(config, 1), shape)
        expected = ["-" if number is None else str(number) for number in numbers]
        assert [cell.strip() for cell in cells.split("|")] == [*expected, str(one)]


def test_the_pages_memory_of_the_papers_runs_is_the_headers() -> None:
    for name in RUNS:
        row = next(line for line in HARDWARE.splitlines() if f"[{name}](" in line and "GB" in line)
        stands = STANDS.search((CONFIGS / f"{name}.toml").read_text())
        assert stands is not None
        assert [cell.strip() for cell in row.split("|")[3:5]] == list(stands.groups())
