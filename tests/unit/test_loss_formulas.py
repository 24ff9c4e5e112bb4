"""Each loss, written a second time as in the papers, through the logits, in float64.

The product's own definition makes a and b by automatic differentiation over O(T) values and the
vocabulary by one closed form; here autograd goes through softmax itself.
"""

import itertools

import pytest
import torch

from azr.config.loss import Aggregation, Importance, Kl, LossConfig, LossKind
from azr.learner.loss import count, means_of, policy_loss, total_metrics

LENGTHS = [5, 1, 17, 9, 8]
V, H = 61, 13
KINDS = {
    LossKind.REINFORCE: [{}],
    LossKind.PPO: [{}, {"clip_low": 0.1, "clip_high": 0.1}],
    LossKind.DUAL_CLIP: [{"dual_clip": 1.1}],
    LossKind.TWO_SIDED: [{"delta": 1.3}, {"delta": 1.6}],
    LossKind.CISPO: [{}, {"clip_low": 2.0, "clip_high": 4.0}],
    LossKind.GSPO: [{"clip_low": 3e-2, "clip_high": 4e-2}],
    LossKind.GSPO_TOKEN: [{"clip_low": 3e-2, "clip_high": 4e-2}],
    LossKind.SAPO: [{}, {"sapo_positive": 3.0, "sapo_negative": 2.0}],
    LossKind.DPPO: [{"tv_low": 0.003, "tv_high": 0.004, "sampler_coef": 0.2}],
    LossKind.IPO: [{"tv_low": 0.003, "tv_high": 0.004}],
}


