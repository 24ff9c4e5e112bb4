"""NumPy in the guest: its default integer has 64 bits, as natively (docs/sandbox.md)."""

from collections.abc import Iterator

import numpy as np
import pytest

from sandbox_wasm import Job, Outcome, Sandbox

pytestmark = pytest.mark.guest
NUMPY = frozenset({"numpy"})


@pytest.fixture(scope="module")
def numpy_sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1, images=1, packages=["numpy"]) as pool:
        yield pool


def values(sandbox: Sandbox, expressions: list[str]) -> list[str | None]:
    job = Job("1", "import numpy as np", expressions=expressions, packages=NUMPY)
    calls = sandbox.run([job])[0].calls
    for expression, call in zip(expressions, calls, strict=True):
        assert call.outcome is Outcome.RETURNED, (expression, call)
    return [call.value for call in calls]


NUMBERS = [
    "int((np.arange(100000) ** 2).sum())",
    "int(np.sum([2**30] * 3))",
    "int(np.cumsum([10**9] * 3)[-1])",
    "int(np.prod(np.arange(1, 21)))",
    "int(np.dot(np.full(4, 2**20), np.full(4, 2**20)))",
    "int(np.einsum('i,i', np.full(4, 2**20), np.full(4, 2**20)))",
    "(np.eye(2, dtype=int) * 2**33 @ np.ones((2, 2), 'int')).tolist()",
    "int(np.trace(np.full((2, 2), 2**31)))",
    "int(np.left_shift(1, 40)), int(np.add(2**31 - 1, 1)), int(np.power(3, 30))",
    "int(np.square(100000)), int(np.lcm(2**20, 3**15)), int(np.abs(-3))",
    "np.power.outer([1, 2], [3]).tolist(), np.power(2.0, [1, 2]).tolist(), int(np.power(2, 70))",
    "int(np.array([2**30] * 4, np.int32).sum()), int(np.array([255] * 3, np.uint8).sum())",
    "int(np.array([True, True]).sum() * 2**40)",
    "int(np.argsort([2, 1])[0] * 10**10), int(np.argmax([1, 2]) * 10**10)",
    "(np.nonzero([0, 1])[0] * 10**10).tolist(), (np.where([0, 1])[0] * 10**10).tolist()",
    "(np.bincount(np.array([1, 1])) * 10**10).tolist()",
    "(np.searchsorted([1, 2], [2]) * 10**10).tolist()",
    "(np.unique([3, 1, 3], return_counts=True)[1] * 10**10).tolist()",
    "(np.histogram([1, 2, 3], 2)[0] * 10**10).tolist(), int(np.count_nonzero([1, 2]) * 10**10)",
    "(np.digitize([1], [0]) * 10**10).tolist(), int(np.ravel_multi_index((1, 1), (2, 2)) * 10**10)",
    "np.repeat([1, 2], np.array([2, 1])).tolist(), np.take([5, 6], np.array([1])).tolist()",
    "np.add.reduceat(np.arange(8), np.array([0, 4])).tolist()",
    "np.choose(np.array([0, 1]), [[1, 2], [3, 4]]).tolist()",
    "np.arange(3)[np.array([2, 0])].tolist()",
    "int(np.array([2**31 - 1], np.int32)[0] + np.int64(1))",
    "(np.array([2**31 - 1], np.int32) + np.array([1], np.int32)).tolist()",  # as the program says
    "int(np.sum([2**30] * 3, dtype=np.int32))",
    "(np.array([1, 2], np.uint32) - np.array([2, 1], np.uint32)).tolist()",
]
TYPES = [
    "np.array([1])", "np.zeros(1, int)", "np.ones(1, 'int')", "np.arange(2)", "np.full(1, 7)",
    "np.array([True]) + 1", "np.array([1], np.int32) + 1", "np.int32(1) * np.array([1])",
    "np.array(['7']).astype(int)", "np.array([1], np.int8).cumsum()", "np.array([1.5]).astype(int)",
    "np.array([1], np.uint8).sum()", "np.argsort([1])", "np.array([1]).argmin()",
    "np.indices((1,))",
    "np.where([1])[0]", "np.where([1], np.int32(1), np.int32(2))", "np.int_(1)", "np.uint(1)",
    "np.random.randint(5)", "np.random.randint(0, 2, 3)", "np.random.permutation(3)",
    "np.random.default_rng(1).integers(3)", "np.random.default_rng(1).choice(3)",
    "np.strings.find(['ab'], 'b')", "np.unravel_index(3, (2, 2))[0]", "np.lexsort([[1]])",
    "np.linalg.matrix_rank(np.eye(2))", "np.unique([1], return_inverse=True)[1]",
]  # fmt: skip
SHOWN = [
    "np.arange(2)",
    "np.array([1], np.int32)",
    "np.int_(3)",
    "np.array([2**40])",
    "np.iinfo(int)",
]


def test_numbers_are_those_of_native_numpy(numpy_sandbox: Sandbox) -> None:
    found = values(numpy_sandbox, NUMBERS)
    assert found == [repr(eval(expression, {"np": np})) for expression in NUMBERS]


def test_types_are_those_of_native_numpy(numpy_sandbox: Sandbox) -> None:
    found = values(numpy_sandbox, [f"np.asarray({expression}).dtype.name" for expression in TYPES])
    native = [repr(np.asarray(eval(expression, {"np": np})).dtype.name) for expression in TYPES]
    assert dict(zip(TYPES, found, strict=True)) == dict(zip(TYPES, native, strict=True))


def test_arrays_are_shown_as_natively(numpy_sandbox: Sandbox) -> None:
    found = values(numpy_sandbox, [f"repr({expression})" for expression in SHOWN])
    assert found == [repr(repr(eval(expression, {"np": np}))) for expression in SHOWN]


def test_what_is_named_with_32_bits_has_them(numpy_sandbox: Sandbox) -> None:
    """Compiled code of other packages is bound to these."""
    sizes = [f"np.dtype({name}).itemsize" for name in ("np.intp", "'p'", "'l'")]
    assert values(numpy_sandbox, sizes) == ["4", "4", "4"]


def test_functions_of_pythons_own_large_integers_alone_are_refused(numpy_sandbox: Sandbox) -> None:
    job = Job("1", "import numpy as np", expressions=["np.right_shift(2**40, 35)"], packages=NUMPY)
    call = numpy_sandbox.run([job])[0].calls[0]
    assert call.error == "OverflowError: Python int too large to convert to C long"


def test_truth_values_are_reduced(numpy_sandbox: Sandbox) -> None:
    """Two functions of these lie apart from the rest of NumPy, and had no body."""
    assert values(numpy_sandbox, [
        "bool(np.any([0, 1])), bool(np.all([0, 1]))",
        "np.any(np.eye(2), axis=0).tolist()",
        "np.logical_and.reduce([[1, 0], [1, 1]]).tolist()",
        "np.logical_or.accumulate([0, 1, 0]).tolist()",
    ]) == ["(True, False)", "[True, True]", "[True, False]", "[False, True, True]"]  # fmt: skip
