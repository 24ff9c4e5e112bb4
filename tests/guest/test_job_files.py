"""Files that jobs bring and want back: their place, their price, and that they stay apart."""

import pytest

from sandbox_wasm import CallResult, Job, Limits, Outcome, Sandbox

pytestmark = pytest.mark.guest

TURN = "open('out.txt', 'w').write(open('in.txt').read()[::-1])"


def run(sandbox: Sandbox, job: Job) -> CallResult:
    return sandbox.run([job])[0].calls[0]


def test_files_go_in_and_come_back_in_every_way_to_run(sandbox: Sandbox) -> None:
    files, want = {"in.txt": "abc"}, ["out.txt"]
    function = f"def f():\n    {TURN}"
    jobs = [
        Job("calls", function, calls=["", ""], files=files, want_files=want),
        Job("expressions", function, expressions=["f()"], files=files, want_files=want),
        Job("stdin", TURN, stdin="", files=files, want_files=want),
        Job("tests", function, tests="f()", files=files, want_files=want),
        Job("raises", f"{TURN}\n1/0", files=files, want_files=want),
    ]
    for result in sandbox.run(jobs):
        assert [call.files for call in result.calls] == [{"out.txt": b"cba"}] * len(result.calls)


def test_folders_are_made_and_any_bytes_are_kept(sandbox: Sandbox) -> None:
    source = "import os\ndef f(): return [(r, sorted(f)) for r, _, f in os.walk('.')]"
    data = bytes(range(256))
    job = Job("1", source, calls=[""], files={"a/b/c": data, "a/é": "", "d": "x"},
              want_files=["a/b/c", "a/é", "a", "no"])  # fmt: skip
    call = run(sandbox, job)
    assert call.value == "[('.', ['d']), ('./a', ['é']), ('./a/b', ['c'])]"
    assert call.files == {"a/b/c": data, "a/é": b""}


def test_modules_among_them_are_imported(sandbox: Sandbox) -> None:
    files = {"solution.py": "def f(x): return 2 * x", "p/__init__.py": "", "p/q.py": "r = 7"}
    job = Job("1", "from solution import f\nfrom p.q import r", expressions=["f(r)"], files=files)
    assert run(sandbox, job).value == "14"
    again = run(sandbox, Job("1", "import solution", expressions=["1"]))
    assert again.error == "ModuleNotFoundError: No module named 'solution'"


def test_each_run_finds_the_files_as_they_were_given(sandbox: Sandbox) -> None:
    source = (
        "import os\ndef f():\n    old = open('a').read(), os.listdir('.')\n"
        "    open('a', 'w').write('changed')\n    open('new', 'w').close()\n    return old"
    )
    calls = sandbox.run([Job("1", source, calls=[""] * 4, images=2, files={"a": "as it was"})])[
        0
    ].calls
    assert {(call.value, call.differs) for call in calls} == {("('as it was', ['a'])", None)}


def test_nothing_of_a_calls_files_is_there_for_the_next(sandbox: Sandbox) -> None:
    probe = Job("2", "import os\nprint(list(os.walk('/tmp')))", want_stdout=True)
    job = Job("1", "x = open('a/b').read()", files={"a/b": "secret"}, want_files=["a/b"])
    for _ in range(3):
        assert run(sandbox, job).files == {"a/b": b"secret"}
        assert run(sandbox, probe).stdout == "[('/tmp', [], [])]\n"


def test_files_that_differ_between_images_are_told(sandbox: Sandbox) -> None:
    source = "open('a', 'w').write(str(hash('x')))"
    assert run(sandbox, Job("1", source, images=2, want_files=["a"])).differs == "files"
    assert run(sandbox, Job("1", source, images=2)).differs is None


def test_their_bytes_cost_fuel_both_ways(sandbox: Sandbox) -> None:
    size = 1_000_000

    def fuel(files: dict[str, bytes], want: list[str]) -> int:
        limits = Limits(output_bytes=2 * size)
        return run(sandbox, Job("1", "pass", files=files, want_files=want, limits=limits)).fuel

    nothing = fuel({}, [])
    assert fuel({"a": b""}, []) - nothing == 3500
    assert fuel({"a": bytes(size)}, []) - nothing == size + 3500
    assert fuel({"a": bytes(size)}, ["a"]) - nothing == 2 * (size + 3500)


@pytest.mark.parametrize(("fuel", "files"), [(1000, {"a": ""}), (900_000, {"a": bytes(1_000_000)})])
def test_files_that_cannot_be_paid_for_are_out_of_fuel(
    sandbox: Sandbox, fuel: int, files: dict[str, str | bytes]
) -> None:
    call = run(sandbox, Job("1", "pass", files=files, limits=Limits(fuel=fuel)))
    assert (call.outcome, call.fuel) == (Outcome.OUT_OF_FUEL, fuel)


def test_files_that_hold_too_much_are_too_large_an_output(sandbox: Sandbox) -> None:
    source = "for n in 'ab': open(n, 'wb').write(bytes(600))"
    limits = Limits(output_bytes=1000)
    call = run(sandbox, Job("1", source, want_files=["a", "b"], limits=limits))
    assert (call.outcome, call.files) == (Outcome.OUTPUT_TOO_LARGE, None)
    assert run(sandbox, Job("1", source, want_files=["a"], limits=limits)).files == {
        "a": bytes(600)
    }


def test_a_program_that_never_ran_left_none(sandbox: Sandbox) -> None:
    call = run(sandbox, Job("1", "def", want_files=["a"], files={"a": "x"}))
    assert (call.outcome, call.files) == (Outcome.SYNTAX_ERROR, None)
