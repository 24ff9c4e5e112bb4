"""The model as a pupil: one AdamW step from one step's graded rollouts.

Master weights, gradients and the optimizer are float32. Forward and backward may run on a copy
of the weights in bfloat16 (`model.dtype`), as the engine does; logits and the loss are float32.

N experiences of a step, C completion tokens of a micro-batch, H features, V words.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import copy
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from azr.batch import PACKED_ATTENTION, MicroBatch, Sequence1, pack
from azr.checkpoint import Checkpoint
from azr.config import RunConfig
from azr.errors import CheckpointError, ModelError, TrainingDiverged
from azr.loss import Normalizer, count, head_tensors, mean_metrics, policy_loss, token_logprobs
from azr.loss_config import Importance, LossConfig
from azr.types import Experience
from azr.weights import TorchWeights

__all__ = ["TorchLearner"]

log = logging.getLogger(__name__)


class TorchLearner:
    """ports.Learner over a Hugging Face causal language model.

    `update` is a function of (weights, optimizer state, arguments): it draws nothing.
    """

    def __init__(self, config: RunConfig, folder: Path) -> None:
        """Load the model in `folder`: the run's, or a checkpoint's (then `restore` it too)."""
        self._config = config.learner
        self._folder = folder
        # Kept, not read again when saving: a resumed run's folder is a checkpoint, and goes.
        self._tokenizer = {file.name: file.read_bytes() for file in tokenizer_files(folder)}
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = load_model(folder, config.model.gradient_checkpointing).to(self.device)
        self._compute = self.model
        """Does forward and backward: the model itself, or a copy in lower precision."""
        if config.model.dtype == "bfloat16":
            self._compute = copy.deepcopy(self.model).to(torch.bfloat16)
        self._loss_config = loss_config_of(config, self.model)
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
        """One optimizer step; returns its statistics.

        Rollouts whose advantage is exactly 0 count in every mean, but are not computed where
        their gradient is 0. When nothing is left the weights stay as they are: `skipped` is 1.

        Raises:
            TrainingDiverged: Loss or gradient is not finite; the step was not taken.
        """
        lr = self._config.lr * min(1.0, (self.num_updates + 1) / (self._config.warmup_steps + 1))
        sequences = [
            Sequence1(experience.rollout, advantage)
            for experience, advantage in zip(experiences_N, advantages_N, strict=True)
        ]
        check_finite([sequence.advantage for sequence in sequences])
        useful = [s for s in sequences if s.advantage != 0.0 or self._zero_advantage_matters()]
        packed = pack(
            useful, self._config.micro_batch_tokens, share_prompts=self._config.share_prompts
        )
        batches = [batch.to(self.device) for batch in packed]
        if not batches:
            self.num_updates += 1
            return {"skipped": 1.0, "tokens": 0.0, "lr": lr}
        self._refresh()
        try:
            statistics = self._accumulate(batches, self._normalizer(sequences, batches))
            grad_norm = self._step(lr)
        finally:
            self.optimizer.zero_grad(set_to_none=True)
            self._compute.zero_grad(set_to_none=True)
        self.num_updates += 1
        used = sum(batch.num_tokens for batch in batches)
        return {**statistics, "grad_norm": grad_norm, "lr": lr, "skipped": 0.0, "read_tokens": used}

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

    def _shapes(self) -> dict[str, list[int]]:
        return {name: list(value.shape) for name, value in self.model.named_parameters()}

    def _zero_advantage_matters(self) -> bool:
        """Entropy and divergence terms have a gradient where the advantage has none."""
        config = self._loss_config
        return (
            config.entropy_coef != 0
            or config.kl_coef != 0
            or config.importance is Importance.SEQUENCE_MASK
        )

    def _accumulate(self, batches: Sequence[MicroBatch], whole: Normalizer) -> dict[str, float]:
        """Add up the gradients of all micro-batches; each is divided by the whole's counts."""
        loss_sum, parts = 0.0, list[dict[str, Tensor]]()
        for batch in batches:
            hidden = self._hidden(batch)
            weight, bias = self._head()
            old = self._logprobs(hidden.detach(), weight, bias, batch)
            loss, metrics = policy_loss(
                hidden,
                weight,
                batch.targets,
                old,
                batch.advantages,
                torch.ones_like(batch.targets, dtype=torch.bool),
                rollout_logprobs=batch.rollout_logprobs,
                sequence_ids=batch.sequence_ids,
                bias=bias,
                normalizer=whole,
                config=self._loss_config,
            )
            loss.backward()
            self._collect_gradients()
            loss_sum += loss.item()
            # one update a step: the weights before it are the current ones, so the ratio is 1
            difference = old - batch.rollout_logprobs
            metrics["mismatch_kl_sum"] = (difference.exp() - 1 - difference).sum()
            parts.append(metrics)
        return {"loss": loss_sum, **renamed(mean_metrics(parts))}

    def _hidden(self, batch: MicroBatch) -> Tensor:  # [C, H]
        """The states that predict completion tokens; the head is left to the loss."""
        output = self._compute.base_model(
            input_ids=batch.input_ids[None],
            position_ids=batch.positions[None],
            use_cache=False,
            trees=batch.trees,
        )
        return output.last_hidden_state[0, batch.rows]

    def _head(self) -> tuple[Tensor, Tensor | None]:
        """The head's weight and bias, in the precision of the hidden states."""
        return head_tensors(self._compute.get_output_embeddings())

    @torch.no_grad()
    def _refresh(self) -> None:
        """Give the copy the newest weights."""
        if self._compute is not self.model:
            for mine, master in zip(
                self._compute.parameters(), self.model.parameters(), strict=True
            ):
                mine.copy_(master)

    @torch.no_grad()
    def _collect_gradients(self) -> None:
        """Add the copy's gradients to the master's, in float32, after every micro-batch.

        Adding them up in bfloat16 would lose small ones beside large sums.
        """
        if self._compute is self.model:
            return
        for mine, master in zip(self._compute.parameters(), self.model.parameters(), strict=True):
            if mine.grad is None:
                continue
            if master.grad is None:
                master.grad = mine.grad.float()
            else:
                master.grad += mine.grad
            mine.grad = None

    def _logprobs(
        self, hidden: Tensor, weight: Tensor, bias: Tensor | None, batch: MicroBatch
    ) -> Tensor:  # [C]
        logprobs, _ = token_logprobs(
            hidden,
            weight.detach(),
            batch.targets,
            bias=None if bias is None else bias.detach(),
            config=self._loss_config,
        )
        return logprobs

    def _normalizer(
        self, sequences: Sequence[Sequence1], batches: Sequence[MicroBatch]
    ) -> Normalizer:
        """What counts in the whole batch, rollouts that are not computed included."""
        if self._loss_config.importance is not Importance.SEQUENCE_MASK:
            lengths = [n for s in sequences if (n := len(s.rollout.completion_ids))]
            return Normalizer(num_tokens=float(sum(lengths)), num_sequences=float(len(lengths)))
        whole = Normalizer(num_tokens=0.0, num_sequences=0.0)
        for batch in batches:  # which sequences count depends on log-probabilities: a forward more
            with torch.no_grad():
                hidden = self._hidden(batch)
                old = self._logprobs(hidden, *self._head(), batch)
            whole = whole + count(
                torch.ones_like(batch.targets, dtype=torch.bool),
                sequence_ids=batch.sequence_ids,
                old_logprobs=old,
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


def load_model(folder: Path, gradient_checkpointing: bool) -> Any:
    """The model with float32 weights and no dropout, ready for packed sequences."""
    disable_progress_bar()  # the run has its own display
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation=PACKED_ATTENTION
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{folder} cannot be read as a language model: {error}") from error
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "attention_dropout"):
            cast(Any, module).attention_dropout = 0.0
    if gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model.train()


def tokenizer_files(folder: Path) -> list[Path]:
    """All that is not weights or their configuration, so that a tokenizer is kept as it came."""
    written = {"config.json", "generation_config.json", "model.safetensors.index.json"}
    kinds = {".json", ".jinja", ".model", ".txt"}
    files = (file for file in sorted(folder.iterdir()) if file.is_file())
    return [file for file in files if file.suffix in kinds and file.name not in written]


def loss_config_of(config: RunConfig, model: Any) -> LossConfig:
    """The run's loss with the sampler's temperature and what this model does to its logits."""
    text = model.config.get_text_config()
    scale = getattr(text, "logit_scale", None) or 1.0
    divisor = getattr(text, "logits_scaling", None) or 1.0
    return replace(
        config.loss,
        temperature=config.rollout.temperature,
        logit_scale=scale / divisor,
        softcap=getattr(text, "final_logit_softcapping", None) or 0.0,
    )


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
    }
    return {name: means[key] for key, name in names.items() if key in means}
