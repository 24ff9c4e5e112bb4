"""The kinds of values that keys have."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, Strict

__all__ = [
    "Amount",
    "Count",
    "HomePath",
    "ListOf",
    "Natural",
    "OneOf",
    "Positive",
    "Share",
    "at_home",
    "because",
]

Item = TypeVar("Item")


def at_home(path: str) -> str:
    """The path with its `~` or `~user` replaced; any other text unchanged.

    Raises:
        ValueError: Nobody of that name has a home here.
    """
    if not path.startswith("~"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError as error:
        wanted = "must begin with a home folder that there is"
        raise ValueError(f"{wanted}, got {path!r}: write it out") from error


def because(reason: str) -> Any:
    """Stands beside a kind: what a refusal ends with."""
    return Field(json_schema_extra={"because": reason})


Natural = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
HomePath = Annotated[str, AfterValidator(at_home)]

OneOf = Annotated[Item, Strict(strict=False)]
"""A member of an enumeration, also by its word."""
ListOf = Annotated[tuple[Item, ...], Strict(strict=False)]
"""A tuple, also from a list."""
