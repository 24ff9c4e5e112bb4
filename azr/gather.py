"""Runs coroutines together: all of them finish, or the first failure fails all."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

__all__ = ["all_or_nothing"]

T = TypeVar("T")


async def all_or_nothing(parts: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all together; the first failure cancels the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in parts]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]
