"""Bytes of one training process of a run's R: its part of the learner, and a whole engine.

Exact: weights, their copy, gradients, AdamW's moments, keys and values. Counted, tensor by tensor:
what transformers' Llama and Qwen keep of a micro-batch for the backward, and the logits that are in
memory at once. Not counted: a framework's own memory, the scratch of kernels, gradients under way,
layers that FSDP2 puts together, gaps between tensors. One factor, `MARGIN`, stands for all of that.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from azr.config.engines import engine_named
from azr.config.run import RunConfig
from azr.run.planning.adapters import adapter_tensors
from azr.run.planning.shape import ModelShape, count_parameters, layer_tensors, root_tensors

__all__ = ["GIB", "MARGIN", "Need", "Needs", "longest_sequence", "needs_of"]

GIB = 2**30

MARGIN = {"gpu": 1.2, "cpu": 1.6}
"""What is needed for each byte that is exact or counted. On a CPU glibc keeps what was freed: there
1.1 to 1.6 were measured. On a GPU nothing was (docs/method/hardware.md)."""

SIZE_OF = {"float32": 4, "bfloat16": 2}
MASTER = 4
"""Bytes of a master weight, of its gradient, and of a logit: always float32."""

LOGITS_ON_GPU, ROWS_ON_CPU = 2**30, 516
"""What the fused losses have in memory at once: bytes of logits (triton), tokens (native)."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a process holds of one kind."""

    name: str
    bytes: int
    note: str
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Needs:
    """Of one process, from the second update on; in bytes."""

    learner: tuple[Need, ...]
    engine: tuple[Need, ...]
    """With a single sequence, the longest that a run may ask for."""
    margin: float
    budget: int
    """The engine's share of a GPU, or, where it has none, what it will come to."""

    @property
    def certain(self) -> int:
        """The least an update can do with, whatever the batch; exact."""
        return sum(part.bytes for part in self.learner if part.is_exact)

    @property
    def updating(self) -> int:
        """The learner's, with the margin."""
        return int(self.margin * sum(part.bytes for part in self.learner))

    @property
    def sampling(self) -> int:
        """The engine's least, with the margin."""
        return int(self.margin * sum(part.bytes for part in self.engine))


def needs_of(config: RunConfig, shape: ModelShape, gpu_bytes: int | None) -> Needs:
    """Of a learner and of an engine, each on such a GPU; None: on a CPU."""
    on_gpu, rollout = gpu_bytes is not None, config.rollout
    engine = tuple(_engine(config, shape))
    margin = MARGIN["gpu" if on_gpu else "cpu"]
    reserves = engine_named(rollout.engine).reserves_memory
    if not reserves or gpu_bytes is None:
        weights, sequence, logits = (part.bytes for part in engine)
        cache = rollout.max_concurrent * sequence
        if reserves:
            cache = max(1, round(rollout.kv_cache_gib)) * GIB
        budget = int(margin * (weights + logits + cache))
    else:
        budget = int(rollout.gpu_memory_utilization * gpu_bytes)
    return Needs(tuple(_learner(config, shape, on_gpu=on_gpu)), engine, margin, budget)


def longest_sequence(config: RunConfig) -> int:
    """Tokens of the longest prompt with the longest completion."""
    return config.rollout.max_prompt_tokens + config.rollout.max_completion_tokens


