"""Values and files of every kind become the entries of a form, or a clear error."""

from __future__ import annotations

import datetime as dt
import enum
import io
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.testing import form_encoding
from arlen_runtime.testing.form_encoding import FileEntry, entries, multipart, urlencode


class Colour(enum.Enum):
    """A choice."""

    RED = "red"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ü ~*", "a=%C3%BC+%7E*"),
        (3, "a=3"),
        (1.5, "a=1.5"),
        (True, "a=true"),
        (False, "a=false"),
        (None, ""),
        (Decimal("1E+2"), "a=100"),
        (dt.date(2026, 1, 31), "a=2026-01-31"),
        (dt.datetime(2026, 1, 31, 18, 30, tzinfo=dt.UTC), "a=2026-01-31T18%3A30%3A00%2B00%3A00"),
        (dt.time(18, 30), "a=18%3A30%3A00"),
        (Colour.RED, "a=red"),
        (uuid.UUID(int=1), "a=00000000-0000-0000-0000-000000000001"),
        (b"\xff", "a=%FF"),
        ("\ud800", "a=%EF%BF%BD"),
        (["x", None, 2, (True,)], "a=x&a=2&a=true"),
        ([], ""),
    ],
)
def test_each_type_of_value_has_one_spelling(value: object, text: str) -> None:
    assert urlencode(entries({"a": value})) == text
    assert urlencode(entries([("a", value)])) == text


@pytest.mark.parametrize("value", [{"b": 1}, {1}, object(), Path("a")])
def test_a_value_that_no_form_holds_is_an_error_that_says_what_to_do(value: object) -> None:
    with pytest.raises(TypeError, match=rf"'a' cannot be a {type(value).__name__}: use text.*json="):
        entries({"a": value})


def test_fields_may_be_pairs_in_any_order() -> None:
    assert urlencode(entries([("b", 1), ("a", 2), ("b", 3)])) == "b=1&a=2&b=3"


def test_a_file_comes_from_a_path_bytes_an_open_file_or_a_tuple(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"png")
    memory = io.BytesIO(b"memory")
    expected = {
        "none": (None, FileEntry("", b"", "application/octet-stream")),
        "path": (path, FileEntry("a.png", b"png", "image/png")),
        "bytes": (b"x", FileEntry("bytes", b"x", "application/octet-stream")),
        "memory": (memory, FileEntry("memory", b"memory", "application/octet-stream")),
        "name": (("a.txt",), FileEntry("a.txt", b"", "text/plain")),
        "text": (("a.txt", "ü"), FileEntry("a.txt", "ü".encode(), "text/plain")),
        "inner": (("b.txt", io.BytesIO(b"i")), FileEntry("b.txt", b"i", "text/plain")),
        "type": (("b.txt", b"t", "x/y"), FileEntry("b.txt", b"t", "x/y")),
    }
    for name, (file, entry) in expected.items():
        assert entries(None, {name: file}) == [(name, entry)], name
    with path.open("rb") as opened:
        assert entries(None, {"f": [opened, ("b", b"2")]}) == [
            ("f", FileEntry("a.png", b"png", "image/png")),
            ("f", FileEntry("b", b"2", "application/octet-stream")),
        ]


@pytest.mark.parametrize("file", ["a.txt", 3, (), ("a", 1), ("a", b"", 3), (1, b""), ("a", b"", "x/y", 1), object()])
def test_what_is_not_a_file_is_an_error_that_names_the_input(file: Any) -> None:  # noqa: ANN401 - none of the types
    with pytest.raises(TypeError, match="file 'photo'"):
        entries(None, {"photo": file})


def test_the_head_of_a_part_cannot_be_broken_by_names() -> None:
    name, filename = 'a"\r\nX: y', 'b"\r\n\r\nX: "'
    content_type, body = multipart(entries(None, {name: (filename, b"x", "text/plain")}))
    boundary = content_type.removeprefix("multipart/form-data; boundary=")
    assert (
        body
        == (
            f'--{boundary}\r\nContent-Disposition: form-data; name="a%22%0D%0AX: y"; filename="b%22%0D%0A%0D%0AX: %22"\r\n'
            f"Content-Type: text/plain\r\n\r\nx\r\n--{boundary}--\r\n"
        ).encode()
    )


def test_line_ends_of_text_are_normalised_and_those_of_files_are_not() -> None:
    sent = form_encoding.normalized([("a\n", b"b\rc"), ("f", FileEntry("n\n", b"\n", "x/y"))])
    assert sent == [("a\r\n", b"b\r\nc"), ("f", FileEntry("n\n", b"\n", "x/y"))]


def test_only_a_form_fills_in_the_name_of_its_encoding() -> None:
    assert form_encoding.of_form([("_Charset_", b""), ("a", b"")]) == [("_Charset_", b"UTF-8"), ("a", b"")]
