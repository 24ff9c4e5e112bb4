"""NumPy in the guest: its default integer has 64 bits, as natively (docs/sandbox.md)."""

from collections.abc import Iterator

import numpy as np
import pytest

from sandbox_wasm import Job, Limits, Outcome, Sandbox

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
    "int(np.pow(2, 40)), int(np.bitwise_left_shift(1, 40)), int(np.left_shift(True, 40))",
    "int(np.left_shift(np.True_, 40)), np.power(np.array([True]), 40).dtype.name",
    "int(np.right_shift(2**40, 35)), int(np.bitwise_right_shift(-2**62, 3))",
    "int(np.mod(10**9, 10**9 + 7) * 10), int(np.fmod(2**40, 2**41) * 10)",
    "[int(n) for n in np.divmod(2**40, 3)], int(np.floor_divide(10**9, 1) * 10)",
    "int(np.bitwise_and(2**40, 2**41 - 1)), int(np.bitwise_or(3, 4) * 10**10)",
    "int(np.bitwise_xor(3, 5) * 10**10), int(np.gcd(4, 6) * 10**10), int(np.lcm(4, 6) * 10**10)",
    "int(np.maximum(3, 4) * 10**10), int(np.minimum(3, 4) * 10**10)",
    "int(np.power(2, 40, np.zeros((), int))), np.left_shift(1, 4, dtype=np.int32).dtype.name",
    "np.power(True, True).dtype.name, np.power(np.int8(2), 3).dtype.name",
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
# What comes out is widened; what it goes into takes it.
FED_BACK = [
    "np.searchsorted([3, 1, 2], [2], sorter=np.argsort([3, 1, 2])).tolist()",
    "int(np.array([3, 1, 2]).searchsorted(2, 'left', np.argsort([3, 1, 2])))",
    "np.argmax([[1, 2], [4, 3]], axis=1, out=np.zeros(2, int)).tolist()",
    "np.array([[1, 2], [4, 3]]).argmin(1, np.zeros(2, int)).tolist()",
    "np.nanargmax([[1, 2], [4, 3.0]], axis=1, out=np.zeros(2, int)).tolist()",
    "np.take([5, 6], np.argsort([2, 1]), out=np.zeros(2, int)).tolist()",
    "np.choose(np.argsort([2, 1]), [[1, 2], [3, 4]], out=np.zeros(2, int)).tolist()",
    "np.ravel_multi_index(np.nonzero([[0, 1], [1, 1]]), (2, 2)).tolist()",
    "[a.tolist() for a in np.unravel_index(np.argsort([2, 1, 5]), (2, 2))]",
    "np.bincount(np.argsort([2, 1]), minlength=np.argmax([1, 2, 3])).tolist()",
    "np.bincount(np.digitize(np.arange(3), np.arange(3))).tolist()",
    "[a.tolist() for a in np.split(np.arange(4), np.argsort([2, 1, 0])[:1])]",
    "np.cumsum([1, 2], out=np.zeros(2, int)).tolist(), np.sum([1], out=np.zeros((), int)).item()",
    "np.repeat(np.arange(2), np.unique([1, 1, 2], return_counts=True)[1]).tolist()",
    "np.unique([3, 1, 3])[np.unique([3, 1, 3], return_inverse=True)[1]].tolist()",
    "np.insert([1, 2, 3], np.searchsorted([1, 2, 3], [2]), 9).tolist()",
    "np.delete([1, 2, 3], np.argsort([1, 2])).tolist()",
    "np.partition([3, 1, 2], np.argsort([1, 2])).tolist(), np.ldexp(1.5, np.arange(3)).tolist()",
    "np.strings.count(['abab'], 'b', np.strings.find(['abab'], 'b')).tolist()",
    "(lambda a: (np.add.at(a, np.argsort([2, 1]), 5), a.tolist()))(np.zeros(3, int))",
    "(lambda a: (np.put(a, np.argsort([2, 1]), [7, 8]), a.tolist()))(np.zeros(3, int))",
]
STILL_A_UFUNC = [
    "isinstance(np.power, np.ufunc), np.pow is np.power, np.power.__name__, np.power.nin",
    "__import__('copy').deepcopy(np.power) is np.power, __import__('copy').copy(np.mod) is np.mod",
    "__import__('pickle').loads(__import__('pickle').dumps(np.divmod)) is np.divmod",
    "int(np.bitwise_or.reduce([1, 2**40])), int(np.power.outer(2, 40)), {np.pow: 1}[np.power]",
    "(lambda a: (np.power.at(a, [0], 40), a.tolist()))(np.full(2, 2))",
    "np.power.__doc__.startswith('power(x1, x2'), repr(np.power), hasattr(np.power, '_missing')",
]
LEGACY = [
    "binomial(1, .5, 3)", "binomial(10, .5)", "binomial([10, 20], .5)", "binomial(10**10, .5, 2)",
    "multinomial(5, [.2, .8], 3)", "multinomial(10**10, [.2, .8])", "poisson(100, 3)",
    "poisson(1e12, 3)", "geometric(.1, 3)", "geometric(.4)", "hypergeometric(10, 5, 7, 3)",
    "negative_binomial(5, .1, 3)", "zipf(2, 5)", "logseries(.9, 5)", "randint(0, 2**40, 3)",
    "randint(0, 10, 3, np.int32)", "permutation(5)", "permutation(np.arange(3, dtype=np.int32))",
    "choice(5, 3, replace=False)", "choice(5, 3, p=[.2] * 5)", "choice(5, 3, False, [.2] * 5)",
    "dirichlet([1, 2])", "multivariate_normal([0, 0], np.eye(2))",
]  # fmt: skip
OF_THE_STATE = ["tomaxint()", "tomaxint(2)"]
GENERATOR = [
    "integers(0, 2**40, 3)", "binomial(10**10, .5, 3)", "multinomial(10**10, [.2, .8])",
    "poisson(1e12, 3)", "hypergeometric(10, 5, 7, 3)", "geometric(1e-12, 3)", "zipf(1.1, 3)",
    "multivariate_hypergeometric([3, 4], 5, 2)", "negative_binomial(5, 1e-12, 3)",
    "permutation(5)", "choice(5, 3, False)",
]  # fmt: skip
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


