"""The configuration of learning: the policy loss, the update around it, and what is trained.

It is apart from the loss, so that reading a configuration needs no torch. The formulas that these
words choose are in azr.learner.loss.formulas, each with its source.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from azr.config.kinds import Amount, Count, ListOf, Natural, OneOf, Positive, Share
from azr.config.section import Section
from azr.errors import ConfigError
from azr.types import STREAMS, Role, stream_name

__all__ = [
    "ALL_LINEAR",
    "Aggregation",
    "Backend",
    "Importance",
    "Kl",
    "LearnerConfig",
    "LoraConfig",
    "LossConfig",
    "LossKind",
    "LossSection",
]

Beta = Annotated[float, Field(ge=0, lt=1)]


class LossKind(StrEnum):
    """The term each token contributes; r = exp(logprob - old_logprob), A its advantage."""

    REINFORCE = "reinforce"
    """-A logprob. TRR++ and RLOO are this loss with their own advantages."""
    PPO = "ppo"
    """-min(r A, clip(r) A). GRPO and DAPO (clip-higher) are this loss."""
    DUAL_CLIP = "dual_clip"
    """PPO whose loss for A < 0 stays under -dual_clip A, whatever r does."""
    TWO_SIDED = "two_sided"
    """PPO whose unclipped branch holds r under delta."""
    CISPO = "cispo"
    """-stop_gradient(clip(r)) A logprob: clipped tokens keep a gradient."""
    GSPO = "gspo"
    """PPO on the sequence's ratio, the geometric mean of its tokens' ratios."""
    GSPO_TOKEN = "gspo_token"  # noqa: S105 - a loss, not a secret
    """GSPO's value with the gradient through each token alone: advantages may vary by token."""
    SAPO = "sapo"
    """-(4 / t) sigmoid(t (r - 1)) A: a soft gate in place of the clip; t depends on A's sign."""
    DPPO = "dppo"
    """-s A + sampler_coef log(s)^2 with s = exp(logprob - rollout_logprob); the first term is 0
    where A pushes a probability on that is further than tv_low or tv_high from the sampler's."""
    IPO = "ipo"
    """DPPO, but 0 beyond either bound whatever A is (INTELLECT policy optimization)."""


class Aggregation(StrEnum):
    """How terms become one number; N tokens and S sequences are those of the whole batch."""

    TOKEN_MEAN = "token_mean"  # noqa: S105 - a mean, not a secret
    """Sum / N: each token counts alike (DAPO)."""
    SEQ_MEAN_TOKEN_MEAN = "seq_mean_token_mean"  # noqa: S105
    """Mean over each sequence, then over S: each sequence counts alike (GRPO)."""
    SEQ_MEAN_TOKEN_SUM = "seq_mean_token_sum"  # noqa: S105
    """Sum over each sequence, then mean over S."""
    DR_GRPO = "dr_grpo"
    """Sum / (S max_length): no length bias (Dr. GRPO)."""


class Kl(StrEnum):
    """The penalty towards the reference; d = ref_logprob - logprob."""

    NONE = "none"
    K1 = "k1"
    """-d."""
    ABS = "abs"
    """abs(d)."""
    K2 = "k2"
    """d^2 / 2."""
    K3 = "k3"
    """exp(d) - d - 1."""
    K3_PLUS = "k3+"
    """k3's value with k2's gradient."""
    K3_CORRECTED = "k3_corrected"
    """r times k3: unbiased under the weights that sampled, in value and gradient."""


class Importance(StrEnum):
    """The correction for sampling with another program; q = exp(old - rollout logprob)."""

    NONE = "none"
    TIS = "tis"
    """Multiply each token's term by min(q, importance_high)."""
    ICEPOP = "icepop"
    """Multiply by q inside [importance_low, importance_high], by 0 outside."""
    SEQUENCE_MASK = "sequence_mask"
    """Drop a sequence whose geometric mean of q is outside the band, from the counts too."""


class Backend(StrEnum):
    """Which engine computes. All agree with the reference within documented tolerances."""

    AUTO = "auto"
    """Triton for CUDA tensors, native for CPU tensors, the reference elsewhere."""
    NATIVE = "native"
    """C++ on the CPU."""
    TRITON = "triton"
    """Triton on an NVIDIA GPU."""
    REFERENCE = "reference"
    """Plain torch, which materialises the logits. The definition; runs anywhere."""


