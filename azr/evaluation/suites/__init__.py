"""The public suites: what they hold and where it comes from."""
