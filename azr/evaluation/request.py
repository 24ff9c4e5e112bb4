"""The command line of `azr eval`, as a value."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from azr.config.run import RunConfig
from azr.errors import ConfigError
from azr.evaluation.suites.data import VARIABLE, data_folder
from azr.evaluation.suites.suites import SUITES, Suite, suites_named
from azr.evaluation.template import TEMPLATES, Template
from sandbox_wasm.places import expanded, place

if TYPE_CHECKING:
    from azr.evaluation.runner import Plan

__all__ = ["EXAMPLES", "EvaluationRequest", "add_arguments", "request_of"]

EXAMPLES = f"""\
examples:
  azr eval runs/demo --suite cruxeval-o                     a run's newest checkpoint, greedy
  azr eval runs/demo --checkpoint 8 --suite humaneval+ mbpp+ --limit 20
  azr eval models/smollm2-135m-instruct --suite gsm8k --template completion --max-tokens 256
  azr eval Qwen/Qwen2.5-Coder-7B --suite livecodebench --samples 4 --temperature 0.8 --seeds 0 1 2
  azr eval runs/A --suite math500 --rollout.engine transformers --rollout.dtype bfloat16

suites: {", ".join(SUITES)}

Started again, it goes on where it was stopped. Keys of the configuration (rollout.*, sandbox.*,
selfplay.envelope) work as in azr train; a run brings its own.
"""

MODEL_TEMPLATE = "boxed"
"""For models without a run that says how to ask; the same for all suites, so that they compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """What to measure, and where the results go."""

    target: str
    suites: Sequence[Suite]
    data: Path | None
    """Folder of the suites' files; None: from the Hugging Face hub."""
    checkpoint: int | None = None
    output: Path | None = None
    overwrite: bool = False
    limit: int | None = None
    """Only the first so many items of each suite."""
    template: str | None = None
    chat: bool | None = None
    samples: int = 1
    temperature: float = 0.0
    seeds: tuple[int, ...] = (0,)
    max_tokens: int = 2048

    def __post_init__(self) -> None:
        """Refuse values that make no sense, before anything is loaded."""
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"--limit must be at least 1, got {self.limit}")
        self.plan(Template("none"))

    def plan(self, template: Template) -> "Plan":
        """Return how each suite is asked."""
        from azr.evaluation.runner import Plan

        return Plan(
            template=template,
            temperature=self.temperature,
            samples=self.samples,
            seeds=self.seeds,
            max_tokens=self.max_tokens,
        )

    def overrides(self, *, of_run: bool) -> list[tuple[str, str]]:
        """Return the configuration keys that the flags set; a run's own keys come before them."""
        keys: list[tuple[str, str]] = [("model.name", self.target)]
        template = self.template or (None if of_run else MODEL_TEMPLATE)
        if template is not None:
            keys.append(("selfplay.envelope", template))
        if self.chat is not None:
            keys.append(("selfplay.chat_template", str(self.chat).lower()))
        return keys


def template_of(config: RunConfig) -> Template:
    """Return the template that the configuration names."""
    game = config.selfplay
    return Template(game.envelope, game.chat_template, game.pattern_examples)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `azr eval`."""
    add = parser.add_argument
    add(
        "target",
        type=expanded,
        metavar="MODEL_OR_RUN",
        help="a run's folder, a model's folder, or a hub id",
    )
    add("--suite", nargs="+", required=True, metavar="SUITE", help="one or several, see below")
    add(
        "--data",
        type=place,
        help=f"folder of the suites' files (default: ${VARIABLE}, else shared/data beside the"
        " clone where that is, else the hub)",
    )
    add("--checkpoint", type=int, metavar="STEP", help="of a run; default: the newest")
    add("--template", choices=TEMPLATES, help=f"default: the run's own, else {MODEL_TEMPLATE}")
    add("--chat", action=argparse.BooleanOptionalAction, help="use the model's chat template")
    add("--temperature", type=float, default=0.0, help="default: 0, greedy")
    add("--samples", type=int, default=1, help="attempts at an item with each seed (default: 1)")
    add("--seeds", type=int, nargs="+", default=[0], help="default: 0")
    add("--max-tokens", type=int, default=2048, help="of a completion (default: 2048)")
    add("--limit", type=int, metavar="N", help="only the first N items of each suite")
    add("--output", type=place, help="default: RUN/eval/... or evaluations/MODEL/...")
    add("--overwrite", action="store_true", help="start anew instead of going on")


def request_of(arguments: argparse.Namespace) -> EvaluationRequest:
    """Read the parsed flags.

    Raises:
        ConfigError: One of them is impossible.
    """
    return EvaluationRequest(
        target=arguments.target,
        suites=suites_named(arguments.suite),
        data=data_folder(arguments.data),
        checkpoint=arguments.checkpoint,
        output=arguments.output,
        overwrite=arguments.overwrite,
        limit=arguments.limit,
        template=arguments.template,
        chat=arguments.chat,
        samples=arguments.samples,
        temperature=arguments.temperature,
        seeds=tuple(arguments.seeds),
        max_tokens=arguments.max_tokens,
    )