@pytest.fixture(autouse=True)
def _one_thread():
    """For tensors this small a second thread only waits, and on a busy machine for long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def batch():
    torch.manual_seed(0)
    ids = torch.cat([torch.full((n,), 10 * i) for i, n in enumerate(LENGTHS)])
    T = len(ids)
    hidden = torch.randn(T, H, dtype=torch.float64)
    weight = torch.randn(V, H, dtype=torch.float64)
    targets = torch.randint(0, V, (T,))
    mask = torch.rand(T) > 0.2
    mask[ids == 10] = True
    logprobs = (hidden @ weight.T).log_softmax(-1)[torch.arange(T), targets]

    def near(values, spread):
        return values + spread * torch.randn(T, dtype=torch.float64)

    old = near(logprobs, 0.2)
    return {
        "hidden": hidden,
        "weight": weight,
        "targets": targets,
        "old_logprobs": old,
        "advantages": torch.randn(T, dtype=torch.float64),
        "mask": mask,
        "ref_logprobs": near(logprobs, 0.3),
        "rollout_logprobs": near(old, 0.4),
        "sequence_ids": ids,
    }


def as_in_the_papers(batch, config):
    """Loss through the logits, sequence by sequence, with Python loops: slow and obvious."""
    log_p = (batch["hidden"] @ batch["weight"].T / config.temperature).log_softmax(-1)
    entropy = -(log_p.exp() * log_p).sum(-1)
    logprobs = log_p[torch.arange(len(log_p)), batch["targets"]]
    sequences = []
    for i in batch["sequence_ids"].unique():
        rows = ((batch["sequence_ids"] == i) & batch["mask"]).nonzero()[:, 0]
        gap = (batch["old_logprobs"] - batch["rollout_logprobs"])[rows]
        inside = config.importance_low <= gap.mean().exp() <= config.importance_high
        if len(rows) and (inside or config.importance is not Importance.SEQUENCE_MASK):
            sequences.append(rows)
    total = 0.0
    for rows in sequences:
        total = total + _sequence(batch, config, rows, logprobs, entropy, sequences)
    return total


def _sequence(batch, config, rows, logprobs, entropy, sequences):
    new, old = logprobs[rows], batch["old_logprobs"][rows]
    sampler = batch["rollout_logprobs"][rows]
    A = batch["advantages"][rows]
    compares = config.loss in {LossKind.DPPO, LossKind.IPO}
    terms = _sampler_terms(new, sampler, A, config) if compares else _terms(new, old, A, config)
    q = (old - batch["rollout_logprobs"][rows]).exp()
    if config.importance is Importance.TIS:
        terms = terms * q.clamp(max=config.importance_high)
    if config.importance is Importance.ICEPOP:
        terms = terms * q * ((q >= config.importance_low) & (q <= config.importance_high))
    if config.kl is not Kl.NONE:
        ratio = (new - old).exp() if config.kl is Kl.K3_CORRECTED else 1
        kl = ratio * _kl(batch["ref_logprobs"][rows] - new, config.kl)
        terms = terms + config.kl_coef * kl
    terms = terms - config.entropy_coef * entropy[rows]
    return {
        Aggregation.TOKEN_MEAN: terms.sum() / sum(len(s) for s in sequences),
        Aggregation.SEQ_MEAN_TOKEN_MEAN: terms.mean() / len(sequences),
        Aggregation.SEQ_MEAN_TOKEN_SUM: terms.sum() / len(sequences),
        Aggregation.DR_GRPO: terms.sum() / len(sequences) / max(config.max_length, 1),
    }[config.aggregation]


def _terms(new, old, A, c):
    r = (new - old).exp()
    low, high = 1 - c.clip_low, 1 + c.clip_high
    if c.loss is LossKind.REINFORCE:
        return -A * new
    if c.loss is LossKind.SAPO:
        t = torch.tensor([c.sapo_positive if a > 0 else c.sapo_negative for a in A])
        return -A * 4 / t / (1 + (-t * (r - 1)).exp())
    if c.loss is LossKind.CISPO:
        return -r.clamp(max(low, 0), high).detach() * A * new
    if c.loss is LossKind.TWO_SIDED:
        return torch.max(-r.clamp(max=c.delta) * A, -r.clamp(low, high) * A)
    if c.loss is LossKind.GSPO:
        r = ((new - old).mean()).exp() * torch.ones_like(new)
    if c.loss is LossKind.GSPO_TOKEN:
        r = ((new - old).mean()).exp().detach() * new.exp() / new.exp().detach()
    ppo = torch.max(-r * A, -r.clamp(low, high) * A)
    if c.loss is LossKind.DUAL_CLIP:
        return torch.where(A < 0, torch.min(ppo, -c.dual_clip * A), ppo)
    return ppo


def _sampler_terms(new, sampler, A, c):
    moved = (new.exp() - sampler.exp()).detach().tolist()
    keep = []
    for a, gap in zip(A.tolist(), moved, strict=True):
        up, down = gap > c.tv_high, gap < -c.tv_low
        masked = (up if a > 0 else down) if c.loss is LossKind.DPPO else up or down
        keep.append(0.0 if masked else 1.0)
    s = (new - sampler).exp()
    return c.sampler_coef * s.log() ** 2 - torch.tensor(keep, dtype=s.dtype) * s * A


def _kl(d, kl):
    k2, k3 = d**2 / 2, d.exp() - d - 1
    return {
        Kl.K1: -d,
        Kl.ABS: d.abs(),
        Kl.K2: k2,
        Kl.K3: k3,
        Kl.K3_PLUS: k3.detach() + k2 - k2.detach(),
        Kl.K3_CORRECTED: k3,
    }[kl]


def loss_and_gradients(function, batch):
    hidden = batch["hidden"].clone().requires_grad_()
    weight = batch["weight"].clone().requires_grad_()
    loss = function({**batch, "hidden": hidden, "weight": weight})
    loss.backward()
    return loss.detach(), hidden.grad, weight.grad


@pytest.mark.parametrize("kind", KINDS)
def test_every_combination_is_the_formula_of_the_papers(batch, kind):
    """10 losses x 4 aggregations x 7 penalties x 4 corrections x 2 temperatures."""
    for extra, aggregation, kl, importance, temperature in itertools.product(
        KINDS[kind], Aggregation, Kl, Importance, (1.0, 0.7)
    ):
        compares = kind in {LossKind.DPPO, LossKind.IPO}
        if compares and importance in {Importance.TIS, Importance.ICEPOP}:
            continue  # refused
        config = LossConfig(
            loss=kind,
            aggregation=aggregation,
            max_length=64 if aggregation is Aggregation.DR_GRPO else 0,
            kl=kl,
            kl_coef=0.0 if kl is Kl.NONE else 0.1,
            entropy_coef=0.01,
            importance=importance,
            importance_low=0.8,
            importance_high=1.2,
            temperature=temperature,
            backend="reference",
            **extra,
        )
        expected = loss_and_gradients(lambda b, c=config: as_in_the_papers(b, c), batch)
        actual = loss_and_gradients(lambda b, c=config: policy_loss(**b, config=c)[0], batch)
        for ours, theirs in zip(actual, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-13, msg=str(config))


def test_the_masks_of_dppo_and_ipo_act(batch):
    bounds = {"tv_low": 0.003, "tv_high": 0.004}
    shares = {}
    for kind in (LossKind.DPPO, LossKind.IPO):
        metrics = policy_loss(**batch, config=LossConfig(loss=kind, **bounds))[1]
        shares[kind] = means_of(total_metrics([metrics]))["clipped"]
    assert 0 < shares[LossKind.DPPO] < shares[LossKind.IPO] < 1


def test_micro_batches_add_up_to_the_batch(batch):
    config = LossConfig(aggregation="seq_mean_token_mean", importance="sequence_mask")
    whole = loss_and_gradients(lambda b: policy_loss(**b, config=config)[0], batch)
    cut = sum(LENGTHS[:3])
    parts = [
        {k: v if k == "weight" else v[rows] for k, v in batch.items()}
        for rows in (slice(0, cut), slice(cut, None))
    ]
    counted = ("mask", "sequence_ids", "old_logprobs", "rollout_logprobs")
    first, second = (count(config=config, **{k: p[k] for k in counted}) for p in parts)
    results = [
        loss_and_gradients(
            lambda b: policy_loss(**b, normalizer=first + second, config=config)[0], part
        )
        for part in parts
    ]
    torch.testing.assert_close(results[0][0] + results[1][0], whole[0])
    torch.testing.assert_close(torch.cat([results[0][1], results[1][1]]), whole[1])
    torch.testing.assert_close(results[0][2] + results[1][2], whole[2])


def test_rejected_sequences_leave_the_denominator(batch):
    """Rejecting a sequence is the same as never having sampled it."""
    far = batch["rollout_logprobs"].clone()
    far[batch["sequence_ids"] == 20] -= 5
    without = {**batch, "mask": batch["mask"] & (batch["sequence_ids"] != 20)}
    config = LossConfig(importance="sequence_mask", importance_low=0.1, importance_high=9.0)
    rejected = policy_loss(**{**batch, "rollout_logprobs": far}, config=config)
    never = policy_loss(**{**without, "rollout_logprobs": far}, config=config)
    assert rejected[0] == never[0]
    assert rejected[1]["tokens"] == without["mask"].sum()


def test_metrics_are_means_over_the_tokens_that_count(batch):
    loss, metrics = policy_loss(**batch, config=LossConfig(kl="k1"))
    means = means_of(total_metrics([metrics]))
    kept = batch["mask"]
    gap = (batch["old_logprobs"] - batch["rollout_logprobs"]).abs()[kept]
    assert not any(value.requires_grad for value in metrics.values())
    assert means["tokens"] == kept.sum()
    assert means["mismatch"] == pytest.approx(gap.mean().item())
    assert means["mismatch_max"] == pytest.approx(gap.max().item())
    assert 0 < means["clipped"] < 1
    assert means["kl_old"] > 0
    assert loss.requires_grad is False


def test_extreme_ratios_give_finite_gradients(batch):
    """A token whose probability exploded must not turn the step into NaN."""
    old = batch["old_logprobs"].clone()
    old[::2] -= 200
    old[1::2] += 200
    for kind in LossKind:
        config = LossConfig(loss=kind, kl="k3", kl_coef=0.1, entropy_coef=0.1)
        zero = torch.zeros_like(batch["advantages"])
        zero[::3] = 1
        values = {**batch, "old_logprobs": old, "ref_logprobs": old, "advantages": zero}
        for value in loss_and_gradients(
            lambda b, c=config, v=values: policy_loss(
                **{**v, "hidden": b["hidden"], "weight": b["weight"]}, config=c
            )[0],
            values,
        ):
            assert value.isfinite().all(), kind
