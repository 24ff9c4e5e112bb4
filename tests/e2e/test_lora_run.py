"""Runs with adapters through the real parts: trained, resumed, evaluated, exported, refused.

The engine is transformers with a taught miniature, so that a run can repeat bit for bit.
"""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.e2e.one_process import Ended, run_commands
from tests.e2e.test_evaluation import CRUXEVAL, flags, write
from tests.e2e.test_run import metrics_of, played, tasks_of, write_run

pytestmark = [pytest.mark.slow, pytest.mark.guest, pytest.mark.timeout(420)]

LORA = ("--lora.rank", "4", "--learner.lr", "1e-3", "--loss.kl", "k3", "--loss.kl_coef", "0.01")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lora")


@pytest.fixture(scope="module")
def ended(root: Path, taught: Path) -> dict[str, Ended]:
    """What became of each command; they share a process, a folder and `runs`."""
    whole, broken = (write_run(root, taught, name, 3) for name in ("whole", "broken"))
    write(root / "data" / "execution" / "cruxeval.jsonl.gz", CRUXEVAL)
    resume = ["train", broken, *LORA, "--resume"]
    commands = {
        "whole": ["train", whole, *LORA],
        "part": ["train", broken, *LORA, "--steps", "2"],
        "other rank": [*resume, "--lora.rank", "8"],
        "no rank": [*resume, "--lora.rank", "0"],
        "resumed": resume,
        "no such layer": ["train", whole, *LORA, "--name", "new", "--lora.targets", "c_attn"],
        "export": ["export", "runs/whole", "model"],
        "adapter": ["export", "runs/whole", "adapter", "--adapter"],
        "eval": ["eval", "runs/whole", *flags(Path("data"), "out", "cruxeval-o"), "--limit", "2"],
        "from an adapter": ["train", whole, "--name", "new", "--model.name", "adapter"],
    }
    found = run_commands(root, list(commands.values()), OMP_NUM_THREADS="1")
    return dict(zip(commands, found, strict=True))


def test_a_run_that_stopped_goes_on_bit_for_bit(root: Path, ended: dict[str, Ended]) -> None:
    for name in ("whole", "part", "resumed"):
        assert ended[name].code == 0, ended[name].err[-4000:]
    assert "resuming after step 2" in ended["resumed"].err
    whole, broken = root / "runs" / "whole", root / "runs" / "broken"
    assert played(broken) == played(whole)
    assert tasks_of(broken) == tasks_of(whole)
    adapters = [
        (run / "checkpoints" / "step_3" / "model" / "adapter_model.safetensors").read_bytes()
        for run in (whole, broken)
    ]
    assert adapters[0] == adapters[1]
    divergences = [row["kl"] for row in metrics_of(whole) if "kl" in row]
    assert divergences[0] == 0.0 < divergences[-1]


def test_what_is_exported_loads_in_transformers_and_in_peft(
    root: Path, taught: Path, ended: dict[str, Ended]
) -> None:
    assert (ended["export"].code, ended["adapter"].code) == (0, 0), ended["export"].err
    ids = torch.arange(20, 60)[None]
    merged = AutoModelForCausalLM.from_pretrained(root / "model", dtype=torch.float32)
    base = AutoModelForCausalLM.from_pretrained(taught, dtype=torch.float32)
    with torch.no_grad():
        plain = base(input_ids=ids).logits
        adapted = PeftModel.from_pretrained(base, root / "adapter").eval()(input_ids=ids).logits
        torch.testing.assert_close(merged(input_ids=ids).logits, adapted, atol=1e-4, rtol=1e-4)
    assert (adapted - plain).abs().max() > 1e-3
    assert (root / "model" / "tokenizer.json").is_file()
    assert {file.name for file in (root / "adapter").iterdir()} >= {
        *("adapter_config.json", "adapter_model.safetensors", "tokenizer.json"),
    }


def test_a_checkpoint_holds_no_weight_of_the_base(root: Path, ended: dict[str, Ended]) -> None:
    assert ended["whole"].code == 0
    model = root / "runs" / "whole" / "checkpoints" / "step_3" / "model"
    names = [name for file in model.glob("*.safetensors") for name in load_file(file)]
    assert names
    assert all(".lora_" in name for name in names)


def test_a_run_s_checkpoint_is_evaluated_merged(root: Path, ended: dict[str, Ended]) -> None:
    assert ended["eval"].code == 0, ended["eval"].err[-3000:]
    assert json.loads((root / "out" / "cruxeval-o" / "result.json").read_text())["items"] == 2
    assert not list((root / "out").glob(".merged-*"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("other rank", "runs/broken/checkpoints/step_2 was trained with lora.rank = 4"),
        ("no rank", "runs/broken/checkpoints/step_2 was trained with lora.rank = 4"),
        ("no such layer", "lora.targets names 'c_attn', and "),
        ("from an adapter", "'adapter' is an adapter: a run starts from a whole"),
    ],
)
def test_bad_input_is_one_line_and_loses_nothing(
    root: Path, ended: dict[str, Ended], name: str, said: str
) -> None:
    code, out, err = ended[name]
    assert (code, out) == (2, "")
    [line] = [line for line in err.splitlines() if line.startswith("azr: error: ")]
    assert said in line
    assert "Traceback" not in err
    assert not (root / "runs" / "new").exists()
    assert not (root / "runs" / "broken" / "logs" / "attempt_3.log").exists()
