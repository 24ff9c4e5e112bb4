"""How programs are run for a request: within its limits, as a session's turn, against a check."""
