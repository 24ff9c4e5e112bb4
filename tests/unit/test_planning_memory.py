"""What is exact is exact, byte for byte; the rest is within its margin of a real model."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch and transformers are typed in part)

import importlib
import weakref
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as untyped
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import LlamaConfig, LlamaForCausalLM

from azr.config.run import (
    LearnerConfig,
    LoraConfig,
    LossConfig,
    ModelConfig,
    RolloutConfig,
    RunConfig,
)
from azr.learner.learner import TorchLearner
from azr.learner.loss import native
from azr.learner.loss import triton as triton_engine
from azr.learner.packing import Sequence1, pack
from azr.models.process_group import Ranks
from azr.models.sharding import last_states, part_of, shard
from azr.run.planning.fit import on_gpus
from azr.run.planning.memory import GIB, LOGITS_ON_GPU, ROWS_ON_CPU, needs_of
from azr.run.planning.memory import part_of as numbers_in_part
from azr.run.planning.shape import PUBLISHED, ModelShape, count_parameters, read_shape
from azr.types import Mode, Prompt, Role, Rollout
from tests.tiny import make_tiny_model

dist: Any = untyped


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"))


def learner_of(config: RunConfig, shape: ModelShape) -> dict[str, int]:
    """Bytes by the name of the part."""
    return {part.name: part.bytes for part in needs_of(config, shape, None).learner}


def run_config(folder: Path, *, dtype: str, checkpointing: bool = False) -> RunConfig:
    return RunConfig(
        model=ModelConfig(name=str(folder), dtype=dtype, gradient_checkpointing=checkpointing),
        rollout=RolloutConfig(max_prompt_tokens=256, max_completion_tokens=256),
    )


def make_rollout(num_prompt: int, num_completion: int) -> Rollout:
    return Rollout(
        prompt=Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=""),
        prompt_ids=tuple(range(5, 6 + num_prompt // 2)) * 2,
        completion_ids=(7,) * num_completion,
        rollout_logprobs=(-1.0,) * num_completion,
        completion="",
        policy_version=0,
        truncated=False,
    )


def total(tensors: list[Any]) -> int:
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors)


# ---------------------------------------------------------------- one process


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_gradients_and_moments_are_exact(tiny: Path, dtype: str) -> None:
    config = run_config(tiny, dtype=dtype)
    learner = TorchLearner(config, tiny)
    found = learner_of(config, read_shape(tiny))
    learner.working.refresh()
    batch = pack([Sequence1(make_rollout(8, 8), 1.0)], 16)[0]
    learner.pupil.hidden(batch).sum().backward()
    computing = learner.pupil.model
    copies = [] if computing is learner.model else list(computing.parameters())
    learner.working.collect_gradients()
    learner.optimizer.step()
    masters = list(learner.model.parameters())
    states = [learner.optimizer.state[p] for p in masters]
    moments = total([s[key] for s in states for key in ("exp_avg", "exp_avg_sq")])
    assert found["weights"] == total(masters)
    assert found.get("copy of them", 0) == total(copies)
    assert found["gradients"] == total([p.grad for p in masters if p.grad is not None])
    assert found["AdamW's two moments"] == moments


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_adapters_are_exact_and_their_activations_counted(tiny: Path, dtype: str) -> None:
    config, shape = run_config(tiny, dtype=dtype), read_shape(tiny)
    config = config.changed(lora=LoraConfig(rank=8), loss=LossConfig(kl="k3"))
    learner = TorchLearner(config, tiny)
    batch = pack([Sequence1(make_rollout(4, 512), 1.0)] * 2, 1024)[0]
    config = config.changed(learner=LearnerConfig(micro_batch_tokens=batch.num_tokens))
    found = learner_of(config, shape)
    learner.working.refresh()
    computing = learner.pupil.model
    kept = kept_by(lambda: learner.pupil.hidden(batch), computing)
    assert found["activations"] == pytest.approx(kept, rel=0.1)
    learner.pupil.hidden(batch).sum().backward()
    learner.working.collect_gradients()
    learner.optimizer.step()
    masters = list(learner.model.parameters())
    adapters = [p for p in masters if p.requires_grad]
    copies = [] if computing is learner.model else list(computing.parameters())
    states = [learner.optimizer.state[p] for p in adapters]
    moments = total([s[key] for s in states for key in ("exp_avg", "exp_avg_sq")])
    assert found["adapters"] == total(adapters)
    assert found["frozen weights"] == total([p for p in masters if not p.requires_grad])
    assert found.get("copy of them", 0) == total([p for p in copies if p.requires_grad])
    assert found["gradients"] == total([p.grad for p in masters if p.grad is not None])
    assert found["AdamW's two moments"] == moments
    assert "frozen reference" not in found
    assert "the head's gradient" not in found


@pytest.mark.parametrize("section", ["loss", "rewards"])
def test_the_reference_of_a_penalty_is_held_as_well(tiny: Path, section: str) -> None:
    config, shape = run_config(tiny, dtype="bfloat16"), read_shape(tiny)
    assert "frozen reference" not in learner_of(config, shape)
    penalised = getattr(config, section).changed(kl="k3", kl_coef=0.01)
    config = config.changed(**{section: penalised})
    learner = TorchLearner(config, tiny)
    assert learner.reference is not None
    frozen = list(learner.reference.model.parameters())
    assert learner_of(config, shape)["frozen reference"] == total(frozen)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_activations_are_counted_to_a_tenth(tiny: Path, dtype: str, checkpointing: bool) -> None:
    """With checkpointing, beside them a layer that is made again. docs/method/hardware.md."""
    config = run_config(tiny, dtype=dtype, checkpointing=checkpointing)
    learner = TorchLearner(config, tiny)
    learner.working.refresh()
    batch = pack([Sequence1(make_rollout(4, 512), 1.0)] * 2, 1024)[0]
    kept = kept_by(lambda: learner.pupil.hidden(batch), learner.pupil.model)
    config = config.changed(learner=LearnerConfig(micro_batch_tokens=batch.num_tokens))
    counted, shape = learner_of(config, read_shape(tiny))["activations"], read_shape(tiny)
    if checkpointing:
        plain = config.changed(model=config.model.changed(gradient_checkpointing=False))
        layer = learner_of(plain, shape)["activations"] // shape.layers
        assert kept < counted < kept + 1.1 * layer
    else:
        assert counted == pytest.approx(kept, rel=0.1)


def kept_by(forward: Callable[[], Tensor], model: Any) -> int:
    """Bytes of all tensors that a forward keeps for its backward, and of its result."""
    storages = {p.untyped_storage().data_ptr(): 0 for p in model.parameters()}
    alive: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        alive.append(tensor)
        storages.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        keep(forward())
    return sum(storages.values())


def test_the_loss_still_has_the_chunks_that_are_counted() -> None:
    assert ROWS_ON_CPU == native.CHUNK_ROWS
    assert triton_engine.LOGITS_BYTES == LOGITS_ON_GPU


def test_an_engine_takes_its_share_and_holds_all_weights() -> None:
    rollout = RolloutConfig(engine="vllm", dtype="bfloat16")
    shape = PUBLISHED["Qwen/Qwen2.5-Coder-7B"]
    needs = needs_of(RunConfig(rollout=rollout), shape, 80 * GIB)
    weights, sequence, _ = needs.engine
    assert needs.budget == int(0.4 * 80 * GIB)
    assert weights.bytes == 2 * shape.parameters
    assert sequence.bytes == 2 * 28 * 4 * 128 * 2 * (6144 + 8096)


# ---------------------------------------------------------------- several, beside FSDP2 itself

LAYERS, HIDDEN, VOCABULARY, TOKENS = 4, 256, 4001, 512


def shape_of(*, is_tied: bool) -> ModelShape:
    shape = ModelShape("llama", LAYERS, HIDDEN, 704, 8, 2, 32, VOCABULARY, is_tied)
    return replace(shape, parameters=count_parameters(shape))


def sharded_llama(processes: int, *, is_tied: bool, checkpointing: bool) -> Any:
    """The first of so many parts, as the learner cuts and computes it."""
    shape = shape_of(is_tied=is_tied)
    with torch.device("meta"):
        model: Any = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=VOCABULARY, hidden_size=HIDDEN, num_hidden_layers=LAYERS,
                intermediate_size=shape.intermediate, num_attention_heads=shape.heads,
                num_key_value_heads=shape.key_heads, tie_word_embeddings=is_tied,
            )
        )  # fmt: skip
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    shard(model, Ranks(0, processes, 0), torch.bfloat16)
    for value in [*model.parameters(), *model.buffers()]:
        torch.nn.init.constant_(part_of(value), 0.01)
    return model


class Live(TorchDispatchMode):
    """Bytes of all storages that are alive, after each operation."""

    def __init__(self) -> None:
        super().__init__()
        self._storages: dict[int, weakref.ref[Any]] = {}
        self.peak = 0

    def add(self, tensor: object) -> None:
        tensor = tensor._local_tensor if isinstance(tensor, DTensor) else tensor
        if isinstance(tensor, Tensor):
            storage = tensor.untyped_storage()
            self._storages[storage._cdata] = weakref.ref(storage)

    def now(self) -> int:
        alive = [storage for ref in self._storages.values() if (storage := ref()) is not None]
        self._storages = {storage._cdata: weakref.ref(storage) for storage in alive}
        return sum(storage.nbytes() for storage in alive)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, result)):
            self.add(leaf)
        self.peak = max(self.peak, self.now())
        return result


@pytest.fixture(params=[2, 3])
def processes(request: pytest.FixtureRequest) -> Generator[int]:
    """The first of so many processes; the others are pretended, which moves no byte."""
    fake: Any = importlib.import_module("torch.testing._internal.distributed.fake_pg")
    dist.init_process_group("fake", rank=0, world_size=request.param, store=fake.FakeStore())
    yield request.param
    dist.destroy_process_group()


def storage_bytes(tensors: list[Any]) -> int:
    """Of the local parts, each storage once."""
    storages = [tensor.to_local().untyped_storage() for tensor in tensors]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


@pytest.mark.parametrize("is_tied", [True, False])
@pytest.mark.parametrize("checkpointing", [True, False])
def test_a_sharded_update_holds_its_parts_and_no_more_than_the_margin(
    processes: int, is_tied: bool, checkpointing: bool
) -> None:
    """Parts byte for byte. 4,001 words are divided neither by 2 nor by 3."""
    run = RunConfig(
        model=ModelConfig(dtype="bfloat16", gradient_checkpointing=checkpointing),
        rollout=RolloutConfig(max_prompt_tokens=TOKENS // 2, max_completion_tokens=TOKENS // 2),
        learner=LearnerConfig(micro_batch_tokens=TOKENS),
    )
    shape = shape_of(is_tied=is_tied)
    found = learner_of(on_gpus(run, processes + 1), shape)
    needed = needs_of(on_gpus(run, processes + 1), shape, 80 * GIB)
    model, live = sharded_llama(processes, is_tied=is_tied, checkpointing=checkpointing), Live()
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, foreach=False)
    ids = torch.randint(0, VOCABULARY, (1, TOKENS))
    for update in range(2):
        live.peak = 0
        for tensor in parameters if update == 0 else ():
            live.add(tensor)
        with live:
            hidden = last_states(model, input_ids=ids, use_cache=False)
            head = model.get_output_embeddings().weight
            loss = (hidden[0, :8] @ head.t()).float().square().mean()
            loss.backward()
        del hidden, head, loss
        optimizer.step()  # gradients stay: an update that has several micro-batches
        for state in optimizer.state.values():
            for tensor in (state["exp_avg"], state["exp_avg_sq"]):
                live.add(tensor)
    moments = [s[key] for s in optimizer.state.values() for key in ("exp_avg", "exp_avg_sq")]
    assert storage_bytes(parameters) == found["weights"]
    assert storage_bytes([p.grad for p in parameters]) == found["gradients"]
    assert storage_bytes(moments) == found["AdamW's two moments"]
    assert needed.certain <= live.peak <= needed.updating <= 2 * live.peak


@given(st.sampled_from(sorted(PUBLISHED)), st.integers(1, 64))
def test_parts_are_all_of_the_model_and_little_padding(name: str, number: int) -> None:
    shape = PUBLISHED[name]
    part, tensors = numbers_in_part(shape, number), 16 * shape.layers + 3
    widest = max(shape.hidden, shape.intermediate)
    assert 0 <= number * part - shape.parameters <= tensors * widest * (number - 1)
    unknown = replace(shape, parameters=shape.parameters + 1_000)
    assert numbers_in_part(unknown, number) == -(-unknown.parameters // number)
