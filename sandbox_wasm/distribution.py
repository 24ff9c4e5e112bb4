"""By which name this package was installed: three distributions hold it (docs/install.md).

They write the same folder. Where two are installed, removing one of them breaks the other.
"""

from contextlib import suppress

__all__ = ["install_command", "installed_as"]

_NAMES = ("azr", "azr-sandbox", "azr-sandbox-client")


def installed_as() -> list[str]:
    """The distributions that are installed here; none where the sources are merely on the path."""
    from importlib import metadata  # noqa: PLC0415 - slow to import, needed only for what is wrong

    found: list[str] = []
    for name in _NAMES:
        with suppress(metadata.PackageNotFoundError):
            metadata.version(name)
            found.append(name)
    return found


def install_command(extra: str) -> str:
    """What a person types to add an extra to what they have."""
    name = "azr-sandbox" if "azr-sandbox" in installed_as() else "azr"
    return f"pip install '{name}[{extra}]'"
