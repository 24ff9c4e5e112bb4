"""`azr model strip-think`: a copy of a model whose tokenizer has no think tokens.

Qwen3's tokenizers hold `<think>` and `</think>` as single added tokens, whose embeddings are
untrained in the base models. A prompt that opens with one opens with noise. Without them the tags
are spelled in ordinary tokens, as in other models. (AZR: remove_think_qwen3_tokenizer)
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (transformers and torch are typed in part)

import json
import os
import shutil
from pathlib import Path
from typing import Any, cast

from transformers import AutoTokenizer

from azr.errors import ModelError
from azr.models.pretrained import resolve_model

__all__ = ["THINK_TOKENS", "strip_think_tokens"]

THINK_TOKENS = ("<think>", "</think>")
SAMPLE = "Assistant: <think> 1 + 1\n</think>\n<answer>2</answer>"


def strip_think_tokens(model: str, folder: Path | str) -> Path:
    """Write the copy; weights are linked if the file system allows it, else copied.

    Args:
        model: Hugging Face id or local folder.
        folder: Where the copy goes; it must not exist, or be empty.

    Raises:
        ModelError: There is no such model, its tokenizer has no think tokens or no tokenizer.json,
            or the folder is taken.
    """
    source, target = resolve_model(model), Path(folder)
    if not (source / "tokenizer.json").is_file():
        raise ModelError(f"{source} has no tokenizer.json: only fast tokenizers can be rewritten")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ModelError(f"{target} exists and is not empty: name a new folder")
    files = {
        path.relative_to(source): stripped
        for path in source.rglob("*.json")
        if (stripped := rewritten(path)) is not None
    }
    if Path("tokenizer.json") not in files:
        words = " and ".join(THINK_TOKENS)
        raise ModelError(f"the tokenizer of {model} has no tokens {words}: nothing to take out")
    target.mkdir(parents=True, exist_ok=True)
    for path in source.rglob("*"):
        if path.is_file() and path.relative_to(source) not in files:
            copy(path, target / path.relative_to(source))
    for name, text in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(text, encoding="utf-8")
    try:
        check(target)
    except ModelError:
        shutil.rmtree(target)  # nobody shall train on it
        raise
    return target


def copy(source: Path, target: Path) -> None:
    """Link the file, or copy it if that is not possible."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)  # hubs keep links to blobs
    except OSError:
        shutil.copy2(source, target)


def rewritten(path: Path) -> str | None:
    """Return the tokenizer's file without think tokens; None if it is another file, or has none."""
    strip = STRIPPERS.get(path.name)
    if strip is None:
        return None
    before = path.read_text(encoding="utf-8")
    tree = json.loads(before)
    strip(tree)
    if tree == json.loads(before):
        return None
    return json.dumps(tree, ensure_ascii=False, indent=2) + "\n"


def strip_tokenizer(tree: dict[str, Any]) -> None:
    """Strip tokenizer.json: its list of added tokens, and the vocabulary if it has them too."""
    tree["added_tokens"] = without(tree.get("added_tokens"))
    vocabulary: object = tree.get("model", {}).get("vocab")
    if isinstance(vocabulary, dict):
        strip_words(cast("dict[str, Any]", vocabulary))


def strip_config(tree: dict[str, Any]) -> None:
    """Strip tokenizer_config.json and special_tokens_map.json wherever they list tokens."""
    decoder: dict[str, Any] = tree.get("added_tokens_decoder", {})
    for number in [n for n, token in decoder.items() if content(token) in THINK_TOKENS]:
        del decoder[number]
    for key in ("additional_special_tokens", "extra_special_tokens"):
        if isinstance(tree.get(key), list):
            tree[key] = without(tree[key])


def strip_words(tree: dict[str, Any]) -> None:
    """Strip added_tokens.json, from token to number."""
    for word in THINK_TOKENS:
        tree.pop(word, None)


STRIPPERS = {
    "tokenizer.json": strip_tokenizer,
    "tokenizer_config.json": strip_config,
    "special_tokens_map.json": strip_config,
    "added_tokens.json": strip_words,
}


def without(tokens: list[Any] | None) -> list[Any]:
    """Return the list without think tokens."""
    return [token for token in tokens or [] if content(token) not in THINK_TOKENS]


def content(token: Any) -> str:
    """Return the text of a token, which is written as text or as a table."""
    return str(token["content"] if isinstance(token, dict) else token)


def check(folder: Path) -> None:
    """Raise `ModelError` unless the copy spells the tags out and gives them back."""
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    for word in THINK_TOKENS:
        if len(tokenizer.encode(word, add_special_tokens=False)) < 2:
            raise ModelError(
                f"{folder}: {word} is still one token; the tokenizer was not rewritten"
            )
    ids = tokenizer.encode(SAMPLE, add_special_tokens=False)
    if tokenizer.decode(ids, skip_special_tokens=True) != SAMPLE:
        raise ModelError(f"{folder}: the rewritten tokenizer does not give {SAMPLE!r} back")
