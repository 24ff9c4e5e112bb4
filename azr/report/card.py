"""A model card: what a hub shows of an exported model, made from its run's report. Markdown.

It holds what was measured and nothing that a model wrote.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from azr import __version__
from azr.report.html.arms import History, figure_of
from azr.report.html.contract import Figure
from azr.report.html.data import collect
from azr.report.html.decay import falls_of, in_words
from azr.report.html.labels import FINAL_FIGURES, label_of
from azr.report.story import resolved_config, table_in

__all__ = ["model_card"]

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
SHOWN_FACTS = (
    *("proposals a mode and step", "trials a task", "learning rate", "seed", "machine", "GPUs"),
    *("commit", "versions"),
)


def model_card(run: Path, step: int, name: str, *, is_adapter: bool = False) -> str:
    """The card of a step's weights.

    Args:
        run: The run's folder.
        step: Of the checkpoint; what came after it is left out.
        name: What the hub calls the model.
        is_adapter: The folder holds an adapter, which PEFT loads, and no whole model.

    Raises:
        CheckpointError: There is no run in the folder.
    """
    found = collect(run, run.resolve().name, most=0)
    history = until(found.history, step)
    base = str(table_in(resolved_config(run), "model").get("name", ""))
    evaluations = [m for m in sorted(history.metrics) if re.fullmatch(r"eval/.+/pass@1", m)]
    parts = [
        head(base, "peft" if is_adapter else "transformers"),
        f"# {inline(name)}",
        f"{origin(base)} trained for {step} steps with azr {__version__}. {METHOD}",
        section("Evaluation", table(history, evaluations), "No suite was run during training."),
        section("At the end of training", table(history, FINAL_FIGURES), "Nothing was measured."),
        f"Decay of the curriculum: {in_words(falls_of(history))}.",
        section("How it was trained", facts_of(found.run.facts), "The run does not say."),
        LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


METHOD = """It learnt by self-play on code
([Absolute Zero](https://arxiv.org/abs/2505.03335)): the model sets itself tasks, solves them in a
sandbox, and learns from both."""

LIMITS = """## Limits

The figures are of one run: another seed gives others. The model was rewarded for Python programs
and their results alone. Programs that it writes are to be run in a sandbox."""


def head(base: str, library: str = "transformers") -> str:
    """The metadata that a hub reads, as YAML; JSON's texts are YAML's."""
    named = [f"base_model: {json.dumps(base)}"] if is_of_hub(base) else []
    lines = [f"library_name: {library}", *named, "pipeline_tag: text-generation", "tags:"]
    tags = ("azr", "self-play", "reinforcement-learning", "code")
    return "\n".join(["---", *lines, *(f"- {tag}" for tag in tags), "---"])


def is_of_hub(base: str) -> bool:
    """Whether the name is a hub's, and no folder: of this machine, or as `azr model` calls them."""
    is_folder = Path(base).exists() or base.startswith("models/")
    return HUB_ID.fullmatch(base) is not None and not is_folder


def origin(base: str) -> str:
    """The model that was trained."""
    if is_of_hub(base):
        return f"[{base}](https://huggingface.co/{base})"
    return f"`{inline(Path(base).name)}`" if base else "A model"


def until(history: History, step: int) -> History:
    """What was measured up to the step."""
    count = sum(known <= step for known in history.steps)
    cut = {name: values[:count] for name, values in history.metrics.items()}
    return History(history.steps[:count], cut)


def table(history: History, metrics: Sequence[str]) -> str:
    """A row a metric that has a figure; empty where none has."""
    rows: list[str] = []
    for metric in metrics:
        figure, label = figure_of([history.metrics], metric), label_of(metric)
        if figure is not None:
            shown = figure_text(figure, is_share=label.form == "share")
            rows.append(f"| {inline(label.title)} | {inline(label.unit)} | {shown} |")
    return "\n".join(["| measure | unit | value |", "|---|---|---|", *rows]) if rows else ""


def figure_text(figure: Figure, *, is_share: bool) -> str:
    """A figure with its interval over items, where it has one."""
    parts = [value for value in (figure.value, figure.low, figure.high) if value is not None]
    texts = [f"{100 * v:.1f} %" if is_share else f"{v:.3g}" for v in parts]
    return texts[0] if len(texts) < 3 else f"{texts[0]} [{texts[1]}, {texts[2]}]"


def facts_of(facts: Sequence[tuple[str, str]]) -> str:
    """What the run says of itself."""
    return "\n".join(f"* {name}: {inline(v)}" for name, v in facts if name in SHOWN_FACTS)


def section(title: str, text: str, instead: str) -> str:
    """A part of the card."""
    return f"## {title}\n\n{text or instead}"


def inline(text: str) -> str:
    """A text that stays in its line and its cell, whatever it holds."""
    return re.sub(r"([\\`*_<>\[\]|#])", r"\\\1", " ".join(text.split()))
