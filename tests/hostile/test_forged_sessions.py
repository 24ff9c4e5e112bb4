"""Saved sessions come back from anybody: whatever they hold, the host is as it was."""

import random
import resource
import struct
from pathlib import Path

import pytest

from sandbox_wasm import BadJob, Job, Limits, Sandbox, SandboxClient
from tests.fake_sandbox import serve_in_thread

pytestmark = [pytest.mark.guest, pytest.mark.hostile]

MAGIC = b"azr-state-1\n"
LIMITS = Limits(fuel=50_000_000, memory_bytes=128 << 20)
NUM_FLIPS = 150


@pytest.fixture(scope="module")
def saved(sandbox: Sandbox) -> bytes:
    session = sandbox.session()
    session.run("x = 1; f = open('/tmp/a', 'w'); f.write('abc'); f.flush()")
    return session.save()


def try_to_go_on(sandbox: Sandbox | SandboxClient, forged: bytes) -> None:
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


def places(saved: bytes) -> dict[str, range]:
    """Where in a saved session its parts lie; of each page a mask of blocks and the blocks."""
    head = header_bytes(saved)
    (num_pages,) = struct.unpack_from("<I", saved, head - 4)
    at = pages_at = head + 4 * num_pages
    masks: list[int] = []
    for _ in range(num_pages):
        masks.append(at)
        at += 8 + 64 * struct.unpack_from("<Q", saved, at)[0].bit_count()
    mask_at = masks[num_pages // 2]
    return {"header": range(len(MAGIC), head), "numbers": range(head, pages_at),
            "a mask": range(mask_at, mask_at + 8), "pages": range(pages_at, at),
            "files": range(at, len(saved))}  # fmt: skip


def test_a_damaged_session_is_refused_or_does_what_a_program_could(
    sandbox: Sandbox, saved: bytes
) -> None:
    rng = random.Random(7)
    for place in places(saved).values():
        for _ in range(NUM_FLIPS // 5):
            forged = bytearray(saved)
            forged[rng.choice(place)] ^= 1 << rng.randrange(8)
            try_to_go_on(sandbox, bytes(forged))
    pages = places(saved)["pages"]
    for _ in range(20):  # stretches of noise
        forged = bytearray(saved)
        at = rng.randrange(pages.start, pages.stop - 64)
        forged[at : at + 64] = rng.randbytes(64)
        try_to_go_on(sandbox, bytes(forged))
    assert sandbox.run([Job("1", "def f(): return 1", [""])])[0].calls[0].value == "1"


def test_what_cannot_be_a_session_is_refused_in_a_line(sandbox: Sandbox, saved: bytes) -> None:
    head = header_bytes(saved)
    sizes = [
        *range(head + 8),
        *range(head + 8, len(saved), 997),
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
        with pytest.raises(BadJob, match="damaged"):
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


def test_equal_numbers_of_files_and_files_beyond_the_bounds_are_refused(sandbox: Sandbox) -> None:
    session = sandbox.session()
    session.run("for n in '12': open('/tmp/file' + n, 'w').write('a' * (1 << 19))")
    saved = session.save()
    first, second = (saved.index(struct.pack("<I", 5) + name) - 8 for name in (b"file1", b"file2"))
    for number in (saved[first : first + 8], struct.pack("<Q", 2**40)):
        forged = bytearray(saved)
        forged[second : second + 8] = number
        with pytest.raises(BadJob, match="damaged: a file's number"):
            sandbox.load_session(bytes(forged))
    key = saved[len(MAGIC) + 4 :][: struct.unpack_from("<I", saved, len(MAGIC))[0]].decode()
    with pytest.raises(ValueError, match=f"has more than the {1 << 20} bytes"):
        sandbox._pool.read_state(saved, 0, key, 1 << 20)


def test_a_forged_session_from_another_machine_harms_nobody(
    sandbox: Sandbox, saved: bytes, tmp_path: Path
) -> None:
    """Also not the session beside it, nor the server's memory before it is refused."""
    rng = random.Random(11)
    bind = f"ipc://{tmp_path}/s"
    failures = sandbox.stats()["machine_failures"]
    with serve_in_thread(sandbox, bind), SandboxClient(bind, timeout_s=120) as client:
        honest = client.session()
        honest.run("secret = 'pass' + 'word'")
        before = honest.digest()
        for part in places(saved).values():
            for _ in range(6):
                forged = bytearray(saved)
                at = rng.choice(part)
                forged[at : at + 8] = rng.randbytes(len(forged[at : at + 8]))
                try_to_go_on(client, bytes(forged))
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for at in range(len(MAGIC), header_bytes(saved), 4):  # every count as large as can be
            forged = bytearray(saved)
            struct.pack_into("<I", forged, at, 2**32 - 1)
            try_to_go_on(client, bytes(forged))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < peak_kib + 100 * 1024
        assert honest.digest() == before
        assert honest.run("secret").value == "'password'"
    assert sandbox.stats()["machine_failures"] == failures
    assert not sandbox.stats()["isolation_lost"]
