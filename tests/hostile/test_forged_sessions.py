"""Saved sessions come back from anybody: whatever they hold, the host is as it was."""

import random
import struct

import pytest

from sandbox_wasm import BadJob, Job, Limits, Sandbox

pytestmark = [pytest.mark.guest, pytest.mark.hostile]

MAGIC = b"azr-state-1\n"
LIMITS = Limits(fuel=50_000_000, memory_bytes=128 << 20)
NUM_FLIPS = 150


@pytest.fixture(scope="module")
def saved(sandbox: Sandbox) -> bytes:
    session = sandbox.session()
    session.run("x = 1; f = open('/tmp/a', 'w'); f.write('abc'); f.flush()")
    return session.save()


def try_to_go_on(sandbox: Sandbox, forged: bytes) -> None:
    """Load it, and run a turn if it loads: any outcome, as for any program."""
    try:
        session = sandbox.load_session(forged)
    except BadJob:
        return
    session.run(
        "import os\nprint(x, f, os.listdir('/tmp'))\nf.write('d' * 9)\nf.close()", limits=LIMITS
    )


def header_bytes(saved: bytes) -> int:
    (length,) = struct.unpack_from("<I", saved, len(MAGIC))
    return len(MAGIC) + 4 + length + 4 + 4 * 8 + 4


def test_a_damaged_session_is_refused_or_does_what_a_program_could(
    sandbox: Sandbox, saved: bytes
) -> None:
    rng = random.Random(7)
    head = header_bytes(saved)
    (pages,) = struct.unpack_from("<I", saved, head - 4)
    files_at = head + pages * (4 + 4096)
    numbers = range(head, head + 4 * pages)
    for place in (range(len(MAGIC), head), numbers, range(files_at, len(saved)), range(len(saved))):
        for _ in range(NUM_FLIPS // 4):
            forged = bytearray(saved)
            forged[rng.choice(place)] ^= 1 << rng.randrange(8)
            try_to_go_on(sandbox, bytes(forged))
    for _ in range(20):  # pages that are noise
        forged = bytearray(saved)
        at = rng.randrange(head + 4 * pages, files_at - 4096)
        forged[at : at + 4096] = rng.randbytes(4096)
        try_to_go_on(sandbox, bytes(forged))
    assert sandbox.run([Job("1", "def f(): return 1", [""])])[0].calls[0].value == "1"


def test_what_cannot_be_a_session_is_refused_in_a_line(sandbox: Sandbox, saved: bytes) -> None:
    head = header_bytes(saved)
    sizes = [
        *range(head + 8),
        *range(head + 8, len(saved), 9973),
        *range(len(saved) - 60, len(saved)),
    ]
    for size in sizes:
        with pytest.raises(BadJob, match=r"damaged|no saved session|another image"):
            sandbox.load_session(saved[:size])
    with pytest.raises(BadJob, match="something follows its end"):
        sandbox.load_session(saved + b"\0")
    for at, value in ((head - 4, 2**32 - 1), (head - 4, 2**20), (head, 2**32 - 1), (head + 4, 0)):
        forged = bytearray(saved)
        struct.pack_into("<I", forged, at, value)
        with pytest.raises(BadJob, match=r"damaged|pages of memory"):
            sandbox.load_session(bytes(forged))
    for size in (0, 2**63, 2**64 - 65536, 20 << 20 | 1):
        forged = bytearray(saved)
        struct.pack_into("<Q", forged, head - 12, size)
        with pytest.raises(BadJob, match="the size of its memory"):
            sandbox.load_session(bytes(forged))
    other = saved.replace(saved[len(MAGIC) + 4 : len(MAGIC) + 8], b"0000", 1)
    with pytest.raises(BadJob, match="saved in another image"):
        sandbox.load_session(other)
    with pytest.raises(BadJob, match="no saved session of this version"):
        sandbox.load_session(b"")
