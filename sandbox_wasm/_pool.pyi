"""The native core; contracts stand in native/executor/*/*.h."""

import enum
from collections.abc import Sequence

class LiteralError(ValueError):
    """The text is not a literal."""

class Tuples(enum.Enum):
    THEMSELVES = 0
    LISTS_OUTERMOST = 1
    LISTS = 2

class State:
    def save(self, image_key: str, /) -> bytes: ...
    @property
    def flavor(self) -> int: ...
    @property
    def fuel(self) -> int: ...
    @property
    def turns(self) -> int: ...
    @property
    def num_bytes(self) -> int: ...

_Call = tuple[
    int,
    str | None,
    str | None,
    int,
    str | None,
    str | None,
    str | None,
    str | None,
    State | None,
    dict[str, bytes] | None,
]
Report = tuple[int, str | None, list[_Call]]

class Reports:
    def __init__(self) -> None: ...
    def take(self, at_least: int, limit: int, timeout_ms: int) -> list[Report]: ...

class Pool:
    def __init__(
        self,
        *,
        wasmtime_path: str,
        compile_module_path: str,
        compile_image: bytes,
        flavors: Sequence[tuple[str, Sequence[bytes], bytes]],
        workers: int,
        check_every: int,
        dirty_pages: str,
        cache_bytes: int,
        net: tuple[int, int],
    ) -> None: ...
    def submit(
        self,
        reports: Reports,
        ticket: int,
        flavor: int,
        source: str,
        calls: Sequence[str],
        entry: str,
        entry_is_name: bool,
        expressions: Sequence[str],
        stdin: str | None,
        tests: str | None,
        limits: tuple[int, int, int],
        images: int,
        banned_modules: Sequence[str],
        want_stdout: bool,
        want_stderr: bool,
        turn: tuple[State | None, int] | None,
        files: Sequence[tuple[str, bytes]],
        want_files: Sequence[str],
        /,
    ) -> None: ...
    def read_state(
        self, packed: bytes, flavor: int, image_key: str, max_bytes: int, /
    ) -> State: ...
    def state_bytes(self) -> int: ...
    def cancel(self, reports: Reports, ticket: int, /) -> bool: ...
    def counters(self) -> dict[str, int]: ...
    def dirty_pages(self) -> str: ...
    def close(self) -> None: ...

def give_back_freed_memory() -> None: ...
def try_dirty_pages(wasmtime_path: str, /) -> list[tuple[str, str | None]]: ...
def compile_module(
    wasmtime_path: str, wasm: bytes, is_metered: bool, for_any_cpu: bool, /
) -> bytes: ...
def boot_image(
    wasmtime_path: str,
    module_path: str,
    initial_memory: bytes,
    zip: bytes,
    turns: Sequence[str],
    entropy: int,
    has_packages: bool,
    /,
) -> bytes: ...
def encode_literal(text: str, /) -> bytes: ...
def encode_arguments(text: str, /) -> bytes: ...
def same_literals(
    a: str,
    b: str,
    tolerance: float,
    across_types: bool,
    tuples: Tuples,
    numbered_keys: bool,
    hash_mask: int,
    /,
) -> bool: ...
def canonical_literal(text: str, max_bytes: int, /) -> str: ...
def canonical_arguments(text: str, max_bytes: int, /) -> str: ...
def literal_type(text: str, /) -> str: ...
def argument_types(text: str, /) -> list[tuple[str, str]]: ...
def has_tables(text: str, /) -> bool: ...
def value_text(marshal: bytes, max_bytes: int, sort_dicts: bool, /) -> str | int: ...
def audit_module(wasm: bytes, /) -> tuple[int, int, dict[str, int]]: ...
def renumber_functions(wasm: bytes, indices: Sequence[int], /) -> bytes: ...
