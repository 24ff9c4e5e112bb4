"""A tiny model that has been taught to play: it continues the completion envelope's patterns.

Random weights never propose a valid task, and then nothing that a run keeps could be lost. This
one writes programs like `def f(x): return x + 3` after some seconds of training, so that whole
runs (rollouts, sandbox, updates, buffers, checkpoints) can be tested for what they keep.
"""

import random
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from tests.tiny import make_tiny_model

STEPS = 700
BATCH = 4
LENGTH = 320


def teach(folder: Path, seed: int = 0) -> Path:
    """Write a taught model to `folder` and return it; half a minute on one core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more of them only wait for each other
    try:
        return _teach(folder, seed)
    finally:
        torch.set_num_threads(threads)


def _teach(folder: Path, seed: int) -> Path:
    make_tiny_model(folder, std=0.05, seed=seed)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    chance = random.Random(seed)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=STEPS)
    for _ in range(STEPS):
        texts = [page(chance) for _ in range(BATCH)]
        ids = torch.tensor([tokenizer(text)["input_ids"][:LENGTH] for text in texts])
        loss = model(input_ids=ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.save_pretrained(folder)
    return folder


def page(chance: random.Random) -> str:
    """A few puzzles in a row, longer than LENGTH, cut in at any place."""
    kind = chance.choice([triplets, answers])
    text = "".join(kind(chance, number) for number in range(1, 9))
    start = chance.randrange(0, 30)
    return text[start : start + 4 * LENGTH].ljust(LENGTH)


def triplets(chance: random.Random, number: int) -> str:
    """What a proposer of triplets continues."""
    add, given = chance.randrange(10), chance.randrange(10)
    return (
        f"Output puzzle {number}:\n```python\n# Input: {given}\n"
        f"def f(x):\n    return x + {add}\n```\n\n"
    )


def answers(chance: random.Random, number: int) -> str:
    """What a solver of triplets continues."""
    add, given = chance.randrange(10), chance.randrange(10)
    return (
        f"Output puzzle {number}:\n```python\ndef f(x):\n    return x + {add}\n```\n"
        f"# Input: {given}\n# Output: {given + add}\n\n"
    )


if __name__ == "__main__":
    teach(Path(sys.argv[1]))
