"""From a prompt to token ids: the chat template, the prefill, the limits."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer

from azr.config.run import RunConfig
from azr.errors import ModelError, one_line
from azr.rollout.vocabulary import Vocabulary
from azr.types import Prompt

__all__ = ["Renderer", "load_tokenizer", "open_renderer"]

PROBE_TEXT = '''def merge(left, right):
    """Merge two sorted lists into one; both may be empty, and equal items keep their order."""
    merged, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            merged.append(left[i])
            i += 1
        else:
            merged.append(right[j])
            j += 1
    return merged + left[i:] + right[j:]

print(merge([1, 4, 9, 16], [2, 3, 5, 7, 11]))  # [1, 2, 3, 4, 5, 7, 9, 11, 16]
'''
"""What the engine and the learner are compared on: longer than one block of the prefix cache."""


THINK = "<think>"
OPENED = re.compile(r"<think>\s*(?:</think>\s*)?\Z")
"""How some templates begin an answer: with the tag of a thought (DeepSeek-R1), or with a thought
that is empty (Qwen3 with enable_thinking = false)."""


class Renderer:
    """Turns prompts into token ids, under one run's limits.

    Args:
        tokenizer: The model's.
        max_prompt_tokens: rollout.max_prompt_tokens.
        chat: Whether prompts are put into the chat template.
        arguments: selfplay.chat_template_kwargs.
        vocab_size: Rows of the model's head; None: as many as the tokenizer has tokens.

    Raises:
        ModelError: The template refuses a user's turn, or knows no such argument.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        max_prompt_tokens: int,
        chat: bool,
        arguments: Mapping[str, object] | None = None,
        vocab_size: int | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.vocabulary = Vocabulary(tokenizer, vocab_size)
        self._max_prompt_tokens = max_prompt_tokens
        self._arguments = dict(arguments or {})
        self._thought = self._opened_thought() if chat else ""
        self._template_tokens = len(self._in_template("")) if chat else 0

    def _opened_thought(self) -> str:
        """What of a thought the template writes itself, where the answer begins."""
        template = str(getattr(self.tokenizer, "chat_template", ""))
        unknown = [name for name in self._arguments if name not in template]
        if unknown:
            raise ModelError(
                f"the model's chat template has no argument {unknown[0]!r}: see"
                " selfplay.chat_template_kwargs"
            )
        found = OPENED.search(self._rendered("azr"))
        return found[0] if found else ""

    def as_read(self, prompt: Prompt) -> Prompt:
        """The prompt with what the template writes of the answer in its prefill.

        A tag that the template opens is not opened again, and whoever reads the completion reads
        the same text as where azr opened it.
        """
        if not (prompt.chat and self._thought) or prompt.prefill.startswith(self._thought):
            return prompt
        return replace(prompt, prefill=self._thought + prompt.prefill.removeprefix(THINK))

    def ids(self, prompt: Prompt) -> tuple[int, ...]:
        """Template, text and prefill as token ids.

        Raises:
            ModelError: There are more than `rollout.max_prompt_tokens` of them, or none.
        """
        ids = self._encode(prompt)
        if not ids:
            raise ModelError("a prompt has no tokens: its text and its prefill are both empty")
        if len(ids) > self._max_prompt_tokens:
            raise ModelError(
                f"a prompt of {prompt.role}/{prompt.mode} has {len(ids)} tokens, above"
                f" rollout.max_prompt_tokens = {self._max_prompt_tokens}: raise it, or lower"
                " selfplay.references"
            )
        return ids

    def count_tokens(self, text: str) -> int:
        """How many tokens a prompt with this text has, those of the chat template included."""
        return len(self.tokenizer(text)["input_ids"]) + self._template_tokens

    def _encode(self, prompt: Prompt) -> tuple[int, ...]:
        if prompt.chat:
            return self._in_template(prompt.text, self.as_read(prompt).prefill)
        return tuple(self.tokenizer(prompt.text + prompt.prefill)["input_ids"])

    def _in_template(self, text: str, prefill: str = "") -> tuple[int, ...]:
        # what the template has begun is in the prefill of `as_read`
        rendered = self._rendered(text).removesuffix(self._thought) + (prefill or self._thought)
        # the template writes its special tokens itself
        encoded = self.tokenizer(rendered, add_special_tokens=False)
        return tuple(encoded["input_ids"])

    def _rendered(self, text: str) -> str:
        turn = [{"role": "user", "content": text}]
        try:
            return self.tokenizer.apply_chat_template(
                turn, tokenize=False, add_generation_prompt=True, **self._arguments
            )
        except Exception as error:  # a template is a program: it raises anything
            why = one_line(error)
            raise ModelError(f"the model's chat template refuses a prompt: {why}") from error

    def probe_ids(self, max_tokens: int) -> tuple[int, ...]:
        """A known text of at most so many tokens."""
        return tuple(self.tokenizer(PROBE_TEXT)["input_ids"])[:max_tokens]


def open_renderer(config: RunConfig, folder: Path) -> tuple[Renderer, int]:
    """The renderer of a model, and how many tokens a prompt with its completion may have.

    Raises:
        ModelError: The model cannot be read, has no chat template though the run asks for one,
            or has a shorter context than the run needs.
    """
    tokenizer = load_tokenizer(folder)
    if config.selfplay.chat_template and not getattr(tokenizer, "chat_template", None):
        raise ModelError(
            f"{config.model.name} has no chat template, but selfplay.chat_template is true:"
            " set it to false, or name the model's instruct version"
        )
    rollout = config.rollout
    needed = rollout.max_prompt_tokens + rollout.max_completion_tokens
    context = context_of(folder)
    if needed > context:
        raise ModelError(
            f"{config.model.name} reads at most {context} tokens, but"
            f" rollout.max_prompt_tokens + rollout.max_completion_tokens ="
            f" {rollout.max_prompt_tokens} + {rollout.max_completion_tokens} = {needed}:"
            " lower one of them"
        )
    renderer = Renderer(
        tokenizer,
        max_prompt_tokens=rollout.max_prompt_tokens,
        chat=config.selfplay.chat_template,
        arguments=config.selfplay.chat_template_kwargs,
        vocab_size=getattr(text_config_of(folder), "vocab_size", None),
    )
    return renderer, needed


def load_tokenizer(folder: Path) -> Any:
    """The model's tokenizer; never runs code that lies beside it."""
    try:
        return AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # tokenizers raises anything on a damaged file
        raise ModelError(
            f"{folder} has no tokenizer that can be read: {one_line(error)}"
        ) from error


def context_of(folder: Path) -> int:
    """The longest sequence the model was made for."""
    return int(getattr(text_config_of(folder), "max_position_embeddings", 2**31))


def text_config_of(folder: Path) -> Any:
    """The part of a model's configuration that is about text."""
    try:
        config: Any = AutoConfig.from_pretrained(folder)
    except Exception as error:  # and transformers
        raise ModelError(f"{folder}/config.json cannot be read: {one_line(error)}") from error
    return config.get_text_config()
