"""Two ways to train that must be one: the fused loss and its definition, two loops."""

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from azr.config.loss import Backend
from azr.config.run import LearnerConfig, ModelConfig, RolloutConfig, RunConfig, SelfPlayConfig
from azr.game.rewards.advantages import advantages_of
from azr.game.selfplay import play_step
from azr.learner.learner import TorchLearner
from azr.rollout.opening import open_policy
from azr.rollout.policy import EnginePolicy
from azr.run.trainer import Run, train
from azr.types import Prompt, Rollout
from tests.fakes import FakeRecorder, ScriptedJudge, make_table
from tests.tiny import make_tiny_model
from tests.unit.test_selfplay import well_formed

SCRIPT = Path(__file__).parents[2] / "scripts" / "same_training.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("same_training", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["same_training"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_ten_updates_are_the_same_with_the_fused_loss_and_its_definition(folder: Path, dtype: str):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), "--dtype", dtype],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert f"{dtype}: the same training" in done.stdout


@pytest.mark.slow
def test_a_training_that_differs_a_little_is_called_different(folder: Path, script):
    """A hundredth of the learning rate is enough: the check can fail."""
    comparison = script.compare(folder, "float32", steps=3)
    assert comparison.is_same
    other = script.course(
        folder,
        script.sampled_experiences(folder),
        backend=Backend.NATIVE,
        dtype="float32",
        steps=3,
        lr=1.01e-4,
    )
    different = replace(comparison, native=other)
    assert not different.is_same
    assert "NOT the same training" in different.table()


CONFIG = RunConfig(
    steps=3,
    selfplay=SelfPlayConfig(batch_size=2, trials_per_task=2, envelope="completion", references=1),
    rollout=RolloutConfig(
        engine="transformers", max_prompt_tokens=1000, max_completion_tokens=8, max_concurrent=64
    ),
    learner=LearnerConfig(lr=1e-3, micro_batch_tokens=4096),
)


@dataclass
class Scribe:
    """The real policy of a tiny model: it reads the end of a prompt, and others write for it."""

    policy: EnginePolicy
    rollouts: list[Rollout] = field(default_factory=list)

    async def sample(self, prompt: Prompt) -> Rollout:
        rollout = await self.policy.sample(replace(prompt, text=prompt.text[-600:]))
        rollout = replace(rollout, prompt=prompt, completion=well_formed(prompt))
        self.rollouts.append(rollout)
        return rollout

    async def adopt(self, weights: Any, version: int) -> None:
        await self.policy.adopt(weights, version)


async def plain_loop(run: Run) -> None:
    """What training is, in four lines."""
    for step in range(1, CONFIG.steps + 1):
        experiences = await play_step(run.table, step)
        run.learner.update(experiences, advantages_of(experiences, CONFIG.learner))
        await run.policy.adopt(run.learner.weights, step)


def trained(folder: Path, loop: Callable[[Run], Coroutine[Any, Any, None]]) -> tuple[Any, Any]:
    """What a loop leaves: each completion by its seed, and the weights."""
    config = CONFIG.changed(model=ModelConfig(name=str(folder)))
    judge = ScriptedJudge(passes=lambda task, _: sum(map(ord, task.program)) % 2 == 0)
    policy = open_policy(config, folder)
    scribe, learner = Scribe(policy), TorchLearner(config, folder)
    table = make_table(config, scribe, judge)
    run = Run(table=table, policy=scribe, learner=learner, recorder=FakeRecorder())
    try:
        asyncio.run(asyncio.wait_for(loop(run), 200))
    finally:
        policy.close()
    sampled = {rollout.prompt.seed: rollout.completion_ids for rollout in scribe.rollouts}
    assert len(sampled) == len(scribe.rollouts)
    return sampled, {name: value.clone() for name, value in learner.weights.named_parameters()}


@pytest.mark.slow
def test_without_staleness_training_is_the_plain_loop_bit_for_bit(folder: Path):
    sampled, weights = trained(folder, train)
    expected, exact = trained(folder, plain_loop)
    assert sampled == expected
    assert all(torch.equal(weights[name], exact[name]) for name in exact)
    before = TorchLearner(CONFIG.changed(model=ModelConfig(name=str(folder))), folder).weights
    assert not all(torch.equal(weights[name], old) for name, old in before.named_parameters())
