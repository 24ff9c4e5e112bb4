"""Every key: its type, default, range, file and flag."""
