"""A line of metrics that cannot be read is told and left out; what is not finite is no data."""

from collections.abc import Callable
from pathlib import Path

import pytest

from azr.cli.main import main
from azr.records.metrics_file import read_metrics
from azr.records.run_folder import RunFolder
from tests.unit.test_damage import config_of

MakeRun = Callable[..., Path]


# ---------------------------------------------------------------- metrics

LINES: dict[bytes, str] = {
    b"[1, 2]": "not a JSON object",
    b"7": "not a JSON object",
    b"null": "not a JSON object",
    b'"text"': "not a JSON object",
    b"{": "not JSON",
    b"\xff\xfe\x00": "not JSON",
    b"{} trailing": "not JSON",
    b"[" * 100_000: "not JSON",
    b'{"step": 1' + b"0" * 5000 + b"}": "not JSON",
    b"{}": "no step",
    b'{"step": "2"}': "no step",
    b'{"step": true}': "no step",
    b'{"step": 1e400}': "no step",
    b'{"step": NaN}': "no step",
    b'{"step": -1}': "no step",
    b'{"step": 2, "loss": "low"}': "loss is no number",
    b'{"step": 2, "loss": [1]}': "loss is no number",
    b'{"step": 2, "loss": true}': "loss is no number",
}
VALUES = [b'{"step": 2, "loss": NaN}', b'{"step": 2, "loss": -Infinity}',
          b'{"step": 2, "x": 1e400}', b'{"step": 2, "x": 1' + b"0" * 400 + b"}"]  # fmt: skip


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_a_line_of_metrics_that_cannot_be_read_is_told_and_left_out(
    line: bytes, make_run: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(steps=3)
    file = run / "metrics.jsonl"
    rows = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join([rows[0], line, *rows[2:]]))
    kept = 3 if "no number" in LINES[line] else 2
    assert len(read_metrics(run)) == kept
    assert caplog.messages == [f"{file}, line 2: {LINES[line]}: left out"]
    assert main(["report", str(run)]) == 0
    assert main(["inspect", str(run)]) == 0
    with RunFolder.open(config_of(run), resume=True) as folder:
        (said,) = folder.rewind(3)
    assert said.startswith(f"{file}, line 2: {LINES[line]}: left out (1 in all)")
    assert line in (run / "metrics.jsonl.damaged").read_bytes()
    caplog.clear()
    assert len(read_metrics(run)) == kept
    assert not caplog.messages


@pytest.mark.parametrize("line", VALUES, ids=range(len(VALUES)))
def test_what_is_not_finite_is_no_data(line: bytes, make_run: MakeRun) -> None:
    run = make_run(steps=1)
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(line + b"\n")
    row = read_metrics(run)[-1]
    assert row["step"] == 2
    assert [row[name] for name in row if name != "step"] == [None]
    assert main(["report", str(run)]) == 0


def test_separators_in_a_text_end_no_line(tmp_path: Path) -> None:
    text = '{"step": 1, "a\u2028b\x85c\x0c": 2}\r\n{"step": 2}\n'
    (tmp_path / "metrics.jsonl").write_text(text, encoding="utf-8", newline="")
    assert [row["step"] for row in read_metrics(tmp_path)] == [2]  # a raw form feed is no JSON
    (tmp_path / "metrics.jsonl").write_text(text.replace("\x0c", ""), encoding="utf-8", newline="")
    assert [row["step"] for row in read_metrics(tmp_path)] == [1, 2]
