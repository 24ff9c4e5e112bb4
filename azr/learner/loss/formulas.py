"""Every loss as a function of log-probabilities and entropies: the one definition of the maths.

    L = sum_t k_t (q_t l_t - entropy_coef H_t + kl_coef KL_t)

k is the aggregation weight, q the importance correction. The engines do not know these formulas.
They need two numbers per token, a = dL/dlogprob and b = dL/dH. `coefficients` takes them from here
by automatic differentiation, so there is no second copy of the maths that could differ.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from azr.config.loss import Kl, LossConfig, LossKind
from azr.learner.loss.tokens import Normalizer, Tokens, sequence_mean

__all__ = ["TERMS", "Objective", "Term", "kl_penalty"]

LOG_RATIO_BOUND = 20.0
"""Log-ratios are held within +-20 (verl): e^20 is far outside any trust region, and without a
bound a single token would make inf * 0 = NaN. Beyond it a token's gradient is 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """The loss of one call, apart from the vocabulary."""

    config: LossConfig
    tokens: Tokens
    weights: Tensor
    """k, [T]."""
    importance: Tensor
    """q, [T]."""

    @classmethod
    def of(cls, tokens: Tokens, normalizer: Normalizer, config: LossConfig) -> "Objective":
        """Weigh the tokens, which are all to be counted."""
        weights = tokens.aggregation(config, normalizer)
        return cls(
            config=config, tokens=tokens, weights=weights, importance=tokens.importance(config)
        )

    def __getitem__(self, rows: slice) -> "Objective":
        """Return the same loss for some of its rows; the parts add up to the whole."""
        return Objective(
            config=self.config,
            tokens=self.tokens[rows],
            weights=self.weights[rows],
            importance=self.importance[rows],
        )

    @property
    def is_coupled(self) -> bool:
        """Whether a token's gradient depends on the log-probabilities of other tokens."""
        return TERMS[self.config.loss].is_coupled

    def terms(self, logprobs: Tensor) -> tuple[Tensor, Tensor]:
        """Return l [T] and whether a clip acts on it [T]."""
        return TERMS[self.config.loss].of(logprobs, self.tokens, self.config)

    def loss(self, logprobs: Tensor, entropy: Tensor) -> Tensor:
        """Return L, differentiable in both arguments [T]."""
        total = (self.weights * self.importance * self.terms(logprobs)[0]).sum()
        if self.config.entropy_coef != 0:
            total = total - self.config.entropy_coef * (self.weights * entropy).sum()
        if self.config.kl_coef != 0:
            penalty = self.divergence(logprobs)
            total = total + self.config.kl_coef * (self.weights * penalty).sum()
        return total

    def divergence(self, logprobs: Tensor) -> Tensor:
        """Return KL_t [T], differentiable."""
        if self.tokens.ref_logprobs is None:
            raise ValueError("ref_logprobs must be given: loss.kl compares with them")
        penalty = kl_penalty(logprobs, self.tokens.ref_logprobs, self.config.kl)
        if self.config.kl is Kl.K3_CORRECTED:
            penalty = _log_ratio(logprobs, self.tokens).exp() * penalty
        return penalty

    def coefficients(self, logprobs: Tensor, entropy: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return a = dL/dlogprobs [T] and b = dL/dentropy [T]; b is None if it is 0 everywhere."""
        with torch.enable_grad():
            logprobs = logprobs.detach().requires_grad_()
            entropy = entropy.detach().requires_grad_()
            a, b = torch.autograd.grad(
                self.loss(logprobs, entropy), (logprobs, entropy), allow_unused=True
            )
        return a, b

    @torch.no_grad()
    def metrics(self, logprobs: Tensor, entropy: Tensor) -> dict[str, Tensor]:
        """Return sums over tokens, to be added over calls and divided by `tokens` at the end."""
        clipped = self.terms(logprobs)[1]
        log_ratio = _log_ratio(logprobs, self.tokens)
        ratio = log_ratio.exp()
        sums = {
            "tokens": logprobs.new_tensor(float(len(self.tokens))),
            "logprob_sum": logprobs.sum(),
            "entropy_sum": entropy.sum(),
            "ratio_sum": ratio.sum(),
            "clipped_sum": clipped.to(logprobs.dtype).sum(),
            "kl_old_sum": (ratio - 1 - log_ratio).sum(),
            "importance_sum": self.importance.sum(),
        }
        if self.config.kl is not Kl.NONE:
            sums["kl_ref_sum"] = self.divergence(logprobs).sum()
        if self.tokens.rollout_logprobs is not None:
            mismatch = (self.tokens.old_logprobs - self.tokens.rollout_logprobs).abs()
            sums["mismatch_sum"] = mismatch.sum()
            sums["mismatch_max"] = mismatch.max() if len(self.tokens) else mismatch.sum()
        return sums


def kl_penalty(logprobs: Tensor, ref_logprobs: Tensor, kl: Kl) -> Tensor:
    """Estimate KL(policy, reference) per token from the sampled token alone.

    Schulman 2020, "Approximating KL divergence" (k1, k2, k3). k3's gradient is not that of the
    divergence while k2's is, in expectation: hence k3+ (arXiv:2510.01555). k3_corrected is k3 here;
    `Objective.divergence` multiplies it by the ratio (DeepSeek-V3.2, arXiv:2512.02556).
    """
    d = ref_logprobs - logprobs
    bounded = d.clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND)
    if kl is Kl.K1:
        return -d
    if kl is Kl.ABS:
        return d.abs()
    k2 = d.square() / 2
    if kl is Kl.K2:
        return k2
    k3 = bounded.exp() - bounded - 1
    return k2 - k2.detach() + k3.detach() if kl is Kl.K3_PLUS else k3


def _log_ratio(logprobs: Tensor, tokens: Tokens) -> Tensor:
    return (logprobs - tokens.old_logprobs).clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND)


def _clip(ratio: Tensor, config: LossConfig) -> Tensor:
    return ratio.clamp(1 - config.clip_low, 1 + config.clip_high)


def _clipped_term(ratio: Tensor, tokens: Tokens, config: LossConfig) -> tuple[Tensor, Tensor]:
    free = ratio * tokens.advantages
    held = _clip(ratio, config) * tokens.advantages
    return -torch.minimum(free, held), free > held


def _reinforce(logprobs: Tensor, tokens: Tokens, _: LossConfig) -> tuple[Tensor, Tensor]:
    """Williams 1992; REINFORCE++ arXiv:2501.03262; TRR++ arXiv:2505.03335."""
    return -tokens.advantages * logprobs, torch.zeros_like(logprobs, dtype=torch.bool)


def _ppo(logprobs: Tensor, tokens: Tokens, config: LossConfig) -> tuple[Tensor, Tensor]:
    """PPO arXiv:1707.06347, eq. 7; two bounds ("clip-higher"): DAPO arXiv:2503.14476."""
    return _clipped_term(_log_ratio(logprobs, tokens).exp(), tokens, config)


def _dual_clip(logprobs: Tensor, tokens: Tokens, config: LossConfig) -> tuple[Tensor, Tensor]:
    """Dual-clip PPO, arXiv:1912.09729."""
    term, clipped = _ppo(logprobs, tokens, config)
    ceiling = -config.dual_clip * tokens.advantages
    cut = (tokens.advantages < 0) & (ceiling < term)
    return torch.where(cut, ceiling, term), clipped | cut


def _two_sided(logprobs: Tensor, tokens: Tokens, config: LossConfig) -> tuple[Tensor, Tensor]:
    """Two-sided clipping: INTELLECT-2, arXiv:2505.07291."""
    ratio = _log_ratio(logprobs, tokens).exp()
    free = ratio.clamp(max=config.delta) * tokens.advantages
    held = _clip(ratio, config) * tokens.advantages
    capped = (ratio > config.delta) & (free < held)
    return -torch.minimum(free, held), (free > held) | capped


def _cispo(logprobs: Tensor, tokens: Tokens, config: LossConfig) -> tuple[Tensor, Tensor]:
    """CISPO: MiniMax-M1, arXiv:2506.13585. clip_low >= 1 means no lower bound."""
    ratio = _log_ratio(logprobs.detach(), tokens).exp()
    held = ratio.clamp(max(0.0, 1 - config.clip_low), 1 + config.clip_high)
    return -held * tokens.advantages * logprobs, held != ratio


def _sequence_log_ratio(logprobs: Tensor, tokens: Tokens) -> Tensor:
    index, num = tokens.sequence_index()
    return sequence_mean(_log_ratio(logprobs, tokens), index, num)[index]


def _gspo(logprobs: Tensor, tokens: Tokens, config: LossConfig) -> tuple[Tensor, Tensor]:
    """GSPO: arXiv:2507.18071."""
    return _clipped_term(_sequence_log_ratio(logprobs, tokens).exp(), tokens, config)


def _gspo_token(logprobs: Tensor, tokens: Tokens, config: LossConfig) -> tuple[Tensor, Tensor]:
    """GSPO-token: arXiv:2507.18071."""
    ratio = _sequence_log_ratio(logprobs.detach(), tokens).exp()
    return _clipped_term(ratio * (logprobs - logprobs.detach()).exp(), tokens, config)


def _sapo(logprobs: Tensor, tokens: Tokens, config: LossConfig) -> tuple[Tensor, Tensor]:
    """SAPO: arXiv:2511.20347. Nothing is clipped."""
    ratio = _log_ratio(logprobs, tokens).exp()
    positive, negative = config.sapo_positive, config.sapo_negative
    sharpness = torch.where(tokens.advantages > 0, positive, negative).to(ratio.dtype)
    gated = 4 / sharpness * torch.sigmoid(sharpness * (ratio - 1))
    return -gated * tokens.advantages, torch.zeros_like(ratio, dtype=torch.bool)


def _sampler_term(
    logprobs: Tensor, tokens: Tokens, config: LossConfig, *, by_sign: bool
) -> tuple[Tensor, Tensor]:
    """-s A, 0 where the probability is too far from the sampler's; plus log(s)^2 everywhere."""
    if tokens.rollout_logprobs is None:
        raise ValueError("rollout_logprobs must be given: this loss compares with the sampler")
    log_ratio = (logprobs - tokens.rollout_logprobs).clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND)
    moved = logprobs.detach().exp() - tokens.rollout_logprobs.exp()
    rose, fell = moved > config.tv_high, moved < -config.tv_low
    masked = torch.where(tokens.advantages > 0, rose, fell) if by_sign else rose | fell
    gained = torch.where(masked, 0.0, log_ratio.exp() * tokens.advantages)
    return config.sampler_coef * log_ratio.square() - gained, masked