class LossSection(Section, title="loss"):
    """The policy loss of one update: the keys of [loss]."""

    loss: OneOf[LossKind] = LossKind.PPO
    """The term of a token. (paper: ppo) Take dual_clip for the authors' newest code, gspo for
    mixture-of-experts models, cispo to keep the gradient of clipped tokens, sapo for a soft clip,
    dppo or ipo where sampler and learner differ much."""
    clip_low: Amount = 0.2
    """Ratios are held above 1 - clip_low. (PPO: 0.2) Set about 3e-4 with gspo."""
    clip_high: Amount = 0.28
    """Ratios are held below 1 + clip_high. (DAPO: 0.28; paper: 0.2) Set about 4e-4 with gspo."""
    dual_clip: float = 3.0
    """With dual_clip: the loss of a token with A < 0 is at most -dual_clip A. (arXiv 1912.09729)
    Lower it when single bad tokens dominate an update."""
    delta: float = 4.0
    """With two_sided: the largest unclipped ratio, above 1 + clip_high. (arXiv 2505.07291) Lower it
    when updates have spikes."""
    sapo_positive: Positive = 1.0
    """With sapo: how sharply the gate closes where A > 0. (arXiv 2511.20347) Raise it to stay
    nearer to the old policy."""
    sapo_negative: Positive = 1.05
    """The same where A <= 0. (arXiv 2511.20347) Keep it above sapo_positive: tokens that are pushed
    down spread their weight over the whole vocabulary."""
    tv_low: Share = 0.2
    """With dppo and ipo: how far a token's probability may fall below the sampler's. (prime-rl:
    0.2) Lower it when updates have spikes."""
    tv_high: Share = 0.2
    """With dppo and ipo: how far it may rise above the sampler's. (prime-rl: 0.2) Lower it when
    entropy falls fast."""
    sampler_coef: Amount = 0.001
    """With dppo and ipo: weight of log(s)^2, which holds the policy near the sampler. (arXiv
    2602.02276; prime-rl: 0.001) Raise it when `mismatch_kl` in the metrics grows."""
    aggregation: OneOf[Aggregation] = Aggregation.TOKEN_MEAN
    """How the tokens' terms become one number. (DAPO: token_mean) Take a mean over sequences when
    long completions outweigh short ones, dr_grpo against any bias of length."""
    max_length: Natural = 0
    """With dr_grpo: the completion length, in tokens, that divides each sum; 0 elsewhere. Set it to
    rollout.max_completion_tokens."""
    kl: OneOf[Kl] = Kl.NONE
    """The estimator of the divergence from the model that the run started from, which then stays in
    memory. Set k3+ to hold the policy near it; rewards.kl acts on the reward instead."""
    kl_coef: Amount = 0.0
    """Weight of the divergence in the loss; 0 reports it without training on it. Set 0 first, to
    see how large it is."""
    entropy_coef: float = 0.0
    """Weight of the entropy bonus; below 0 it lowers the entropy. (paper: 0.001) Raise it when
    sampling collapses, or set learner.entropy_target."""
    importance: OneOf[Importance] = Importance.NONE
    """Correction for the mismatch between sampler and learner; with rollout.max_staleness the
    default is tis, but for dppo and ipo. Set tis when `mismatch/mean_abs` in the metrics grows, as
    with a bfloat16 engine."""
    importance_low: Amount = 0.5
    """Lower bound of the band of icepop and sequence_mask. (IcePop: 0.5) Raise it to drop more."""
    importance_high: Positive = 2.0
    """Cap of tis, upper bound of the band elsewhere. (TIS: 2; IcePop: 5) Lower it to trust the
    sampler less."""
    backend: OneOf[Backend] = Backend.AUTO
    """Which engine computes the loss. Change it only to compare: all agree within documented
    tolerances (docs/policy_loss.md)."""

    @property
    def compares_with_sampler(self) -> bool:
        """Whether the loss's ratio is that to the sampler, not to the policy before the update."""
        return self.loss in {LossKind.DPPO, LossKind.IPO}

    @property
    def pulls_to_sampler(self) -> bool:
        """Whether tokens have a gradient towards the sampler, also where their advantage is 0."""
        return self.compares_with_sampler and self.sampler_coef > 0

    def corrected_for_sampler(self) -> Self:
        """The same with importance weights against the sampler, unless the ratio is that to it."""
        return self if self.compares_with_sampler else self.changed(importance=Importance.TIS)

    @model_validator(mode="after")
    def _numbers_suit_the_words(self) -> Self:
        if self.loss is LossKind.DUAL_CLIP and self.dual_clip <= 1:
            raise ConfigError(
                f"loss.dual_clip must be above 1, got {self.dual_clip}: "
                "at 1 or below, every token with a negative advantage loses its gradient"
            )
        if self.loss is LossKind.TWO_SIDED and self.delta <= 1 + self.clip_high:
            raise ConfigError(
                f"loss.delta must be above 1 + loss.clip_high = {1 + self.clip_high}, "
                f"got {self.delta}: below it the upper clip could never act"
            )
        if (self.aggregation is Aggregation.DR_GRPO) != (self.max_length > 0):
            raise ConfigError(
                f"loss.max_length must be above 0 with loss.aggregation = 'dr_grpo' and 0 with "
                f"any other, got {self.max_length} with {self.aggregation.value!r}"
            )
        if self.kl is Kl.NONE and self.kl_coef > 0:
            raise ConfigError(
                f"loss.kl_coef must be 0 with loss.kl = 'none', got {self.kl_coef}: "
                f"choose an estimator, k3+ for example, to have a penalty"
            )
        if self.compares_with_sampler and self.importance in {Importance.TIS, Importance.ICEPOP}:
            raise ConfigError(
                f"loss.importance must be none or sequence_mask with loss.loss ="
                f" {self.loss.value!r}, got {self.importance.value!r}: its ratio is that to the"
                " sampler already"
            )
        if self.importance_low > self.importance_high:
            raise ConfigError(
                f"loss.importance_low must be at most loss.importance_high = "
                f"{self.importance_high}, got {self.importance_low}"
            )
        return self


