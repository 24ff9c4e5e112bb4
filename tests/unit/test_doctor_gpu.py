"""`azr doctor --gpu`: which flags can be meant, what a failure is, and what it may not hide.

No test here needs a GPU. Where CUDA is a fake, the test says so: it holds the order of calls alone.
"""

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from azr.cli.commands.gpu import NOT_ON_A_GPU, table
from azr.cli.gpu import __main__ as child
from azr.cli.gpu import accuracy, device, push, supervisor, training
from azr.cli.gpu.device import Place, Stopwatch
from azr.cli.gpu.models import TINY, random_model
from azr.cli.gpu.parts import FAILED, NO_ROOM, OK, PARTS, SKIPPED, Case, Found, Part, Row
from azr.cli.main import main
from azr.config.loss import Backend, LossConfig, LossKind
from azr.errors import StaleWeights
from azr.models.checksums import Receipt

ROOT = Path(__file__).parents[2]
PART = Part(name="none", title="nothing", source="azr.none:cases", share=1)
CPU = Place(torch.device("cpu"), Path())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--only", "speed"], "--only is about the GPU's figures: it goes with --gpu"),
        (["--gpu", "a-run"], "--gpu measures this machine: leave RUN out"),
        (["--gpu", "--budget", "1"], "--budget must be 10 seconds or more, got 1.0"),
        (["--gpu", "--budget", "nan"], "--budget must be 10 seconds or more, got nan"),
        (["--gpu", "--output", "taken.json"], "--output taken.json is there already"),
        (["--gpu", "--output", "no/folder.json"], "--output no/folder.json: there is no folder"),
    ],
)
def test_flags_that_cannot_be_meant_measure_nothing(
    words: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("taken.json").write_text("{}")
    monkeypatch.setattr("azr.cli.commands.gpu.facts_of_machine", pytest.fail)
    assert main(["doctor", *words]) == 2
    said = capsys.readouterr()
    assert line in said.err
    assert (said.out, Path("taken.json").read_text()) == ("", "{}")


def test_an_unknown_part_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", "--gpu", "--only", "sped"])
    assert all(part.name in capsys.readouterr().err for part in PARTS[:1])


def test_an_interrupt_loses_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(*_: object) -> Iterator[Row]:
        yield Row(part="push", case="gloo, two ends", status=OK, figures={"s": 0.25})
        raise KeyboardInterrupt

    monkeypatch.setattr("azr.cli.commands.gpu.facts_of_machine", lambda: FACTS)
    monkeypatch.setattr("azr.cli.commands.gpu.measured", measured)
    assert main(["doctor", "--gpu", "--output", str(tmp_path / "gpu.json")]) == 130
    result = json.loads((tmp_path / "gpu.json").read_text())
    assert (len(result["rows"]), result["complete"]) == (1, False)
    assert "| gloo, two ends | 0.25 |" in capsys.readouterr().out


# ---------------------------------------------------------------- cases


def raising(error: Exception) -> Callable[[], Found]:
    def measure() -> Found:
        raise error

    return measure


def test_a_case_that_fails_hides_none_of_the_others() -> None:
    cases = [
        Case("well", lambda: Found(figures={"ms": 1.0})),
        Case("wrong", lambda: Found(fault="a is not b")),
        Case("raises", raising(RuntimeError("no kernel\nmore"))),
        Case("too large", raising(torch.OutOfMemoryError("CUDA out of memory"))),
        Case("cublas", raising(RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling"))),
        Case("another's", raising(ImportError("no liger_kernel")), is_foreign=True),
        Case("last", Found),
    ]
    rows = list(child.rows_of(PART, iter(cases), 60, lambda: False))
    assert [row.status for row in rows] == [OK, FAILED, FAILED, NO_ROOM, NO_ROOM, SKIPPED, OK]
    assert rows[2].detail == "RuntimeError: no kernel"
    assert "in measure" in rows[2].trace, "the JSON says where"
    assert supervisor.failed_parts(rows) == ["none"]
    assert supervisor.failed_parts([rows[0], rows[3], rows[5]]) == []
    assert supervisor.failed_parts([rows[3], rows[4]]) == ["none"], "nothing was measured"


def test_a_context_that_is_broken_ends_the_part() -> None:
    cases = [Case("raises", raising(RuntimeError("illegal access"))), Case("next", pytest.fail)]
    rows = list(child.rows_of(PART, iter(cases), 60, lambda: True))
    assert [(row.case, row.status) for row in rows] == [("raises", FAILED), ("the rest", FAILED)]
    assert "'raises'" in rows[1].detail


def test_what_there_was_no_time_for_is_named() -> None:
    [row] = child.rows_of(PART, iter([Case("slow", pytest.fail)]), -1, lambda: False)
    assert (row.case, row.status) == ("slow", SKIPPED)
    assert "--budget" in row.detail


# ---------------------------------------------------------------- processes


def test_a_process_that_dies_is_a_row_with_its_last_words(tmp_path: Path) -> None:
    said: list[str] = []
    rows = list(supervisor.in_a_process(PART, tmp_path, 60, said.append))
    assert [(row.case, row.status) for row in rows] == [("the rest", FAILED)]
    assert "StopIteration" in rows[0].detail, "the part is not among those that there are"


def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "GRACE_S", 0.0)
    [row] = supervisor.in_a_process(PART, tmp_path, 0.01, lambda _: None)
    assert row.status == FAILED
    assert row.detail.startswith("ended after 0 s"), "killed while it starts"


def test_a_part_that_lacks_a_module_is_skipped_by_name() -> None:
    lacking = Part(name="x", title="", source="", share=1, needs={"cuda": ("no_such_module",)})
    assert supervisor.reason_to_skip(lacking, "cpu") == ""
    [row] = supervisor.measured([lacking], "cuda", 60, pytest.fail)
    assert (row.status, row.detail) == (SKIPPED, "not installed: no_such_module")


def test_shares_are_the_eight_minutes() -> None:
    assert sum(part.share for part in PARTS) == supervisor.BUDGET_S


@pytest.mark.slow
def test_a_checkout_without_the_sandbox_measures_the_kernels() -> None:
    """What an image with torch and pydantic lacks must not be loaded."""
    code = (
        "import sys, runpy; sys.argv = ['gpu_check', '--help']\n"
        "try: runpy.run_path('scripts/gpu_check.py', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "import azr.cli.gpu.accuracy, azr.cli.gpu.speed\n"
        "print(sorted({'wasmtime', 'zmq', 'msgpack', 'sandbox_wasm._pool'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--budget" in done.stdout


# ---------------------------------------------------------------- what passes


def test_an_error_passes_beside_the_reference_s_or_under_the_bound() -> None:
    exact = torch.float32
    small = dict.fromkeys(accuracy.BOUNDS[exact], 1e-7)
    assert accuracy.judged(small, small, exact).fault == ""
    worse = {**small, "d_weight": 3e-6}
    assert "d_weight is 3e-06 off float64" in accuracy.judged(worse, small, exact).fault
    assert accuracy.judged(worse, {**small, "d_weight": 2.5e-6}, exact).fault == ""
    assert "nan" in accuracy.judged({**small, "entropy": math.nan}, small, exact).fault


@pytest.mark.parametrize("is_tied", [False, True])
def test_a_gradient_that_is_wrong_by_one_in_a_thousand_is_found(
    is_tied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = accuracy.drawn((20, 16, 50), torch.float32, torch.device("cpu"), is_tied)
    config = LossConfig(loss=LossKind.GSPO)
    assert accuracy.compared(inputs, config, Backend.NATIVE).fault == ""
    real = accuracy.computed

    def slightly_wrong(inputs: Any, config: LossConfig, dtype: torch.dtype) -> Any:
        found = real(inputs, config, dtype)
        if config.backend is Backend.NATIVE:
            found["d_weight"] *= 1.001
        return found

    monkeypatch.setattr(accuracy, "computed", slightly_wrong)
    assert "d_weight" in accuracy.compared(inputs, config, Backend.NATIVE).fault


def test_an_update_that_differs_is_found() -> None:
    same = {"loss": 1.0, "grad_norm": 2.0}
    assert training.difference(same, same, 1e-3) == ""
    assert "grad_norm is 2.01" in training.difference({**same, "grad_norm": 2.01}, same, 1e-3)
    assert training.difference({**same, "loss": math.nan}, same, 1e-3) != ""


def test_a_push_that_brings_other_bits_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, place = torch.device("cpu"), Place(torch.device("cpu"), tmp_path)
    assert push.pushed(place, here).fault == ""
    real = push.checksum
    monkeypatch.setattr(push, "checksum", lambda tensor: real(tensor + 1))
    with pytest.raises(StaleWeights, match="the receiver was given other bits of"):
        push.pushed(place, here)
    same = Receipt(1, {"a": 1})
    assert push.told_apart(same, same) != ""


def test_with_one_gpu_nobody_is_pushed_to_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a made-up number of GPUs."""
    monkeypatch.setattr(push.torch.cuda, "device_count", lambda: 1)
    *_, last = push.cases(Place(torch.device("cuda:0"), Path()))
    [row] = child.rows_of(PART, iter([last]), 60, lambda: False)
    assert (row.case, row.status) == ("NCCL, two ends", SKIPPED)
    assert row.detail == "it needs two GPUs, and here is one"


def test_operations_count_each_product_of_the_model_once() -> None:
    """Held to torch's own count of a forward, of which forward and backward are three."""
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415 - slow to load

    batch = training.batch_of(CPU, 1, TINY)
    model = random_model(TINY, CPU.device, torch.float32)
    with FlopCounterMode(display=False) as counter:
        states = model.model(batch.input_ids[None], use_cache=False).last_hidden_state
        model.lm_head(states[0, batch.rows])
    shape, tokens = TINY, batch.num_tokens
    attention = 4 * shape.layers * shape.heads * shape.head_size * tokens**2 / 2
    counted = training.operations(TINY, batch) / 3
    assert counter.get_total_flops() == pytest.approx(counted, abs=attention * 1.01)
    assert counted > counter.get_total_flops() / 2


def test_a_gpu_whose_peak_is_not_known_has_no_mfu() -> None:
    assert training.share_of_peak(494.7, "NVIDIA H100 80GB HBM3")["mfu"] == pytest.approx(0.5)
    part_of_one = "NVIDIA H100 80GB HBM3 MIG 1g.10gb"
    assert training.share_of_peak(1.0, part_of_one)["mfu"] == (
        f"none: the peak of {part_of_one} is not known"
    )


# ---------------------------------------------------------------- a clock on a GPU that is a fake


class FakeCuda:
    """torch.cuda as far as a stopwatch needs it: it notes calls and gives made-up numbers."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.peak = 0

    def get_device_properties(self, _: object) -> Any:
        return type("Properties", (), {"L2_cache_size": 2**26})

    def Event(self, **_: object) -> Any:
        number = self.calls.count("event")
        self.calls.append("event")
        log = self.calls.append

        class Event:
            def record(self) -> None:
                log("end" if number % 2 else "start")

            def synchronize(self) -> None:
                log("wait")

            def elapsed_time(self, _: object) -> float:
                return 250.0

        return Event()

    def reset_peak_memory_stats(self, _: object) -> None:
        self.calls.append("reset")

    def memory_allocated(self, _: object) -> int:
        return 1000

    def max_memory_allocated(self, _: object) -> int:
        return self.peak


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    fake, empty = FakeCuda(), torch.empty
    monkeypatch.setattr(device.torch, "cuda", fake)
    monkeypatch.setattr(device.torch, "empty", lambda *a, **k: empty(1))
    return fake


def test_events_stand_around_the_work_and_the_cache_is_flushed_before(cuda: FakeCuda) -> None:
    """With a fake of CUDA: the order of calls."""
    watch = Stopwatch(torch.device("cuda"))
    cuda.calls.clear()
    flushed = watch._flushed
    watch._flushed = type("Buffer", (), {"zero_": lambda _: cuda.calls.append("flush")})()
    assert watch.seconds(lambda: cuda.calls.append("work")) == 0.25
    assert [call for call in cuda.calls if call != "event"] == [
        "flush", "start", "work", "end", "wait",
    ]  # fmt: skip
    assert flushed is not None


def test_memory_is_the_peak_of_one_s_own_calls(cuda: FakeCuda) -> None:
    """With a fake of CUDA: what is compared with needs more, and does not count."""

    def mine() -> None:
        cuda.peak = 1500

    def other() -> None:
        cuda.peak = 9000

    timing = Stopwatch(torch.device("cuda")).compare(mine, other)
    assert timing.extra_bytes == 500
    assert timing.ratio == 1.0
    assert len(timing.seconds) == len(timing.others) >= 3


# ---------------------------------------------------------------- the table

FACTS: dict[str, Any] = {
    "device": "cuda", "name": "NVIDIA H100 80GB HBM3", "peak_tflops": 989.4, "free_gib": 78.0,
    "memory_gib": 79.6, "cuda": "13.0", "packages": {"torch": "2.13.0"},
}  # fmt: skip


def test_targets_are_said_of_a_gpu_and_of_nothing_else() -> None:
    figures = {"ms": 60.0, "over_products": 1.4, "liger_h100_ms": 50.4}
    rows = [Row(part="speed", case="azr: T=8192", status=OK, figures=figures)]
    on_gpu = "\n".join(table(FACTS, rows))
    assert "1.40 of the products, at most 1.25: missed" in on_gpu
    assert "60.0 ms; Liger 0.8.2 says 50.4 ms" in on_gpu
    assert NOT_ON_A_GPU not in on_gpu
    elsewhere = "\n".join(table({**FACTS, "device": "cpu"}, rows))
    assert "missed" not in elsewhere
    assert elsewhere.endswith(NOT_ON_A_GPU)


def test_the_largest_errors_stand_beside_plain_torch_s() -> None:
    def row(name: str, error: float) -> Row:
        names = ("logprob", "entropy", "d_hidden", "d_weight")
        figures = {**dict.fromkeys(names, error)}
        figures |= {f"{name}_reference": error / 2 for name in names}
        return Row(part="accuracy", case=f"{name}, float32", status=OK, figures=figures)

    lines = list(table(FACTS, [row("ppo", 1e-7), row("gspo", 3e-7)]))
    assert "| float32 | d_weight | 3.0e-07 | 1.5e-07 | gspo, float32 |" in lines


def test_a_row_is_json_and_comes_back() -> None:
    from dataclasses import asdict  # noqa: PLC0415

    row = Row(part="speed", case="a", status=NO_ROOM, detail="d", seconds=1.5, figures={"ms": 1.0})
    assert Row(**json.loads(json.dumps(asdict(row)))) == row
