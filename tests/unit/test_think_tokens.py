"""think_tokens: a Qwen3-like tokenizer, and its copy with the think tags as plain text."""

import json
from pathlib import Path

import pytest
from tokenizers import AddedToken
from transformers import AutoTokenizer

from azr.cli.main import main
from azr.errors import ModelError
from azr.models.think_tokens import SAMPLE, THINK_TOKENS, strip_think_tokens
from tests.tiny import make_tiny_tokenizer


@pytest.fixture
def qwen3(tmp_path: Path) -> Path:
    """Byte-level, with think tags as added tokens that are not special: as Qwen3 has them."""
    folder = tmp_path / "qwen3"
    tokenizer = make_tiny_tokenizer(chat=True)
    tokenizer.add_tokens([AddedToken(word, special=False) for word in THINK_TOKENS])
    tokenizer.chat_template = (tokenizer.chat_template or "") + "<think>"
    tokenizer.save_pretrained(folder)
    added = {word: number for number, word in enumerate(THINK_TOKENS, start=259)}
    (folder / "added_tokens.json").write_text(json.dumps(added | {"<|im_end|>": 2}))
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def ids(folder: Path, text: str) -> list[int]:
    return AutoTokenizer.from_pretrained(folder).encode(text, add_special_tokens=False)


def test_the_tags_become_plain_text_and_come_back(qwen3: Path, tmp_path: Path):
    """Feature 72."""
    assert [len(ids(qwen3, word)) for word in THINK_TOKENS] == [1, 1]
    copy = strip_think_tokens(str(qwen3), tmp_path / "copy")
    assert [len(ids(copy, word)) for word in THINK_TOKENS] == [7, 8]
    tokenizer = AutoTokenizer.from_pretrained(copy)
    assert tokenizer.decode(ids(copy, SAMPLE), skip_special_tokens=True) == SAMPLE
    assert not set(THINK_TOKENS) & set(tokenizer.get_vocab())


def test_all_else_is_as_it_was(qwen3: Path, tmp_path: Path):
    before = {path.name: path.read_bytes() for path in qwen3.iterdir()}
    copy = strip_think_tokens(str(qwen3), tmp_path / "copy")
    old, new = AutoTokenizer.from_pretrained(qwen3), AutoTokenizer.from_pretrained(copy)
    text = "<|im_start|>user\ndef f(x): return 'é'<|im_end|>\n"
    assert new.encode(text) == old.encode(text)
    assert (new.eos_token_id, new.pad_token_id) == (old.eos_token_id, old.pad_token_id)
    assert new.chat_template == old.chat_template
    assert (copy / "model.safetensors").read_bytes() == b"weights"
    assert json.loads((copy / "added_tokens.json").read_text()) == {"<|im_end|>": 2}
    assert {path.name for path in copy.iterdir()} == set(before)
    assert {path.name: path.read_bytes() for path in qwen3.iterdir()} == before


def test_what_cannot_be_rewritten_is_refused_and_nothing_is_written(qwen3: Path, tmp_path: Path):
    copy = strip_think_tokens(str(qwen3), tmp_path / "copy")
    with pytest.raises(ModelError, match="nothing to take out"):
        strip_think_tokens(str(copy), tmp_path / "again")
    assert not (tmp_path / "again").exists()
    with pytest.raises(ModelError, match="not empty"):
        strip_think_tokens(str(qwen3), copy)
    (qwen3 / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"no tokenizer\.json"):
        strip_think_tokens(str(qwen3), tmp_path / "again")


def test_the_command(qwen3: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    target = tmp_path / "copy"
    assert main(["model", "strip-think", str(qwen3), str(target)]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert main(["model", "strip-think", str(tmp_path / "none"), str(target)]) == 2
    assert "was not found" in capsys.readouterr().err
