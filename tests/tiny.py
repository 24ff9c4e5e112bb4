"""A tiny random language model made from nothing, so that tests need no download.

Its tokenizer is byte-level: 256 bytes and three special tokens. Weights are drawn with a large
spread, so that its distributions are far from uniform and a wrong computation shows.
"""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from azr.cli.gpu.models import byte_tokenizer

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tiny_model(
    folder: Path, *, chat: bool = True, seed: int = 0, context: int = 1024, std: float = 0.3
) -> Path:
    """Write the model (2 layers, hidden 64, tied embeddings) to `folder` and return it."""
    tokenizer = make_tiny_tokenizer(chat=chat)
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        initializer_range=std,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def make_tiny_tokenizer(*, chat: bool = True) -> PreTrainedTokenizerFast:
    """One token a byte; every text can be encoded and is given back."""
    fast = byte_tokenizer()
    if chat:
        fast.chat_template = CHAT_TEMPLATE
    return fast
