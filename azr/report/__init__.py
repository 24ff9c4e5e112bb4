"""Looking at what a run left: the report, the terminal, and the story both tell."""

ORDERS = ("easiest", "hardest", "newest", "longest")
"""In which a run's tasks can be listed."""
