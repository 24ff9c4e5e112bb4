"""Weights: found, loaded, cut over GPUs, saved and checkpointed."""
