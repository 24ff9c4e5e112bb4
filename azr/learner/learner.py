"""The learner: one AdamW step, or a few, from one step's graded rollouts.

Master weights, gradients and the optimizer are float32. Forward and backward may run on a copy
of the weights in bfloat16 (`model.dtype`), as the engine does; logits and the loss are float32.

With several ranks, each holds its rows of every parameter (sharding) and computes its share of the
micro-batches (dealing). All get the same rollouts, call the same methods in the same order, and
return the same statistics: those of the whole update.

N experiences of a step, C completion tokens of a micro-batch.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.profiler import record_function

from azr.config.loss import Importance, Kl
from azr.config.run import RunConfig
from azr.errors import CheckpointError, TrainingDiverged
from azr.learner.dealing import deal, over_ranks
from azr.learner.entropy_control import EntropyControls
from azr.learner.heap import give_back_freed_memory
from azr.learner.loss import Normalizer, count, means_of, total_metrics
from azr.learner.mini_batch import MiniBatch, ScoredBatch, batch_loss
from azr.learner.model_loading import load_pupil, load_reference
from azr.learner.optimizer import adamw, load_moments, save_moments
from azr.learner.packed_model import PackedModel, loss_config_of
from azr.learner.packing import MicroBatch, Sampling, Sequence1, mini_batches, sequences_of
from azr.learner.reward_kl import RewardKl, rollout_sums
from azr.models.checkpoint import Checkpoint, write_trainer_state
from azr.models.model_folder import save_model, tokenizer_files, weights_digest, whole_weights
from azr.models.process_group import ALONE, Ranks
from azr.models.sharding import reshard, whole
from azr.models.weights import TorchWeights
from azr.seeds import derive_seed
from azr.types import Experience

__all__ = ["TorchLearner"]

MOMENTS = "moments"
"""Folder of the optimizer's moments, in `trainer` of a checkpoint."""


