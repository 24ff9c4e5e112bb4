"""Grade each suite's own solutions with the limits that rewards have by default.

    .venv/bin/python scripts/suites/reference_solutions.py leetcode livecodebench  # or all four

Prints what does not pass and why, and the fuel of the slowest case; the data is looked for where
`azr eval` looks ($AZR_SHARED_DATA or ../shared/data). docs/evaluation.md lists what does not pass.
"""

import sys
from collections.abc import Iterator

from azr.evaluation.grading.code import program_of
from azr.evaluation.suites.data import data_folder, load_suite
from azr.evaluation.suites.items import CodeItem, Part
from azr.evaluation.suites.suites import SUITES
from sandbox_wasm import Sandbox
from sandbox_wasm.grading.grader import jobs_of, results_of

CODE = ("humaneval+", "mbpp+", "leetcode", "livecodebench")


def main() -> None:
    """Each suite that is named, or all of code."""
    with Sandbox() as sandbox:
        for name in sys.argv[1:] or CODE:
            items = load_suite(SUITES[name], data_folder(None)).items
            solved = [item for item in items if isinstance(item, CodeItem) and item.gold]
            failed = list(failures(sandbox, solved))
            tell(f"{name}: {len(solved) - len(failed)} of {len(solved)} pass", *failed)


def failures(sandbox: Sandbox, items: list[CodeItem]) -> Iterator[str]:
    """A line for each item whose solution does not pass."""
    for item in items:
        program = program_of(item, item.gold)
        for part in item.checks:
            if not isinstance(part, Part):
                continue
            jobs = jobs_of(item.id, program, part.check)
            results = sandbox.run(jobs)
            cases = results_of(part.check, jobs, results)
            most = max(call.fuel for result in results for call in result.calls)
            bad = next((case for case in cases if not case.passed), None)
            if most > 10**10:
                tell(f"    {item.id} {part.name}: {most / 1e9:.0f}e9 fuel")
            if bad is not None:
                yield f"{item.id} {part.name}: {bad.reason}"
                break


def tell(*lines: str) -> None:
    """At once: it takes an hour."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
