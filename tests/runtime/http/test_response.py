"""A response: fields in order, and none that could split the response."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from arlen_runtime.http.response import Response, WrappedBody


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
