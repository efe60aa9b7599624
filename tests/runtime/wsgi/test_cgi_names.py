"""The fields of a head by the names of CGI, both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arlen_runtime.testing.client import TestClient
from arlen_runtime.wsgi.cgi_names import Environ, WSGICallable, to_headers

Start = Callable[..., Any]


def test_a_header_that_could_pose_as_a_variable_is_left_out(serve: Callable[[WSGICallable], TestClient]) -> None:
    seen: list[Environ] = []

    def application(environ: Environ, start: Start) -> list[bytes]:
        seen.append(environ)
        start("204 No Content", [])
        return []

    serve(application).get("/", headers={"Proxy": "evil"})
    assert "HTTP_PROXY" not in seen[0]
    assert seen[0]["HTTP_HOST"] == "localhost"


def test_the_fields_come_back_from_an_environ() -> None:
    headers = to_headers({"HTTP_X_A": "1", "CONTENT_TYPE": "a/b", "CONTENT_LENGTH": "", "PATH_INFO": "/"})
    assert list(headers) == [("x-a", "1"), ("content-type", "a/b")]


def test_no_field_poses_as_the_type_or_the_length_of_the_body() -> None:
    posing = {"HTTP_CONTENT_TYPE": "application/json", "HTTP_CONTENT_LENGTH": "7"}
    assert list(to_headers(posing)) == []
    true = {"CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "2"}
    for environ in (posing | true, true | posing):
        assert list(to_headers(environ)) == [("content-type", "text/plain"), ("content-length", "2")]
