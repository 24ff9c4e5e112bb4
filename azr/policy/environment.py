"""Environment variables that decide speed and must be set before torch or vLLM is imported.

The engine and the learner take turns in one process. OpenMP threads that spin while the other
one computes, or while the sandbox runs programs, cost more than they give: waiting threads must
sleep. What somebody has set already is left alone.
"""

import os

__all__ = ["DEFAULTS", "prepare_environment"]

DEFAULTS = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    # the engine runs in this process: weights are handed over by reference, and one thread
    # of ours steps it
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}


def prepare_environment() -> None:
    """Set the defaults; call it before anything that imports torch."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
