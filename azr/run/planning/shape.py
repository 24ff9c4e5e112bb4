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
    "layer_tensors",
    "llama_like",
    "read_shape",
    "root_tensors",
]


FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
"""Whose number of parameters `count_parameters` knows, biases and norms of heads included."""

UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError,
              RecursionError)  # fmt: skip
"""What a damaged file leads to: lists for tables, 1e400 for a size, no heads at all."""

MAX_HEADER_BYTES = 100_000_000
"""A longer table of contents is refused, as safetensors itself does."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
    context: int
    """Longest sequence it was made for, in tokens."""
    is_tied: bool
    """One matrix for embedding and head."""
    parameters: int = 0
    """A tied head counts once."""
    source: str = ""
    """Where the number of parameters is from, for people."""

    @property
    def query_width(self) -> int:
        """Features of a token's queries, all heads together."""
        return self.heads * self.head_dim

    @property
    def key_width(self) -> int:
        """Features of a token's keys, and of its values."""
        return self.key_heads * self.head_dim

    @property
    def largest_matrix(self) -> int:
        """Entries of the embedding, or of a feed-forward matrix if that is larger."""
        return max(self.vocabulary, self.intermediate) * self.hidden


def llama_like(  # noqa: PLR0913 - the numbers of a config.json
    *, family: str, layers: int, hidden: int, intermediate: int, heads: int, key_heads: int,
    vocabulary: int, context: int, is_tied: bool, head_dim: int = 0,
) -> ModelShape:  # fmt: skip
    """A shape with its number of parameters, from published numbers."""
    shape = ModelShape(
        family=family, layers=layers, hidden=hidden, intermediate=intermediate, heads=heads,
        key_heads=key_heads, head_dim=head_dim or hidden // heads, vocabulary=vocabulary,
        context=context, is_tied=is_tied,
    )  # fmt: skip
    source = "its published shape; the model itself is not on this machine"
    return replace(shape, parameters=count_parameters(shape), source=source)


def layer_tensors(shape: ModelShape) -> list[tuple[int, int]]:
    """Rows and row length of each weight in one decoder layer; vectors have rows of one number."""
    H, Q, K = shape.hidden, shape.query_width, shape.key_width
    attention = [(Q, H), (K, H), (K, H), (H, Q)]
    if shape.family == "qwen2":
        attention += [(Q, 1), (K, 1), (K, 1)]  # biases
    if shape.family == "qwen3":
        attention += 2 * [(shape.head_dim, 1)]  # norms of queries and keys
    feed_forward = [(shape.intermediate, H), (shape.intermediate, H), (H, shape.intermediate)]
    return [*attention, *feed_forward, (H, 1), (H, 1)]


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
    """The shape of the model in a folder.

    Raises:
        ModelError: config.json or a weight file cannot be read, or says too little.
    """
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        shape = _shape_of({**config, **config.get("text_config", {})})
    except UNREADABLE as error:
        raise ModelError(
            f"{folder}/config.json does not say how large the model is"
            f" ({type(error).__name__}: {error})"
        ) from error
    files = sorted(folder.glob("*.safetensors"))
    if _is_whole(folder, files):
        counted = sum(count_in_file(file, is_tied=shape.is_tied) for file in files)
        return replace(shape, parameters=counted, source="counted in the heads of its files")
    if shape.family not in FAMILIES:
        raise ModelError(
            f"{folder} has no *.safetensors to count the parameters in, and model_type"
            f" {shape.family!r} is none of {', '.join(FAMILIES)}"
        )
    return replace(shape, parameters=count_parameters(shape), source="from its config.json")


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
        context=int(config.get("max_position_embeddings", 2**31)),
        is_tied=bool(config.get("tie_word_embeddings", False)),
    )


