"""scripts/suites/easy_suite.py writes the suite that is in the package."""

import runpy
from pathlib import Path


def test_the_script_makes_the_suite_that_is_shipped() -> None:
    script = Path(__file__).parents[2] / "scripts" / "suites" / "easy_suite.py"
    names = runpy.run_path(str(script))
    assert names["OUTPUT"].read_text(encoding="utf-8").splitlines() == names["suite_lines"]()
