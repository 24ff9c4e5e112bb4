"""What the processes of tests/contract/test_several_ranks.py do.

`python -m tests.ranked RANK FOLDER PORT PORT`: three of them go through SCRIPTS together; then the
first two do it again among themselves. What each saw is written down for the test to compare.
"""

import errno
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch

from azr.config.loss import Importance
from azr.config.run import (
    LearnerConfig,
    LoraConfig,
    LossConfig,
    ModelConfig,
    RewardConfig,
    RolloutConfig,
    RunConfig,
)
from azr.errors import CheckpointError, StaleWeights, TrainingDiverged
from azr.learner.learner import TorchLearner
from azr.learner.packing import Sequence1
from azr.models.checkpoint import latest_checkpoint, save_checkpoint
from azr.models.lora.adapters import plain_parameters
from azr.models.process_group import Ranks, join_ranks, leave_ranks
from azr.models.sharding import part_of
from azr.rollout.prompt_tokens import load_tokenizer
from azr.rollout.transformers_engine import TransformersEngine
from azr.rollout.weight_proof import Probe
from azr.types import Mode, Prompt, Role, Rollout

PROBE = (5, 6, 7, 8, 9, 10)
PLAIN = RunConfig(learner=LearnerConfig(lr=1e-3, micro_batch_tokens=24))
ROUGH = ModelConfig(dtype="bfloat16", gradient_checkpointing=True)
LORA = LoraConfig(rank=3)
SCRIPTS: dict[str, tuple[str, RunConfig]] = {
    "plain": ("tied", PLAIN),
    "everything": (
        "untied",
        RunConfig(
            learner=PLAIN.learner.changed(
                mini_batches=2, epochs=2, entropy_target=9.0, entropy_step=0.01
            ),
            loss=LossConfig(kl="k3", kl_coef=0.1, importance=Importance.SEQUENCE_MASK),
            rewards=RewardConfig(kl="k2"),
        ),
    ),
    "rough": ("tied", PLAIN.changed(model=ROUGH)),
    "adapters": (
        "untied",
        PLAIN.changed(lora=LORA, loss=LossConfig(kl="k3"), rewards=RewardConfig(kl="k2")),
    ),
    "rough adapters": (
        "tied",
        PLAIN.changed(model=ROUGH, lora=LORA, rewards=RewardConfig(kl="k2")),
    ),
}
"""By name: which model, and how it is trained."""


def sequence(step: int, place: int, num_prompt: int, num_completion: int) -> Sequence1:
    rollout = Rollout(
        prompt=Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=""),
        prompt_ids=tuple(20 + (7 * step + 3 * place + i) % 200 for i in range(num_prompt)),
        completion_ids=tuple(
            30 + (11 * step + 5 * place + i * i) % 200 for i in range(num_completion)
        ),
        rollout_logprobs=tuple(-5.5 - 0.1 * i for i in range(num_completion)),
        completion="",
        policy_version=step,
    )
    return Sequence1(rollout, (1.0, -0.5, 0.7, 0.0)[place % 4])


def steps() -> list[list[Sequence1]]:
    """Several micro-batches a rank, then a shared prompt, then less than the ranks are."""
    many = [sequence(0, place, 3 + place, 4 + 3 * place) for place in range(6)]
    stem = sequence(1, 0, 12, 5)
    shared = [
        Sequence1(
            replace(sequence(1, p, 1, 5).rollout, prompt_ids=stem.rollout.prompt_ids), 1.0 - p
        )
        for p in range(4)
    ]
    return [many, shared, [sequence(2, 0, 5, 9)]]


def broken() -> list[Sequence1]:
    """The longest rollout, which one rank computes, has a log-probability that is no number."""
    good = [sequence(3, place, 4, 6) for place in range(3)]
    bad = sequence(3, 1, 6, 15)
    logprobs = (math.nan, *bad.rollout.rollout_logprobs[1:])
    return [*good, Sequence1(replace(bad.rollout, rollout_logprobs=logprobs), 1.0)]


def go_through(name: str, models: Path, ranks: Ranks) -> tuple[TorchLearner, dict[str, object]]:
    model, config = SCRIPTS[name]
    learner = TorchLearner(config, models / model, ranks=ranks)
    penalised = [*steps()[0], *steps()[1]] if learner.reward_kl else []
    divergences = [learner.divergences(penalised)] if penalised else []
    statistics = [dict(learner.learn(step)) for step in steps()]
    divergences += [learner.divergences(penalised)] if penalised else []
    probe = learner.weights.probe_logprobs(PROBE)
    parameters = plain_parameters(learner.model)
    held = {name: part_of(value).numel() for name, value, _ in parameters}
    seen = {"statistics": statistics, "probe": probe, "held": held, "divergences": divergences}
    return learner, seen


