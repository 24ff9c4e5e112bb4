"""A submit that fails, whatever it fails with, leaves nothing behind."""

import threading
from typing import Any

import pytest

from sandbox_wasm import BadJob, Job, Outcome, Sandbox, SandboxUnavailable

pytestmark = pytest.mark.guest


class Refusing:
    """The native pool, but `submit` raises: as pybind11 does for a wrong argument, or no memory."""

    def __init__(self, pool: Any, error: BaseException) -> None:
        self._pool = pool
        self._error = error

    def submit(self, *_: object) -> None:
        raise self._error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)


@pytest.mark.parametrize(
    "error",
    [TypeError("incompatible"), MemoryError(), OverflowError(), KeyboardInterrupt(),
     RuntimeError("the pool is closed"), UnicodeEncodeError("utf-8", "x", 0, 1, "no")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_nothing_leaks_whatever_a_submit_raises_and_close_returns(error: BaseException) -> None:
    sandbox = Sandbox(workers=1)
    pool = sandbox._pool
    assert sandbox.submit(Job("a", "pass")).result(timeout=60).calls[0].outcome is Outcome.RETURNED
    sandbox._pool = Refusing(pool, error)  # type: ignore[assignment]
    is_machine = isinstance(error, RuntimeError | MemoryError)  # closed, or without memory
    expected = SandboxUnavailable if is_machine else type(error)
    for _ in range(3):
        with pytest.raises(expected):
            sandbox.submit(Job("b", "pass"))
        with pytest.raises(expected):
            sandbox.run([Job("b", "pass")])
    assert not sandbox._waiting
    sandbox._pool = pool
    assert sandbox.submit(Job("c", "pass")).result(timeout=60).calls[0].outcome is Outcome.RETURNED
    closer = threading.Thread(target=sandbox.close, daemon=True)
    closer.start()
    closer.join(30)
    assert not closer.is_alive()


def test_a_cancelled_future_does_not_stop_the_others() -> None:
    with Sandbox(workers=1) as sandbox:
        futures = [sandbox.submit(Job(str(i), "for i in range(20000): pass")) for i in range(40)]
        for future in futures[::2]:
            future.cancel()
        for future in futures[1::2]:
            assert future.result(timeout=60).calls[0].outcome is Outcome.RETURNED


@pytest.mark.parametrize("value", [None, 5, "source", ("1", "pass")])
def test_what_is_no_job_is_named(value: Any) -> None:
    with Sandbox(workers=1) as sandbox:
        for ask in (sandbox.submit, lambda job: sandbox.run([job])):
            with pytest.raises(BadJob, match="expected a Job, got "):
                ask(value)