class TorchLearner:
    """ports.Learner over a Hugging Face causal language model.

    `update` is a function of (run seed, weights, optimizer state, number of updates, arguments).
    """

    def __init__(
        self,
        config: RunConfig,
        folder: Path,
        initial: Path | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        """Load the model in `folder`: the run's, or a checkpoint's (then `restore` it too).

        `initial` is the model from which the run started; loss.kl and rewards.kl compare with it,
        and adapters are its adapters. None stands for `folder`.
        """
        self._ranks = ranks
        self._seed = config.seed
        self._config, self._lora = config.learner, config.lora
        self._initial = initial or folder
        self._base = weights_digest(self._initial) if config.lora.rank else ""
        # Kept, not read again when saving: a resumed run's folder is a checkpoint, and goes.
        self._tokenizer = {file.name: file.read_bytes() for file in tokenizer_files(folder)}
        self.device = ranks.device()
        self.working = load_pupil(config, folder, self._initial, ranks)
        self.model = self.working.master
        self._loss_config = loss_config_of(config, self.model)
        self.pupil = PackedModel(self.working.model, self._loss_config)
        """Does forward and backward."""
        self.reference: PackedModel | None = None
        """The frozen model that loss.kl and rewards.kl compare with; None without them."""
        if config.has_reference and config.lora.rank:
            self.reference = PackedModel(self.working.model, self._loss_config, is_base=True)
        elif config.has_reference:
            self.reference = load_reference(config, self._initial, ranks)
        # a master of its own is read in float32; rows are gathered in what the model computes in,
        # and frozen weights are kept in it
        has_master = ranks.is_alone and not config.lora.rank
        self._is_exact = has_master or config.model.dtype == "float32"
        self._entropy = EntropyControls(config.learner, config.loss.entropy_coef)
        self.reward_kl = RewardKl.of(config)
        """What is taken off the rewards; None without rewards.kl."""
        self.optimizer = adamw(self.model, config.learner, self.device)
        self.num_updates = 0
        """Calls of `update` so far, skipped ones included; what the warmup counts."""

    @property
    def weights(self) -> TorchWeights:
        """The parameters after the last update."""
        return TorchWeights(self.model, is_exact=self._is_exact)

    def penalised(
        self, experiences_N: Sequence[Experience]
    ) -> tuple[Sequence[Experience], Mapping[str, float]]:
        """Subtract rewards.kl from the rewards, if the run has it.

        Raises:
            TrainingDiverged: A log-probability is not finite.
        """
        if self.reward_kl is None:
            return experiences_N, {}
        sequences = sequences_of(experiences_N, [0.0] * len(experiences_N))
        with record_function("azr/penalised"):
            return self.reward_kl.taken_off(experiences_N, self.divergences(sequences))

    def divergences(self, sequences: Sequence[Sequence1]) -> list[float]:
        """Return each rollout's total divergence from the reference, in nats.

        The estimator is rewards.kl. Every rank must call, with all sequences.
        """
        kl, reference = self.reward_kl, self.reference
        assert kl is not None
        assert reference is not None
        self.working.refresh()

        def of_tokens(batch: MicroBatch) -> Tensor:
            batch = batch.to(self.device)
            return kl.of_tokens(self._logprobs(self.pupil, batch), self._logprobs(reference, batch))

        return rollout_sums(sequences, self._deal(sequences), of_tokens, self._ranks)

    def update(
        self, experiences_N: Sequence[Experience], advantages_N: Sequence[float]
    ) -> Mapping[str, float]:
        """Learn from one step; on the other ranks `learn` does the same."""
        with record_function("azr/update"):
            return self.learn(sequences_of(experiences_N, advantages_N))

    def learn(self, sequences: Sequence[Sequence1]) -> Mapping[str, float]:
        """Learn from one step, by default in one optimizer step; return its statistics.

        Every rank must call, with all sequences. Rollouts whose advantage is exactly 0 count in
        every mean, but are computed only if they have a gradient. If nothing is left, the weights
        stay as they are and `skipped` is 1.

        Raises:
            TrainingDiverged: Loss or gradient is not finite; that step was not taken.
        """
        lr = self._config.lr * min(1.0, (self.num_updates + 1) / (self._config.warmup_steps + 1))
        check_finite([sequence.advantage for sequence in sequences])
        if lr == 0:  # a control: a step costs its play alone
            return self._skip(lr)
        self.working.refresh()
        parts = self._mini_batches(sequences)
        if not parts:
            return self._skip(lr)
        statistics = self._epochs(parts, lr)
        give_back_freed_memory()  # held while the policy plays, it is nobody's
        self.num_updates += 1
        return {**statistics, "lr": lr, "skipped": 0.0}

    def _skip(self, lr: float) -> Mapping[str, float]:
        """An update that leaves the weights as they are."""
        self.num_updates += 1
        return {"skipped": 1.0, "tokens": 0.0, "lr": lr}

    def _epochs(self, parts: Sequence[MiniBatch], lr: float) -> dict[str, float]:
        """One optimizer step for each mini-batch, and that `epochs` times over."""
        losses, norms, metrics = list[float](), list[float](), list[dict[str, Tensor]]()
        num_epochs = self._config.epochs
        for part in [part for _ in range(num_epochs) for part in parts]:
            if norms:
                self.working.refresh()
            try:
                loss, sums = self._accumulate(part)
                norms.append(self._step(lr))
            finally:
                self.working.forget_gradients()
                reshard(self.model)  # also after a forward whose backward never came
            losses.append(loss)
            metrics += sums
        batches = [p.batch for part in parts for p in part.scored if not p.batch.is_filler]
        read = num_epochs * sum(batch.num_tokens for batch in batches)
        own = {**total_metrics(metrics), "loss": fmean(losses), "read_tokens": float(read)}
        totals = over_ranks(own, self._ranks)
        means = renamed(means_of(totals))
        return {
            **means,
            **self._entropy.observe(totals),
            "loss": totals["loss"],
            "grad_norm": fmean(norms),
            "optimizer_steps": float(len(norms)),
            "tokens": means["tokens"] / num_epochs,
            "read_tokens": totals["read_tokens"],
        }

    def _mini_batches(self, sequences: Sequence[Sequence1]) -> list[MiniBatch]:
        """Cut the update into optimizer steps; those without anything to compute are left out."""
        seed = derive_seed(self._seed, "mini-batches", self.num_updates)
        made: list[MiniBatch] = []
        for part in mini_batches(sequences, self._config.mini_batches, seed):
            useful = [s for s in part if s.advantage != 0.0 or self._zero_advantage_matters()]
            scored = [
                self._scored(batch.to(self.device), scope)
                for scope, some in self._apart(useful).items()
                for batch in self._deal(some)
            ]
            if scored:
                made.append(MiniBatch(scored, self._normalizer(part, scored)))
        return made

    def _apart(self, sequences: Sequence[Sequence1]) -> Mapping[str, list[Sequence1]]:
        """The rollouts whose entropy bonus has the same coefficient, by its scope."""
        parts: dict[str, list[Sequence1]] = {}
        for sequence in sequences:
            parts.setdefault(self._entropy.scope_of(sequence.stream), []).append(sequence)
        return parts

    def _deal(self, sequences: Sequence[Sequence1]) -> list[MicroBatch]:
        """This rank's micro-batches; rollouts of one were sampled alike."""
        alike: dict[Sampling, list[Sequence1]] = {}
        for sequence in sequences:
            alike.setdefault(sequence.sampling, []).append(sequence)
        limit, share_prompts = self._config.micro_batch_tokens, self._config.share_prompts
        return [
            batch
            for some in alike.values()
            for batch in deal(some, limit, self._ranks, share_prompts=share_prompts)
        ]

    def _scored(self, batch: MicroBatch, scope: str) -> ScoredBatch:
        """The micro-batch with the log-probabilities that no optimizer step may change."""
        reference = None if self._loss_config.kl is Kl.NONE else self.reference
        return ScoredBatch(
            batch,
            old=self._logprobs(self.pupil, batch) if self._needs_old_logprobs else None,
            ref=None if reference is None else self._logprobs(reference, batch),
            scope=scope,
        )

    @property
    def _needs_old_logprobs(self) -> bool:
        """Whether those of the weights before the update must be computed apart from the loss."""
        is_one_step = self._config.mini_batches * self._config.epochs == 1
        return not is_one_step or self._masks_sequences

    @property
    def _masks_sequences(self) -> bool:
        """Whether log-probabilities decide which rollouts count."""
        return self._loss_config.importance is Importance.SEQUENCE_MASK

    def _logprobs(self, model: PackedModel, batch: MicroBatch) -> Tensor:
        with record_function("azr/logprobs"), self._ranks.together(TrainingDiverged):
            return model.logprobs(batch)

    def save(self, folder: Path) -> None:
        """Write this rank's part of a checkpoint (azr.models.checkpoint.Saveable)."""
        weights, trainer = whole_weights(self.model, self._ranks), folder / "trainer"
        with self._ranks.together(CheckpointError, (OSError, RuntimeError)):
            if not trainer.is_dir():
                raise CheckpointError(
                    f"{trainer} is not there on the machine of rank {self._ranks.rank}: `runs`"
                    " must be on a file system that all machines of the run share"
                )
            if self._ranks.is_leader:
                save_model(self.model, folder / "model", weights, self._tokenizer)
                write_trainer_state(folder, self.state())
        save_moments(trainer / MOMENTS, self.model, self.optimizer, self._ranks)

    def state(self) -> dict[str, Any]:
        """Return as plain values all that the next update needs besides weights and moments."""
        return {
            "num_updates": self.num_updates,
            "shapes": self._shapes(),
            "lora": self._lora.model_dump(mode="json"),
            "base": self._base,
            "random_state": torch.get_rng_state().numpy().tobytes().hex(),
            "entropy_control": self._entropy.state(),
            "reward_kl": self.reward_kl and self.reward_kl.state(),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint, with any number of ranks.

        The learner was opened with the checkpoint's weights.

        Raises:
            CheckpointError: It cannot be read, or belongs to another model.
        """
        state = checkpoint.trainer_state()
        if (state.get("shapes"), state.get("base", "")) != (self._shapes(), self._base):
            raise CheckpointError(
                f"{checkpoint.path} holds the optimizer of another model than {self._initial}:"
                " resume with the model.name the run was started with"
            )
        load_moments(checkpoint.trainer / MOMENTS, self.model, self.optimizer, self._ranks)
        self.num_updates = int(state["num_updates"])
        random_state = bytearray.fromhex(state["random_state"])
        torch.set_rng_state(torch.frombuffer(random_state, dtype=torch.uint8))
        self._entropy.restore(state.get("entropy_control"))
        if self.reward_kl is not None and state.get("reward_kl"):
            self.reward_kl.restore(state["reward_kl"])

    def _shapes(self) -> dict[str, list[int]]:
        return {name: list(value.shape) for name, value in self.model.named_parameters()}

    def _zero_advantage_matters(self) -> bool:
        """Entropy and divergence terms have a gradient where the advantage has none."""
        config = self._loss_config
        return (
            config.entropy_coef != 0
            or config.kl_coef != 0
            or config.pulls_to_sampler
            or self._entropy.are_on
            or self._masks_sequences
        )

    def _accumulate(self, part: MiniBatch) -> tuple[float, list[dict[str, Tensor]]]:
        """Add up the gradients of all micro-batches; each is divided by the whole's counts."""
        loss_sum, sums = 0.0, list[dict[str, Tensor]]()
        for one in part.scored:
            coefficient = self._entropy.coefficient(one.scope)
            config = self.pupil.config_of(one.batch).changed(entropy_coef=coefficient)
            with record_function("azr/forward"), self._ranks.together(TrainingDiverged):
                loss, metrics = batch_loss(self.pupil, one, part.whole, config)
            metrics[f"tokens {one.scope}"] = metrics["tokens"]
            metrics[f"entropy {one.scope}"] = metrics["entropy_sum"]
            with record_function("azr/backward"):
                loss.backward()
                self.working.collect_gradients()
            loss_sum += loss.item()
            sums.append(metrics)
        return loss_sum, sums

    def _normalizer(
        self, sequences: Sequence[Sequence1], scored: Sequence[ScoredBatch]
    ) -> Normalizer:
        """What counts in a whole mini-batch, rollouts that are not computed included."""
        if not self._masks_sequences:
            lengths = [n for s in sequences if (n := len(s.rollout.completion_ids))]
            return Normalizer(num_tokens=float(sum(lengths)), num_sequences=float(len(lengths)))
        own = Normalizer(num_tokens=0.0, num_sequences=0.0)
        for one in scored:  # which sequences count depends on log-probabilities
            batch = one.batch
            if batch.is_filler:
                continue
            own = own + count(
                torch.ones_like(batch.targets, dtype=torch.bool),
                sequence_ids=batch.sequence_ids,
                old_logprobs=one.old,
                rollout_logprobs=batch.rollout_logprobs,
                config=self._loss_config,
            )
        return Normalizer(**over_ranks(asdict(own), self._ranks))

    def _step(self, lr: float) -> float:
        """Clip and step, unless the gradient is not finite."""
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        clipped = torch.nn.utils.clip_grad_norm_(parameters, self._config.max_grad_norm)
        norm = whole(clipped).item()
        if not math.isfinite(norm):
            raise TrainingDiverged(
                f"the gradient's norm is {norm} at update {self.num_updates + 1}: the step was"
                ' not taken; lower learner.lr, or use model.dtype = "float32"'
            )
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        return norm


def check_finite(advantages: Sequence[float]) -> None:
    """Raise `TrainingDiverged` if an advantage is not a number."""
    for index, advantage in enumerate(advantages):
        if not math.isfinite(advantage):
            raise TrainingDiverged(f"the advantage of experience {index} is {advantage}")


def renamed(means: Mapping[str, float]) -> dict[str, float]:
    """Give the loss's metrics the names that a run reports."""
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
