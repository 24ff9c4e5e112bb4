"""Who decides whether an answer of a suite is right."""
