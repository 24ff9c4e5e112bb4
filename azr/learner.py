"""The model as a pupil: one AdamW step, or a few, from one step's graded rollouts.

Master weights, gradients and the optimizer are float32. Forward and backward may run on a copy
of the weights in bfloat16 (`model.dtype`), as the engine does; logits and the loss are float32.

N experiences of a step, C completion tokens of a micro-batch.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import copy
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from azr.batch import MicroBatch, Sequence1, mini_batches, pack
from azr.checkpoint import Checkpoint
from azr.config import RunConfig
from azr.entropy_control import EntropyControl
from azr.errors import CheckpointError, TrainingDiverged
from azr.loss import Normalizer, count, mean_metrics, policy_loss
from azr.loss_config import Importance, LossConfig
from azr.packed_model import PackedModel, load_model, load_reference, loss_config_of
from azr.seeds import derive_seed
from azr.types import Experience
from azr.weights import TorchWeights

__all__ = ["TorchLearner"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Passage:
    """A micro-batch with what is known of it before the first optimizer step."""

    batch: MicroBatch
    old: Tensor | None  # [C]
    """Log-probabilities under those weights; None: take the current ones, which are the same."""
    ref: Tensor | None  # [C]
    """Under the frozen reference; None without one."""


@dataclass(frozen=True, slots=True)
class MiniBatch:
    """What one optimizer step is computed from."""

    passages: Sequence[Passage]
    whole: Normalizer
    """Counts of all its rollouts, those that are not computed included."""


class TorchLearner:
    """ports.Learner over a Hugging Face causal language model.

    `update` is a function of (run seed, weights, optimizer state, number of updates, arguments).
    """

    def __init__(self, config: RunConfig, folder: Path, initial: Path | None = None) -> None:
        """Load the model in `folder`: the run's, or a checkpoint's (then `restore` it too).

        `initial` is the model the run started from, which loss.kl compares with; None: `folder`.
        """
        self._seed = config.seed
        self._config = config.learner
        self._folder = folder
        # Kept, not read again when saving: a resumed run's folder is a checkpoint, and goes.
        self._tokenizer = {file.name: file.read_bytes() for file in tokenizer_files(folder)}
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = load_model(folder, config.model.gradient_checkpointing).to(self.device)
        self._loss_config = loss_config_of(config, self.model)
        compute = self.model
        if config.model.dtype == "bfloat16":
            compute = copy.deepcopy(self.model).to(torch.bfloat16)
        self._compute = PackedModel(compute, self._loss_config)
        """Does forward and backward: the model itself, or a copy in lower precision."""
        self._reference: PackedModel | None = None
        if config.loss.kl != "none":
            self._reference = load_reference(config, initial or folder, self.device)
        self._entropy_control = EntropyControl.of(config.learner, config.loss.entropy_coef)
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self.model, config.learner.weight_decay),
            lr=config.learner.lr,
            betas=config.learner.betas,
        )
        self.num_updates = 0
        """Calls of `update` so far, skipped ones included; what the warmup counts."""

    @property
    def weights(self) -> TorchWeights:
        """The parameters after the last update."""
        return TorchWeights(self.model)

    def update(
        self, experiences_N: Sequence[Experience], advantages_N: Sequence[float]
    ) -> Mapping[str, float]:
        """Learn from one step, by default in one optimizer step; returns its statistics.

        Rollouts whose advantage is exactly 0 count in every mean, but are not computed where
        their gradient is 0. When nothing is left the weights stay as they are: `skipped` is 1.

        Raises:
            TrainingDiverged: Loss or gradient is not finite; that step was not taken.
        """
        lr = self._config.lr * min(1.0, (self.num_updates + 1) / (self._config.warmup_steps + 1))
        sequences = [
            Sequence1(experience.rollout, advantage)
            for experience, advantage in zip(experiences_N, advantages_N, strict=True)
        ]
        check_finite([sequence.advantage for sequence in sequences])
        if lr == 0:  # a control: a step costs its play alone
            self.num_updates += 1
            return {"skipped": 1.0, "tokens": 0.0, "lr": lr}
        loss_config = self._loss_config
        if self._entropy_control is not None:
            loss_config = replace(loss_config, entropy_coef=self._entropy_control.coefficient)
        self._refresh()
        parts = self._mini_batches(sequences)
        if not parts:
            self.num_updates += 1
            return {"skipped": 1.0, "tokens": 0.0, "lr": lr}
        statistics = self._epochs(parts, loss_config, lr)
        self.num_updates += 1
        if self._entropy_control is not None:
            self._entropy_control.observe(statistics["entropy"])
            statistics["entropy_coef"] = loss_config.entropy_coef
        return {**statistics, "lr": lr, "skipped": 0.0}

    def _epochs(
        self, parts: Sequence[MiniBatch], loss_config: LossConfig, lr: float
    ) -> dict[str, float]:
        """One optimizer step for each mini-batch, and that `epochs` times over."""
        losses, norms, metrics = list[float](), list[float](), list[dict[str, Tensor]]()
        num_epochs = self._config.epochs
        for part in [part for _ in range(num_epochs) for part in parts]:
            try:
                self._refresh()
                loss, sums = self._accumulate(part, loss_config)
                norms.append(self._step(lr))
            finally:
                self.optimizer.zero_grad(set_to_none=True)
                self._compute.model.zero_grad(set_to_none=True)
            losses.append(loss)
            metrics += sums
        means = renamed(mean_metrics(metrics))
        read = num_epochs * sum(p.batch.num_tokens for part in parts for p in part.passages)
        return {
            **means,
            "loss": fmean(losses),
            "grad_norm": fmean(norms),
            "optimizer_steps": float(len(norms)),
            "tokens": means["tokens"] / num_epochs,
            "read_tokens": float(read),
        }

    def _mini_batches(self, sequences: Sequence[Sequence1]) -> list[MiniBatch]:
        """Cut the update into optimizer steps; those without anything to compute are left out."""
        seed = derive_seed(self._seed, "mini-batches", self.num_updates)
        made: list[MiniBatch] = []
        for part in mini_batches(sequences, self._config.mini_batches, seed):
            useful = [s for s in part if s.advantage != 0.0 or self._zero_advantage_matters()]
            packed = pack(
                useful, self._config.micro_batch_tokens, share_prompts=self._config.share_prompts
            )
            passages = [self._passage(batch.to(self.device)) for batch in packed]
            if passages:
                made.append(MiniBatch(passages, self._normalizer(part, passages)))
        return made

    def _passage(self, batch: MicroBatch) -> Passage:
        """Log-probabilities that later optimizer steps must not change, where there are any."""
        is_one_step = self._config.mini_batches * self._config.epochs == 1
        needs_old = not is_one_step or self._loss_config.importance is Importance.SEQUENCE_MASK
        return Passage(
            batch,
            old=self._compute.logprobs(batch) if needs_old else None,
            ref=None if self._reference is None else self._reference.logprobs(batch),
        )

    def save_model(self, folder: Path) -> None:
        """Write float32 weights and the tokenizer's files in Hugging Face format."""
        self.model.save_pretrained(folder)
        for name, content in self._tokenizer.items():
            (folder / name).write_bytes(content)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the weights that the next update depends on; tensors and numbers only."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "num_updates": self.num_updates,
            "shapes": self._shapes(),
            "random_state": torch.get_rng_state(),
            "entropy_control": self._entropy_control and self._entropy_control.state(),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue where the checkpoint was made; the weights are those it was opened with.

        Raises:
            CheckpointError: It cannot be read, or is another model's.
        """
        state = checkpoint.trainer_state()
        if state.get("shapes") != self._shapes():
            raise CheckpointError(
                f"{checkpoint.path} holds the optimizer of another model than {self._folder}:"
                " resume with the model.name the run was started with"
            )
        self.optimizer.load_state_dict(state["optimizer"])
        self.num_updates = int(state["num_updates"])
        torch.set_rng_state(state["random_state"])
        if self._entropy_control is not None and state.get("entropy_control"):
            self._entropy_control.restore(state["entropy_control"])

    def _shapes(self) -> dict[str, list[int]]:
        return {name: list(value.shape) for name, value in self.model.named_parameters()}

    def _zero_advantage_matters(self) -> bool:
        """Entropy and divergence terms have a gradient where the advantage has none."""
        config = self._loss_config
        return (
            config.entropy_coef != 0
            or config.kl_coef != 0
            or self._entropy_control is not None
            or config.importance is Importance.SEQUENCE_MASK
        )

    def _accumulate(
        self, part: MiniBatch, loss_config: LossConfig
    ) -> tuple[float, list[dict[str, Tensor]]]:
        """Add up the gradients of all micro-batches; each is divided by the whole's counts."""
        loss_sum, sums = 0.0, list[dict[str, Tensor]]()
        for passage in part.passages:
            batch = passage.batch
            hidden = self._compute.hidden(batch)
            weight, bias = self._compute.head()
            # before the first step the weights are the old ones: the ratio is exactly 1
            old = self._compute.logprobs(batch, hidden) if passage.old is None else passage.old
            loss, metrics = policy_loss(
                hidden,
                weight,
                batch.targets,
                old,
                batch.advantages,
                torch.ones_like(batch.targets, dtype=torch.bool),
                ref_logprobs=passage.ref,
                rollout_logprobs=batch.rollout_logprobs,
                sequence_ids=batch.sequence_ids,
                bias=bias,
                normalizer=part.whole,
                config=loss_config,
            )
            loss.backward()
            self._collect_gradients()
            loss_sum += loss.item()
            difference = old - batch.rollout_logprobs
            metrics["mismatch_kl_sum"] = (difference.exp() - 1 - difference).sum()
            sums.append(metrics)
        return loss_sum, sums

    @torch.no_grad()
    def _refresh(self) -> None:
        """Give the copy the newest weights."""
        if self._compute.model is not self.model:
            for mine, master in self._pairs():
                mine.copy_(master)

    def _pairs(self) -> "zip[tuple[Tensor, Tensor]]":
        """Each parameter of the copy with the master's."""
        return zip(self._compute.model.parameters(), self.model.parameters(), strict=True)

    @torch.no_grad()
    def _collect_gradients(self) -> None:
        """Add the copy's gradients to the master's, in float32, after every micro-batch.

        Adding them up in bfloat16 would lose small ones beside large sums.
        """
        if self._compute.model is self.model:
            return
        for mine, master in self._pairs():
            if mine.grad is None:
                continue
            if master.grad is None:
                master.grad = mine.grad.float()
            else:
                master.grad += mine.grad
            mine.grad = None

    def _normalizer(
        self, sequences: Sequence[Sequence1], passages: Sequence[Passage]
    ) -> Normalizer:
        """What counts in a whole mini-batch, rollouts that are not computed included."""
        if self._loss_config.importance is not Importance.SEQUENCE_MASK:
            lengths = [n for s in sequences if (n := len(s.rollout.completion_ids))]
            return Normalizer(num_tokens=float(sum(lengths)), num_sequences=float(len(lengths)))
        whole = Normalizer(num_tokens=0.0, num_sequences=0.0)
        for passage in passages:  # which sequences count depends on log-probabilities
            batch = passage.batch
            whole = whole + count(
                torch.ones_like(batch.targets, dtype=torch.bool),
                sequence_ids=batch.sequence_ids,
                old_logprobs=passage.old,
                rollout_logprobs=batch.rollout_logprobs,
                config=self._loss_config,
            )
        return whole

    def _step(self, lr: float) -> float:
        """Clip and step, unless the gradient is not finite."""
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(parameters, self._config.max_grad_norm).item()
        if not math.isfinite(norm):
            raise TrainingDiverged(
                f"the gradient's norm is {norm} at update {self.num_updates + 1}: the step was"
                ' not taken; lower learner.lr, or use model.dtype = "float32"'
            )
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        return norm


