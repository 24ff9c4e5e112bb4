"""What reading a shared prompt once saves: one update of groups of trials, shared against not.

    python bench/bench_shared_prompts.py [--model FOLDER] [--prompt 400] [--completion 10]

Both kinds alternate in one process, so that the ratio holds on a busy machine too.
"""

import argparse
import random
import statistics
import time
from pathlib import Path

from azr.config.run import LearnerConfig, ModelConfig, RunConfig
from azr.learner.learner import TorchLearner
from azr.types import Experience, Mode, Prompt, Role, Rollout, Verdict


def trials(groups: int, size: int, prompt: int, completion: int) -> list[Experience]:
    """Groups of rollouts with a prompt in common; lengths vary by half to either side."""
    draw = random.Random(0)  # noqa: S311 - a benchmark's data
    asked = Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text="")
    made: list[Experience] = []
    for _ in range(groups):
        ids = tuple(draw.randrange(100, 40_000) for _ in range(vary(draw, prompt)))
        for _ in range(size):
            answer = tuple(draw.randrange(100, 40_000) for _ in range(vary(draw, completion)))
            rollout = Rollout(
                prompt=asked,
                prompt_ids=ids,
                completion_ids=answer,
                rollout_logprobs=(-5.0,) * len(answer),
                completion="",
                policy_version=0,
            )
            made.append(Experience(rollout=rollout, verdict=Verdict.PASSED, reward=0.0))
    return made


def vary(draw: random.Random, mean: int) -> int:
    """A length within half of the mean to either side."""
    return max(1, draw.randint(mean // 2, mean + mean // 2))


def main() -> None:
    """Time updates of both kinds in turn and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/smollm2-135m-instruct"))
    for name, default in (("groups", 24), ("size", 8), ("prompt", 400), ("completion", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--micro-batch-tokens", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--dtype", default="bfloat16")
    args = parser.parse_args()
    experiences = trials(args.groups, args.size, args.prompt, args.completion)
    advantages = [1.0 if place % 2 else -1.0 for place in range(len(experiences))]
    learner_config = LearnerConfig(micro_batch_tokens=args.micro_batch_tokens, lr=1e-30)
    model = ModelConfig(name=str(args.model), dtype=args.dtype)
    config = RunConfig(model=model, learner=learner_config)
    learner = TorchLearner(config, args.model)
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(args.repeats):
        for share in (True, False):
            learner._config = learner_config.changed(share_prompts=share)  # pyright: ignore[reportPrivateUsage]
            started = time.perf_counter()
            found = learner.update(experiences, advantages)
            times[share].append(time.perf_counter() - started)
            kind = "shared" if share else "each by itself"
            print(
                f"{kind}: read_tokens={found['read_tokens']:.0f} tokens={found['tokens']:.0f}"
                f" loss={found['loss']:.6f} grad_norm={found['grad_norm']:.5f}"
                f" {times[share][-1]:.1f} s",
                flush=True,
            )
    ratio = statistics.median(times[False]) / statistics.median(times[True])
    print(f"an update takes {ratio:.2f} times as long without sharing")


if __name__ == "__main__":
    main()
