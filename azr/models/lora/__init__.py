"""Adapters: inside a model, on disk, and merged into it."""