def tokenizer_files(folder: Path) -> list[Path]:
    """All that is not weights or their configuration, so that a tokenizer is kept as it came."""
    written = {"config.json", "generation_config.json", "model.safetensors.index.json"}
    kinds = {".json", ".jinja", ".model", ".txt"}
    files = (file for file in sorted(folder.iterdir()) if file.is_file())
    return [file for file in files if file.suffix in kinds and file.name not in written]


def parameter_groups(model: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Norms and biases are not decayed."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def check_finite(advantages: Sequence[float]) -> None:
    """Raise `TrainingDiverged` if an advantage is not a number."""
    for index, advantage in enumerate(advantages):
        if not math.isfinite(advantage):
            raise TrainingDiverged(f"the advantage of experience {index} is {advantage}")


def renamed(means: Mapping[str, float]) -> dict[str, float]:
    """The loss's metrics under the names a run reports."""
    names = {
        "tokens": "tokens",
        "entropy": "entropy",
        "clipped": "clip_frac",
        "mismatch": "mismatch/mean_abs",
        "mismatch_max": "mismatch/max_abs",
        "mismatch_kl": "mismatch_kl",
        "importance": "importance",
        "kl_ref": "kl",
        "ratio": "ratio",
        "kl_old": "kl_old",
    }
    return {name: means[key] for key, name in names.items() if key in means}
