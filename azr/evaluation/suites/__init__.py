"""The public suites: their content and its sources."""
