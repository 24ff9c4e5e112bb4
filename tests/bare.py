"""A Python that lacks what `pip install .` alone does not bring: no torch, no rich."""

import os
from pathlib import Path

__all__ = ["bare_environment"]

BARE = """
import sys
WITHOUT = {"torch", "rich", "transformers", "vllm", "numpy", "safetensors", "tokenizers",
           "huggingface_hub", "tensorboard", "wandb"}
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in WITHOUT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Without())
"""


def bare_environment(folder: Path) -> dict[str, str]:
    """Of a process that imports none of these, though they are installed."""
    (folder / "sitecustomize.py").write_text(BARE)
    return {**os.environ, "PYTHONPATH": str(folder)}
