"""The tasks of the past: kept, drawn, counted, read from seed files."""
