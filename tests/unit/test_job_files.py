"""Names and sizes of a job's files: what is refused, and that the message names it."""

from typing import Any

import pytest

from sandbox_wasm import BadJob, Job
from sandbox_wasm.jobs.files import MAX_FILES, MAX_FILES_BYTES
from sandbox_wasm.wire.codec import job_of_fields, jobs_of, pack_job
from sandbox_wasm.wire.protocol import Kind, frame_of_parts, unpack


@pytest.mark.parametrize(
    ("files", "got"),
    [
        ({"../x": "a"}, "'../x'"),
        ({"a/../../x": "a"}, "'a/../../x'"),
        ({"/x": ""}, "'/x'"),
        ({"a//b": ""}, "'a//b'"),
        ({"a/.": ""}, "'a/.'"),
        ({"": ""}, "''"),
        ({"a\0b": ""}, r"'a\x00b'"),
        ({"\ud800": ""}, r"'\ud800'"),
        ({"x" * 256: ""}, "... (256 long)"),
        ({"é" * 128: ""}, "... (128 long)"),
        ({"a/" * 8 + "a": ""}, "'a/a/a/a/a/a/a/a/a'"),
        ({1: ""}, "1"),
        ({"a": 1}, "{'a': 1}"),
        ({"a": None}, "{'a': None}"),
        ({"a": "", "a/b/c": ""}, "'a'"),
        ({str(n): "" for n in range(MAX_FILES + 1)}, "65 of them"),
        ({"a": bytes(MAX_FILES_BYTES), "b": "é"}, f"{MAX_FILES_BYTES + 2} bytes"),
        ((("a", b""), ("a", b"")), "'a'"),
        ([("a", b"")], "an array of 1"),
        ((None,), "None"),
        ("a", "'a'"),
        (None, "None"),
    ],
)
def test_a_file_that_cannot_be_is_refused(files: Any, got: str) -> None:
    with pytest.raises(BadJob, match="job '1': files must be a mapping of") as caught:
        Job("1", "", files=files)
    assert str(caught.value).endswith(got)


@pytest.mark.parametrize("want", ["ab", ["a", "a"], ["../a"], [1], None, ["x"] * 65, {"a": "b"}])
def test_a_wanted_name_that_cannot_be_is_refused(want: Any) -> None:
    with pytest.raises(BadJob, match="want_files must be a list or tuple of"):
        Job("1", "", want_files=want)


def test_files_are_frozen_in_the_order_of_their_names() -> None:
    job = Job("1", "", files={"b": "é", "a/c": b"\xff"}, want_files=["z", "y"])
    assert job.files == (("a/c", b"\xff"), ("b", "é".encode()))
    assert job.want_files == ("z", "y")
    assert Job("1", "", files=job.files) == Job("1", "", files=dict(job.files))


def test_files_cross_the_wire() -> None:
    job = Job("1", "", files={"a/b": bytes(range(256)), "c": "text"}, want_files=["d"])
    frame = frame_of_parts(Kind.JOBS, [pack_job(7, job, 10**6)])
    (fields,), _ = jobs_of(unpack(frame)[1])
    assert job_of_fields(fields, "$") == job