def missed_push(learner: TorchLearner, folder: Path, ranks: Ranks) -> list[str]:
    """What the proof says on this rank of two pushes in bfloat16, the last rank missing one."""
    config = RolloutConfig(dtype="bfloat16")
    engine = TransformersEngine(folder, config, load_tokenizer(folder))
    said: list[str] = []
    for version in (1, 2):
        learner.learn(steps()[0])
        if version == 2 and ranks.rank == ranks.size - 1:
            for _ in learner.weights.named_parameters():  # the others gather with it
                pass
        else:
            engine.load(learner.weights, version)
        try:
            Probe(range(20, 60), config).check(engine, learner.weights, version)
            said.append("proved")
        except StaleWeights as error:
            said.append(str(error))
    engine.close()
    return said


def learned_families(models: Path, ranks: Ranks) -> dict[str, object]:
    """What a first update of other kinds of models is like."""
    found: dict[str, object] = {}
    for folder in sorted(models.glob("family-*")):
        learner = TorchLearner(PLAIN, folder, ranks=ranks)
        probe = learner.weights.probe_logprobs(PROBE)
        found[folder.name] = [*probe, learner.learn(steps()[0])["grad_norm"]]
    return found


def weights_of(learner: TorchLearner) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in learner.weights.named_parameters()}


def save(learner: TorchLearner, folder: Path, step: int, ranks: Ranks) -> None:
    if ranks.is_leader:
        save_checkpoint(
            folder, step, learner=learner, backup_tasks=lambda path: path.write_bytes(b""), keep=9
        )
    else:
        learner.save(folder / f".step_{step}.partial")


def diverge(learner: TorchLearner) -> str:
    try:
        learner.learn(broken())
    except TrainingDiverged as error:
        return str(error)
    return "did not diverge"


def fail_to_save(learner: TorchLearner, folder: Path, ranks: Ranks) -> str:
    """The last rank's disk is full."""
    written = safetensors.torch.save

    def full(*_: object, **__: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    safetensors.torch.save = full if ranks.rank == ranks.size - 1 else written
    try:
        save(learner, folder, 9, ranks)
    except CheckpointError as error:
        return str(error)
    finally:
        safetensors.torch.save = written
    return "did not fail"


def save_elsewhere(learner: TorchLearner, folder: Path, ranks: Ranks) -> str:
    """The leader's folder is on a disk that the others do not see."""
    mine = folder / f"disk-{ranks.rank}"
    if ranks.is_leader:
        (mine / "trainer").mkdir(parents=True)
    try:
        learner.save(mine)
    except CheckpointError as error:
        return str(error)
    return "did not fail"


def continued(folder: Path, models: Path, ranks: Ranks, script: str = "plain") -> TorchLearner:
    """What goes on from the newest checkpoint in `folder`."""
    cut = latest_checkpoint(folder)
    assert cut is not None
    model, config = SCRIPTS[script]
    learner = TorchLearner(config, cut.model, initial=models / model, ranks=ranks)
    learner.restore(cut)
    return learner


def checks(folder: Path, ranks: Ranks) -> None:
    models, seen = folder / "models", dict[str, Mapping[str, object]]()
    mine = folder / f"ranks-{ranks.size}"
    for name in SCRIPTS:
        learner, seen[name] = go_through(name, models, ranks)
        weights = weights_of(learner)
        if ranks.is_leader:
            mine.mkdir(exist_ok=True)
            torch.save(weights, mine / f"{name}.pt")
        if name.startswith("rough"):
            seen[f"missed {name}"] = {"said": missed_push(learner, models / "tied", ranks)}
        if name == "plain":
            save(learner, mine / "cuts", 3, ranks)
            failures = {
                "diverged": diverge(learner),
                "full": fail_to_save(learner, mine / "cuts", ranks),
                "elsewhere": save_elsewhere(learner, mine, ranks),
                "after": dict(learner.learn(steps()[0])),
            }
            seen["failures"] = failures
    others = [path for path in ("alone", "ranks-3") if (folder / path / "cuts").is_dir()]
    for other in others:  # a checkpoint of as many, or of another number
        learner = continued(folder / other / "cuts", models, ranks)
        save(learner, mine / f"from-{other}", 3, ranks)
        seen[other] = dict(learner.learn(steps()[0]))
    resumed = continued(folder / "alone" / "adapters", models, ranks, "adapters")
    seen["resumed adapters"] = dict(resumed.learn(steps()[0]))
    if ranks.size == 2:
        seen["families"] = learned_families(models, ranks)
    ranks.barrier()
    (mine / f"seen-{ranks.rank}.json").write_text(json.dumps(seen))


def main(rank: int, folder: Path, ports: Sequence[str]) -> None:
    torch.set_num_threads(1)
    for size, port in zip((3, 2), ports, strict=True):
        if rank < size:
            ranks = Ranks(rank, size, rank)
            join_ranks(ranks, "127.0.0.1", int(port))
            checks(folder, ranks)
            leave_ranks()
    sys.stdout.flush()
    # gloo's threads may still hold a tensor, which an interpreter that is ending does not survive
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
