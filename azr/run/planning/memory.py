"""Bytes of one training process of a run's R: its part of the learner, and a whole engine.

Exact: what is as large as the weights say (weights, their copy, gradients, AdamW's moments, keys
and values of a token). Estimates: activations, scratch, whatever a framework keeps for itself.
Activations are what the layers of transformers' Llama and Qwen keep for the backward, tensor by
tensor; tests compare both kinds with a real model, and with one that FSDP2 shards.

P parameters, T tokens of a micro-batch, H hidden, I intermediate, V vocabulary.
"""

from dataclasses import dataclass

from azr.config.engines import engine_named
from azr.config.run import RolloutConfig, RunConfig
from azr.run.planning.shape import ModelShape
from azr.run.planning.shards import Shards, shards_of

__all__ = ["GIB", "EngineMemory", "LearnerMemory", "engine_memory", "learner_memory"]

GIB = 2**30

SIZE_OF = {"float32": 4, "bfloat16": 2}
MASTER = 4
"""Bytes of a master weight, and of its gradient: always float32 (azr.learner.learner)."""

TRITON_LOGITS, TRITON_MAX_ROWS, TRITON_SLICE = 2**30, 4096, 8192
NATIVE_ROWS = 516
"""triton and native: tokens whose logits are in memory at once."""

BATCHED_TOKENS, BATCHED_TOKENS_SMALL, LARGE_GPU = 16_384, 8192, 70 * GIB
"""Prompt tokens of one step of vLLM on a GPU of at least LARGE_GPU bytes, and on a smaller one
(its own defaults): decides its working memory."""

