"""The sandbox under a trainer of your own: completions in, rewards and advantages out.

    .venv/bin/python examples/own_trainer.py

Needs no torch and no model: the completions below stand for what your policy samples. A GRPO step
samples a group of completions for each prompt, asks for a reward of each, and centres the rewards
within the group. docs/adapters.md shows the same for TRL, verl and verifiers.
"""

from statistics import fmean, pstdev

from sandbox_wasm import Sandbox
from sandbox_wasm.adapters import grade, parse_check, program_of

PROBLEMS = {
    "Write add(a, b).": {"entry": "add", "calls": ["2, 3", "'a', 'b'"], "expected": ["5", "'ab'"]},
    "Read n and print n squared.": {"inputs": ["3\n", "12\n"], "outputs": ["9\n", "144\n"]},
}
GROUPS = {
    "Write add(a, b).": [
        "```python\ndef add(a, b):\n    return a + b\n```",
        "Sure!\n```python\ndef add(a, b):\n    return 5\n```",
        "```python\ndef add(a, b):\n    while True: pass\n```",
        "I cannot do that.",
    ],
    "Read n and print n squared.": [
        "```python\nprint(int(input()) ** 2)\n```",
        "```python\nn = int(input())\nprint(n * n)\n```",
        "```python\nprint(9)\n```",
        "```python\nimport os\nos.system('rm -rf /')\nprint(9)\n```",
    ],
}


def advantages(rewards: list[float]) -> list[float]:
    """Centre and scale the rewards of one group (GRPO); zeros where all are equal."""
    spread = pstdev(rewards)
    return [(reward - fmean(rewards)) / spread if spread else 0.0 for reward in rewards]


def main() -> None:
    """Score each group in one batch of the sandbox."""
    with Sandbox(workers=1) as sandbox:
        for prompt, completions in GROUPS.items():
            check = parse_check(PROBLEMS[prompt])  # an error where the data set is wrong
            programs = [program_of(completion, check) for completion in completions]
            rewards = grade(sandbox, programs, [check] * len(programs))
            print(prompt)
            pairs = zip(rewards, advantages(rewards), strict=True)
            print("  rewards and advantages:", ", ".join(f"{r:g} ({a:+.2f})" for r, a in pairs))


if __name__ == "__main__":
    main()
