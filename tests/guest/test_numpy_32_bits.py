"""NumPy in the guest: integers of 32 bits unless a program says otherwise (docs/sandbox.md)."""

from collections.abc import Iterator

import pytest

from sandbox_wasm import Job, Outcome, Sandbox

pytestmark = pytest.mark.guest
NUMPY = frozenset({"numpy"})


@pytest.fixture(scope="module")
def numpy_sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1, images=1, packages=["numpy"]) as pool:
        yield pool


def value(sandbox: Sandbox, expression: str) -> str | None:
    job = Job("1", "import numpy as np", expressions=[expression], packages=NUMPY)
    call = sandbox.run([job])[0].calls[0]
    assert call.outcome is Outcome.RETURNED, call
    return call.value


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("int((np.arange(100000) ** 2).sum())", "216474736"),
        ("int(np.sum([2**30] * 3))", "-1073741824"),
        ("str(np.array([1, 2]).dtype)", "'int32'"),
        ("str(np.zeros(2, int).dtype)", "'int32'"),
        ("str(np.argsort([2, 1]).dtype)", "'int32'"),
    ],
)
def test_the_default_integer_has_32_bits_and_wraps(
    numpy_sandbox: Sandbox, expression: str, expected: str
) -> None:
    assert value(numpy_sandbox, expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("int((np.arange(100000, dtype=np.int64) ** 2).sum())", "333328333350000"),
        ("int((np.arange(100000).astype('int64') ** 2).sum())", "333328333350000"),
        ("int(np.sum([2**30] * 3, dtype=np.int64))", "3221225472"),
        ("int(np.array([2**40, 1]).sum())", "1099511627777"),  # too large for 32 bits: 64 at once
        ("float((np.arange(100000.0) ** 2).sum())", "333328333350000.0"),
    ],
)
def test_integers_that_are_asked_for_with_64_bits_are_right(
    numpy_sandbox: Sandbox, expression: str, expected: str
) -> None:
    assert value(numpy_sandbox, expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("bool(np.any([0, 1])), bool(np.all([0, 1]))", "(True, False)"),
        ("np.any(np.eye(2), axis=0).tolist()", "[True, True]"),
        ("np.logical_and.reduce([[1, 0], [1, 1]]).tolist()", "[True, False]"),
        ("np.logical_or.accumulate([0, 1, 0]).tolist()", "[False, True, True]"),
    ],
)
def test_truth_values_are_reduced(numpy_sandbox: Sandbox, expression: str, expected: str) -> None:
    """Two functions of these lie apart from the rest of NumPy, and had no body."""
    assert value(numpy_sandbox, expression) == expected
