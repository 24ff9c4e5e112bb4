"""What the policy loss can be told, as one frozen value.

Apart from loss, so that reading a configuration needs no torch. The formulas these words
choose are in azr.learner.loss.formulas, each with its source.
"""

import math
from dataclasses import dataclass, fields
from enum import StrEnum

from azr.errors import ConfigError

__all__ = ["Aggregation", "Backend", "Importance", "Kl", "LossConfig", "LossKind"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """The policy loss of one update."""

    loss: LossKind = LossKind.PPO
    """The term of a token."""
    clip_low: float = 0.2
    """Ratios are held above 1 - clip_low (PPO's 0.2; GSPO wants about 3e-4)."""
    clip_high: float = 0.28
    """Ratios are held below 1 + clip_high (DAPO's 0.28; GSPO wants about 4e-4)."""
    dual_clip: float = 3.0
    """Only dual_clip: the loss of a token with A < 0 is at most -dual_clip A (arXiv:1912.09729)."""
    delta: float = 4.0
    """Only two_sided: the largest unclipped ratio, above 1 + clip_high (arXiv:2505.07291)."""
    aggregation: Aggregation = Aggregation.TOKEN_MEAN
    """How the tokens' terms become one number."""
    max_length: int = 0
    """Only dr_grpo: the completion length, in tokens, that divides each sum; 0 elsewhere."""
    kl: Kl = Kl.NONE
    """The estimator of the divergence from the model the run started from, which is then kept in
    memory too; needs ref_logprobs."""
    kl_coef: float = 0.0
    """Weight of the divergence in the loss; 0 reports it without training on it."""
    entropy_coef: float = 0.0
    """Weight of the entropy bonus; 0 for none. Negative values lower the entropy."""
    importance: Importance = Importance.NONE
    """Correction for the mismatch between sampler and learner; needs rollout_logprobs."""
    importance_low: float = 0.5
    """Lower bound of the band of icepop and sequence_mask (IcePop's 0.5)."""
    importance_high: float = 2.0
    """Cap of tis, upper bound of the band elsewhere (TIS's 2; IcePop's own is 5)."""
    temperature: float = 1.0
    """Divides the logits: that of the sampler, so that the ratio compares like with like."""
    logit_scale: float = 1.0
    """Multiplies hidden @ weight.T + bias, before the softcap (Cohere, Granite)."""
    softcap: float = 0.0
    """Logits become softcap tanh(logit / softcap), before the temperature (Gemma 2); 0: none."""
    backend: Backend = Backend.AUTO
    """Which engine computes."""

    def __post_init__(self) -> None:
        """Turn plain words into enum members and check every range."""
        for name, kind in _ENUMS.items():
            object.__setattr__(self, name, _member(name, kind, getattr(self, name)))
        for entry in fields(self):
            value: object = getattr(self, entry.name)
            if isinstance(value, float | int) and not math.isfinite(value):
                raise ConfigError(f"loss.{entry.name} must be finite, got {value}")
        self._check_ranges()
        self._check_combinations()

    def _check_ranges(self) -> None:
        for name in ("clip_low", "clip_high", "max_length", "kl_coef", "importance_low", "softcap"):
            if (value := getattr(self, name)) < 0:
                raise ConfigError(f"loss.{name} must be at least 0, got {value}")
        for name in ("temperature", "logit_scale", "importance_high"):
            if (value := getattr(self, name)) <= 0:
                raise ConfigError(f"loss.{name} must be above 0, got {value}")

    def _check_combinations(self) -> None:
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
                f"choose one of {_words(Kl)} to have a penalty"
            )
        if self.importance_low > self.importance_high:
            raise ConfigError(
                f"loss.importance_low must be at most loss.importance_high = "
                f"{self.importance_high}, got {self.importance_low}"
            )


_ENUMS: dict[str, type[StrEnum]] = {
    "loss": LossKind,
    "aggregation": Aggregation,
    "kl": Kl,
    "importance": Importance,
    "backend": Backend,
}


def _words(kind: type[StrEnum]) -> str:
    return ", ".join(member.value for member in kind)


def _member(name: str, kind: type[StrEnum], word: object) -> StrEnum:
    try:
        return kind(str(word))
    except ValueError as error:
        raise ConfigError(f"loss.{name} must be one of {_words(kind)}, got {word!r}") from error
