"""A few of a step's new tasks as text, for whoever watches the run, as AZR prints them."""

from collections.abc import Sequence
from random import Random

from azr.records.safe_text import inert
from azr.seeds import derive_seed
from azr.types import Experience, Role, stream_name

__all__ = ["drawn_tasks", "task_text"]


def drawn_tasks(experiences_N: Sequence[Experience], number: int, seed: int) -> list[Experience]:
    """Up to `number` different proposals that became tasks, in the step's order.

    Args:
        experiences_N: Of one step.
        number: logging.print_tasks.
        seed: Of the draw: a resumed run shows the same ones.
    """
    new = [e for e in experiences_N if e.stream[0] is Role.PROPOSER and e.task is not None]
    draw = Random(derive_seed(seed, "new tasks"))  # noqa: S311 - not for secrets
    chosen = draw.sample(range(len(new)), min(number, len(new)))
    return [new[place] for place in sorted(chosen)]


def task_text(step: int, experience: Experience) -> str:
    """The task in plain text; what the model wrote is inert."""
    task = experience.task
    assert task is not None, "a drawn proposal is a task"
    rate = "" if experience.solve_rate is None else f", solve rate {experience.solve_rate:.0%}"
    head = f"step {step}, {stream_name(experience.stream)}{rate}"
    lines = [*task.program.split("\n"), *(f"f({c.input}) -> {c.output}" for c in task.cases)]
    if task.message:
        lines.append(f"message: {task.message}")
    return "\n".join([head, *(f"    {line}" for line in inert("\n".join(lines)).split("\n"))])
