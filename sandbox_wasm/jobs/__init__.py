"""A job's fields: what each may hold, and what is wrong with one that does not."""
