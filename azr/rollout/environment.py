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
    # micro-batches differ in length: fixed segments of a GPU's memory would be cut to pieces
    "PYTORCH_ALLOC_CONF": "expandable_segments:True",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "TOKENIZERS_PARALLELISM": "false",
    # processes that libraries start find no module in the working folder, as none of ours does
    "PYTHONSAFEPATH": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}
OLDER_NAMES = {"PYTORCH_ALLOC_CONF": "PYTORCH_CUDA_ALLOC_CONF"}
"""What some have set under the name it had."""


def prepare_environment(quota: int | None = None) -> None:
    """Set the defaults; call it before anything that imports torch.

    Args:
        quota: As many threads as a container's quota pays for, where it is less than the cores in
            sight. More would compute for a part of each period and be stopped for the rest of it,
            all of them waiting for the first; and vLLM would bind one to every core.
    """
    threads = {"OMP_NUM_THREADS": str(quota), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    for name, value in {**DEFAULTS, **(threads if quota else {})}.items():
        if OLDER_NAMES.get(name, name) not in os.environ:  # torch refuses both
            os.environ.setdefault(name, value)