GATHERED_LAYERS = 3
"""Whole layers at once: the one that is computed, the buffer it came in, and the next one's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerMemory:
    """Of `TorchLearner` in one process, from the second update on; all in bytes."""

    weights: int
    """Float32 masters: all, or this process's part of them."""
    copy: int
    """Of the weights in bfloat16, with model.dtype = "bfloat16"; none where they are sharded."""
    reference: int
    """The frozen model that loss.kl or rewards.kl compares with, or a part of it; 0 without one."""
    gradients: int
    """Of the masters."""
    moments: int
    """AdamW's two, float32."""
    root: int
    """Embedding, head and last norm, whole from a forward to the end of its backward; 0 alone."""
    gathered: int
    """Layers put together from all processes' parts (estimate); 0 alone."""
    reduced: int
    """A layer's gradients, and one's that are being summed over processes (estimate); 0 alone."""
    copy_gradients: int
    """Of the copy, in a backward."""
    head_gradient: int
    """In model.dtype, from the loss on; 0 where it is the master's own."""
    root_gradients: int
    """At the end of a backward, with what they are summed in (estimate); 0 alone."""
    tokens: int
    """T: of the largest micro-batch, which holds at least the longest sequence."""
    activations: int
    """Kept by a forward (estimate)."""
    layer: int
    """Of one layer: recomputed by gradient checkpointing, and gradients under way (estimate)."""
    loss: int
    """Scratch and gradients of the fused loss, which has no logits of all tokens (estimate)."""
    optimizer: int
    """Temporaries of AdamW's step (estimate)."""

    @property
    def fixed(self) -> int:
        """There in every update, whatever the batch; exact."""
        return self.weights + self.copy + self.reference + self.gradients + self.moments

    @property
    def certain(self) -> int:
        """The least an update can do with; exact."""
        return self.fixed + self.root

    @property
    def peaks(self) -> dict[str, int]:
        """The four moments at which an update holds most."""
        forward = self.fixed + self.root + self.gathered + self.activations
        backward = forward + self.head_gradient + self.reduced
        return {
            "end of a forward": forward + self.loss,
            "start of a backward": backward + self.layer,
            "end of a backward": self.fixed
            + max(self.copy_gradients + self.layer, self.root_gradients),
            "AdamW's step": self.fixed + self.optimizer,
        }

    @property
    def peak(self) -> int:
        """The largest of them."""
        return max(self.peaks.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineMemory:
    """Of the engine that samples; all in bytes."""

    budget: int
    """What it takes when it starts: weights, working memory and the rest for keys and values."""
    weights: int
    working: int
    """Activations of its largest step, the sampler's logits (estimate)."""
    cache: int
    """Left for keys and values; 0 where there is no room."""
    token: int
    """Keys and values of one token."""
    sequence: int
    """Those of the longest sequence a run may ask for."""

    @property
    def sequences(self) -> float:
        """How many of the longest sequences fit at once."""
        return self.cache / self.sequence

    @property
    def least(self) -> int:
        """With room for a single sequence."""
        return self.weights + self.working + self.sequence


def learner_memory(config: RunConfig, shape: ModelShape, *, on_gpu: bool) -> LearnerMemory:
    """Of one update, in one of `cluster.processes` processes."""
    size, R = SIZE_OF[config.model.dtype], config.cluster.processes
    shards = shards_of(shape, R)
    has_copy = config.model.dtype != "float32" and R == 1
    T = max(config.learner.micro_batch_tokens, longest_sequence(config.rollout) - 1)
    attended = attended_tokens(config, T)
    layer = T * layer_bytes(shape, size) + attended * attention_bytes(shape, size)
    last = norm_bytes(shape, size)  # of the last norm, whose result goes to the head
    # where each layer's input is kept and the rest is made again, layer by layer
    a_layer_keeps = T * shape.hidden * size if config.model.gradient_checkpointing else layer
    return LearnerMemory(
        weights=MASTER * shards.part,
        copy=size * shards.part if has_copy else 0,
        reference=size * shards.part if config.has_reference else 0,
        gradients=MASTER * shards.part,
        moments=2 * MASTER * shards.part,
        root=size * shards.root if R > 1 else 0,
        gathered=GATHERED_LAYERS * size * shards.layer if R > 1 else 0,
        reduced=(size + MASTER) * shards.layer if R > 1 else 0,
        copy_gradients=size * shards.part if has_copy else 0,
        head_gradient=size * shape.vocabulary * shape.hidden if has_copy or R > 1 else 0,
        root_gradients=root_gradient_bytes(shards, size, R) if R > 1 else 0,
        tokens=T,
        activations=shape.layers * a_layer_keeps + T * last,
        layer=layer * config.model.gradient_checkpointing + T * working_bytes(shape, size),
        loss=loss_bytes(config, shape, T, size, on_gpu=on_gpu),
        # on a GPU one fused kernel needs none
        optimizer=0 if on_gpu else 2 * MASTER * -(-shape.largest_matrix // R),
    )


def root_gradient_bytes(shards: Shards, size: int, processes: int) -> int:
    """Of FSDP's root: first its weights and the gradients of embedding and head, then their sum.

    A layer's gradients may still be on their way when the embedding gets its own.
    """
    made = 3 * size * shards.root + MASTER * shards.layer
    summed = (size + MASTER) * shards.root + MASTER * shards.root // processes
    return max(made, summed)


def longest_sequence(rollout: RolloutConfig) -> int:
    """Tokens of the longest prompt with the longest completion."""
    return rollout.max_prompt_tokens + rollout.max_completion_tokens


def attended_tokens(config: RunConfig, T: int) -> int:
    """Tokens whose queries, keys and values the attention of a micro-batch keeps.

    Where rollouts share a prompt, each rollout's attention holds the prompt's anew (packing).
    """
    if not (config.learner.share_prompts and config.selfplay.train_on_trials):
        return T
    prompt = min(config.rollout.max_prompt_tokens, T)
    return T + (config.selfplay.trials_per_task - 1) * prompt


def norm_bytes(shape: ModelShape, size: int) -> int:
    """What one RMSNorm keeps of a token: its input in float32, normed, and scaled."""
    return (MASTER + 2 * size) * shape.hidden


def layer_bytes(shape: ModelShape, size: int) -> int:
    """What one decoder layer keeps of a token for its backward, its attention aside.

    Two norms; the attention's output for the next matrix; gate, its silu, up, and their product.
    """
    linear = size * shape.query_width + 4 * size * shape.intermediate
    if shape.family == "qwen3":  # norms of queries and keys
        linear += (MASTER + size) * (shape.query_width + shape.key_width)
    return 2 * norm_bytes(shape, size) + linear


def attention_bytes(shape: ModelShape, size: int) -> int:
    """Queries, keys and values (repeated for each head), output; log-sum-exp of a head, float32."""
    return 4 * size * shape.query_width + MASTER * shape.heads


def working_bytes(shape: ModelShape, size: int) -> int:
    """Gradients of a token under way in one layer's backward, of which the largest count."""
    return 3 * size * shape.intermediate + 3 * MASTER * shape.hidden


def loss_bytes(config: RunConfig, shape: ModelShape, T: int, size: int, *, on_gpu: bool) -> int:
    """Of azr.learner.loss: logits of a chunk, gradients of the head and of the hidden states."""
    V, H = shape.vocabulary, shape.hidden
    if config.loss.backend == "reference":
        return 4 * T * V * MASTER  # logits, their log-softmax, and the gradients of both
    rows = NATIVE_ROWS
    if on_gpu:
        rows = max(128, min(TRITON_MAX_ROWS, TRITON_LOGITS // (4 * V) // 128 * 128))
    rows = min(rows, T)
    rounded = size if size < MASTER else 0  # the gradient in the weight's type, beside the sum
    sums = (MASTER + rounded) * (V * H + T * H)
    slices = rows * TRITON_SLICE * size + MASTER * TRITON_SLICE * H if on_gpu else 0
    return MASTER * rows * V + sums + size * T * H + slices


def engine_memory(config: RunConfig, shape: ModelShape, gpu_bytes: int | None) -> EngineMemory:
    """Of the engine, whole in each process; `gpu_bytes` is None on a CPU."""
    rollout, size = config.rollout, SIZE_OF[config.rollout.dtype]
    weights, token = size * shape.parameters, 2 * shape.layers * shape.key_width * size
    sequence = token * longest_sequence(rollout)
    logits = 3 * rollout.max_concurrent * shape.vocabulary * MASTER
    step = max(longest_sequence(rollout), 2048)
    if gpu_bytes is not None:
        step = BATCHED_TOKENS if gpu_bytes >= LARGE_GPU else BATCHED_TOKENS_SMALL
    working = step * size * (3 * shape.intermediate + 4 * shape.hidden) + logits
    if not engine_named(rollout.engine).reserves_memory:
        cache = rollout.max_concurrent * sequence
        budget = weights + working + cache
    elif gpu_bytes is not None:
        budget = int(rollout.gpu_memory_utilization * gpu_bytes)
        cache = max(0, budget - weights - working)
    else:
        cache = max(1, round(rollout.kv_cache_gib)) * GIB
        budget = weights + working + cache
    return EngineMemory(
        budget=budget,
        weights=weights,
        working=working,
        cache=cache,
        token=token,
        sequence=sequence,
    )
