"""The client: one thread, many servers, jobs that are never lost."""
