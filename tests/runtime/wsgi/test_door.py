"""A WSGI callable behind the door: it does not learn that the server is not of its own kind."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest

from arlen_runtime import scope
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import RequestTimeout
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request import Head, Request
from arlen_runtime.testing.client import TestClient
from arlen_runtime.wsgi import WSGIDoor
from arlen_runtime.wsgi.cgi_names import Environ, WSGICallable

Start = Callable[..., Any]


def plain(environ: Environ, start: Start) -> list[bytes]:
    """Tell what came."""
    body = environ["wsgi.input"].read()
    start("201 Made", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    names = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_X_A", "SERVER_PORT")
    return [f"{name}={environ.get(name)};".encode() for name in names] + [body]


def test_the_validator_of_the_standard_library_finds_no_fault(serve: Callable[[WSGICallable], TestClient]) -> None:
    def application(_environ: Environ, start: Start) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        return iter([b"fine"])

    answer = serve(validator(application)).get("/a")
    assert (answer.status, answer.text) == (200, "fine")


def test_the_request_arrives_as_pep_3333_says(serve: Callable[[WSGICallable], TestClient]) -> None:
    answer = serve(plain).post(
        "/a%2Fb%20%C3%BC?x=%20", body=b"body", headers={"X-A": "1", "Content-Type": "t/p", "X_A": "2"}
    )
    assert answer.status == 201
    assert answer.text == (
        "REQUEST_METHOD=POST;PATH_INFO=/a/b Ã¼;QUERY_STRING=x=%20;CONTENT_TYPE=t/p;"
        "CONTENT_LENGTH=4;HTTP_X_A=1;SERVER_PORT=80;body"
    )
    assert [value for name, value in answer.fields if name == "Set-Cookie"] == ["a=1", "b=2"]


class Stream:
    """A body that knows whether it was closed."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        self.start("200 OK", [("Content-Type", "text/plain")])
        yield b""
        yield b"one "
        yield b"two"

    def close(self) -> None:
        """Note it."""
        self.closed = True


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_generator_may_start_late_and_is_closed(serve: Callable[[WSGICallable], TestClient], method: str) -> None:
    streams: list[Stream] = []

    def application(_environ: Environ, start: Start) -> Iterable[bytes]:
        streams.append(Stream(start))
        return streams[0]

    answer = serve(application).request(method, "/")
    assert answer.text == ("one two" if method == "GET" else "")
    assert streams[0].closed


def test_what_is_written_comes_first(serve: Callable[[WSGICallable], TestClient]) -> None:
    def application(_environ: Environ, start: Start) -> list[bytes]:
        start("200 OK", [])(b"written ")
        return [b"returned"]

    assert serve(application).get("/").text == "written returned"


def _head(method: str, path: str) -> Head:
    return Head(method, path, "", 1, Headers([]), "x", True, None, False, False, "id-1", "::1", "::1", "http")


@pytest.mark.parametrize("kind", ["raises", "never starts", "starts twice", "bad header", "bad status"])
def test_a_faulty_application_is_answered_and_logged(config: Config, tmp_path: Path, kind: str) -> None:
    def application(_environ: Environ, start: Start) -> list[bytes]:
        if kind == "raises":
            raise SystemExit("secret inside")
        if kind == "starts twice":
            start("200 OK", [])
            start("200 OK", [])
        if kind == "bad header":
            start("200 OK", [("X", "a\r\nSet-Cookie: b=c")])
        if kind == "bad status":
            start("fine", [])
        return [b""]

    answer = TestClient(WSGIDoor(application, config)).get("/")
    assert (answer.status, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] in (tmp_path / "log.txt").read_text()


def test_start_response_may_be_called_again_with_an_exception(serve: Callable[[WSGICallable], TestClient]) -> None:
    def application(_environ: Environ, start: Start) -> list[bytes]:
        start("200 OK", [])
        start("500 Oops", [], (ValueError, ValueError(), None))
        return [b"sorry"]

    assert serve(application).get("/").status == 500


def test_what_an_application_logs_finds_the_requests_id(serve: Callable[[WSGICallable], TestClient]) -> None:
    def application(environ: Environ, start: Start) -> list[bytes]:
        start("200 OK", [])
        return [f"{environ['arlen.request_id'] == scope.request_id.get()}".encode()]

    assert serve(application).get("/").text == "True"


def test_the_key_collapses_digits_and_the_limit_is_the_global_one(config: Config) -> None:
    door = WSGIDoor(plain, config)
    ticket = door.admit(_head("GET", "/users/123/v2"))
    assert (ticket.key, ticket.policy, ticket.limit) == ("GET /users/0/v0", "buffer", 100)
    assert TestClient(door).post("/", body=b"x" * 101).status == 413
    assert door.refuse(RequestTimeout("Slow."), None).status == 408


def test_a_spooled_body_is_read_from_its_start(config: Config) -> None:
    head = _head("POST", "/")._replace(content_length=4)
    spool = io.BytesIO(b"body")
    spool.read()
    body = WSGIDoor(plain, config)(Request(head, b"", spool)).body
    assert isinstance(body, bytes)
    assert body.endswith(b"CONTENT_LENGTH=4;HTTP_X_A=None;SERVER_PORT=80;body")
