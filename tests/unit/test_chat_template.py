"""The chat template makes the prompt, and a thought that it opens is read as it was opened."""

from dataclasses import replace

import pytest

from azr.errors import ModelError
from azr.rollout.prompt_tokens import Renderer
from tests.tiny import make_tiny_tokenizer
from tests.unit.test_policy import prompt


def test_the_chat_template_comes_before_the_prefill() -> None:
    tokenizer = make_tiny_tokenizer()
    renderer = Renderer(tokenizer, max_prompt_tokens=200, chat=True)
    ids = renderer.ids(prompt("hi", chat=True, prefill="<think>"))
    expected = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>"
    assert tokenizer.decode(ids) == expected
    assert renderer.count_tokens("hi<think>") == len(ids)


HEAD = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}"
TEMPLATES = {
    "SmolLM": "<|A|>",
    "DeepSeek-R1": "<|A|><think>\\n",
    "Qwen3": "<|A|>{% if enable_thinking is defined and enable_thinking is false %}"
    "<think>\\n\\n</think>\\n\\n{% endif %}",
}


@pytest.mark.parametrize("prefill", ["", "<think>", "<think> Let"])
@pytest.mark.parametrize(
    ("template", "arguments", "opened"),
    [
        ("SmolLM", {}, ""),
        ("DeepSeek-R1", {}, "<think>\n"),
        ("Qwen3", {}, ""),
        ("Qwen3", {"enable_thinking": True}, ""),
        ("Qwen3", {"enable_thinking": False}, "<think>\n\n</think>\n\n"),
    ],
)
def test_a_thought_is_opened_once_and_read_as_it_was_opened(
    template: str, arguments: dict[str, bool], opened: str, prefill: str
) -> None:
    tokenizer = make_tiny_tokenizer()
    tail = TEMPLATES[template].replace("\\n", "{{ '\\n' }}")
    tokenizer.chat_template = HEAD + tail
    renderer = Renderer(tokenizer, max_prompt_tokens=200, chat=True, arguments=arguments)
    asked = prompt("hi", chat=True, prefill=prefill)
    whole = opened + prefill.removeprefix("<think>") if opened else prefill
    assert tokenizer.decode(renderer.ids(asked)) == f"<|user|>hi<|A|>{whole}"
    assert whole.count("<think>") <= 1
    read = renderer.as_read(asked)
    assert read.prefill == whole
    assert renderer.as_read(read) == read
    assert renderer.ids(read) == renderer.ids(asked)
    assert renderer.as_read(replace(asked, chat=False)).prefill == prefill


@pytest.mark.parametrize(
    ("template", "arguments", "words"),
    [
        (HEAD, {"enable_thinkng": True}, "has no argument 'enable_thinkng'"),
        ("{{ raise_exception('no user\\nhere') }}", {}, "refuses a prompt: TemplateError: no user"),
        ("{{ messages[3].content }}", {}, "refuses a prompt: UndefinedError"),
        ("{% if %}", {}, "refuses a prompt: TemplateSyntaxError"),
    ],
)
def test_a_template_that_cannot_be_used_is_one_line(
    template: str, arguments: dict[str, bool], words: str
) -> None:
    tokenizer = make_tiny_tokenizer()
    tokenizer.chat_template = template
    with pytest.raises(ModelError, match=words) as refusal:
        Renderer(tokenizer, max_prompt_tokens=200, chat=True, arguments=arguments)
    assert "\n" not in str(refusal.value)
