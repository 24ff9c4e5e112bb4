"""What several files here use: an executor without a guest."""

import warnings
from collections.abc import Iterator

import pytest

from tests.fake_sandbox import FakeSandbox, NoIsolationWarning


@pytest.fixture
def fake() -> Iterator[FakeSandbox]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoIsolationWarning)
        executor = FakeSandbox(workers=2)
    yield executor
    executor.close()
