"""The policy loss, forward and both gradients, beside everything one would use instead.

    python bench/bench_policy_loss.py [--shape T,H,V] [--dtype bf16] [--rounds 5] [--out FILE]

Each round runs every implementation once, so that a disturbance of the machine meets all of them;
reported are the minimum, the median and the spread over rounds. Memory is the growth of the
process's resident peak above inputs and gradients. Every result is compared with eager torch's.
"""

# pyright: basic
# Half of torch.Tensor's methods have no types.

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from azr import _loss
from azr.loss import policy_loss
from azr.loss_config import LossConfig

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
CLIP = (0.2, 0.28)
CHUNK = 512
SEQUENCE = 128
"""Tokens of a sequence, which share an advantage: Liger takes one for each sequence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One call's inputs; hidden and weight are leaves."""

    hidden: Tensor
    weight: Tensor
    targets: Tensor
    old_logprobs: Tensor
    advantages: Tensor

    @classmethod
    def random(cls, T: int, H: int, V: int, dtype: torch.dtype) -> "Batch":
        """Draw logits of standard deviation 4, and old log-probabilities near the true ones."""
        torch.manual_seed(0)
        hidden = torch.randn(T, H).to(dtype)
        weight = (torch.randn(V, H) * 4 / H**0.5).to(dtype)
        targets = torch.randint(0, V, (T,))
        with torch.no_grad():
            old = _logprobs(hidden, weight, targets) + 0.1 * torch.randn(T)
        return cls(
            hidden=hidden.requires_grad_(),
            weight=weight.requires_grad_(),
            targets=targets,
            old_logprobs=old,
            advantages=torch.randn(-(-T // SEQUENCE)).repeat_interleave(SEQUENCE)[:T],
        )


def _logprobs(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    logits = (hidden @ weight.T).float()
    return logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]


def _ppo(logprobs: Tensor, old: Tensor, advantages: Tensor) -> Tensor:
    ratio = (logprobs - old).exp()
    held = ratio.clamp(1 - CLIP[0], 1 + CLIP[1])
    return -torch.minimum(ratio * advantages, held * advantages)


def ours(batch: Batch) -> Tensor:
    """azr.loss.policy_loss."""
    mask = torch.ones_like(batch.targets, dtype=torch.bool)
    config = LossConfig(clip_low=CLIP[0], clip_high=CLIP[1])
    return policy_loss(
        batch.hidden,
        batch.weight,
        batch.targets,
        batch.old_logprobs,
        batch.advantages,
        mask,
        config=config,
    )[0]


def eager(batch: Batch) -> Tensor:
    """Plain torch with all logits in memory; of bfloat16 inputs the logits are rounded to it."""
    logprobs = _logprobs(batch.hidden, batch.weight, batch.targets)
    return _ppo(logprobs, batch.old_logprobs, batch.advantages).mean()


def checkpointed(batch: Batch) -> Tensor:
    """Chunks of tokens whose logits the backward makes anew, as TRL and others do."""
    parts: list[Tensor] = []
    for rows in torch.arange(len(batch.targets)).split(CHUNK):
        chunk: Any = checkpoint(
            _logprobs, batch.hidden[rows], batch.weight, batch.targets[rows], use_reentrant=False
        )
        parts.append(chunk)
    return _ppo(torch.cat(parts), batch.old_logprobs, batch.advantages).mean()


def liger() -> Callable[[Batch], Tensor]:
    """Liger's fused linear GRPO, not compiled: its compilation fails on some CPUs."""
    module: Any = importlib.import_module("liger_kernel.chunked_loss")
    function = module.LigerFusedLinearGRPOLoss(
        beta=0.0, compiled=False, use_ref_model=False, epsilon_low=CLIP[0], epsilon_high=CLIP[1]
    )

    def run(batch: Batch) -> Tensor:
        shape = (-1, SEQUENCE)
        targets = batch.targets.view(shape)
        return function(
            batch.hidden.view(*shape, batch.hidden.shape[1]),
            batch.weight,
            targets,
            torch.ones_like(targets),
            batch.advantages[::SEQUENCE],
            old_per_token_logps=batch.old_logprobs.view(shape),
        )[0]

    return run


def products(batch: Batch) -> None:
    """Only the three matrix products, by torch, in chunks; results rounded to the inputs' dtype."""
    hidden, weight = batch.hidden.detach(), batch.weight.detach()
    for rows in torch.arange(len(batch.targets)).split(CHUNK):
        logits = hidden[rows] @ weight.T
        torch.mm(logits, weight)
        torch.mm(logits.T, hidden[rows])


def peers(*, with_slow: bool) -> dict[str, Callable[[Batch], Tensor]]:
    """Return what can run here."""
    found: dict[str, Callable[[Batch], Tensor]] = {"azr": ours, "eager": eager}
    found["compile"] = torch.compile(eager)
    if with_slow:
        found["checkpoint"] = checkpointed
        try:
            found["liger"] = liger()
        except ImportError as error:
            print(f"liger left out: {error}", file=sys.stderr)
    return found


def gradient(function: Callable[[Batch], Tensor], batch: Batch) -> tuple[float, float]:
    """Run forward and backward; return seconds and MB above inputs and gradients."""
    batch.hidden.grad = batch.weight.grad = None
    before = _resident("VmRSS", reset=True)
    start = time.perf_counter()
    function(batch).backward()
    seconds = time.perf_counter() - start
    grads = (batch.hidden.grad, batch.weight.grad)
    kept = sum(grad.numel() * grad.element_size() for grad in grads if grad is not None)
    return seconds, (_resident("VmHWM") - before - kept) / 1e6


def _resident(field: str, *, reset: bool = False) -> int:
    if reset:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One implementation's figures."""

    name: str
    n: int
    seconds_min: float
    seconds_median: float
    seconds_max: float
    extra_mb: float
    grad_weight_vs_eager: float


def measure(
    batch: Batch, rounds: int, functions: dict[str, Callable[[Batch], Tensor]]
) -> list[Row]:
    """Run all in turn, `rounds` times after one round of warming up."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    weights: dict[str, Tensor] = {}
    for i in range(rounds + 1):
        for name, function in functions.items():
            result = gradient(function, batch)
            print(f"round {i} {name}: {result[0]:.3f} s", file=sys.stderr, flush=True)
            if i == 0 and batch.weight.grad is not None:
                weights[name] = batch.weight.grad
            else:
                runs[name].append(result)
    expected = weights["eager"].float()
    rows: list[Row] = []
    for name, results in runs.items():
        seconds = [result[0] for result in results]
        error = (weights[name].float() - expected).norm() / expected.norm()
        rows.append(
            Row(
                name=name,
                n=len(seconds),
                seconds_min=min(seconds),
                seconds_median=statistics.median(seconds),
                seconds_max=max(seconds),
                extra_mb=max(result[1] for result in results),
                grad_weight_vs_eager=error.item(),
            )
        )
    return rows


def product_seconds(batch: Batch, dtype: str, rounds: int) -> dict[str, float]:
    """Return how long the matrix products alone take: torch's, and ours at full rate in cache."""
    T, H = batch.hidden.shape
    operations = 6 * T * H * batch.weight.shape[0]
    times: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        products(batch)
        times.append(time.perf_counter() - start)
    rate = _loss.product_rate(
        isa="", is_bfloat16=dtype == "bf16", num_threads=torch.get_num_threads(), rounds=20
    )
    return {"torch": min(times), "kernel_in_cache": operations / rate}


def machine() -> dict[str, Any]:
    """Say where and on what this was measured."""
    cpu = [x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "cpu": cpu[0].split(":")[1].strip() if cpu else platform.processor(),
        "threads": torch.get_num_threads(),
        "isas": _loss.available_isas(),
        "torch": torch.__version__,
        "commit": commit.stdout.strip(),
        "load_average": os.getloadavg()[0],
    }


def main() -> None:
    """Measure and print a table; write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", default="2048,576,49152", help="T,H,V")
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fast", action="store_true", help="leave out checkpoint and liger")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    T, H, V = (int(part) for part in arguments.shape.split(","))
    batch = Batch.random(T, H, V, DTYPES[arguments.dtype])
    rows = measure(batch, arguments.rounds, peers(with_slow=not arguments.fast))
    gemm = product_seconds(batch, arguments.dtype, arguments.rounds)
    print(f"T={T} H={H} V={V} {arguments.dtype} products alone: {gemm}")
    print(
        "| implementation | s (min, median, max of n) | / torch's products | / tile in cache ",
        end="",
    )
    print("| extra MB | dW vs eager |\n|---|---|---|---|---|---|")
    for row in rows:
        times = f"{row.seconds_min:.3f}, {row.seconds_median:.3f}, {row.seconds_max:.3f} of {row.n}"
        ratio = " | ".join(f"{row.seconds_min / seconds:.2f}" for seconds in gemm.values())
        error = f"{row.grad_weight_vs_eager:.1e}"
        print(f"| {row.name} | {times} | {ratio} | {row.extra_mb:.0f} | {error} |")
    if arguments.out:
        result = {
            "shape": {"T": T, "H": H, "V": V, "dtype": arguments.dtype},
            "machine": machine(),
            "products_seconds": gemm,
            "rows": [asdict(row) for row in rows],
        }
        arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
