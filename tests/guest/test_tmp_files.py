"""/tmp in the guest: files of one run, as natively, bounded, and gone with it."""

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox_wasm import CallResult, Job, Limits, Outcome, Sandbox

pytestmark = pytest.mark.guest

LIMITS = Limits(fuel=4_000_000_000, memory_bytes=128 * 1024 * 1024)


def sections(text: str) -> dict[str, str]:
    """Programs by the name in the comment before each."""
    parts = [part.partition("\n") for part in text.split("\n# ")[1:]]
    return {name: program.strip("\n") for name, _, program in parts}


PROGRAMS = sections(r"""
# text
open('a.txt', 'w').write('one\ntwo\n')
print(open('a.txt').read(), list(open('a.txt')))

# bytes
with open('/tmp/b', 'wb') as f:
    print(f.write(bytes(range(256)) * 40), f.tell())
with open('/tmp/b', 'rb') as f:
    f.seek(-3, 2)
    print(f.read(), f.tell(), f.seek(5), f.read(2))

# append
for word in 'abc':
    with open('log', 'a') as f:
        print(word, file=f)
print(open('log').read())

# update
open('u', 'w').write('0123456789')
with open('u', 'r+') as f:
    f.seek(3)
    f.write('xy')
    f.truncate(7)
print(open('u').read())

# sparse
with open('s', 'wb') as f:
    f.seek(10)
    f.write(b'x')
print(open('s', 'rb').read())

# exclusive
open('x', 'x').close()
try:
    open('x', 'x')
except FileExistsError as e:
    print(type(e))

# missing
for path in ('no', 'no/a', '/tmp/no/b'):
    try:
        open(path)
    except FileNotFoundError as e:
        print(type(e).__name__)
    try:
        open(path + '/w', 'w')
    except FileNotFoundError as e:
        print(type(e).__name__)

# folders
import os
os.makedirs('d/e/f')
open('d/e/g', 'w').close()
print(sorted(os.listdir('d/e')))
print(sorted((r, sorted(d), sorted(f)) for r, d, f in os.walk('d')))
print(os.path.isdir('d/e'), os.path.isfile('d/e/g'))
for act in (lambda: os.rmdir('d/e'), lambda: os.remove('d/e/z'), lambda: os.mkdir('d')):
    try:
        act()
    except OSError as e:
        print(type(e).__name__)
os.remove('d/e/g')
os.removedirs('d/e/f')
print(os.path.exists('d'))

# many names
import os
for i in range(300):
    open(f'n{i:04}', 'w').close()
print(len([n for n in os.listdir('.') if n.startswith('n')]))
print(sum(e.is_file() for e in os.scandir('/tmp')) >= 300)

# rename
import os
open('p', 'w').write('p')
open('q', 'w').write('q')
os.replace('p', 'q')
print(open('q').read(), os.path.exists('p'), os.stat('q').st_size)

# unlinked and open
import os
f = open('k', 'w+')
os.remove('k')
f.write('still')
f.seek(0)
print(f.read(), os.path.exists('k'))

# paths
import os, pathlib
p = pathlib.Path('one/./two/')
p.mkdir(parents=True)
(p / 'f').write_text('é')
print((p / 'f').read_text(), sorted(x.name for x in pathlib.Path('one').rglob('*')))
print(os.getcwd() == os.path.realpath('.'))

# tempfile
import tempfile, os
with tempfile.TemporaryDirectory() as d:
    p = os.path.join(d, 'a')
    open(p, 'w').write('x')
    print(os.listdir(d))
print(os.path.exists(d))
with tempfile.NamedTemporaryFile('w+') as f:
    f.write('t')
    f.flush()
    print(open(f.name).read())
with tempfile.TemporaryFile() as f:
    f.write(b'u')
    f.seek(0)
    print(f.read())

# csv and json
import csv, json
with open('t.csv', 'w', newline='') as f:
    csv.writer(f).writerows([[1, 'a,b'], [2, '"']])
print(list(csv.reader(open('t.csv', newline=''))))
json.dump({'k': [1]}, open('t.json', 'w'))
print(json.load(open('t.json')))

# sqlite and zip
import zipfile
with zipfile.ZipFile('z.zip', 'w') as z:
    z.writestr('a/b', 'text')
with zipfile.ZipFile('z.zip') as z:
    print(z.namelist(), z.read('a/b'))

# closed and read only
f = open('c', 'w')
f.close()
try:
    f.write('x')
except ValueError as e:
    print(e)
try:
    open('c').write('x')
except OSError as e:
    print(e)
""")


