"""One sandbox for all hostile tests: every restore of it is compared with the image.

And the ways of knowing what a program wrote, for tests that run under each.
"""

from collections.abc import Iterator

import pytest

from sandbox_wasm import Sandbox, _pool
from sandbox_wasm.image.manifest import locate_wasmtime

WAYS = ("faults", "traps", "scan", "compare")


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=2, check_every=1) as pool:
        yield pool


@pytest.fixture(scope="module", params=WAYS)
def by_each_way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Sandboxes made now know by this way what a program wrote."""
    problem = dict(_pool.try_dirty_pages(str(locate_wasmtime()[0])))[request.param]
    if problem is not None:
        pytest.skip(f"{request.param} does not work on this machine: {problem}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZR_DIRTY_PAGES", request.param)
        yield request.param
