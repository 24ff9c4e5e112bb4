"""Every key of the configuration: what it allows, its default, and what it means.

Read from the models of azr.config.run; nothing is written down twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from azr.config.run import RunConfig
from azr.config.spelling import spell_kind, spell_value

__all__ = ["Key", "describe", "listing"]


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that can be configured."""

    name: str
    """Dotted: `learner.lr`."""
    schema: Mapping[str, Any]
    """JSON's."""

    @property
    def is_optional(self) -> bool:
        """Whether it may be None, which files spell "default"."""
        return "anyOf" in self.schema

    @property
    def allowed(self) -> str:
        """What it may be, in words."""
        return spell_kind(self.schema)

    @property
    def default(self) -> object:
        """As JSON has it; a table's is empty."""
        return self.schema.get("default", {})

    @property
    def doc(self) -> str:
        """The docstring of its field, in one line."""
        return " ".join(self.schema.get("description", "").split())


@cache
def describe() -> Mapping[str, Key]:
    """Every key by its dotted name, in the order of azr.config.run; a run's own come first."""
    schemas = RunConfig.schemas()
    own = {name: schema for name, schema in schemas.items() if "properties" not in schema}
    inner = {
        f"{section}.{name}": schema
        for section, table in schemas.items()
        if section not in own
        for name, schema in table["properties"].items()
    }
    return {name: Key(name, schema) for name, schema in (own | inner).items()}


def listing() -> Iterable[str]:
    """Lines for the terminal: every key, its default, what it allows and what it means."""
    section = ""
    for key in describe().values():
        table = key.name.rpartition(".")[0]
        if table != section:
            section = table
            yield f"\n[{table}]"
        yield f"{key.name} = {spell_value(key.default)}    ({key.allowed})"
        if key.doc:
            yield f"    {key.doc}"