def run(sandbox: Sandbox, source: str) -> CallResult:
    return sandbox.run([Job("1", source, stdin="", limits=LIMITS)])[0].calls[0]


@pytest.mark.parametrize("name", PROGRAMS)
def test_files_are_as_natively(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    source = PROGRAMS[name]
    call = run(sandbox, source)
    assert call.outcome is Outcome.RETURNED, call.error
    native = subprocess.run(
        [sys.executable, "-c", source.replace("/tmp", str(tmp_path))],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert call.stdout == native.stdout


def test_nothing_of_a_file_is_left_for_the_next_run(sandbox: Sandbox) -> None:
    leave = (
        "import os\nos.mkdir('d')\nopen('/tmp/d/f', 'w').write('secret')\n"
        "f = open('g', 'w')\nos.chdir('d')"
    )
    probe = (
        "import os\nprint(os.getcwd(), os.listdir('/tmp'), os.path.exists('d/f'),\n"
        "      os.open('h', os.O_CREAT | os.O_RDWR))"
    )
    sources = [leave, probe] * 6
    calls = [r.calls[0] for r in sandbox.run(Job("1", s, stdin="", limits=LIMITS) for s in sources)]
    assert {call.outcome for call in calls} == {Outcome.RETURNED}
    assert {call.stdout for call in calls[1::2]} == {"/tmp [] False 5\n"}


BOUNDED = sections(r"""
# a large file
f = open('a', 'wb')
while True: f.write(bytes(1 << 20))

# a file that is told to be large
f = open('a', 'wb')
f.truncate(1 << 40)

# a place far away
f = open('a', 'wb')
f.seek(1 << 62)
f.write(b'x')
f.flush()

# many files
for i in range(10**6): open(f'f{i}', 'w').close()

# files without names
import os
kept = []
for i in range(60):
    f = open('a', 'wb')
    kept.append(f)
    f.write(bytes(1 << 20))
    f.flush()
    os.remove('a')

# a name that is long
open('x' * 300, 'w')

# many descriptors
kept = [open('a', 'w') for _ in range(1000)]

# the library
open('/usr/local/lib/x', 'w')

# upwards
open('/tmp/../x', 'w')

# the folder itself
import os
os.rmdir('/tmp')
""")


@pytest.mark.parametrize("name", BOUNDED)
def test_what_does_not_fit_or_is_not_there_is_an_os_error(sandbox: Sandbox, name: str) -> None:
    call = run(sandbox, BOUNDED[name])
    assert call.outcome is Outcome.RAISED
    assert (call.error or "").split(":")[0] in {
        "OSError", "FileNotFoundError", "PermissionError",
    }, call.error  # fmt: skip
    assert run(sandbox, BOUNDED[name]) == call


def test_writing_costs_fuel_by_the_byte(sandbox: Sandbox) -> None:
    source = "def f(n):\n    with open('a', 'wb') as out:\n        return out.write(bytes(n))"
    job = Job("1", source, calls=["100", "20_000_000"], limits=LIMITS)
    small, large = sandbox.run([job])[0].calls
    assert large.value == "20000000"
    assert large.fuel - small.fuel >= 40_000_000


def test_a_file_differs_between_no_images(sandbox: Sandbox) -> None:
    source = (
        "import os\ndef f():\n    open('a', 'w').write('x')\n"
        "    return os.stat('a').st_ino, os.listdir('.')"
    )
    [call] = sandbox.run([Job("1", source, calls=[""], images=10, limits=LIMITS)])[0].calls
    assert (call.outcome, call.differs) == (Outcome.RETURNED, None)
