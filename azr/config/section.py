"""A table of the configuration: frozen, without other keys, refused in one line as a `ConfigError`.

pydantic checks; the words are ours. `SelfPlayConfig(batch_size=0)` is refused with
`selfplay.batch_size must be a whole number, at least 1, got 0`.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from azr.config.spelling import resolved, spell_kind
from azr.errors import ConfigError

__all__ = ["Section"]


class Section(BaseModel):
    """The class keyword `title` is the section's name, with which its refusals begin.

    No value is turned into another type: true is not 1, 2.0 no whole number, "3" no number.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(self._first_fault(error, values)) from error

    def changed(self, **values: Any) -> Self:
        """A copy with other values, which are checked; pydantic's `model_copy` checks nothing.

        Raises:
            ConfigError: One of them cannot be.
        """
        return type(self)(**{**dict(self), **values})

    @classmethod
    def schemas(cls) -> Mapping[str, Any]:
        """The JSON schema of each key, and of each table within, whole."""
        schema = cls.model_json_schema()
        return resolved(schema["properties"], schema.get("$defs", {}))

    @classmethod
    def _first_fault(cls, error: ValidationError, values: Mapping[str, Any]) -> str:
        """What pydantic complains of first: the key, what it must be, what it is instead."""
        fault = error.errors(include_url=False)[0]
        cause = fault.get("ctx", {}).get("error")
        if isinstance(cause, ConfigError):  # of a table within, or about several keys: a whole line
            return str(cause)
        section, name = cls.model_config.get("title"), str(fault["loc"][0])
        if name not in cls.model_fields:
            return f"{section or 'the configuration'} has no key {name!r}"
        key = f"{section}.{name}" if section else name
        if cause is not None:
            return f"{key} {cause}"
        schema = cls.schemas()[name]
        allowed = "a table" if "properties" in schema else spell_kind(schema)
        because = f": {schema['because']}" if "because" in schema else ""
        return f"{key} must be {allowed}, got {values[name]!r}{because}"
