"""Random models in the shapes of real ones, and rollouts of nothing: no hub is asked."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (torch, transformers and vllm are typed in part)

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen2Config

from azr.learner.packing import PACKED_ATTENTION
from azr.types import Experience, Mode, Prompt, Role, Rollout, Verdict

__all__ = ["QWEN_0_5B", "QWEN_1_5B", "TINY", "Shape", "byte_tokenizer", "random_model", "rollouts"]

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of a Qwen2 with tied embeddings."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    words: int
    spread: float = 0.02
    """Standard deviation of the weights."""

    @property
    def head_size(self) -> int:
        """Features of an attention head."""
        return self.hidden // self.heads

    @property
    def body(self) -> int:
        """Parameters that every token is multiplied with, in all layers."""
        attention = (2 * self.heads + 2 * self.kv_heads) * self.head_size * self.hidden
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    def config(self, context: int) -> Qwen2Config:
        """For transformers."""
        return Qwen2Config(
            vocab_size=self.words,
            hidden_size=self.hidden,
            intermediate_size=self.intermediate,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            max_position_embeddings=context,
            tie_word_embeddings=True,
            initializer_range=self.spread,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )


QWEN_1_5B = Shape(hidden=1536, intermediate=8960, layers=28, heads=12, kv_heads=2, words=151936)
QWEN_0_5B = Shape(hidden=896, intermediate=4864, layers=24, heads=14, kv_heads=2, words=151936)
TINY = Shape(hidden=128, intermediate=256, layers=2, heads=2, kv_heads=1, words=320, spread=0.2)
"""A large spread takes its distributions far from uniform, where a wrong computation shows."""


def random_model(
    shape: Shape, device: torch.device, dtype: torch.dtype, context: int = 32768
) -> Any:
    """Draw a model on the device; its attention is the learner's."""
    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(
            shape.config(context), dtype=dtype, attn_implementation=PACKED_ATTENTION
        )


def write_model(folder: Path, shape: Shape, device: torch.device, context: int = 4096) -> Path:
    """Write a random model and a tokenizer of bytes, as a run's `model.name`."""
    if not (folder / "config.json").exists():
        model = random_model(shape, device, torch.bfloat16, context)
        byte_tokenizer().save_pretrained(folder)
        model.save_pretrained(folder)
    return folder


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte; every text can be encoded and is given back."""
    words = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL[0],
        bos_token=SPECIAL[1],
        eos_token=SPECIAL[2],
    )


def rollouts(number: int, prompt: int, completion: int, words: int, seed: int) -> list[Experience]:
    """Draw experiences of equal length, no two with the same prompt.

    Args:
        number: How many.
        prompt: Tokens of each prompt.
        completion: Tokens of each completion.
        words: Size of the vocabulary.
        seed: Of the draw.
    """
    draw = torch.Generator().manual_seed(seed)
    rows = torch.randint(3, min(words, 259), (number, prompt + completion), generator=draw)
    return [
        Experience(
            rollout=Rollout(
                prompt=Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=""),
                prompt_ids=tuple(row[:prompt]),
                completion_ids=tuple(row[prompt:]),
                rollout_logprobs=(-5.0,) * completion,
                completion="",
                policy_version=0,
            ),
            verdict=Verdict.PASSED,
            reward=0.0,
        )
        for row in rows.tolist()
    ]
