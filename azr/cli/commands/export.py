"""The command line of `azr export`."""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

from azr.atomic_write import write_text
from azr.errors import AzrError, ConfigError
from sandbox_wasm.places import place

__all__ = ["EXAMPLES", "add_arguments", "answer"]

EXAMPLES = """\
examples:
  azr export runs/demo model                       the newest checkpoint's model
  azr export runs/demo model --step 8
  azr export runs/demo adapter --adapter           of a run with [lora]: what it trained, for PEFT;
                                                   without the flag it is merged into the model
  azr export runs/demo model --push me/demo        and to the hub, as a private repository, with a
                                                   model card made from the run's report

The hub is the one of HF_ENDPOINT, the account that of HF_TOKEN or `hf auth login`.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All but the configuration: there is none."""
    parser.add_argument("source", type=place, metavar="RUN")
    parser.add_argument("folder", type=place, metavar="FOLDER")
    parser.add_argument("--step", type=int, help="default: the newest checkpoint")
    parser.add_argument(
        "--adapter", action="store_true", help="of a run with [lora]: its adapter, not merged"
    )
    parser.add_argument("--push", metavar="OWNER/NAME", help="send it to the hub as well")
    parser.add_argument(
        "--public", action="store_true", help="with --push: a repository that all can read"
    )


def answer(arguments: argparse.Namespace, say: Callable[[str], None]) -> Path:
    """Copy the model, and send it where that was asked for; returns the folder.

    Raises:
        CheckpointError: There is no such checkpoint, or the folder is taken.
        ConfigError: The flags cannot be meant, or PEFT is not installed.
        ModelError: The adapter cannot be merged.
        AzrError: The hub cannot be had; the folder is written.
    """
    from azr.records.run_folder import checkpoint_models, export_model

    if arguments.push is None:
        if arguments.public:
            raise ConfigError("--public is about a repository: it goes with --push OWNER/NAME")
        return export_model(arguments.source, arguments.folder, arguments.step, writer(arguments))
    try:
        from azr.models.hub import check_repository, push_folder
        from azr.report.card import model_card
    except ModuleNotFoundError as error:
        what = f"azr export --push needs {error.name}, which is not installed"
        raise AzrError(f"{what}: pip install 'azr[train]'") from error
    check_repository(arguments.push)
    step: int | None = arguments.step
    if step is None:
        step = max(checkpoint_models(arguments.source), default=0)
    folder = export_model(arguments.source, arguments.folder, arguments.step, writer(arguments))
    card = model_card(arguments.source, step, arguments.push, is_adapter=arguments.adapter)
    write_text(folder / "README.md", card)
    message = f"{arguments.source.resolve().name}, step {step}"
    say(push_folder(folder, arguments.push, message, is_public=arguments.public))
    return folder


def writer(arguments: argparse.Namespace) -> Callable[[Path, Path], object]:
    """What makes the folder out of a checkpoint's model."""
    from azr.models.checkpoint import is_adapter

    def write(model: Path, folder: Path) -> object:
        if arguments.adapter and not is_adapter(model):
            raise ConfigError(f"--adapter: {arguments.source} was trained without one (lora.rank)")
        if arguments.adapter or not is_adapter(model):
            return shutil.copytree(model, folder)
        from azr.models.lora.merging import write_merged

        return write_merged(model, folder)

    return write
