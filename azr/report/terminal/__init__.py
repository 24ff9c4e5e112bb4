"""What `azr inspect` prints: the overview of a run, its tasks, its rollouts.

What a model wrote is printed as inert text: control characters become pictures of themselves.
"""

from azr.report.terminal.overview import show_overview
from azr.report.terminal.rollouts import show_rollouts
from azr.report.terminal.tasks import show_task, show_tasks

__all__ = ["show_overview", "show_rollouts", "show_task", "show_tasks"]