@pytest.mark.parametrize("expressions", [FED_BACK, STILL_A_UFUNC], ids=["fed back", "ufunc"])
def test_what_is_widened_is_taken_as_natively(
    numpy_sandbox: Sandbox, expressions: list[str]
) -> None:
    found = values(numpy_sandbox, expressions)
    assert found == [repr(eval(expression, {"np": np})) for expression in expressions]


def drawn() -> list[str]:
    """Expressions of what was drawn with a seed: its dtype and numbers."""
    calls = [f"(np.random.seed(7), np.random.{call})[1]" for call in LEGACY]
    calls += [f"np.random.RandomState(7).{call}" for call in LEGACY + OF_THE_STATE]
    calls += [f"np.random.default_rng(7).{call}" for call in GENERATOR]
    of_one = "(lambda a: (type(a).__name__, a.dtype.name, a.tolist()))"
    return [f"{of_one}(np.asarray({call}))" for call in calls]


def test_the_same_seed_draws_the_numbers_of_native_numpy(numpy_sandbox: Sandbox) -> None:
    found = values(numpy_sandbox, drawn())
    native = [repr(eval(expression, {"np": np})) for expression in drawn()]
    assert dict(zip(drawn(), found, strict=True)) == dict(zip(drawn(), native, strict=True))


def test_random_integers_reach_as_far_as_natively(numpy_sandbox: Sandbox) -> None:
    found = values(numpy_sandbox, ["int(np.random.RandomState(7).random_integers(2**40))"])
    assert found == [repr(int(np.random.RandomState(7).randint(1, 2**40 + 1, dtype=np.int64)))]


def test_a_draw_that_c_code_cuts_to_32_bits_is_refused(numpy_sandbox: Sandbox) -> None:
    calls = ["np.random.geometric(1e-12, 3)", "np.random.negative_binomial(5, 1e-12)"]
    job = Job("1", "import numpy as np", expressions=calls, packages=NUMPY)
    errors = [call.error or "" for call in numpy_sandbox.run([job])[0].calls]
    largest = "2**31 - 2, which only numpy.random.default_rng() draws"
    assert errors == [
        f"OverflowError: {name} drew a number above {largest} here"
        for name in ("geometric", "negative_binomial")
    ]


def test_truth_values_are_reduced(numpy_sandbox: Sandbox) -> None:
    """Two functions of these lie apart from the rest of NumPy, and had no body."""
    assert values(numpy_sandbox, [
        "bool(np.any([0, 1])), bool(np.all([0, 1]))",
        "np.any(np.eye(2), axis=0).tolist()",
        "np.logical_and.reduce([[1, 0], [1, 1]]).tolist()",
        "np.logical_or.accumulate([0, 1, 0]).tolist()",
    ]) == ["(True, False)", "[True, True]", "[True, False]", "[False, True, True]"]  # fmt: skip


def test_a_session_goes_on_in_an_image_that_is_larger_than_its_limit(
    numpy_sandbox: Sandbox,
) -> None:
    session = numpy_sandbox.session(packages=NUMPY)
    limits = Limits(memory_bytes=64 << 20)
    assert session.run("import numpy as np; x = 1", limits=limits).is_kept
    assert session.run("x + int(np.int64(1))", limits=limits).value == "2"
    assert session.run("y = bytearray(40 << 20)", limits=limits).outcome is Outcome.OUT_OF_MEMORY
