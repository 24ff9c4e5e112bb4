"""What a run will need, worked out before anything is loaded: memory, tokens, disk.

Read shape.py (what a model is like), shards.py (one process's part of it), memory.py (bytes, and
which of them are exact), verdict.py (does it fit, and what to change), then text.py (what `azr
train --dry-run` prints). No framework is imported, so a laptop can plan a cluster's run.
"""

from azr.config.run import RunConfig
from azr.errors import ConfigError
from azr.run.planning.fit import Fit, Verdict, on_gpus, verdict_of
from azr.run.planning.shape import ModelShape, find_shape
from azr.run.planning.text import describe

__all__ = [
    "Fit",
    "ModelShape",
    "Verdict",
    "describe",
    "find_shape",
    "on_gpus",
    "refuse",
    "verdict_of",
]


def refuse(config: RunConfig, shape: ModelShape, gpu_bytes: int, *, only_if_certain: bool) -> None:
    """Stop a run that would only run out of memory.

    Args:
        config: The run.
        shape: Its model.
        gpu_bytes: All memory of each of its GPUs.
        only_if_certain: Let pass what fails by an estimate alone.

    Raises:
        ConfigError: It does not fit; its notes say what to change.
    """
    verdict = verdict_of(config, shape, gpu_bytes)
    if verdict.fit is Fit.FITS or (verdict.fit is Fit.WILL_NOT and only_if_certain):
        return
    refusal = ConfigError(f"{config.model.name} {verdict.fit}: {verdict.reason}")
    for remedy in verdict.remedies:
        refusal.add_note(remedy)
    raise refusal
