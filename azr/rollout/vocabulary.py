"""Vocabulary dropout: words that proposers must do without for a step (arXiv 2604.03472).

A proposer that repeats itself has a few words that it always takes. If a random part of the
vocabulary cannot be sampled, another part in each step, it must find other ways. What a program is
made of stays: keywords, marks, digits, short names, and the words of the prompts' formats.
"""

import keyword
import re
from functools import cached_property, lru_cache
from random import Random
from typing import Any

from azr.seeds import derive_seed
from azr.types import Dropout

__all__ = ["Vocabulary"]

WORD = re.compile(r"[^\W\d_]{3,}")
KEPT = frozenset(map(str.lower, keyword.kwlist)) | {
    *("python", "input", "output", "message", "answer", "think", "boxed", "puzzle", "error"),
    *("len", "str", "int", "sum", "max", "min", "abs", "list", "dict", "set", "tuple", "range"),
}  # fmt: skip
"""Words that are never dropped."""


class Vocabulary:
    """The words of a tokenizer that a model has; some tokenizers have tokens beyond its head.

    Args:
        tokenizer: The model's.
        size: Rows of the model's head; None: as many as the tokenizer has tokens.
    """

    def __init__(self, tokenizer: Any, size: int | None = None) -> None:
        self._tokenizer = tokenizer
        self._size = len(tokenizer) if size is None else min(size, len(tokenizer))
        self.without = lru_cache(maxsize=4)(self._without)
        """Return the ids that a dropout rules out, ascending; rollouts of a step share them."""

    def _without(self, dropout: Dropout) -> tuple[int, ...]:
        draws = Random(derive_seed(dropout.seed, "dropout"))  # noqa: S311 - not for secrets
        number = round(dropout.share * len(self._words))
        return tuple(sorted(draws.sample(self._words, number)))

    @cached_property
    def _words(self) -> list[int]:
        """The ids of tokens that have a word in them which is not kept."""
        special = set(self._tokenizer.all_special_ids)
        texts = enumerate(self._tokenizer.batch_decode([[n] for n in range(self._size)]))
        return [
            token
            for token, text in texts
            if token not in special
            and (found := WORD.search(text))
            and found[0].lower() not in KEPT
        ]
