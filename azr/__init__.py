"""A language model sets itself coding tasks, solves them, and is judged in WebAssembly."""

__version__ = "0.1.0"
