"""One sandbox for all hostile tests: every restore of it is compared with the image."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_wasm import Sandbox

SHARED_DATA = Path(
    os.environ.get("AZR_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data")
)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=2, check_every=1) as pool:
        yield pool


@pytest.fixture
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no shared data at {SHARED_DATA}; set AZR_SHARED_DATA")
    return SHARED_DATA