class LossConfig(LossSection):
    """What `policy_loss` takes: the keys, and what the sampler and the model do to logits."""

    temperature: Positive = 1.0
    """Divides the logits. It is the sampler's, so that the ratio compares like with like."""
    logit_scale: Positive = 1.0
    """Multiplies hidden @ weight.T + bias, before the softcap (Cohere, Granite)."""
    softcap: Amount = 0.0
    """Logits become softcap tanh(logit / softcap), before the temperature (Gemma 2); 0: none."""


class LearnerConfig(Section, title="learner"):
    """The update."""

    lr: Amount = 1e-6
    """AdamW's step size, constant after the warm-up; at 0 the game is played and nothing is learned
    (a control). (AZR: 1e-6) Raise it for small models: 135M learns at 5e-5."""
    warmup_steps: Natural = 0
    """Updates over which the step size rises linearly from 0. (AZR: none) Set a few when the first
    updates are unstable."""
    betas: Annotated[tuple[Beta, Beta], Strict(strict=False)] = (0.9, 0.999)
    """AdamW's decay rates of the two moments. (AZR, PyTorch) Lower the second, say to 0.95, when
    the loss has spikes."""
    weight_decay: Amount = 0.01
    """AdamW's weight decay. (AZR, paper branch; its newest code: 0) Set 0 to move the weights by
    gradients alone."""
    max_grad_norm: Positive = 1.0
    """Gradients are scaled down to this norm. (AZR: 1.0) Lower it when `grad_norm` in the metrics
    has spikes."""
    micro_batch_tokens: Count = 16_384
    """Tokens per forward-backward pass and process; it does not change the update. Lower it when
    memory runs out."""
    share_prompts: bool = True
    """Read a prompt once for all its rollouts, with the same result. Switch it off to measure what
    that saves."""
    advantage: Literal["trr++", "global", "group", "rloo", "two_level", "none", "moving"] = "trr++"
    """What a reward is compared with. trr++: its stream, scaled. global: the whole step. group: the
    attempts at the same task (GRPO). rloo: the other attempts. two_level: proposals as trr++,
    answers as group (ANCORA). none: nothing. moving: the stream's past (SPIRAL). Change it to
    compare estimators (azr.game.rewards.advantages); those with groups need
    selfplay.train_on_trials."""
    baseline_decay: Share = 0.95
    """With `advantage` = moving: the share of a stream's baseline that stays when a step moves it.
    (prime-rl: 0.95) Lower it when rewards change faster than baselines follow."""
    group_std: bool = True
    """Divide groups by their standard deviation. Switch it off for Dr. GRPO, which only centres
    them."""
    roles: Annotated[ListOf[OneOf[Role]], Field(min_length=1)] = tuple(Role)
    """The roles whose rollouts the update learns from. The others still play, and count in terms of
    entropy and divergence. Set solver alone to freeze the proposer (a control)."""
    shuffle_rewards: bool = False
    """Let rewards change places within their stream, so that they say nothing about their rollout.
    Switch it on for a control: what is learned then is not learned from rewards."""
    whitening: Literal["sample", "token"] = "sample"
    """How rewards are weighted when a stream is centred and scaled. sample: each rollout counts
    once (paper, eq. 8); token: it counts by its length (AZR's code). Set token to repeat the
    authors' code."""
    mini_batches: Count = 1
    """Optimizer steps over which a step's rollouts are split. (AZR: 1) Raise it to learn more from
    a step; from 2 on the clips of the loss act."""
    epochs: Count = 1
    """How often an update repeats its rollouts. (AZR: ppo_epochs 1) Raise it when sampling takes
    most of the time."""
    entropy_target: Amount = 0.0
    """Nats per token below which an entropy bonus grows (arXiv 2505.22312, which takes 0.2); 0
    leaves loss.entropy_coef as it is. Set it when `entropy` in the metrics falls towards 0."""
    entropy_scope: Literal["all", "stream"] = "all"
    """The entropy that is held at the target: that of all tokens together, with one coefficient, or
    that of each (role, mode) stream, with its own. Take stream when one stream keeps its entropy
    and another loses it."""
    entropy_targets: Mapping[str, Amount] = Field(default_factory=dict[str, float])
    """With entropy_scope = stream: targets of single streams, as a table
    `[learner.entropy_targets]` with `"proposer/deduction" = 0.5`; the others have entropy_target.
    Set it when streams start with different entropies."""
    entropy_step: Amount = 0.005
    """How much the bonus's coefficient rises or falls in an update. (arXiv 2505.22312) Raise it
    when entropy falls faster than the bonus grows."""
    entropy_limit: Amount = 0.1
    """Upper bound of the bonus's coefficient, which starts at loss.entropy_coef. Lower it when
    completions turn into noise."""

    @model_validator(mode="after")
    def _targets_are_of_streams(self) -> Self:
        if self.entropy_targets and self.entropy_scope != "stream":
            raise ConfigError(
                "learner.entropy_targets must be left out unless learner.entropy_scope is stream"
            )
        if unknown := self.entropy_targets.keys() - set(map(stream_name, STREAMS)):
            raise ConfigError(
                "learner.entropy_targets must name streams, as proposer/deduction, got"
                f" {min(unknown)!r}"
            )
        return self


