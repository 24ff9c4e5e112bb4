"""`azr doctor RUN`: whether what a run keeps is as it was written. Nothing is changed.

Checkpoints are the truth, and verified by hash; metrics and rollouts are read for the report alone,
and the working tasks are made again from a checkpoint: what is wrong with these ends no run.
"""

from pathlib import Path

from azr.errors import CheckpointError
from azr.models.manifest import FORMAT, fault_in, read_manifest, steps_in
from azr.records.metrics_file import rows_in
from azr.records.rollouts import fault_in as fault_of_record
from azr.records.rollouts import records_in
from azr.records.run_folder import is_run, rollout_files
from sandbox_wasm.cli.findings import DAMAGED, OK, WARN, Finding

__all__ = ["examine"]

GIB = 2**30


def examine(run: Path) -> list[Finding]:
    """All findings about a run's folder, checkpoints first, the newest of them at the top.

    Raises:
        CheckpointError: The folder holds no run.
    """
    if not is_run(run):
        raise CheckpointError(f"{run} holds no run: there is no resolved.json")
    return [*checkpoints(run), metrics(run), rollouts(run)]


def checkpoints(run: Path) -> list[Finding]:
    """Each whole or damaged; damage to the newest alone stands in a run's way."""
    steps = steps_in(run / "checkpoints")
    if not steps:
        detail = "none: a run that is resumed starts anew"
        return [Finding(name="checkpoints", status=WARN, detail=detail)]
    return [checkpoint(run, step, is_newest=step == steps[-1]) for step in reversed(steps)]


def checkpoint(run: Path, step: int, *, is_newest: bool) -> Finding:
    """Every file of one checkpoint, compared with its hash."""
    name, folder = f"step {step}", run / "checkpoints" / f"step_{step}"
    try:
        manifest = read_manifest(folder)
        fault = fault_in(folder, manifest)
        if manifest.step != step:
            fault = f"it is the checkpoint of step {manifest.step}"
    except CheckpointError as error:
        fault, manifest = str(error), None
    if fault or manifest is None:
        status = DAMAGED if is_newest else WARN
        return Finding(name=name, status=status, detail=f"damaged: {fault}", fix=way_out(run, step))
    size = f"{len(manifest.files)} files, {manifest.bytes / GIB:.2f} GiB"
    if manifest.version != FORMAT:
        verified = "whole" if manifest.has_hashes else "of the right sizes"
        detail = f"{verified}: {size}; an older azr wrote it, and this one cannot go on from it"
        return Finding(name=name, status=WARN, detail=detail)
    return Finding(name=name, status=OK, detail=f"whole: {size}")


def way_out(run: Path, step: int) -> str:
    """How to go on from an older checkpoint, if there is one."""
    older = [number for number in steps_in(run / "checkpoints") if number < step]
    return f"azr train {run}/config.toml --resume --checkpoint {older[-1]}" if older else ""


def metrics(run: Path) -> Finding:
    """Lines that a report would leave out."""
    found = rows_in(run)
    detail = f"{len(found.rows)} steps" + told(found.faults)
    return Finding(name="metrics", status=WARN if found.faults else OK, detail=detail)


def rollouts(run: Path) -> Finding:
    """The same of all rollouts."""
    files, faults = rollout_files(run), list[str]()
    for file in files.values():
        own: list[str] = []
        for _ in records_in(file, own, fault_of_record):
            pass
        faults += [f"{file.name}, {fault}" for fault in own]
    detail = f"{len(files)} steps" + told(faults)
    return Finding(name="rollouts", status=WARN if faults else OK, detail=detail)


def told(faults: list[str]) -> str:
    """The first fault, and how many there are."""
    return f"; cannot be read: {faults[0]} ({len(faults)} in all)" if faults else ""