def _is_whole(folder: Path, files: list[Path]) -> bool:
    """Whether all weight files are there: a download may have been cut off."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return bool(files)
    try:
        wanted = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except UNREADABLE as error:
        raise ModelError(f"{index} cannot be read: {error}") from error
    return wanted <= {file.name for file in files}


def count_in_file(file: Path, *, is_tied: bool) -> int:
    """Numbers in a safetensors file; a head that is tied to the embedding is not counted again.

    Raises:
        ModelError: It is no safetensors file.
    """
    try:
        head = _head_of(file)
        tensors = {name: tensor for name, tensor in head.items() if name != "__metadata__"}
        if is_tied:
            tensors.pop("lm_head.weight", None)
        return sum(math.prod(map(int, tensor["shape"])) for tensor in tensors.values())
    except (*UNREADABLE, struct.error) as error:
        raise ModelError(f"{file} cannot be read as safetensors: {error}") from error


def _head_of(file: Path) -> dict[str, Any]:
    """Name -> {dtype, shape, data_offsets}."""
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        if length > MAX_HEADER_BYTES:
            raise ValueError(f"its head would have {length} bytes")
        return json.loads(opened.read(length))


PUBLISHED: dict[str, ModelShape] = {
    # the paper's models (Absolute Zero, arXiv 2505.03335, table 5)
    "Qwen/Qwen2.5-Coder-3B": llama_like(
        family="qwen2", layers=36, hidden=2048, intermediate=11_008, heads=16, key_heads=2,
        vocabulary=151_936, context=32_768, is_tied=True,
    ),
    "Qwen/Qwen2.5-7B": llama_like(
        family="qwen2", layers=28, hidden=3584, intermediate=18_944, heads=28, key_heads=4,
        vocabulary=152_064, context=131_072, is_tied=False,
    ),
    "Qwen/Qwen2.5-Coder-7B": llama_like(
        family="qwen2", layers=28, hidden=3584, intermediate=18_944, heads=28, key_heads=4,
        vocabulary=152_064, context=32_768, is_tied=False,
    ),
    "meta-llama/Llama-3.1-8B": llama_like(
        family="llama", layers=32, hidden=4096, intermediate=14_336, heads=32, key_heads=8,
        vocabulary=128_256, context=131_072, is_tied=False,
    ),
    "Qwen/Qwen2.5-14B": llama_like(
        family="qwen2", layers=48, hidden=5120, intermediate=13_824, heads=40, key_heads=8,
        vocabulary=152_064, context=131_072, is_tied=False,
    ),
    "Qwen/Qwen2.5-Coder-14B": llama_like(
        family="qwen2", layers=48, hidden=5120, intermediate=13_824, heads=40, key_heads=8,
        vocabulary=152_064, context=32_768, is_tied=False,
    ),
    # of the authors' later code
    "Qwen/Qwen3-4B-Base": llama_like(
        family="qwen3", layers=36, hidden=2560, intermediate=9728, heads=32, key_heads=8,
        vocabulary=151_936, context=32_768, is_tied=True, head_dim=128,
    ),
    # smaller ones of the same families, for one GPU (docs/method/hardware.md), and a larger one
    "Qwen/Qwen2.5-Coder-0.5B": llama_like(
        family="qwen2", layers=24, hidden=896, intermediate=4864, heads=14, key_heads=2,
        vocabulary=151_936, context=32_768, is_tied=True,
    ),
    "Qwen/Qwen2.5-Coder-1.5B": llama_like(
        family="qwen2", layers=28, hidden=1536, intermediate=8960, heads=12, key_heads=2,
        vocabulary=151_936, context=32_768, is_tied=True,
    ),
    "Qwen/Qwen2.5-Coder-32B": llama_like(
        family="qwen2", layers=64, hidden=5120, intermediate=27_648, heads=40, key_heads=8,
        vocabulary=152_064, context=32_768, is_tied=False,
    ),
    # the demo's, which `azr model smollm2` makes
    "models/smollm2-135m-instruct": llama_like(
        family="llama", layers=30, hidden=576, intermediate=1536, heads=9, key_heads=3,
        vocabulary=49_152, context=8192, is_tied=True,
    ),
}  # fmt: skip
"""By the name that `model.name` gives them."""
