"""docs/metrics.md explains every metric that a step emits."""

import asyncio
import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from azr.config.run import (
    AnchorsConfig,
    BuffersConfig,
    CompositeConfig,
    ModelConfig,
    NoveltyConfig,
    RewardConfig,
    RunConfig,
    SandboxConfig,
    SelfPlayConfig,
)
from azr.game.ahead import staleness
from azr.game.judge.judge import SandboxJudge
from azr.game.selfplay import play_step
from azr.learner.learner import TorchLearner
from azr.records.metrics import Stopwatch, step_metrics
from azr.records.rollouts import rollout_records
from azr.report.curriculum import Curriculum, decay_metrics
from azr.rollout.requests import Request, Sampled
from azr.rollout.statistics import Tally
from azr.types import STREAMS, Mode, Prompt, Role, stream_name
from tests.fakes import InProcessExecutor, ScriptedPolicy, make_table
from tests.tiny import make_tiny_model

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
WORDS = {
    "<stream>": "|".join(map(stream_name, STREAMS)),
    "<mode>": "|".join(Mode),
    "<role>": "|".join(Role),
}


def spelled_out(name: str) -> list[str]:
    """`a/{b,c}` as `a/b` and `a/c`."""
    parts = [part.split(",") for part in re.split(r"[{}]", name)]
    return ["".join(chosen) for chosen in product(*parts)]


def documented() -> list[str]:
    names = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)
    return [name for row in names for name in spelled_out(row)]


def pattern_of(name: str) -> re.Pattern[str]:
    """Every `<word>` that has no list of its own is one part of a name."""
    text = re.escape(name)
    for word, values in WORDS.items():
        text = text.replace(re.escape(word), f"(?:{values})")
    return re.compile(re.sub(r"<\w+>", "[^/]+", text))


PATTERNS = [pattern_of(name) for name in documented()]
INPUTS = "".join(f"```input\n{n}\n```\n" for n in range(4))


def script(prompt: Prompt) -> str:
    """Valid proposals and broken ones, right answers and wrong ones."""
    if prompt.role is Role.SOLVER:
        return ("wait: ```output\n2\n```", "```input\n1\n```", "no idea")[prompt.seed % 3]
    program = ("def f(x):\n    # up\n    return x + 1", "def f(x):\n    return x / 0")
    return f"```python\n{program[prompt.seed % 2]}\n```\n{INPUTS}```message\nup\n```"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What a step emits: played with fakes of policy and sandbox, learned from by the learner."""
    folder = make_tiny_model(tmp_path_factory.mktemp("tiny"))
    anchors = folder / "anchors.jsonl"
    anchors.write_text('{"prompt": "p", "ground_truth": {"calls": ["1"], "expected": ["2"]}}')
    config = RunConfig(
        anchors=AnchorsConfig(file=str(anchors), share=0.1),
        model=ModelConfig(name=str(folder)),
        selfplay=SelfPlayConfig(
            batch_size=6, trials_per_task=2, references=1, induction_inputs=4, envelope="none"
        ),
        composite=CompositeConfig(start_step=1, chance=0.5),
        rewards=RewardConfig(kl="k1"),
        buffers=BuffersConfig(recheck=2, band=(0.3, 0.8)),
        novelty=NoveltyConfig(memory_nearest=0.1),
    )
    watch, tally = Stopwatch(), Tally()
    judge = SandboxJudge(InProcessExecutor(), SandboxConfig())
    table = replace(make_table(config, ScriptedPolicy(script)), judge=judge)
    with watch.phase("play"):
        experiences = asyncio.run(play_step(table, 1))
    advantages = [float(number % 3 - 1) for number, _ in enumerate(experiences)]
    with tally.step(1):
        tally.count(
            Request(prompt_ids=(1,), max_tokens=1, seed=0, temperature=1.0),
            Sampled(ids=(1,), logprobs=(0.0,), text="a", truncated=False),
        )
    learner = TorchLearner(config, folder)
    _, penalty = learner.penalised(experiences)
    update = learner.update(experiences, advantages)
    stored = table.buffers.stats()  # type: ignore[attr-defined]
    parts = {**judge.stats(), **tally.take(), **stored, **penalty, **update, **watch.seconds()}
    parts |= staleness(experiences, 1)
    records = list(rollout_records(1, experiences, advantages))
    looking_back = Curriculum().metrics(1, records) | decay_metrics(range(1, 9), [9.0] + [0.0] * 7)
    return {*step_metrics(experiences, advantages, parts), *looking_back}


def test_every_metric_of_a_step_is_on_the_page(names: set[str]) -> None:
    """Feature 64."""
    assert len(names) > 100
    missing = [n for n in sorted(names) if not any(p.fullmatch(n) for p in PATTERNS)]
    assert missing == []


def test_no_name_is_on_the_page_twice() -> None:
    assert len(documented()) == len(set(documented()))


def test_what_the_page_says_of_game_and_texts_exists(names: set[str]) -> None:
    """The other direction: a name that nothing emits any more is taken off the page."""
    page = PAGE.read_text()
    text = page[page.index("## The game") : page.index("## The update")]
    rows = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    stale = [
        name
        for row in rows
        for name in spelled_out(row)
        if not any(pattern_of(name).fullmatch(emitted) for emitted in names)
    ]
    assert stale == []
