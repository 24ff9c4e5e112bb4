"""Have EvalPlus judge canonical solutions and mutants; its verdicts become a test's golden file.

    .venv/bin/python scripts/suites/evalplus_verdicts.py samples FOLDER
    evalplus.evaluate --dataset humaneval --samples FOLDER/humaneval+.jsonl    (docs/evaluation.md
    evalplus.evaluate --dataset mbpp --samples FOLDER/mbpp+.jsonl               has it in full)
    .venv/bin/python scripts/suites/evalplus_verdicts.py golden FOLDER

EvalPlus runs programs as they are, on the machine itself: these are the suites' own, changed in one
place, and it belongs into an environment of its own. The golden file holds verdicts and hashes, no
program. The suites' data is in $AZR_SHARED_DATA, else in ../shared/data; the hub's has no base
tests.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from azr.evaluation.grading.code import program_of  # noqa: E402
from azr.evaluation.suites.data import load_suite  # noqa: E402
from azr.evaluation.suites.items import CodeItem  # noqa: E402
from azr.evaluation.suites.suites import SUITES  # noqa: E402
from tests.evalplus_golden import GOLDEN, Golden, Seen, digest_of  # noqa: E402
from tests.mutants import programs_of  # noqa: E402

EVALPLUS = "0.3.1"
RELEASES = {"humaneval+": "v0.1.10", "mbpp+": "v0.2.0"}
EACH = "status of base and of plus (pass, fail, timeout) : the program's SHA-256"
SHARED_DATA = Path(os.environ.get("AZR_SHARED_DATA", ROOT.parent / "shared" / "data"))


def samples_of(suite: str) -> Mapping[str, list[str]]:
    """By task, the programs as `azr eval` hands them to EvalPlus."""
    items = load_suite(SUITES[suite], SHARED_DATA).items
    return {
        item.id: [program_of(item, answer) for answer in programs_of(item.id, item.gold)]
        for item in items
        if isinstance(item, CodeItem)
    }


def write_samples(folder: Path) -> None:
    """One file a suite, in the form that `evalplus.evaluate --samples` takes."""
    folder.mkdir(parents=True, exist_ok=True)
    for suite in RELEASES:
        lines = [
            json.dumps({"task_id": task, "solution": program}) + "\n"
            for task, programs in samples_of(suite).items()
            for program in programs
        ]
        (folder / f"{suite}.jsonl").write_text("".join(lines), encoding="utf-8")
        sys.stderr.write(f"{folder / suite}.jsonl: {len(lines)} programs\n")


def seen_of(folder: Path, suite: str) -> dict[str, list[Seen]]:
    """What EvalPlus wrote beside the samples.

    Raises:
        SystemExit: Its programs are not those of today's generator.
    """
    file = folder / f"{suite}_eval_results.json"
    results = json.loads(file.read_text(encoding="utf-8"))["eval"]
    seen: dict[str, list[Seen]] = {}
    for task, programs in samples_of(suite).items():
        if [result["solution"] for result in results[task]] != programs:
            raise SystemExit(f"evalplus_verdicts: error: {file}: {task} has other programs")
        seen[task] = [
            Seen(digest_of(result["solution"]), result["base_status"], result["plus_status"])
            for result in results[task]
        ]
    return seen


def main() -> None:
    """Before EvalPlus, or after it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("samples", "golden"))
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    if args.what == "samples":
        write_samples(args.folder)
        return
    about = {"evalplus": EVALPLUS, **RELEASES, "each": EACH}
    Golden(about, {suite: seen_of(args.folder, suite) for suite in RELEASES}).write()
    sys.stderr.write(f"wrote {GOLDEN}\n")


if __name__ == "__main__":
    main()