ALL_LINEAR = "all-linear"
"""PEFT's word for every linear layer but the head."""


class LoraConfig(Section, title="lora"):
    """Adapters of low rank, trained in place of the model's own weights (arXiv 2106.09685).

    There is no dropout: the learner must find a rollout as likely as the sampler did, and ratios
    under dropout would be noise from the first step on.
    """

    rank: Natural = 0
    """Rank of the adapters; 0 = all weights are trained. (PEFT: r) Set it, to 16 for example, when
    memory is short, and raise learner.lr about tenfold with it."""
    alpha: Count = 32
    """What the adapters compute counts alpha / rank times. (PEFT: lora_alpha) Leave it, and change
    learner.lr instead."""
    targets: Annotated[ListOf[str], Field(min_length=1)] = (
        *("q_proj", "k_proj", "v_proj", "o_proj"),
        *("gate_proj", "up_proj", "down_proj"),
    )
    """Linear layers that are adapted, each by the end of its name; "all-linear" is all but the
    head. (PEFT: target_modules) Change it for models that call theirs differently."""

    def adapts(self, name: str) -> bool:
        """Whether the linear layer of this name is adapted; the head never is."""
        return any(target == ALL_LINEAR or ends_with(name, target) for target in self.targets)

    def check(self, model: str, linears: Mapping[str, tuple[int, int]]) -> None:
        """Refuse what a model's layers cannot have.

        Args:
            model: What an error calls it.
            linears: Inputs and outputs of its linear layers without the head, by name.

        Raises:
            ConfigError: A target names none of them, or the rank is above a layer's dimensions.
        """
        for target in self.targets:
            if not any(target == ALL_LINEAR or ends_with(name, target) for name in linears):
                there = ", ".join(sorted({name.rpartition(".")[2] for name in linears})) or "none"
                raise ConfigError(
                    f"lora.targets names {target!r}, and {model} has no such linear layer (there"
                    f" are: {there}; the embedding and the head are not adapted)"
                )
        sizes = {name: min(size) for name, size in linears.items() if self.adapts(name)}
        smallest = min(sizes, key=sizes.__getitem__)
        if self.rank > sizes[smallest]:
            raise ConfigError(
                f"lora.rank must be at most {sizes[smallest]}, the smaller dimension of {smallest}"
                f" in {model}, got {self.rank}"
            )


def ends_with(name: str, target: str) -> bool:
    """Whether the dotted name ends with this one, as PEFT compares them."""
    return name == target or name.endswith("." + target)
