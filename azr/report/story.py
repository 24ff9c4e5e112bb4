"""A run's tasks and answers as a person asks about them; the report and `azr inspect` read this.

    explain    what was asked, what would have been right, what was answered, and why
    growth     tasks by step and mode: how many, how new, how hard
    stories    single tasks with everything that was answered to them

Everything is read from rollout records (rollouts). Nothing here runs or evaluates a program.
"""

from azr.report.explain import (
    Explanation,
    RunFormat,
    explain,
    format_of,
    read_object,
    resolved_config,
    table_in,
    task_name,
)
from azr.report.growth import Growth, ModeStep
from azr.report.stories import MeasuredTask, Story, all_measured, ordered, stories_in

__all__ = [
    "Explanation",
    "Growth",
    "MeasuredTask",
    "ModeStep",
    "RunFormat",
    "Story",
    "all_measured",
    "explain",
    "format_of",
    "ordered",
    "read_object",
    "resolved_config",
    "stories_in",
    "table_in",
    "task_name",
]
