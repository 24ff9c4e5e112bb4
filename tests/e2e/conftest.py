"""What several files here use: one model, taught once, vLLM, and a browser."""

from pathlib import Path

import pytest

from azr.config.engines import ENGINES
from azr.rollout.opening import problem_with
from tests.browser import browser_path
from tests.taught import teach


@pytest.fixture(scope="session")
def needs_vllm() -> None:
    """Skip where vLLM cannot be imported; asked late, for the import takes seconds."""
    problem = problem_with(ENGINES["vllm"])
    if problem is not None:
        pytest.skip(f"no vLLM: {problem}")


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that proposes and solves simple tasks; half a minute to make."""
    return teach(tmp_path_factory.mktemp("models") / "taught")


@pytest.fixture(scope="session")
def browser() -> str:
    """The browser's path; only a person who says so may do without one."""
    return browser_path()
