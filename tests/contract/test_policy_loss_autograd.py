"""The policy loss as autograd sees it, and what it refuses by name."""

import pytest
import torch

from azr.config.loss import Backend, LossConfig
from azr.errors import ConfigError, TrainingDiverged
from azr.learner.loss import (
    count,
    differentiable_logprobs,
    head_tensors,
    policy_loss,
)
from azr.learner.loss import token_logprobs as token_logprobs_of
from tests.contract.loss_cases import (
    BF16,
    ENGINES,
    F32,
    GRADIENT,
    Case,
    case_of,
    exact_gradients_of,
    gradients_of,
    relative,
    use_engine,
)


@pytest.fixture(params=ENGINES)
def engine(request, monkeypatch):
    return use_engine(request.param, monkeypatch)


# ---------------------------------------------------------------- autograd's contract


def test_a_frozen_weight_or_frozen_hidden_costs_no_gradient(engine):
    case = case_of((30, 24, 200), F32)
    config = LossConfig(loss="reinforce", backend=engine)
    both = gradients_of(case, config)
    for index, frozen in ((1, "weight"), (2, "hidden")):
        leaves = {"hidden": case.hidden.clone(), "weight": case.weight.clone()}
        trained = next(leaf for name, leaf in leaves.items() if name != frozen).requires_grad_()
        loss, _ = policy_loss(
            leaves["hidden"], leaves["weight"], *case.arguments()[2:], config=config
        )
        loss.backward()
        assert leaves[frozen].grad is None
        torch.testing.assert_close(trained.grad, both[index])


def test_without_gradients_the_loss_is_the_same(engine):
    case = case_of((30, 24, 200), F32)
    config = LossConfig(backend=engine)
    with torch.no_grad():
        loss, _ = policy_loss(*case.arguments(), config=config)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, gradients_of(case, config)[0])


@pytest.mark.parametrize("kind", ["ppo", "gspo"])
def test_the_gradient_arriving_from_above_is_applied(engine, kind):
    """Loss scaling, or a loss that is one term of several."""
    case = case_of((30, 24, 200), F32)
    config = LossConfig(loss=kind, clip_low=0.5, clip_high=0.5, backend=engine)
    ids = torch.arange(30) // 10
    leaf = case.weight.clone().requires_grad_()
    loss, _ = policy_loss(case.hidden, leaf, *case.arguments()[2:], sequence_ids=ids, config=config)
    (loss * -2.5 + 1).backward()
    plain = gradients_of(case, config, sequence_ids=ids)
    torch.testing.assert_close(leaf.grad, plain[2] * -2.5)


def test_gradients_accumulate_and_micro_batches_add_up(engine):
    case = case_of((60, 24, 200), F32)
    config = LossConfig(backend=engine)
    whole = gradients_of(case, config)
    weight = case.weight.clone().requires_grad_()
    everything = case.arguments()
    counts = count(everything[5])
    for rows in (slice(0, 25), slice(25, 60)):
        tokens = (value[rows] for value in everything[2:])
        policy_loss(case.hidden[rows], weight, *tokens, normalizer=counts, config=config)[
            0
        ].backward()
    torch.testing.assert_close(weight.grad, whole[2], rtol=1e-4, atol=1e-7)


def test_tied_embeddings_get_both_gradients(engine):
    torch.manual_seed(0)
    words = torch.randint(0, 50, (20,))
    grads = []
    for backend in (Backend.REFERENCE, engine):
        torch.manual_seed(1)
        embedding = torch.randn(50, 12, requires_grad=True)
        hidden = embedding[words].tanh()
        tokens = torch.zeros(20)
        config = LossConfig(loss="reinforce", backend=backend)
        loss, _ = policy_loss(
            hidden, embedding, words.roll(-1), tokens, tokens + 1, tokens + 1, config=config
        )
        loss.backward()
        grads.append(embedding.grad)
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-6)


def test_views_that_are_not_contiguous_are_read_right(engine):
    case = case_of((30, 24, 200), F32)
    hidden, weight = case.hidden.T.contiguous().T, case.weight.repeat(1, 2)[:, :24]
    config = LossConfig(backend=engine)
    ours, _ = policy_loss(hidden, weight, *case.arguments()[2:], config=config)
    torch.testing.assert_close(ours, policy_loss(*case.arguments(), config=config)[0])


def test_mixed_dtypes_are_computed_in_the_wider_one(engine):
    case = case_of((30, 24, 200), BF16)
    wide = Case(**{**vars(case), "weight": case.weight.float()})
    config = LossConfig(loss="reinforce", backend=engine)
    actual, expected = gradients_of(wide, config), exact_gradients_of(case, config)
    assert actual[1].dtype == BF16
    assert actual[2].dtype == F32
    assert relative(actual[2], expected[2]) < GRADIENT[F32]


