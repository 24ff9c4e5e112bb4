"""Prove that the fused loss trains as its definition does: ten real updates with each.

    python scripts/same_training.py MODEL_FOLDER [--dtype float32|bfloat16|both] [--steps 10]

The learner of `azr train` makes the same updates three times: with the native engine, with the
reference, and with the reference in a wider type (float64 for float32, float32 for bfloat16), whose
course is taken as exact. How far the reference strays from that course is the error of rounding;
the native engine may stray little more. Prints a table; exit status 1 if it strays further.
"""

# pyright: basic
# Half of torch.Tensor's methods have no types.

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from azr.config.loss import Backend, Importance, LossConfig
from azr.config.run import LearnerConfig, ModelConfig, RunConfig
from azr.learner.learner import TorchLearner
from azr.types import Experience, Mode, Prompt, Role, Rollout, Verdict

NUM_ROLLOUTS = 8
PROMPT_TOKENS, COMPLETION_TOKENS = 24, 40
ALLOWED = 1.5
"""Times the reference's own error. Two roundings of one computation differ by chance, and AdamW's
first steps, of the size of the learning rate whatever the gradient's, magnify it."""
FLOOR = {"float32": 1e-6, "bfloat16": 1e-3}
"""Of the losses' difference: below it one rounding decides, and ratios mean nothing."""


@dataclass(frozen=True, slots=True)
class Course:
    """What the updates of one run did."""

    losses: list[float]
    """The loss of each update."""
    parameters: list[Tensor]
    """After the last update."""

    def distance(self, other: "Course") -> float:
        """Return how far apart two courses end: the norm of all parameters' differences."""
        pairs = zip(self.parameters, other.parameters, strict=True)
        return sum((a.double() - b.double()).square().sum().item() for a, b in pairs) ** 0.5

    def loss_error(self, other: "Course") -> float:
        """Return the mean absolute difference of the losses."""
        return statistics.mean(abs(a - b) for a, b in zip(self.losses, other.losses, strict=True))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The native engine and the reference, each against the exact course."""

    dtype: str
    exact: Course
    reference: Course
    native: Course
    moved: float
    """How far the exact course led away from the start."""

    @property
    def parameter_errors(self) -> tuple[float, float]:
        """Of the reference and the native engine, relative to how far training moved."""
        reference, native = (c.distance(self.exact) for c in (self.reference, self.native))
        return reference / self.moved, native / self.moved

    @property
    def loss_errors(self) -> tuple[float, float]:
        """Of the reference and the native engine."""
        return self.reference.loss_error(self.exact), self.native.loss_error(self.exact)

    @property
    def is_same(self) -> bool:
        """Whether the native engine strays little more than the reference."""
        (reference, native), (loss, native_loss) = self.parameter_errors, self.loss_errors
        is_near = native_loss <= ALLOWED * loss + FLOOR[self.dtype]
        return self.moved > 0 and native <= ALLOWED * reference and is_near

    def table(self) -> str:
        """Return what happened, step by step."""
        lines = [f"{'step':>4} {'exact loss':>14} {'reference - exact':>18} {'native - exact':>18}"]
        rows = zip(self.exact.losses, self.reference.losses, self.native.losses, strict=True)
        for step, (exact, reference, native) in enumerate(rows, 1):
            lines.append(f"{step:4} {exact:14.8f} {reference - exact:18.2e} {native - exact:18.2e}")
        for name, (reference, native) in (
            ("losses, mean abs. difference", self.loss_errors),
            ("parameters, relative to their way", self.parameter_errors),
        ):
            lines.append(f"{name}: reference {reference:.2e}, native {native:.2e}")
        verdict = "the same training" if self.is_same else "NOT the same training"
        lines.append(f"{self.dtype}: {verdict} (at most {ALLOWED} times the reference's error)")
        return "\n".join(lines)


@torch.no_grad()
def sampled_experiences(folder: Path, seed: int = 0) -> list[Experience]:
    """Draw completions of random prompts from the model itself, of unequal lengths."""
    torch.manual_seed(seed)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    shape = (NUM_ROLLOUTS, PROMPT_TOKENS)
    prompts = torch.randint(0, model.config.vocab_size, shape)
    ids = model.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        do_sample=True,
        top_k=0,
        min_new_tokens=COMPLETION_TOKENS,
        max_new_tokens=COMPLETION_TOKENS,
        pad_token_id=0,
    )
    log_p = model(ids).logits[:, PROMPT_TOKENS - 1 : -1].log_softmax(-1)
    completions = ids[:, PROMPT_TOKENS:]
    logprobs = log_p.gather(2, completions[:, :, None])[:, :, 0]
    logprobs += 0.05 * torch.randn(logprobs.shape)  # a sampler's that differs a little
    lengths = torch.randint(1, COMPLETION_TOKENS + 1, (NUM_ROLLOUTS,)).tolist()
    return [
        _experience(*(row.tolist()[:length] for row in rows), prompt=prompt.tolist())
        for rows, prompt, length in zip(
            zip(completions, logprobs, strict=True), prompts, lengths, strict=True
        )
    ]


def _experience(
    completion: Sequence[int], logprobs: Sequence[float], *, prompt: Sequence[int]
) -> Experience:
    rollout = Rollout(
        prompt=Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=""),
        prompt_ids=tuple(prompt),
        completion_ids=tuple(completion),
        rollout_logprobs=tuple(logprobs),
        completion="",
        policy_version=0,
    )
    return Experience(rollout=rollout, verdict=Verdict.PASSED, reward=0.0)


def course(
    folder: Path,
    experiences: Sequence[Experience],
    *,
    backend: Backend,
    dtype: str,
    steps: int,
    lr: float = 1e-4,
) -> Course:
    """Make the updates with one engine; `dtype` float64 widens the whole model."""
    loss = LossConfig(backend=backend, entropy_coef=0.01, importance=Importance.TIS)
    config = RunConfig(
        loss=loss,
        learner=LearnerConfig(lr=lr, micro_batch_tokens=256),
        model=ModelConfig(dtype="bfloat16" if dtype == "bfloat16" else "float32"),
    )
    learner = TorchLearner(config, folder)
    if dtype == "float64":
        learner.model.double()
    torch.manual_seed(1)
    losses: list[float] = []
    for _ in range(steps):
        advantages = torch.randn(len(experiences)).tolist()
        losses.append(learner.update(experiences, advantages)["loss"])
    return Course(losses, [parameter.detach().clone() for parameter in learner.model.parameters()])


def compare(folder: Path, dtype: str, steps: int) -> Comparison:
    """Run all three courses."""
    experiences = sampled_experiences(folder)
    wider = {"float32": "float64", "bfloat16": "float32"}[dtype]
    exact = course(folder, experiences, backend=Backend.REFERENCE, dtype=wider, steps=steps)
    start = course(folder, experiences, backend=Backend.REFERENCE, dtype=wider, steps=0)
    return Comparison(
        dtype=dtype,
        exact=exact,
        reference=course(folder, experiences, backend=Backend.REFERENCE, dtype=dtype, steps=steps),
        native=course(folder, experiences, backend=Backend.NATIVE, dtype=dtype, steps=steps),
        moved=start.distance(exact),
    )


def main() -> int:
    """Compare, print, and say by the exit status whether training is the same."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, help="a model in Hugging Face format")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "both"], default="both")
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    dtypes = ["float32", "bfloat16"] if arguments.dtype == "both" else [arguments.dtype]
    same = True
    for dtype in dtypes:
        comparison = compare(arguments.folder, dtype, arguments.steps)
        sys.stdout.write(comparison.table() + "\n\n")
        same = same and comparison.is_same
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
