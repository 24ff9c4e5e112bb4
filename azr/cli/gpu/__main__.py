"""One part of `azr doctor --gpu`, in a process of its own: rows of JSON on stdout, noise on stderr.

    python -m azr.cli.gpu PART FOLDER SECONDS

A case that fails is a row, and the next one follows. After an error that leaves the GPU's context
useless the process ends, since everything after it would fail for that reason alone.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (torch, transformers and vllm are typed in part)

import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from azr.cli.gpu.parts import FAILED, NO_ROOM, OK, PARTS, SKIPPED, Case, Found, Part, Row
from azr.errors import one_line

__all__ = ["rows_of"]

GRACE_S = 30.0
"""Beyond its time the process ends itself, should nobody be left to end it."""
TRACE = 4000
"""Characters of a traceback that a row keeps."""
NO_TIME = "no time was left: --only {part}, or --budget SECONDS, gives it more"


def main() -> None:
    """Measure one part."""
    name, folder, limit = sys.argv[1:]
    signal.alarm(int(float(limit) + GRACE_S))
    out = os.fdopen(os.dup(1), "w")  # what libraries print goes to stderr
    os.dup2(2, 1)
    from azr.rollout.environment import prepare_environment  # noqa: PLC0415 - before torch

    prepare_environment()
    part = next(part for part in PARTS if part.name == name)
    from azr.cli.gpu.device import Place  # noqa: PLC0415 - reads the environment

    place = Place.here(Path(folder))
    for row in rows_of(part, cases_of(part)(place), float(limit), context_is_broken):
        out.write(json.dumps(asdict(row)) + "\n")
        out.flush()


def cases_of(part: Part) -> Callable[[Any], Iterator[Case]]:
    """The function that makes a part's cases."""
    module, _, function = part.source.partition(":")
    return getattr(importlib.import_module(module), function)


def rows_of(
    part: Part, cases: Iterator[Case], limit_s: float, is_broken: Callable[[], bool]
) -> Iterator[Row]:
    """Measure cases until the time is over, and say what became of each."""
    end = time.monotonic() + limit_s
    for case in cases:
        if time.monotonic() > end:
            detail = NO_TIME.format(part=part.name)
            yield Row(part=part.name, case=case.name, status=SKIPPED, detail=detail)
            continue
        row = row_of(part, case)
        yield row
        gc.collect()  # an error's traceback held the tensors of its case
        if row.status != OK and is_broken():
            detail = f"the GPU's context is of no use after {case.name!r}: the rest is not measured"
            yield Row(part=part.name, case="the rest", status=FAILED, detail=detail)
            return


def row_of(part: Part, case: Case) -> Row:
    """Measure one case."""
    start = time.monotonic()
    status, detail, found, trace = FAILED, "", Found(), ""
    try:
        found = case.measure()
        detail = found.fault or found.left_out
        status = FAILED if found.fault else SKIPPED if found.left_out else OK
    except Exception as error:  # noqa: BLE001 - drivers, compilers and libraries raise anything
        trace = traceback.format_exc()[-TRACE:]
        failed = SKIPPED if case.is_foreign else FAILED
        status, detail = (NO_ROOM if has_no_room(error) else failed), one_line(error)
    seconds = round(time.monotonic() - start, 3)
    return Row(
        part=part.name,
        case=case.name,
        status=status,
        detail=detail,
        seconds=seconds,
        figures=found.figures,
        trace=trace,
    )


def has_no_room(error: BaseException) -> bool:
    """Whether a GPU's memory was too small; cuBLAS says so in words of its own."""
    import torch  # noqa: PLC0415 - loaded by whatever raised it

    return isinstance(error, torch.OutOfMemoryError) or "ALLOC_FAILED" in str(error)


def context_is_broken() -> bool:
    """Whether this process can use the GPU no more; memory of a failed case is given back."""
    import torch  # noqa: PLC0415 - loaded by the part

    if not torch.cuda.is_available():
        return False
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    except RuntimeError:  # an illegal access comes back at every call
        return True
    return False


if __name__ == "__main__":
    main()
    os._exit(0)  # all rows are out: an engine that hangs when it is left is nobody's failure
