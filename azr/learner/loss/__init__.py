"""The policy loss: PPO, GRPO and others, without their [T, V] logits.

    loss, metrics = policy_loss(hidden, weight, targets, old_logprobs, advantages, mask,
                                sequence_ids=ids, normalizer=counts, config=config.loss)
    loss.backward()

Read in this order: formulas (the maths), head (the vocabulary), engine (what loss and engine need
of each other), fused (how the logits are avoided). native and triton are engines.
T tokens of a packed batch, H features, V words.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from azr.config.loss import LossConfig
from azr.learner.loss import checks
from azr.learner.loss.engines import engine_for
from azr.learner.loss.formulas import Objective
from azr.learner.loss.fused import Problem, one_pass, two_pass
from azr.learner.loss.head import Head, gathered, head_tensors
from azr.learner.loss.tokens import Normalizer, Tokens, normalizer_of

__all__ = [
    "LossConfig",
    "Normalizer",
    "count",
    "differentiable_logprobs",
    "head_tensors",
    "means_of",
    "policy_loss",
    "token_logprobs",
    "total_metrics",
]


def policy_loss(  # noqa: PLR0913 - the inputs of the formula, named as in the papers
    hidden: Tensor,  # [T, H] float32, bfloat16 (float16, float64 by the reference alone)
    weight: Tensor,  # [V, H]
    targets: Tensor,  # [T] int64, the token each row predicts
    old_logprobs: Tensor,  # [T]
    advantages: Tensor,  # [T]
    mask: Tensor,  # [T] bool, or 0 and 1: which tokens count
    *,
    ref_logprobs: Tensor | None = None,  # [T]
    rollout_logprobs: Tensor | None = None,  # [T]
    sequence_ids: Tensor | None = None,  # [T] int64
    bias: Tensor | None = None,  # [V]
    normalizer: Normalizer | None = None,
    config: LossConfig | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute the loss of a packed batch; differentiable once in hidden, weight and bias.

    Tokens outside the mask cost nothing and may hold anything. The tokens of one sequence must
    all be in one call if the loss is defined over sequences.

    Args:
        hidden: The states that predict the targets; the state at position i predicts token i + 1.
        weight: The head's weight. It may be tied to the embedding: autograd adds the two gradients.
            A DTensor is treated as FSDP2's: gathered here, and its gradient summed over ranks.
        targets: Words, in [0, V).
        old_logprobs: Log-probabilities of the targets under the weights before the update.
        advantages: Advantages of the targets.
        mask: Which tokens are trained on.
        ref_logprobs: Log-probabilities of the targets under the frozen reference.
        rollout_logprobs: Log-probabilities of the targets as the sampler computed them.
        sequence_ids: Any number that differs between sequences.
        bias: The head's bias.
        normalizer: Counts of the whole batch (`count`), so that the gradients of micro-batches
            and ranks add up to the batch's. None: this call is the whole batch.
        config: The loss. None: the defaults.

    Returns:
        The loss, a float32 scalar, and detached sums over tokens: `tokens`, and `*_sum` of
        logprob, entropy, ratio, clipped (1 where a clip acts), kl_old (r - 1 - log r),
        importance; kl_ref_sum with a reference; mismatch_sum and mismatch_max with
        rollout_logprobs. `total_metrics` adds them up, and `means_of` makes means of them.

    Raises:
        ValueError, TypeError: An argument is missing, misshapen or cannot be trained.
        TrainingDiverged: An argument that counts is NaN or infinite; the message names it.
    """
    config = config if config is not None else LossConfig()
    head = _head(weight, bias, config)
    checks.check_head(head, hidden)
    tokens = Tokens(
        targets=targets,
        old_logprobs=_exact(old_logprobs),
        advantages=_exact(advantages),
        ref_logprobs=None if ref_logprobs is None else _exact(ref_logprobs),
        rollout_logprobs=None if rollout_logprobs is None else _exact(rollout_logprobs),
        sequence_ids=sequence_ids,
    )
    hidden, tokens = _counted(hidden, tokens, mask, config)
    checks.check_tokens(tokens, weight.shape[0])
    if normalizer is None:
        normalizer = normalizer_of(tokens, config)
    objective = Objective.of(tokens, normalizer, config)
    loss, logprobs, entropy = _evaluate(head, hidden, objective)
    checks.check_finite_result(logprobs, head, hidden)
    return loss, objective.metrics(logprobs.detach(), entropy.detach())


def _head(weight: Tensor, bias: Tensor | None, config: LossConfig) -> Head:
    return Head.of(gathered(weight), None if bias is None else gathered(bias), config)


def _exact(values: Tensor) -> Tensor:
    """Keep a ratio's inputs, and the weights made like them, out of 16-bit arithmetic."""
    return values.detach() if values.dtype is torch.float64 else values.detach().float()


