"""JSON bodies: RFC 8259 with limits, and errors that name the position."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arlen_runtime.errors import InvalidBody
from arlen_runtime.http.json_body import read

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**90), 10**90)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON)
def test_every_json_value_is_read(value: object) -> None:
    assert read(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "line 1, column 1"),
        (b'{"a": 1,\n "b": }', "line 2, column 7"),
        (b"[1, 2", "line 1, column 6"),
        (b"[1] x", "line 1, column 5"),
        (b"{'a': 1}", "line 1, column 2"),
        (b'["\x01"]', "line 1, column 3"),
        (b"[01]", "line 1"),
        (b"[1,]", "line 1"),
        (b"\xef\xbb\xbf[]", "line 1, column 1"),
        (b'["\xff"]', "byte 2 is not UTF-8"),
        ("[]".encode("utf-16"), "UTF-8"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e999]", "1e999 is too large"),
        (b"[-1e999]", "too large"),
        (b"1" * 101, "100 digits"),
        (b'[{"a": 1, "b": 2, "a": 1}]', "two members named 'a'"),
        (b'{"a": 1, "\\u0061": 2}', "two members named 'a'"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'[[{"\\uDFFFx": 1}]]', "half of a surrogate pair"),
        (b'["\\ud83d \\ude00"]', "half of a surrogate pair"),
        (b"[" * 101 + b"]" * 101, "100 levels"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "100 levels"),
        (b"[" * 100_000, "100 levels"),
    ],
)
def test_invalid_json_is_refused_with_its_position(body: bytes, detail: str) -> None:
    with pytest.raises(InvalidBody, match=detail):
        read(body)


def test_a_whole_surrogate_pair_is_its_character_and_an_escaped_backslash_begins_none() -> None:
    assert read(b'["\\ud83d\\ude00", "\\\\ud800"]') == ["\U0001f600", "\\ud800"]


def test_many_shallow_containers_are_not_too_deep() -> None:
    assert len(read(b"[" + b",".join([b"{}"] * 500) + b"]")) == 500
    deep = b"[" * 100 + b"]" * 100
    assert json.dumps(read(deep)).encode() == deep
    assert len(read(b"[" + b",".join([deep[1:-1]] * 3) + b"]")) == 3


def test_a_body_of_nothing_but_brackets_is_not_unpacked_into_thirty_times_its_size() -> None:
    with pytest.raises(InvalidBody, match="1000000 arrays"):
        read(b"[" + b"[]," * 1_000_000 + b"1]")


def test_brackets_in_text_do_not_count_as_depth() -> None:
    assert read(b'"' + b"[" * 500 + b'"') == "[" * 500
