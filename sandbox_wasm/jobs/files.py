"""Files that a job brings along and wants back: their names, and how much of them there may be.

They lie below /tmp of the guest, which is a program's working folder, so a name is a path below it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

__all__ = ["FILES", "FILE_NAMES", "MAX_FILES", "MAX_FILES_BYTES", "faults_of_files",
           "faults_of_names", "frozen_files"]  # fmt: skip

MAX_FILES: Final = 64
"""Files of one job, each way."""
MAX_FILES_BYTES: Final = 8 * 1024 * 1024
"""What the files that a job brings hold together."""
MAX_FILE_NAME_BYTES: Final = 255
MAX_FILE_NAME_PARTS: Final = 8

_NAME: Final = (
    f"a path below the working folder like 'data/in.txt': at most {MAX_FILE_NAME_BYTES} bytes and"
    f" {MAX_FILE_NAME_PARTS} parts, none of them empty, '.' or '..', no NUL"
)
FILES: Final = (
    f"a mapping of at most {MAX_FILES} names to str or bytes, at most {MAX_FILES_BYTES} bytes"
    f" together; each name {_NAME}; no name a folder of another"
)
FILE_NAMES: Final = f"a list or tuple of at most {MAX_FILES} different names, each {_NAME}"


def frozen_files(value: Any) -> Any:
    """Pairs of a name and its bytes, by name; anything else comes back, for the check to name."""
    if isinstance(value, Mapping):
        value = tuple(cast("Mapping[Any, Any]", value).items())
    if type(value) is not tuple:
        return value
    items = cast("tuple[Any, ...]", value)
    try:
        return tuple(sorted([_pair(item) for item in items]))
    except TypeError:  # what cannot be compared is no pair of a name and bytes
        return items


def _pair(item: Any) -> Any:
    match item:
        case (name, str(text)):
            return name, text.encode("utf-8", "surrogatepass")
        case _:
            return item


def faults_of_files(files: object) -> list[object]:
    """What of frozen files cannot be a file of a job: nothing, or one thing, for a message."""
    if type(files) is not tuple:
        return [files]
    pairs = cast("tuple[Any, ...]", files)
    for pair in pairs:
        match pair:
            case (_, bytes()):
                continue
            case (name, data):
                return [{name: data}]
            case _:
                return [pair]
    if (num_bytes := sum(len(data) for _, data in pairs)) > MAX_FILES_BYTES:
        return [_Told(f"{num_bytes} bytes")]
    names = tuple(name for name, _ in pairs)
    if faults := faults_of_names(names):
        return faults
    folders = {name[: match.start()] for name in names for match in re.finditer("/", name)}
    return [name for name in names if name in folders][:1]


def faults_of_names(names: object) -> list[object]:
    """What of these cannot be a name of a file: nothing, or one thing, for a message."""
    if type(names) is not tuple:
        return [names]
    found = cast("tuple[object, ...]", names)
    if len(found) > MAX_FILES:
        return [_Told(f"{len(found)} of them")]
    wrong = [name for name in found if not _is_file_name(name)]
    return (wrong or [name for name in found if found.count(name) > 1])[:1]


class _Told(str):
    """A text that a message shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _is_file_name(name: object) -> bool:
    if type(name) is not str or "\0" in name:
        return False
    try:
        num_bytes = len(name.encode())
    except UnicodeEncodeError:  # a lone surrogate
        return False
    parts = name.split("/")
    return (
        num_bytes <= MAX_FILE_NAME_BYTES
        and len(parts) <= MAX_FILE_NAME_PARTS
        and not any(part in {"", ".", ".."} for part in parts)
    )