def _evaluate(head: Head, hidden: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Tensor]:
    targets = objective.tokens.targets
    engine = engine_for(objective.config.backend, hidden, head)
    if len(targets) == 0:
        # Still of the graph: backward must work on a rank whose micro-batch is fully masked.
        nothing = hidden.new_zeros(0)
        zero = (hidden.sum() + 0 * head.weight[0, 0]).float() * 0
        if head.bias is not None:
            zero = zero + head.bias[0].float() * 0
        return zero, nothing, nothing
    if engine is None:
        logprobs, entropy = head.logprobs_and_entropy(hidden, targets)
        return objective.loss(logprobs, entropy), logprobs, entropy
    problem = Problem(engine=engine, head=head, hidden=hidden, targets=targets)
    if not objective.is_coupled:
        return one_pass(problem, objective)
    logprobs, entropy = two_pass(problem)
    return objective.loss(logprobs, entropy), logprobs, entropy


def _counted(
    hidden: Tensor, tokens: Tokens, mask: Tensor, config: LossConfig
) -> tuple[Tensor, Tokens]:
    """Drop the rows that do not count, of hidden and of every per-token tensor."""
    values = {
        "targets": tokens.targets,
        "old_logprobs": tokens.old_logprobs,
        "advantages": tokens.advantages,
        "mask": mask,
        "ref_logprobs": tokens.ref_logprobs,
        "rollout_logprobs": tokens.rollout_logprobs,
        "sequence_ids": tokens.sequence_ids,
    }
    checks.check_rows(values, hidden.shape[0])
    rows = mask.bool().nonzero()[:, 0]
    tokens = tokens[rows]
    rows = rows[kept] if not bool((kept := tokens.kept(config)).all()) else rows
    tokens = tokens[kept]
    return (hidden if len(rows) == hidden.shape[0] else hidden[rows]), tokens


def count(
    mask: Tensor,  # [T]
    *,
    sequence_ids: Tensor | None = None,  # [T]
    old_logprobs: Tensor | None = None,  # [T]
    rollout_logprobs: Tensor | None = None,  # [T]
    config: LossConfig | None = None,
) -> Normalizer:
    """Count the tokens and sequences of one part of a batch; add up the parts for policy_loss.

    Log-probabilities are needed only if the configuration drops sequences by them.
    """
    rows = mask.bool()
    nothing = torch.zeros_like(mask, dtype=torch.float32)
    tokens = Tokens(
        targets=torch.zeros_like(mask, dtype=torch.int64),
        old_logprobs=nothing if old_logprobs is None else old_logprobs,
        advantages=nothing,
        rollout_logprobs=rollout_logprobs,
        sequence_ids=sequence_ids,
    )
    return normalizer_of(tokens[rows], config if config is not None else LossConfig())


def differentiable_logprobs(
    hidden: Tensor,  # [T, H]
    weight: Tensor,  # [V, H]
    targets: Tensor,  # [T] int64, all in [0, V)
    *,
    bias: Tensor | None = None,  # [V]
    config: LossConfig | None = None,
) -> tuple[Tensor, Tensor]:  # [T], [T] float32
    """Return log-probabilities and entropies, for a loss of your own in plain torch.

    This costs a third more than `policy_loss`, because the backward computes the logits a second
    time. Of the configuration, only the keys for logits and the backend are used.
    """
    config = config if config is not None else LossConfig()
    head = _head(weight, bias, config)
    checks.check_head(head, hidden)
    checks.check_rows({"targets": targets}, hidden.shape[0])
    checks.check_targets(targets, weight.shape[0])
    engine = engine_for(config.backend, hidden, head)
    if engine is None or len(targets) == 0:
        logprobs, entropy = head.logprobs_and_entropy(hidden, targets)
    else:
        problem = Problem(engine=engine, head=head, hidden=hidden, targets=targets)
        logprobs, entropy = two_pass(problem)
    checks.check_finite_result(logprobs, head, hidden)
    return logprobs, entropy


@torch.no_grad()
def token_logprobs(
    hidden: Tensor,  # [T, H]
    weight: Tensor,  # [V, H]
    targets: Tensor,  # [T] int64, all in [0, V)
    *,
    temperature: float = 1.0,
    bias: Tensor | None = None,  # [V]
    config: LossConfig | None = None,
) -> tuple[Tensor, Tensor]:  # [T], [T] float32
    """Return each target's log-probability and each distribution's entropy, without gradient.

    With the native and Triton engines a token's values are bitwise the same whatever else is in the
    batch. A configuration, if given, replaces temperature.
    """
    config = config if config is not None else LossConfig(temperature=temperature)
    return differentiable_logprobs(hidden, weight, targets, bias=bias, config=config)


def total_metrics(parts: Iterable[Mapping[str, Tensor]]) -> dict[str, float]:
    """Add up the metrics of micro-batches; of a `_max` keep the largest."""
    totals: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            known = totals.get(name, 0.0)
            totals[name] = (
                max(known, value.item()) if name.endswith("_max") else known + value.item()
            )
    return totals


def means_of(totals: Mapping[str, float]) -> dict[str, float]:
    """Divide the sums of a whole batch by its tokens: `x_sum` becomes `x`."""
    tokens = max(totals.get("tokens", 0.0), 1.0)
    return {
        name.removesuffix("_sum"): total / tokens if name.endswith("_sum") else total
        for name, total in totals.items()
    }
