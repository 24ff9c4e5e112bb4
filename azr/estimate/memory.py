"""Bytes of one training process: the learner, the engine beside it, the host and the disk.

Exact: what is as large as the weights say (weights, their copy, gradients, AdamW's moments, keys
and values of a token). Estimates: activations, scratch, whatever a framework keeps for itself.
Activations are what the layers of transformers' Llama and Qwen keep for the backward, tensor by
tensor; tests compare both kinds with a real model.

P parameters, T tokens of a micro-batch, H hidden, I intermediate, V vocabulary.
"""

from dataclasses import dataclass

from azr.config import RolloutConfig, RunConfig
from azr.estimate.shape import ModelShape

__all__ = ["GIB", "EngineMemory", "LearnerMemory", "engine_memory", "learner_memory"]

GIB = 2**30

SIZE_OF = {"float32": 4, "bfloat16": 2}
MASTER = 4
"""Bytes of a master weight, and of its gradient: always float32 (azr.learner)."""

TRITON_LOGITS, TRITON_MAX_ROWS, TRITON_SLICE = 2**30, 4096, 8192
NATIVE_ROWS = 516
"""azr.loss.triton and azr.loss.native: tokens whose logits are in memory at once."""

BATCHED_TOKENS = 16_384
"""Prompt tokens of one step of vLLM on a large GPU, its own default: decides its working memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerMemory:
    """Of `azr.learner.TorchLearner`, from the second update on; all in bytes."""

    weights: int
    """Float32 masters."""
    copy: int
    """Of the weights in bfloat16, with model.dtype = "bfloat16"."""
    reference: int
    """The frozen model that loss.kl compares with; 0 without one."""
    gradients: int
    """Of the masters."""
    moments: int
    """AdamW's two, float32."""
    copy_gradients: int
    """Of the copy, in a backward."""
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
    def peaks(self) -> dict[str, int]:
        """The three moments at which an update holds most."""
        return {
            "end of a forward": self.fixed + self.activations + self.loss,
            "end of a backward": self.fixed + self.copy_gradients + self.layer,
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
    """Of one update."""
    P, size = shape.parameters, SIZE_OF[config.model.dtype]
    has_copy = config.model.dtype != "float32"
    T = max(config.learner.micro_batch_tokens, longest_sequence(config.rollout) - 1)
    attended = attended_tokens(config, T)
    layer = T * layer_bytes(shape, size) + attended * attention_bytes(shape, size)
    last = norm_bytes(shape, size)  # of the last norm, whose result goes to the head
    # where each layer's input is kept and the rest is made again, layer by layer
    a_layer_keeps = T * shape.hidden * size if config.model.gradient_checkpointing else layer
    return LearnerMemory(
        weights=MASTER * P,
        copy=size * P if has_copy else 0,
        reference=size * P if config.loss.kl != "none" else 0,
        gradients=MASTER * P,
        moments=2 * MASTER * P,
        copy_gradients=size * P if has_copy else 0,
        tokens=T,
        activations=shape.layers * a_layer_keeps + T * last,
        layer=layer * config.model.gradient_checkpointing + T * working_bytes(shape, size),
        loss=loss_bytes(config, shape, T, size, on_gpu=on_gpu),
        # on a GPU torch steps all matrices together and needs a square root of each at once
        optimizer=MASTER * P if on_gpu else 2 * MASTER * shape.largest_matrix,
    )


def longest_sequence(rollout: RolloutConfig) -> int:
    """Tokens of the longest prompt with the longest completion."""
    return rollout.max_prompt_tokens + rollout.max_completion_tokens


def attended_tokens(config: RunConfig, T: int) -> int:
    """Tokens whose queries, keys and values the attention of a micro-batch keeps.

    Where rollouts share a prompt, each rollout's attention holds the prompt's anew (azr.batch).
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
    """Of azr.loss: logits of a chunk, gradients of the head and of the hidden states."""
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
    """Of vLLM, or of plain transformers; `gpu_bytes` is None on a CPU."""
    rollout, size = config.rollout, SIZE_OF[config.rollout.dtype]
    weights, token = size * shape.parameters, 2 * shape.layers * shape.key_width * size
    sequence = token * longest_sequence(rollout)
    logits = 3 * rollout.max_concurrent * shape.vocabulary * MASTER
    step = BATCHED_TOKENS if gpu_bytes is not None else max(longest_sequence(rollout), 2048)
    working = step * size * (3 * shape.intermediate + 4 * shape.hidden) + logits
    if rollout.engine == "transformers":
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
