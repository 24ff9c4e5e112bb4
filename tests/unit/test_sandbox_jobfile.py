"""Jobs as JSON lines: what is wrong is named by line and key."""

import json

import pytest

from sandbox_wasm.cli.jobfile import JobDefaults, read_jobs, result_to_json
from sandbox_wasm.errors import BadJob
from sandbox_wasm.types import CallResult, Job, JobResult, Limits, Outcome


def read(*records: object, defaults: JobDefaults | None = None) -> list[Job]:
    return list(read_jobs(map(json.dumps, records), defaults or JobDefaults()))


def test_a_line_is_a_job_and_empty_lines_are_skipped() -> None:
    lines = ["\n", '{"id": "1", "source": "x", "calls": ["1"], "limits": {"fuel": 5}}\n', "  "]
    (job,) = read_jobs(lines, JobDefaults(limits=Limits(output_bytes=7), images=2))
    assert job == Job("1", "x", calls=("1",), limits=Limits(fuel=5, output_bytes=7), images=2)


def test_a_line_may_say_seconds_whatever_the_command_said() -> None:
    line = '{"id": "1", "source": "x", "limits": {"seconds": 0.25}}\n'
    for limits in (Limits(), Limits(fuel=5), Limits(seconds=3)):
        [job] = read_jobs([line], JobDefaults(limits=limits))
        assert job.limits.fuel == 2_000_000_000


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"id": "1", "source": "", "limits": {"seconds": "1"}}, "line 1: seconds must be a number"),
        ({"id": "1", "source": "", "limits": {"seconds": 1, "fuel": 1}}, "line 1: .* not both"),
        ({"id": "1", "sourc": ""}, "line 1: unknown key 'sourc'"),
        ({"id": "1"}, "line 1: the key 'source' is missing"),
        ({"id": 1, "source": ""}, "line 1: job 1: id must be a str"),
        ({"id": "1", "source": "", "calls": "1"}, "calls must be a list or tuple"),
        ({"id": "1", "source": "", "calls": [1]}, "calls must be a list or tuple"),
        ({"id": "1", "source": "", "stdin": 1}, "stdin must be None or a str"),
        ({"id": "1", "source": "", "images": True}, "images must be an integer in"),
        ({"id": "1", "source": "", "images": 17}, r"images must be an integer in \[1, 16\]"),
        ({"id": "1", "source": "", "limits": {"fule": 1}}, "unknown key 'fule' in limits"),
        ({"id": "1", "source": "", "limits": {"fuel": "1"}}, "limits.fuel must be an integer"),
        ({"id": "1", "source": "", "limits": 1}, "limits must be a JSON object"),
        ({"id": "1", "source": "", "calls": ["1"], "stdin": ""}, "give only one of"),
        ([1], "a job must be a JSON object"),
    ],
)
def test_what_is_wrong_is_named(record: object, message: str) -> None:
    with pytest.raises(BadJob, match=message):
        read(record)


def test_the_second_bad_line_is_named_by_its_number() -> None:
    with pytest.raises(BadJob, match="line 2: not JSON"):
        list(read_jobs(['{"id": "1", "source": ""}', "{"], JobDefaults()))


def test_a_result_has_the_promised_keys() -> None:
    result = JobResult(
        id="1",
        calls=(
            CallResult(outcome=Outcome.RETURNED, value="1", fuel=123),
            CallResult(outcome=Outcome.RAISED, error="E: x", stdout="", differs="value"),
        ),
    )
    assert result_to_json(result) == {
        "id": "1",
        "calls": [
            {"outcome": "returned", "value": "1", "error": None, "fuel": 123},
            {"outcome": "raised", "value": None, "error": "E: x", "fuel": 0, "stdout": "",
             "differs": "value"},
        ],
    }  # fmt: skip
