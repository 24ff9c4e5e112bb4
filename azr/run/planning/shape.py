"""What a model is like, without loading it: its config.json and the heads of its weight files.

Nothing of a model folder is run or unpickled, and of a weight file only the table of contents is
read (safetensors: eight bytes of length, then JSON).
"""

import json
import math
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from azr.errors import ModelError

__all__ = [
    "PUBLISHED",
    "ModelShape",
    "count_parameters",
    "find_shape",
    "layer_matrices",
    "layer_tensors",
    "read_shape",
    "root_tensors",
]

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
"""Those whose weights `layer_tensors` knows, biases and norms of heads included."""

UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError,
              RecursionError, struct.error)  # fmt: skip
"""What a damaged file leads to: lists for tables, 1e400 for a size, no heads at all."""

MAX_HEADER_BYTES = 100_000_000
"""A longer table of contents is refused, as safetensors itself does."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The numbers that memory follows from."""

    family: str
    """transformers' `model_type`."""
    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_heads: int
    head_dim: int
    vocabulary: int
    is_tied: bool
    """One matrix for embedding and head."""
    parameters: int = 0
    """A tied head counts once."""

    @property
    def query_width(self) -> int:
        """Features of a token's queries, all heads together."""
        return self.heads * self.head_dim

    @property
    def key_width(self) -> int:
        """Features of a token's keys, and of its values."""
        return self.key_heads * self.head_dim


def layer_matrices(shape: ModelShape) -> dict[str, tuple[int, int]]:
    """Rows (outputs) and row length (inputs) of each linear layer in a decoder layer, by name."""
    H, Q, K, up = shape.hidden, shape.query_width, shape.key_width, shape.intermediate
    attention = {"q_proj": (Q, H), "k_proj": (K, H), "v_proj": (K, H), "o_proj": (H, Q)}
    feed_forward = {"gate_proj": (up, H), "up_proj": (up, H), "down_proj": (H, up)}
    return {f"self_attn.{name}": size for name, size in attention.items()} | {
        f"mlp.{name}": size for name, size in feed_forward.items()
    }


def layer_tensors(shape: ModelShape) -> list[tuple[int, int]]:
    """Rows and row length of each weight in one decoder layer; vectors have rows of one number."""
    vectors = [shape.hidden, shape.hidden]
    if shape.family == "qwen2":
        vectors += [shape.query_width, shape.key_width, shape.key_width]  # biases
    if shape.family == "qwen3":
        vectors += 2 * [shape.head_dim]  # norms of queries and keys
    return [*layer_matrices(shape).values(), *((length, 1) for length in vectors)]


def root_tensors(shape: ModelShape) -> list[tuple[int, int]]:
    """The same of what is in no layer: embedding, head unless it is tied, the last norm."""
    matrices = 1 if shape.is_tied else 2
    return [*matrices * [(shape.vocabulary, shape.hidden)], (shape.hidden, 1)]


def count_parameters(shape: ModelShape) -> int:
    """Weights of a model of a known family, exactly."""
    layer, root = layer_tensors(shape), root_tensors(shape)
    return shape.layers * sum(map(math.prod, layer)) + sum(map(math.prod, root))


def find_shape(name: str) -> ModelShape | None:
    """The shape of `model.name`, without a network; None if nothing here knows the model.

    A folder is read; then the Hugging Face cache is asked, then the table of published shapes.

    Raises:
        ModelError: There is a config.json, but no shape can be read from it.
    """
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file():
        return read_shape(folder)
    if not folder.is_absolute() and name.count("/") == 1:
        cached = _cached_folder(name)
        if cached is not None:
            return read_shape(cached)
    return PUBLISHED.get(name)


def _cached_folder(name: str) -> Path | None:
    try:
        from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - an extra's
        from huggingface_hub.errors import HFValidationError  # noqa: PLC0415
    except ImportError:
        return None
    try:
        found = try_to_load_from_cache(name, "config.json")
    except HFValidationError:  # no name that the hub could have
        return None
    return Path(found).parent if isinstance(found, str) else None


