"""Everything azr raises.

* AzrError
  - ConfigError: a configuration value is impossible or contradictory (also a ValueError)
  - ModelError: the model cannot be found, read, or used in the way the run asks for
  - DataUnavailable: a suite's public data cannot be fetched; says nothing about any model
  - ExecutorUnavailable: the machinery failed; says nothing about the program under judgement
  - StaleWeights: the engine does not sample from the weights the learner has
  - TrainingDiverged: a loss or a gradient is not finite; the weights before it are kept
  - Interrupted: somebody asked the run to stop; the last finished step is kept
  - WorkerLost: a process of a run on several GPUs died or failed; says nothing about the rest
  - CheckpointError: a checkpoint or run folder is missing, torn, taken or of another version

A wrong, broken or hostile *program* is never an exception: it is a `Verdict`.
"""

__all__ = [
    "AzrError",
    "CheckpointError",
    "ConfigError",
    "DataUnavailable",
    "ExecutorUnavailable",
    "Interrupted",
    "ModelError",
    "StaleWeights",
    "TrainingDiverged",
    "WorkerLost",
    "one_line",
]


class AzrError(Exception):
    """Base of every error azr raises on purpose."""


class ConfigError(AzrError, ValueError):
    """A configuration value is impossible; the message names the key, the value and the remedy."""


class ModelError(AzrError):
    """The model or its tokenizer cannot be loaded or lacks what the run asks of it."""


class DataUnavailable(AzrError):  # noqa: N818 - reads as a state
    """A suite's public data is not on this machine, and cannot be fetched."""


class ExecutorUnavailable(AzrError, ConnectionError):  # noqa: N818 - reads as a state
    """The executor did not answer in time. The step must be tried again, and never scored."""


class StaleWeights(AzrError):  # noqa: N818 - reads as a state
    """After an update the engine's log-probabilities do not agree with the learner's."""


class TrainingDiverged(AzrError):  # noqa: N818 - reads as an event
    """Loss or gradient norm is not finite; the optimizer step was not taken."""


class Interrupted(AzrError):  # noqa: N818 - reads as an event
    """The run was asked to stop (Ctrl-C, SIGTERM)."""


class WorkerLost(AzrError):  # noqa: N818 - reads as an event
    """Another process of the run is gone or has failed; the message names its rank."""


class CheckpointError(AzrError, OSError):
    """A checkpoint cannot be read back exactly as it was written."""


def one_line(error: BaseException) -> str:
    """Return the first line of a library's error, and its kind."""
    lines = str(error).strip().split("\n")
    return f"{type(error).__name__}: {lines[0]}" if lines[0] else type(error).__name__
