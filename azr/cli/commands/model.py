"""The command line of `azr model`: a model that needs no hub, or one made fit for training."""

import argparse
from collections.abc import Callable
from pathlib import Path

from azr.config.run import RunConfig
from sandbox_wasm.places import expanded, place

__all__ = ["add_arguments", "answer"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The kinds of model that can be made."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", title="kinds", required=True)
    smollm2 = kinds.add_parser("smollm2", help="SmolLM2-135M-Instruct (Apache-2.0), without a hub")
    smollm2.add_argument("folder", type=place, nargs="?", help="default: the demo's model folder")
    text = "a copy of a Qwen3 base model whose <think> tags are plain text"
    think = kinds.add_parser("strip-think", help=text, description=text)
    think.add_argument("source", type=expanded, metavar="MODEL", help="Hugging Face id or folder")
    think.add_argument("folder", type=place, metavar="OUT", help="a new folder")


def answer(arguments: argparse.Namespace, say: Callable[[str], None]) -> Path:
    """Make the model; returns its folder. `say` hears what takes time.

    Raises:
        AzrError: It cannot be made.
    """
    if arguments.kind == "smollm2":
        from azr.models.pretrained import make_smollm2

        return make_smollm2(arguments.folder or Path(RunConfig().model.name), say)
    from azr.models.think_tokens import strip_think_tokens

    return strip_think_tokens(arguments.source, arguments.folder)
