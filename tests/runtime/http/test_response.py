"""A response: fields in order, and none that could split the response."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import pytest

from arlen_runtime.http.cookies import SetCookie
from arlen_runtime.http.events import EventStream
from arlen_runtime.http.response import FileBody, Response, WrappedBody, check_piece


def test_the_content_type_comes_first_and_the_rest_in_order() -> None:
    response = Response(b"", 201, [("X-B", "2"), ("X-A", "1")], content_type="text/plain")
    assert list(response.headers) == [("Content-Type", "text/plain"), ("X-B", "2"), ("X-A", "1")]


def test_add_keeps_set_replaces_and_remove_drops_whatever_the_case() -> None:
    response = Response()
    response.add("Set-Cookie", "a=1")
    response.add("set-cookie", "b=2")
    assert len(response.headers) == 2
    response.set("SET-COOKIE", "c=3")
    assert list(response.headers) == [("SET-COOKIE", "c=3")]
    assert response.get("Set-Cookie") == "c=3"
    response.remove("set-cookie")
    assert response.get("Set-Cookie", "none") == "none"


def test_changes_of_a_copy_do_not_affect_the_original() -> None:
    response = Response(b"x", 201, [("X-A", "1")])
    response.log = {"a": 1}
    copy = response.copy()
    assert (copy.body, copy.status, copy.log, list(copy.headers)) == (b"x", 201, {"a": 1}, [("X-A", "1")])
    copy.add("X-B", "2")
    copy.body, copy.status, copy.prepared, copy.log = b"y", 200, b"X-C: 3\r\n", None
    assert (response.body, response.status, response.prepared, response.log) == (b"x", 201, b"", {"a": 1})
    assert list(response.headers) == [("X-A", "1")]


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nb", "a\rb", "a\x00b", "a\x7fb", "a\x1bb", "\u20ac", "a\x85b\n"])
def test_a_value_that_could_split_the_response_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="X-A"):
        Response(headers=[("X-A", value)])
    with pytest.raises(ValueError, match="Content-Type"):
        Response(content_type=value)
    response = Response()
    with pytest.raises(ValueError, match="X-A"):
        response.set("X-A", value)


@pytest.mark.parametrize("name", ["", "X A", "X:A", "X\r\nA", "X\u00e9", "X-A\n"])
def test_an_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="header name"):
        Response(headers=[(name, "1")])


def test_tabs_and_latin_1_are_values() -> None:
    assert Response(headers=[("X-A", "a\tb\u00e9")]).get("x-a") == "a\tb\u00e9"


@pytest.mark.parametrize("read", [0, 1, 2])
def test_a_wrapped_body_closes_its_source_once_wherever_it_stops(read: int) -> None:
    closed: list[str] = []

    class Source:
        def close(self) -> None:
            closed.append("source")

    def pieces() -> Generator[bytes]:
        yield b"one"
        closed.append("pieces")

    body = WrappedBody(pieces(), Source())
    assert [piece for piece, _ in zip(body, range(read), strict=False)] == [b"one"][:read]
    body.close()
    body.close()
    assert closed[-1:] == ["source"]
    assert closed.count("source") == 1


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        ("hi", r"not str: return ctx\.text"),
        ({"a": 1}, r"not dict: return ctx\.json"),
        ([{"a": 1}], r"not list: return ctx\.json"),
        ([], r"not list: return ctx\.json"),
        ((1, 2), r"not tuple: return ctx\.json"),
        ({1}, r"not set: return ctx\.json"),
        (None, "not NoneType: leave it out"),
        (bytearray(b"a"), "not bytearray: convert it with bytes"),
        (memoryview(b"a"), "not memoryview: convert it with bytes"),
        (3, "not int: convert it"),
        (object(), "not object"),
    ],
)
def test_a_body_of_another_kind_is_refused_where_it_is_built(body: Any, remedy: str) -> None:  # noqa: ANN401 - a mistake
    with pytest.raises(TypeError, match=remedy):
        Response(body)


def test_every_kind_of_body_is_taken(tmp_path: Path) -> None:
    class Text(bytes):
        """A subclass, which the serializer does not know."""

    assert type(Response(Text(b"a")).body) is bytes
    assert b"".join(cast("Iterator[bytes]", Response([b"a", b"b"]).body)) == b"ab"  # type: ignore[arg-type] # as some do
    with (tmp_path / "file").open("wb+") as file:
        for body in (iter([b"a"]), FileBody(file, 0, 0), EventStream(), file):
            assert Response(body).body is body


def test_a_piece_that_is_not_bytes_names_the_remedy() -> None:
    assert check_piece(b"a") == b"a"
    with pytest.raises(TypeError, match=r"is str, not bytes: encode it, or return ctx\.stream\(pieces\)"):
        check_piece("a")


@pytest.mark.parametrize("status", [999, 600, 199, 100, 0, -1, "200", None, 201.0, True, {"X-A": "1"}])
def test_a_status_that_is_not_final_is_refused_where_it_is_built(status: Any) -> None:  # noqa: ANN401 - a mistake
    with pytest.raises(ValueError, match="a number from 200 to 599"):
        Response(b"", status)


def test_a_status_of_the_standard_library_is_a_number() -> None:
    assert type(Response(b"", HTTPStatus.CREATED).status) is int


def test_changes_return_the_response() -> None:
    response = Response().add("X-A", "1").set("X-B", "2").remove("x-a").etag("v1").cookie(SetCookie("theme", "dark"))
    assert list(response.headers) == [
        ("X-B", "2"),
        ("ETag", '"v1"'),
        ("Set-Cookie", "theme=dark; Path=/; HttpOnly; SameSite=Lax"),
    ]
    assert response.etag("v2", weak=True).get("ETag") == 'W/"v2"'


@pytest.mark.parametrize("tag", ['a"b', "a b", "a\nb", '"a"'])
def test_an_entity_tag_that_cannot_be_sent_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="entity tag"):
        Response().etag(tag)
