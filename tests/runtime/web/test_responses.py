"""The responses that actions return."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import os
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest

from arlen_runtime.errors import ArlenError, BadRequest, NotFound
from arlen_runtime.http.response import FileBody, WrappedBody
from arlen_runtime.web.responses import file, html, json, redirect, stream, text


class Colour(enum.Enum):
    """A choice."""

    RED = "red"


@dataclasses.dataclass
class Point:
    """A pair."""

    x: int
    y: Decimal


def test_text_and_html_send_their_type_and_utf8() -> None:
    assert (text("é", 201).body, text("é").get("content-type")) == ("é".encode(), "text/plain; charset=utf-8")
    assert (html("<p>").body, html("").get("content-type"), html("", 404).status) == (
        b"<p>",
        "text/html; charset=utf-8",
        404,
    )


def test_json_encodes_the_types_of_a_database() -> None:
    value = {
        "day": dt.date(2026, 1, 31),
        "at": dt.datetime(2026, 1, 31, 18, 30, tzinfo=dt.UTC),
        "for": dt.timedelta(seconds=90),
        "price": Decimal("1.10"),
        "id": uuid.UUID(int=1),
        "colour": Colour.RED,
        "point": Point(1, Decimal(2)),
        "set": {1},
        "map": MappingProxyType({"é": 1}),
    }
    assert (
        json(value).body
        == (
            '{"day":"2026-01-31","at":"2026-01-31T18:30:00+00:00","for":90.0,"price":"1.10",'
            '"id":"00000000-0000-0000-0000-000000000001","colour":"red","point":{"x":1,"y":"2"},"set":[1],"map":{"é":1}}'
        ).encode()
    )


@pytest.mark.parametrize(("value", "error"), [(object(), TypeError), (float("nan"), ValueError), (b"bytes", TypeError)])
def test_a_value_without_a_json_form_is_an_error(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        json(value)


def test_a_redirect_is_encoded_and_stays_on_the_host_unless_external() -> None:
    assert redirect("/é?a=ü&b=%20").get("Location") == "/%C3%A9?a=%C3%BC&b=%20"
    assert redirect("https://example.org/a", 302, external=True).get("Location") == "https://example.org/a"
    with pytest.raises(BadRequest):
        redirect("https://example.org/a")
    with pytest.raises(ArlenError, match="needs a path or"):
        redirect("javascript:alert(1)", external=True)


def test_a_file_is_sent_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "report é.pdf"
    path.write_bytes(b"content")
    response = file(path, name="über\r\n.pdf")
    assert isinstance(response.body, FileBody)
    with response.body.file as opened:
        assert (opened.read(), response.body.length) == (b"content", 7)
    assert response.get("Content-Type") == "application/pdf"
    assert {"ETag", "Last-Modified", "Accept-Ranges"} <= {name for name, _ in response.headers}
    assert response.get("Content-Disposition") == "attachment; filename*=UTF-8''%C3%BCber%0D%0A.pdf"


def test_a_path_that_is_not_a_plain_file_is_not_found(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "pipe"):
        with pytest.raises(NotFound):
            file(path)


@pytest.mark.parametrize("status", [200, 204, 300, 304, 400])
def test_a_status_that_does_not_redirect_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="does not redirect: use 301"):
        redirect("/", status)


def test_a_stream_encodes_text_and_closes_what_it_reads() -> None:
    closed: list[bool] = []

    def pieces() -> Iterator[str | bytes]:
        try:
            yield "é"
            yield b"b"
        finally:
            closed.append(True)

    response = stream(pieces(), "text/csv")
    body = cast("WrappedBody", response.body)
    assert (next(body), response.get("Content-Type"), closed) == ("é".encode(), "text/csv", [])
    body.close()
    assert closed == [True]
    assert b"".join(cast("WrappedBody", stream(["a", "b"]).body)) == b"ab"


@pytest.mark.parametrize("pieces", ["text", b"bytes", 3, None])
def test_a_stream_of_no_pieces_is_refused(pieces: Any) -> None:  # noqa: ANN401 - a mistake
    with pytest.raises(TypeError, match="stream needs an iterable of pieces, not"):
        stream(pieces)
