"""The table of sessions' states: bounds, ages, and a collector that comes at any time."""

import pytest

from sandbox_wasm.errors import SessionGone
from sandbox_wasm.sessions.session import StateRef
from sandbox_wasm.sessions.states import SessionLimits, StateTable


def test_a_state_is_dropped_with_its_last_reference_even_inside_the_table() -> None:
    refs: list[StateRef] = []

    def collect() -> int:  # asked for by put(), with the lock held
        refs.clear()
        return 0

    table: StateTable[str] = StateTable(SessionLimits(), collect)
    refs.append(StateRef(table.drop, table.put("first")))
    name = table.put("second")
    assert table.get(name) == "second"
    assert len(table) == 1


def test_the_state_idle_longest_goes_first_and_age_ends_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr("sandbox_wasm.sessions.states.time.monotonic", lambda: clock[0])
    table: StateTable[int] = StateTable(SessionLimits(max_sessions=3, max_idle_s=10), lambda: 0)
    names = [table.put(number) for number in range(3)]
    clock[0] = 5
    assert table.get(names[0]) == 0
    table.put(3)
    with pytest.raises(SessionGone, match="begin another"):
        table.get(names[1])
    clock[0] = 12
    assert table.get(names[0]) == 0
    with pytest.raises(SessionGone):
        table.get(names[2])
    assert table.num_expired == 2


def test_states_that_nobody_asks_for_grow_old_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("sandbox_wasm.sessions.states.time.monotonic", lambda: clock[0])
    table: StateTable[int] = StateTable(SessionLimits(max_idle_s=10), lambda: 0)
    table.put(1)
    clock[0] = 12
    table.make_room()
    assert (len(table), table.num_expired) == (0, 1)


def test_limits_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(ValueError, match=r"sessions\.max_bytes must be positive, got 0"):
        SessionLimits(max_bytes=0)