def _engine(config: RunConfig, shape: ModelShape) -> Iterator[Need]:
    dtype, logits = config.rollout.dtype, 3 * MASTER * config.rollout.max_concurrent
    parts = config.cluster.tensor_parallel
    # where there are more GPUs than heads of keys, each has one
    key_width = max(shape.head_dim, shape.key_width // parts)
    token = 2 * shape.layers * key_width * SIZE_OF[dtype]
    yield Need("weights", SIZE_OF[dtype] * shape.parameters // parts, dtype)
    note = f"keys and values, {token:,} bytes a token"
    yield Need("the longest sequence", token * longest_sequence(config), note)
    yield Need("logits", logits * shape.vocabulary, "of rollout.max_concurrent rollouts", False)


def _trained(config: RunConfig, shape: ModelShape, R: int) -> Iterator[Need]:
    """What is held from one update to the next."""
    dtype, size, part = config.model.dtype, SIZE_OF[config.model.dtype], part_of(shape, R)
    trained, lora = part, config.lora
    if lora.rank:
        trained = _padded(adapter_tensors(config.lora, shape), R)
        yield Need("frozen weights", size * part, dtype)
        yield Need("adapters", MASTER * trained, f"float32, lora.rank = {lora.rank}")
    else:
        yield Need("weights", MASTER * part, "float32")
    if size < MASTER and R == 1:
        yield Need("copy of them", size * trained, dtype)
    if config.has_reference and not lora.rank:  # else the frozen weights are the reference
        yield Need("frozen reference", size * part, dtype)
    yield Need("gradients", MASTER * trained, "float32")
    yield Need("AdamW's two moments", 2 * MASTER * trained, "float32")


def _learner(config: RunConfig, shape: ModelShape, *, on_gpu: bool) -> Iterator[Need]:
    dtype, R = config.model.dtype, max(1, config.cluster.learners)
    size = SIZE_OF[dtype]
    tokens = max(config.learner.micro_batch_tokens, longest_sequence(config) - 1)
    yield from _trained(config, shape, R)
    if R > 1:
        root = R * size * _padded(root_tensors(shape), R)
        yield Need("embedding and head", root, f"{dtype}, whole in each learner")
    how = "with" if config.model.gradient_checkpointing else "without"
    note = f"of {tokens:,} tokens, {how} gradient checkpointing"
    yield Need("activations", activation_bytes(config, shape, tokens), note, False)
    whole = MASTER * tokens * shape.vocabulary
    chunk = min(whole, LOGITS_ON_GPU if on_gpu else MASTER * ROWS_ON_CPU * shape.vocabulary)
    # the plain loss has logits, their log-softmax and the gradients of both, of all tokens
    logits = 4 * whole if config.loss.backend == "reference" else chunk
    yield Need("logits of the loss", logits, f"loss.backend = {config.loss.backend}", False)
    if config.lora.rank:
        return
    rounded = size if size < MASTER else 0
    head = (MASTER + rounded) * shape.vocabulary * shape.hidden
    yield Need("the head's gradient", head, "summed in float32", False)


def part_of(shape: ModelShape, processes: int) -> int:
    """Weights in one process; exact for the families whose weights are known one by one.

    FSDP2 cuts each weight along its rows and pads the last part. Other families: as if evenly.
    """
    if count_parameters(shape) != shape.parameters:
        return math.ceil(shape.parameters / processes)
    layer, root = layer_tensors(shape), root_tensors(shape)
    return shape.layers * _padded(layer, processes) + _padded(root, processes)


def _padded(tensors: Iterable[tuple[int, int]], processes: int) -> int:
    return sum(math.ceil(rows / processes) * length for rows, length in tensors)


def activation_bytes(config: RunConfig, shape: ModelShape, tokens: int) -> int:
    """What a forward keeps of a micro-batch, and one layer that checkpointing makes again.

    A layer: two norms (input in float32, normed, scaled); queries, keys and values (repeated for
    each head), log-sum-exp and output of attention; that output for the next matrix; gate, its
    silu, up, and their product. Rollouts that share a prompt attend to its tokens each anew.
    """
    size, hidden = SIZE_OF[config.model.dtype], shape.hidden
    of_norm = 1 if config.lora.rank else 2  # a frozen norm does not keep what it scales
    norm, attended = (MASTER + of_norm * size) * hidden, tokens
    if config.learner.share_prompts and config.selfplay.train_on_trials:
        prompt = min(config.rollout.max_prompt_tokens, tokens)
        attended += (config.selfplay.trials_per_task - 1) * prompt
    linear = size * shape.query_width + 4 * size * shape.intermediate
    attention = 4 * size * shape.query_width + MASTER * shape.heads
    products = (rows for rows, _ in adapter_tensors(config.lora, shape)[::2])  # of an input with A
    adapted = size * sum(products) // shape.layers
    layer = tokens * (2 * norm + linear + adapted) + attended * attention
    if config.model.gradient_checkpointing:
        return shape.layers * tokens * hidden * size + layer + tokens * norm
    return shape.layers * layer + tokens * norm
