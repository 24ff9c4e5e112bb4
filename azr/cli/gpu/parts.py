"""What `azr doctor --gpu` measures, and what a measurement is; this loads no framework."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["FAILED", "NO_ROOM", "OK", "PARTS", "SKIPPED", "Case", "Found", "Part", "Row"]

OK, FAILED, SKIPPED, NO_ROOM = "ok", "failed", "skipped", "out of memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One subject; it is measured in a process of its own."""

    name: str
    title: str
    source: str
    """Where its cases come from, `module:function`; the function is given a Place."""
    share: float
    """Seconds of the eight minutes that are its own."""
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Modules without which it is skipped, by the device's type; `any` counts for all."""
    only_on_gpus: str = ""
    """Why it is skipped without one; empty where it is not."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a case found."""

    figures: Mapping[str, float | str] = field(default_factory=dict[str, float | str])
    """Name and number; the name ends in the unit where there is one."""
    fault: str = ""
    """What is wrong; empty where nothing is."""
    left_out: str = ""
    """Why it cannot be measured here; empty where it was."""


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement of a part; others go on where it fails."""

    name: str
    measure: Callable[[], Found]
    is_foreign: bool = False
    """Of somebody else's code: that it does not run here is no fault of azr's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of a case, as the JSON has it."""

    part: str
    case: str
    status: str
    """ok, failed, skipped or out of memory."""
    detail: str = ""
    seconds: float = 0.0
    """Of the whole case, with compiling and warming up."""
    figures: Mapping[str, float | str] = field(default_factory=dict[str, float | str])
    trace: str = ""
    """The end of what was raised, or of what the process said last."""


_HERE = "azr.cli.gpu"
_MODELS = ("transformers", "tokenizers")

PARTS = (
    Part(
        name="accuracy",
        title="the policy loss against float64",
        source=f"{_HERE}.accuracy:cases",
        share=75,
        needs={"cuda": ("triton",), "cpu": ("azr._loss",)},
    ),
    Part(
        name="speed",
        title="the policy loss beside the products, torch.compile and Liger",
        source=f"{_HERE}.speed:cases",
        share=165,
        needs={"cuda": ("triton",), "cpu": ("azr._loss",)},
    ),
    Part(
        name="throughput",
        title="forward and backward of a packed micro-batch",
        source=f"{_HERE}.training:throughput",
        share=50,
        needs={"any": _MODELS},
    ),
    Part(
        name="update",
        title="an update of the learner",
        source=f"{_HERE}.training:updates",
        share=50,
        needs={"any": _MODELS, "cuda": ("triton",), "cpu": ("azr._loss",)},
    ),
    Part(
        name="push",
        title="weights pushed, with checksums",
        source=f"{_HERE}.push:cases",
        share=30,
        needs={"any": _MODELS},
    ),
    *(
        Part(
            name=f"vllm-v{number}",
            title=f"vLLM with its model runner {number}",
            source=f"{_HERE}.sampling:cases",
            share=55,
            needs={"any": ("vllm", *_MODELS)},
            only_on_gpus="" if number == 1 else "it needs Triton, which has no CPUs",
            environment={"VLLM_USE_V2_MODEL_RUNNER": str(number - 1)},
        )
        for number in (1, 2)
    ),
)
