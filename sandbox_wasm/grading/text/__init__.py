"""Finds the program in any text of a model, in linear time. Nothing is parsed or run."""