def test_a_loss_of_one_s_own_gets_the_right_gradient(engine):
    """Plain torch over log-probabilities and entropies, of any coupling between tokens."""
    case = case_of((40, 24, 300), F32)
    results = []
    for backend, exact in ((engine, F32), (Backend.REFERENCE, torch.float64)):
        leaves = [x.to(exact, copy=True).requires_grad_() for x in (case.hidden, case.weight)]
        logprobs, entropy = differentiable_logprobs(
            *leaves, case.targets, config=LossConfig(temperature=0.9, backend=backend)
        )
        loss = (logprobs.mean().exp() * entropy.std()) + (logprobs * logprobs.roll(1)).sum()
        loss.backward()
        results.append([leaf.grad for leaf in leaves])
    for ours, theirs in zip(*results, strict=True):
        assert relative(ours, theirs) < 5e-6


def test_one_pass_and_two_passes_agree(engine):
    """The gradients made in the forward are those of the recomputed logits."""
    if engine is Backend.REFERENCE:
        pytest.skip("the reference has one way")
    case = case_of((523, 24, 200), BF16)
    config = LossConfig(loss="reinforce", backend=engine)
    one = gradients_of(case, config)
    leaves = [case.hidden.clone().requires_grad_(), case.weight.clone().requires_grad_()]
    logprobs, _ = differentiable_logprobs(*leaves, case.targets, config=config)
    (-(case.advantages * logprobs) / 523).sum().backward()
    torch.testing.assert_close(leaves[0].grad, one[1])
    torch.testing.assert_close(leaves[1].grad, one[2])


# ---------------------------------------------------------------- refused, never silent


@pytest.mark.parametrize("name", ["hidden", "weight", "old_logprobs", "advantages"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused_by_the_tensor_s_name(engine, name, value):
    case = case_of((30, 24, 200), F32)
    names = ("hidden", "weight", "targets", "old_logprobs", "advantages", "mask")
    arguments = dict(zip(names, case.arguments(), strict=True))
    arguments[name] = arguments[name].clone()
    arguments[name].view(-1)[7] = value
    with pytest.raises(TrainingDiverged, match=f"^{name} is not finite"):
        policy_loss(**arguments, config=LossConfig(backend=engine))


def test_impossible_tensors_are_refused_by_name():
    case = case_of((30, 24, 200), F32)
    hidden, weight, *tokens = case.arguments()
    for bad, error, message in (
        ((hidden, torch.empty(0)), ValueError, "weight must have shape .V, H.*FSDP"),
        ((hidden, weight.to("meta")), TypeError, "weight is on the meta device"),
        ((hidden, weight[:, :5]), ValueError, "differ in features"),
        ((hidden[None], weight), ValueError, "hidden must have shape .T, H."),
        ((hidden, weight.to(torch.int8)), TypeError, "quantised"),
        ((hidden[:3], weight), ValueError, "targets must have shape .3."),
    ):
        with pytest.raises(error, match=message):
            policy_loss(*bad, *tokens)
    tokens[0] = tokens[0] + 200
    with pytest.raises(ValueError, match=r"targets must be in \[0, 200\)"):
        policy_loss(hidden, weight, *tokens)


def test_a_target_outside_the_vocabulary_is_refused_by_logprobs_too():
    with pytest.raises(ValueError, match=r"targets must be in \[0, 9\)"):
        token_logprobs_of(torch.randn(2, 4), torch.randn(9, 4), torch.tensor([3, 9]))


def test_an_argument_the_loss_needs_is_asked_for_by_name():
    arguments = case_of((30, 24, 200), F32).arguments()
    for config, name in (
        (LossConfig(kl="k1", kl_coef=0.1), "ref_logprobs"),
        (LossConfig(importance="tis"), "rollout_logprobs"),
        (LossConfig(loss="gspo"), "sequence_ids"),
        (LossConfig(aggregation="seq_mean_token_sum"), "sequence_ids"),
    ):
        with pytest.raises(ValueError, match=f"{name} must be given"):
            policy_loss(*arguments, config=config)


def test_an_adapter_on_the_head_is_refused():
    """Its own weights would silently be frozen."""
    head = torch.nn.Linear(4, 9, bias=False)
    assert head_tensors(head) == (head.weight, None)
    head.lora_A = torch.nn.Linear(4, 2)
    with pytest.raises(TypeError, match="adapter"):
        head_tensors(head)


def test_distributed_states_are_refused():
    """What a rank holds of them is a part, and here nobody can know which (TRL #6372, #6859)."""

    class DTensor(torch.Tensor):
        def full_tensor(self):
            raise AssertionError

    hidden, weight, *tokens = case_of((30, 24, 200), F32).arguments()
    with pytest.raises(TypeError, match="hidden is a DTensor"):
        policy_loss(hidden.as_subclass(DTensor), weight, *tokens)


def test_an_engine_that_cannot_work_is_refused_when_asked_for_by_name():
    arguments = [
        x.double() if x.is_floating_point() else x for x in case_of((3, 4, 5), F32).arguments()
    ]
    with pytest.raises(ConfigError, match=r"loss\.backend must be .*float64"):
        policy_loss(*arguments, config=LossConfig(backend="native"))


def test_gradients_are_kept_for_one_backward(engine):
    if engine is Backend.REFERENCE:
        pytest.skip("plain autograd has its own rule")
    case = case_of((3, 4, 5), F32)
    leaf = case.hidden.clone().requires_grad_()
    loss, _ = policy_loss(leaf, *case.arguments()[1:], config=LossConfig(backend=engine))
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="call it again"):
        loss.backward()
