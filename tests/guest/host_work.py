"""Programs that make the host work and do nothing else: `f(n)` does it n times."""

_ZIP = "'/usr/local/lib/python315.zip'"


def _loop(body: str, before: str = "") -> str:
    """A program whose loop is `body`, after some lines that are run once."""
    lines = [
        "import os, select, sys, time",
        "def f(n):",
        f"    file = open({_ZIP}, 'rb', buffering=0)",
        "    fd = file.fileno()",
        *(f"    {line}" for line in before.splitlines()),
        "    for _ in range(n):",
        *(f"        {line}" for line in body.splitlines()),
    ]
    return "\n".join(lines)


COMPUTING = _loop("i = 0\nwhile i < 100: i += 1")
"""What every other program is compared with."""

HOST_WORK = {
    "readinto": _loop("file.seek(0); file.readinto(room)", "room = bytearray(13_000_000)"),
    "read": _loop("file.seek(0); file.read(1_000_000)"),
    "pread": _loop("os.pread(fd, 1_000_000, 0)"),
    "pread_nothing": _loop("os.pread(fd, 1, 1 << 40)"),
    "pread_of_no_file": _loop("try: os.pread(60, 1, 0)\nexcept OSError: pass"),
    "read_stdin": _loop("os.read(0, 1000)"),
    "lseek": _loop("os.lseek(fd, 0, 0)"),
    "fstat": _loop("os.fstat(fd)"),
    "stat": _loop(f"os.stat({_ZIP})"),
    "stat_nothing": _loop("os.path.exists('/usr/local/lib/' + 'x' * 60_000)"),
    "listdir": _loop("try: os.listdir('/usr/local/lib')\nexcept OSError: pass"),
    "open": _loop(f"os.close(os.open({_ZIP}, os.O_RDONLY))"),
    "open_refused": _loop("try: open('/usr/local/lib/x', 'w')\nexcept OSError: pass"),
    "mkdir_refused": _loop("try: os.mkdir('/usr/local/lib/x')\nexcept OSError: pass"),
    "write_stderr": _loop("os.write(2, text)", "text = b'x' * 1_000_000"),
    "write_nothing": _loop("os.write(2, b'')"),
    "print_stderr": _loop("sys.stderr.write('x\\n')"),
    "urandom": _loop("os.urandom(65_536)"),
    "urandom_little": _loop("os.urandom(16)"),
    "clock": _loop("time.time()"),
    "monotonic": _loop("time.monotonic_ns()"),
    "sleep": _loop("time.sleep(0.001)"),
    "select": _loop("select.select([0], [], [], 0)"),
    "poll": _loop("poll.poll(0)", "poll = select.poll()\nfor i in range(3): poll.register(i)"),
    "import_from_zip": _loop("sys.modules.pop('wave', None)\nimport wave"),
    "fill": _loop("bytearray(1_000_000)"),
    "copy": _loop("a[:] = b", "a, b = bytearray(1_000_000), bytearray(1_000_000)"),
    "compare": _loop("a == b", "a, b = bytearray(1_000_000), bytearray(1_000_000)"),
}
