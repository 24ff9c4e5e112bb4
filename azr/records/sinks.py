"""Writes a step's metrics to metrics.jsonl, and to TensorBoard or W&B if a run asks for it."""

import importlib
import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from azr.atomic_write import written
from azr.config.run import RunConfig
from azr.errors import ConfigError

__all__ = ["MetricsWriter"]


class Sink(Protocol):
    """Another place for metrics."""

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take one step's metrics."""
        ...

    def close(self) -> None:
        """Flush."""
        ...


class MetricsWriter:
    """Writes metrics.jsonl, one line per step, and other sinks; `write` returns when it is on disk.

    Args:
        folder: The run's folder.
        config: `config.logging` names the sinks.
        first_step: The step that is written first. TensorBoard's data from this step on is hidden,
            so that steps which a resumed run replays do not show twice.

    Raises:
        ConfigError: A requested sink is not installed.
    """

    def __init__(self, folder: Path, config: RunConfig, first_step: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._sinks: list[Sink] = []
        if config.logging.tensorboard:
            self._sinks.append(TensorBoardSink(folder / "tensorboard", first_step))
        if config.logging.wandb:
            self._sinks.append(WandbSink(folder, config))
        if config.logging.trackio:
            self._sinks.append(TrackioSink(config))
        # unbuffered: after a full disk nothing is left in a buffer that would fail again at close
        self._file = (folder / "metrics.jsonl").open("ab", buffering=0)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Append one step.

        Raises:
            CheckpointError: The disk is full or gone.
        """
        finite = {k: v if math.isfinite(v) else None for k, v in metrics.items()}
        with written(self._file.name):
            line = json.dumps({"step": step, **finite}).encode() + b"\n"
            while line:
                line = line[self._file.write(line) or 0 :]
            os.fsync(self._file.fileno())
        with written(self._folder):
            for sink in self._sinks:
                sink.write(step, {k: v for k, v in finite.items() if v is not None})

    def close(self) -> None:
        """Flush and close all sinks.

        Raises:
            CheckpointError: The disk is full or gone.
        """
        self._file.close()
        with written(self._folder):
            for sink in self._sinks:
                sink.close()


class TensorBoardSink:
    """Event files, written without torch."""

    def __init__(self, folder: Path, first_step: int) -> None:
        events = optional("tensorboard.compat.proto.event_pb2")
        writers = optional("tensorboard.summary.writer.event_file_writer")
        self._event: Any = events.Event
        self._summary: Any = optional("tensorboard.compat.proto.summary_pb2").Summary
        self._writer: Any = writers.EventFileWriter(str(folder))
        # SessionLog.START makes TensorBoard drop what earlier files hold from this step on
        start = events.SessionLog(status=events.SessionLog.START)
        self._add(session_log=start, step=first_step)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """One event with all values."""
        values = [self._summary.Value(tag=k, simple_value=v) for k, v in metrics.items()]
        self._add(summary=self._summary(value=values), step=step)
        self._writer.flush()

    def _add(self, **fields: Any) -> None:
        self._writer.add_event(self._event(wall_time=time.time(), **fields))

    def close(self) -> None:
        """Flush and close the event file."""
        self._writer.close()


class WandbSink:
    """A Weights & Biases run; a resumed azr run continues the same one."""

    def __init__(self, folder: Path, config: RunConfig) -> None:
        note = folder / "wandb_id"
        run_id = note.read_text(encoding="utf-8").strip() if note.exists() else None
        self._run: Any = optional("wandb").init(
            project=config.logging.wandb_project,
            name=config.name,
            tags=config.logging.wandb_tags or None,  # given, they replace those of before
            id=run_id,
            resume="allow",
            config=config.model_dump(mode="json"),
            dir=str(folder),
        )
        note.write_text(str(self._run.id), encoding="utf-8")

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log the step."""
        self._run.log(dict(metrics), step=step)

    def close(self) -> None:
        """Finish the upload."""
        self._run.finish()


class TrackioSink:
    """A trackio run; a resumed azr run continues the one of its name, and replays steps into it."""

    def __init__(self, config: RunConfig) -> None:
        self._run: Any = optional("trackio").init(
            project=config.logging.trackio_project,
            name=config.name,
            resume="allow",
            config=config.model_dump(mode="json"),
        )

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log the step."""
        self._run.log(dict(metrics), step=step)

    def close(self) -> None:
        """Write what is left."""
        self._run.finish()


def optional(module: str) -> ModuleType:
    """Import a package that only some runs need.

    Raises:
        ConfigError: It is not installed; the message says how to do without it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        refusal = ConfigError(f"logging.{package} is on, but {package} cannot be imported: {error}")
        refusal.add_note(f"pip install {package}, or switch it off: --logging.{package} false")
        raise refusal from error