def _dppo(logprobs: Tensor, tokens: Tokens, config: LossConfig) -> tuple[Tensor, Tensor]:
    """DPPO's mask by binary total variation, arXiv:2602.04879; log(s)^2: arXiv:2602.02276."""
    return _sampler_term(logprobs, tokens, config, by_sign=True)


def _ipo(logprobs: Tensor, tokens: Tokens, config: LossConfig) -> tuple[Tensor, Tensor]:
    """INTELLECT policy optimization, of prime-rl: DPPO's mask without a look at the sign."""
    return _sampler_term(logprobs, tokens, config, by_sign=False)


@dataclass(frozen=True, slots=True)
class Term:
    """A loss, apart from aggregation, importance correction, entropy and divergence."""

    of: Callable[[Tensor, Tokens, LossConfig], tuple[Tensor, Tensor]]
    """From the log-probabilities [T]: l [T], and whether a clip acts on it [T]."""
    is_coupled: bool = False
    """Whether a token's gradient depends on the log-probabilities of other tokens."""


TERMS: Mapping[LossKind, Term] = {
    LossKind.REINFORCE: Term(_reinforce),
    LossKind.PPO: Term(_ppo),
    LossKind.DUAL_CLIP: Term(_dual_clip),
    LossKind.TWO_SIDED: Term(_two_sided),
    LossKind.CISPO: Term(_cispo),
    LossKind.GSPO: Term(_gspo, is_coupled=True),
    LossKind.GSPO_TOKEN: Term(_gspo_token, is_coupled=True),
    LossKind.SAPO: Term(_sapo),
    LossKind.DPPO: Term(_dppo),
    LossKind.IPO: Term(_ipo),
}
"""Every loss by its name. To add one, add a function and an entry here, and a name in `LossKind`.
"""
