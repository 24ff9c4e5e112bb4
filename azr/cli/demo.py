"""The command line of `azr demo`: which run it is, and what to look at when it is over."""

import argparse
from collections.abc import Callable
from pathlib import Path

from azr.config.loading import load
from azr.config.run import RunConfig
from azr.errors import CheckpointError, ConfigError

__all__ = ["prepare", "where_next"]

FILE = Path(__file__).with_name("demo.toml")


def prepare(arguments: argparse.Namespace, say: Callable[[str], None]) -> RunConfig:
    """The run's configuration, under a free name; its model is made where it is missing.

    Raises:
        AzrError: It is no run for one process, or there is no model.
    """
    config = load([FILE], arguments.overrides)
    if config.cluster.learners:
        raise ConfigError(
            f"azr demo runs in one process, got cluster.learners = {config.cluster.learners}:"
            " leave it out, or use azr train configs/demo-cpu.toml"
        )
    if config.folder.exists() and not (arguments.resume or arguments.overwrite):
        config = load([FILE], [*arguments.overrides, ("name", free_name(config))])
    model = Path(config.model.name)
    if not model.exists() and config.model.name == RunConfig().model.name:
        from azr.models.pretrained import make_smollm2

        make_smollm2(model, say)
    return config


def where_next(config: RunConfig) -> str:
    """What to do after the run."""
    name = "" if config.name == "demo" else f" --name {config.name}"
    return (
        f"\nrun folder  {config.folder}"
        f"\nlook inside azr inspect {config.folder} --stream proposer"
        f"\ngo on       azr demo --resume --steps 100{name}"
    )


def free_name(config: RunConfig) -> str:
    """The run's name with the first number that is not taken."""
    numbers = (f"{config.name}-{number}" for number in range(2, 10_000))
    for name in numbers:
        if not (Path(config.runs) / name).exists():
            return name
    raise CheckpointError(f"{config.runs} holds thousands of runs named {config.name}")
