"""Reply frames that a program writes itself, to be slow to read or unreadable on the host."""

import time

import pytest

from sandbox_wasm import Job, Outcome, Sandbox
from sandbox_wasm.adapters import grade, parse_check
from sandbox_wasm.values import equal

pytestmark = [pytest.mark.guest, pytest.mark.hostile]

FORGE = """
import os, sys
def f():
    frame = sys._getframe()
    while frame.f_code.co_name != "run":
        frame = frame.f_back
    frame.f_locals["write"] = lambda *_: 0
    os.write(1000003, b"V" + {frame})
"""
SET, FROZEN, LONG_ZERO = r'b"<\1\0\0\0"', r'b">\1\0\0\0"', r'b"\xec\0\0\1\0" + bytes(1 << 17)'
FRAMES = {
    "sets in a set": rf'{SET} + {FROZEN} * 23 + b"i\1\0\0\0"',
    "as deep as a value may be": rf'{SET} + {FROZEN} * 98 + b"i\1\0\0\0"',
    "deeper": rf'{SET} + {FROZEN} * 3000 + b"i\1\0\0\0"',
    "a long zero, many times": rf'b"(\1\x32\0\0" + {LONG_ZERO} + b"r\0\0\0\0" * 0x3200',
    "doubled tuples": (
        r'b"(\x64\0\0\0\xce" + b"".join(b"\xa9\2" + (b"r" + i.to_bytes(4, "little")) * 2'
        r" for i in range(99))"
    ),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_forged_value_costs_the_grader_no_more_than_another(sandbox: Sandbox, name: str) -> None:
    source = FORGE.replace("{frame}", FRAMES[name])
    check = parse_check({"entry": "f", "calls": [""], "expected": ["{1}"]})
    started = time.process_time()
    assert grade(sandbox, [source], [check]) == [0.0]
    assert time.process_time() - started < 2


def test_the_deepest_value_can_be_compared(sandbox: Sandbox) -> None:
    source = FORGE.replace("{frame}", FRAMES["as deep as a value may be"])
    call = sandbox.run([Job("deep", source, calls=[""])])[0].calls[0]
    assert call.outcome is Outcome.RETURNED
    assert call.value == "{" + "frozenset({" * 98 + "1" + "})" * 98 + "}"
    assert equal(call.value, call.value.replace("1", "+1"))
    assert not equal(call.value, call.value.replace("1", "2"))
