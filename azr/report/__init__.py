"""Looking at what a run left: the report, the terminal, and the story both tell."""