def read_shape(folder: Path) -> ModelShape:
    """The shape of the model in a folder; weights of an unknown family are counted in its files.

    Raises:
        ModelError: config.json or a weight file cannot be read, or says too little.
    """
    file = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        shape = _shape_of({**config, **config.get("text_config", {})})
        if shape.family in FAMILIES:
            return replace(shape, parameters=count_parameters(shape))
        number = 0
        for file in sorted(folder.glob("*.safetensors")):
            number += _numbers_in(file, is_tied=shape.is_tied)
    except UNREADABLE as error:
        raise ModelError(
            f"{file} does not say how large the model is ({type(error).__name__}: {error})"
        ) from error
    if not number:
        raise ModelError(
            f"{folder} has no *.safetensors to count the parameters in, and model_type"
            f" {shape.family!r} is none of {', '.join(FAMILIES)}"
        )
    return replace(shape, parameters=number)


def _shape_of(config: dict[str, Any]) -> ModelShape:
    heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
    return ModelShape(
        family=str(config["model_type"]),
        layers=int(config["num_hidden_layers"]),
        hidden=hidden,
        intermediate=int(config["intermediate_size"]),
        heads=heads,
        key_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        vocabulary=int(config["vocab_size"]),
        is_tied=bool(config.get("tie_word_embeddings", False)),
    )


def _numbers_in(file: Path, *, is_tied: bool) -> int:
    """Of a safetensors file; a head that is tied to the embedding is not counted again."""
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        if length > MAX_HEADER_BYTES:
            raise ValueError(f"its head would have {length} bytes")
        tensors: dict[str, Any] = json.loads(opened.read(length))
    tied = {"lm_head.weight"} if is_tied else set[str]()
    shapes = [tensors[name]["shape"] for name in tensors.keys() - tied - {"__metadata__"}]
    return sum(math.prod(map(int, shape)) for shape in shapes)


PUBLISHED = {
    name: replace(shape := ModelShape(*numbers), parameters=count_parameters(shape))
    for name, numbers in {
        # the paper's models (Absolute Zero, arXiv 2505.03335, table 5)
        "Qwen/Qwen2.5-Coder-3B": ("qwen2", 36, 2048, 11_008, 16, 2, 128, 151_936, True),
        "Qwen/Qwen2.5-7B": ("qwen2", 28, 3584, 18_944, 28, 4, 128, 152_064, False),
        "Qwen/Qwen2.5-Coder-7B": ("qwen2", 28, 3584, 18_944, 28, 4, 128, 152_064, False),
        "meta-llama/Llama-3.1-8B": ("llama", 32, 4096, 14_336, 32, 8, 128, 128_256, False),
        "Qwen/Qwen2.5-14B": ("qwen2", 48, 5120, 13_824, 40, 8, 128, 152_064, False),
        "Qwen/Qwen2.5-Coder-14B": ("qwen2", 48, 5120, 13_824, 40, 8, 128, 152_064, False),
        # of the authors' later code
        "Qwen/Qwen3-4B-Base": ("qwen3", 36, 2560, 9728, 32, 8, 128, 151_936, True),
        # smaller ones of the same families, for one GPU (docs/method/hardware.md), and a larger one
        "Qwen/Qwen2.5-Coder-0.5B": ("qwen2", 24, 896, 4864, 14, 2, 64, 151_936, True),
        "Qwen/Qwen2.5-Coder-1.5B": ("qwen2", 28, 1536, 8960, 12, 2, 128, 151_936, True),
        "Qwen/Qwen2.5-Coder-32B": ("qwen2", 64, 5120, 27_648, 40, 8, 128, 152_064, False),
        # the demo's, which `azr model smollm2` makes
        "models/smollm2-135m-instruct": ("llama", 30, 576, 1536, 9, 3, 64, 49_152, True),
    }.items()
}
"""By the name that `model.name` gives them; the numbers are in the order of `ModelShape`."""
