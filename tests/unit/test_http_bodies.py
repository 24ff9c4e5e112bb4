"""A body of many small items is refused before it is read: it would take seconds and gigabytes."""

import json
import time

import pytest

from sandbox_wasm.http.bodies import MAX_ITEMS, Refused, has_many_items, parse_body
from sandbox_wasm.http.consumers import ENDPOINTS

RUN_CODE = next(e.body for e in ENDPOINTS if e.path == "/run_code")


@pytest.mark.parametrize(
    "body",
    [
        b'{"code": [' + b"[]," * 5_000_000 + b"[]]}",
        b'{"code":"1","x":[' + b"1," * 8_000_000 + b"1]}",
        b"{" + b",".join(b'"%d":{}' % n for n in range(1_300_000)) + b"}",
        b'["' + b'","' * 5_000_000 + b'"]',
        b"[" * 16_000_000,
    ],
    ids=["arrays", "numbers", "objects", "strings", "deep"],
)
def test_many_items_are_refused_without_reading_them(body: bytes) -> None:
    began = time.process_time()
    with pytest.raises(Refused, match=f"more than {MAX_ITEMS} items"):
        parse_body(RUN_CODE, body)
    assert time.process_time() - began < 2  # it took 4 to 11


def test_what_stands_in_strings_is_no_item() -> None:
    code = r'x = ["\\", "a\"b", {1: [2, 3]}, "\\\"", ",,,,"]' + "\n"
    body = json.dumps({"code": code * 200_000, "language": "python"}).encode()
    assert len(body) > 8_000_000
    assert not has_many_items(body)
    assert parse_body(RUN_CODE, body).code == code * 200_000


def test_the_bound_is_exact_enough_for_a_batch() -> None:
    just = json.dumps([0] * (MAX_ITEMS - 1), separators=(",", ":")).encode()
    assert not has_many_items(just)
    assert has_many_items(just[:-1] + b",0,0,0]")
