"""The commands that train nothing: the command line of each, and what answers it."""
