"""One sandbox for all guest tests: one restore in 64 of it is compared with the image."""

from collections.abc import Iterator

import pytest

from sandbox_wasm import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=2, images=10, check_every=64) as pool:
        yield pool
