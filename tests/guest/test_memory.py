"""What a process holds while sandboxes are open, and after they were closed."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(300)

MB = 1024
"""In kB, the kernel's unit."""
HEADER = """
import gc, json, pathlib, re
from sandbox_wasm import Job, Sandbox

def held():
    gc.collect()
    lines = pathlib.Path("/proc/self/smaps").read_text().splitlines()
    in_image, private, images = False, 0, set()
    for line in lines:
        if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
            in_image = "azr-image" in line
            if in_image:
                images.add(line.split()[4])  # its inode
        elif line.startswith("Private_Dirty:"):
            private += int(line.split()[1])
    return private, len(images)

def used(**options):
    sandbox = Sandbox(**options)
    [result] = sandbox.run([Job("1", "def f(x): return x + 1", calls=["41"])])
    assert result.calls[0].value == "42", result
    return sandbox
"""


def in_a_process(body: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HEADER + body],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.usefixtures("sandbox")  # the guest is built
@pytest.mark.parametrize("options", ["workers=1", "workers=4, images=8"])
def test_memory_is_given_back_however_often_sandboxes_are_opened(options: str) -> None:
    seen = in_a_process(f"""
seen = [held()]
for _ in range(5):
    sandbox = used({options})
    sandbox.close()  # and stays referenced
    seen.append(held())
print(json.dumps(seen))
""")
    assert [images for _, images in seen] == [0] * 6
    start, _, second, *_, last = [private for private, _ in seen]
    assert last - second < 20 * MB
    assert last - start < 60 * MB  # 290 MB, and more for each image, before they were given back


@pytest.mark.usefixtures("sandbox")
def test_the_sandboxes_of_a_process_hold_each_image_once() -> None:
    seen = in_a_process("""
first = used(workers=1)
one = held()
second = used(workers=1, images=3)
both = held()
first.close()
del first
[result] = second.run([Job("1", "def f(x): return x + 1", calls=["1"], images=3)])
assert result.calls[0].value == "2"
left = held()
second.close()
print(json.dumps([one, both, left, held()]))
""")
    assert [images for _, images in seen] == [3, 4, 4, 0]  # one of them compiles
    (one, _), (both, _), *_ = seen
    assert both - one < 60 * MB


@pytest.mark.usefixtures("sandbox")
def test_what_one_sandbox_does_never_shows_in_another_of_the_same_images() -> None:
    seen = in_a_process("""
poison = '''
import builtins, math
def f():
    was = hasattr(builtins, "left"), math.pi == 3, len(math.__dict__.get("room", ""))
    builtins.left, math.pi, math.room = 1, 3, "x" * 3_000_000
    return was
'''
boxes = [used(workers=2), used(workers=2)]
jobs = [Job(str(n), poison, calls=[""] * 4, images=2) for n in range(8)]
streams = [box.stream(jobs) for box in boxes]
values = [c.value for pair in zip(*streams) for _, r in pair for c in r.calls]
for box in boxes:
    values += [c.value for r in box.run(jobs) for c in r.calls]
    assert box.stats()["restore_check_failures"] == 0
    box.close()
print(json.dumps(values))
""")
    assert Counter(seen) == {"(False, False, 0)": 128}


@pytest.mark.usefixtures("sandbox")
def test_a_closed_sandbox_still_tells_its_counters() -> None:
    stats = in_a_process("""
sandbox = used(workers=1)
before = sandbox.stats()
sandbox.close()
print(json.dumps([before, sandbox.stats()]))
""")
    assert stats[0] == stats[1]
