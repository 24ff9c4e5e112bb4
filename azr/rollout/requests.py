"""What an engine is asked for, and what it gives: here and, as it stands, over the wire."""

from dataclasses import dataclass, field

__all__ = ["Request", "Sampled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One completion to sample."""

    prompt_ids: tuple[int, ...]
    max_tokens: int
    seed: int
    temperature: float
    """0 takes the likeliest token each time."""
    stop: tuple[str, ...] = ()
    priority: int = 0
    """The lowest goes first."""
    dropped: tuple[int, ...] = field(default=(), repr=False)
    """Tokens that cannot be sampled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """A finished completion, exactly as sampled; `ids` may be empty."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...] = field(repr=False)
    """Of each id, after the temperature; without meaning for greedy completions."""
    text: str
    truncated: bool
    cached_tokens: int = 0
    """Prompt tokens whose keys and values were there already."""
    versions: tuple[int, ...] = ()
    """Of the weights that sampled each id, as the engine says; -1: nobody pushed them."""
