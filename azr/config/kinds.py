"""The kinds of values that keys have."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, GetPydanticSchema, Strict
from pydantic_core import core_schema

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
    "one_of",
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


def one_of(*words: str) -> GetPydanticSchema:
    """Makes a text one of these words: the names in a table that is elsewhere."""
    return GetPydanticSchema(lambda _kind, _handler: core_schema.literal_schema(list(words)))


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
