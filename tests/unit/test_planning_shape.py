"""What a model is like is read off its folder, or a table that agrees with transformers."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from azr.errors import ModelError
from azr.run.planning.shape import PUBLISHED, find_shape, read_shape
from tests.tiny import make_tiny_model

OF_THE_HUB = {
    "Qwen/Qwen2.5-Coder-3B": 3_085_938_688,
    "Qwen/Qwen2.5-7B": 7_615_616_512,
    "Qwen/Qwen2.5-Coder-7B": 7_615_616_512,
    "meta-llama/Llama-3.1-8B": 8_030_261_248,
    "Qwen/Qwen2.5-14B": 14_770_033_664,
    "Qwen/Qwen2.5-Coder-14B": 14_770_033_664,
    "Qwen/Qwen3-4B-Base": 4_022_468_096,
    "Qwen/Qwen2.5-Coder-0.5B": 494_032_768,
    "Qwen/Qwen2.5-Coder-1.5B": 1_543_714_304,
    "Qwen/Qwen2.5-Coder-32B": 32_763_876_352,
    "models/smollm2-135m-instruct": 134_515_008,
}
"""Parameters as the hub shows them for the weights."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"))


def test_the_published_shapes_have_as_many_parameters_as_the_hub_shows() -> None:
    assert {name: shape.parameters for name, shape in PUBLISHED.items()} == OF_THE_HUB


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-Coder-3B", "Qwen/Qwen3-4B-Base",
                                  "meta-llama/Llama-3.1-8B"])  # fmt: skip
def test_transformers_builds_as_many_parameters(name: str) -> None:
    shape = PUBLISHED[name]
    config = AutoConfig.for_model(
        shape.family, num_hidden_layers=shape.layers, hidden_size=shape.hidden,
        intermediate_size=shape.intermediate, num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads, head_dim=shape.head_dim,
        vocab_size=shape.vocabulary, tie_word_embeddings=shape.is_tied,
    )  # fmt: skip
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config)
    assert sum(p.numel() for p in model.parameters()) == shape.parameters


def unknown_family(tiny: Path, folder: Path) -> Path:
    """The tiny model's config.json, as one of a family whose weights are not known one by one."""
    config = json.loads((tiny / "config.json").read_text()) | {"model_type": "mamba"}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_folder_is_counted_by_its_config_or_in_its_files(tiny: Path, tmp_path: Path) -> None:
    model: Any = AutoModelForCausalLM.from_pretrained(tiny)
    number = sum(p.numel() for p in model.parameters())
    assert read_shape(tiny).parameters == number
    folder = unknown_family(tiny, tmp_path)
    with pytest.raises(ModelError, match="'mamba' is none of llama"):
        read_shape(folder)
    for file in tiny.glob("*.safetensors"):
        (folder / file.name).write_bytes(file.read_bytes())
    assert read_shape(folder).parameters == number


def test_a_tied_head_that_was_saved_twice_counts_once(tiny: Path, tmp_path: Path) -> None:
    shapes = {"model.embed_tokens.weight": [10, 4], "lm_head.weight": [10, 4]}
    head = json.dumps({name: {"dtype": "F32", "shape": shape} for name, shape in shapes.items()})
    content = struct.pack("<Q", len(head)) + head.encode()
    (unknown_family(tiny, tmp_path) / "model.safetensors").write_bytes(content)
    assert read_shape(tmp_path).parameters == 40


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 64, struct.pack("<Q", 2) + b"[]",
                                     struct.pack("<Q", 2**40)])  # fmt: skip
def test_what_is_no_safetensors_file_is_an_error_that_names_it(
    tiny: Path, tmp_path: Path, content: bytes
) -> None:
    (unknown_family(tiny, tmp_path) / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.safetensors does not say how large"):
        read_shape(tmp_path)


def test_a_model_that_nobody_knows_has_no_shape() -> None:
    assert find_shape("nobody/nothing") is None
