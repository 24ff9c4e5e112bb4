"""What several files here use: an executor without a guest, and the HTTP server with one."""

import warnings
from collections.abc import Iterator

import pytest

from tests.contract.http_client import REAL, HttpServing
from tests.fake_sandbox import FakeSandbox, NoIsolationWarning


@pytest.fixture
def fake() -> Iterator[FakeSandbox]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoIsolationWarning)
        executor = FakeSandbox(workers=2)
    yield executor
    executor.close()


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServing]:
    """The real HTTP server, for files that have no `server` of their own."""
    with HttpServing(REAL, "--workers", "2") as serving:
        yield serving
