"""From a prompt to token ids: the chat template, the prefill, the limits."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer

from azr.config import RunConfig
from azr.errors import ModelError, one_line
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


class Renderer:
    """Turns prompts into token ids, under one run's limits."""

    def __init__(self, tokenizer: Any, *, max_prompt_tokens: int, chat: bool) -> None:
        self.tokenizer = tokenizer
        self._max_prompt_tokens = max_prompt_tokens
        self._template_tokens = len(self._in_template("")) if chat else 0

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
            return self._in_template(prompt.text, prompt.prefill)
        return tuple(self.tokenizer(prompt.text + prompt.prefill)["input_ids"])

    def _in_template(self, text: str, prefill: str = "") -> tuple[int, ...]:
        turn = [{"role": "user", "content": text}]
        rendered: str = self.tokenizer.apply_chat_template(
            turn, tokenize=False, add_generation_prompt=True
        )
        # the template writes its special tokens itself
        encoded = self.tokenizer(rendered + prefill, add_special_tokens=False)
        return tuple(encoded["input_ids"])

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
    try:
        config: Any = AutoConfig.from_pretrained(folder)
    except Exception as error:  # and transformers
        raise ModelError(f"{folder}/config.json cannot be read: {one_line(error)}") from error
    return int(getattr(config.get_text_config(), "max_position_embeddings", 2**31))
