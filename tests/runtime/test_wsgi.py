"""WSGI both ways: neither side learns that the other is not of its own kind."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from arlen_runtime import scope
from arlen_runtime.app import App
from arlen_runtime.config.sections import Config, LimitsSection, LogSection
from arlen_runtime.errors import RequestTimeout
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import FileBody, Response
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import file, text
from arlen_runtime.wsgi import AppCallable, Environ, WSGICallable, WSGIDoor

Start = Callable[..., Any]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Log to a file, and take small bodies only."""
    return Config("production", tmp_path, log=LogSection(file="log.txt"), limits=LimitsSection(body_bytes=100))


@pytest.fixture
def serve(config: Config) -> Callable[[WSGICallable], TestClient]:
    """Return a function that serves a WSGI application."""
    return lambda application: TestClient(WSGIDoor(application, config))


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


def test_a_header_that_could_pose_as_a_variable_is_left_out(serve: Callable[[WSGICallable], TestClient]) -> None:
    seen: list[Environ] = []

    def application(environ: Environ, start: Start) -> list[bytes]:
        seen.append(environ)
        start("204 No Content", [])
        return []

    serve(application).get("/", headers={"Proxy": "evil"})
    assert "HTTP_PROXY" not in seen[0]
    assert seen[0]["HTTP_HOST"] == "localhost"


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


def test_a_file_is_left_to_the_kernel(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")

    def application(environ: Environ, start: Start) -> Iterable[bytes]:
        opened = path.open("rb")
        opened.seek(3)
        start("200 OK", [])
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](opened)
        return wrapped

    door = WSGIDoor(application, config)
    assert TestClient(door).get("/").body == b"3456789"
    body = door(Request(_head("GET", "/"))).body
    assert isinstance(body, FileBody)
    body.file.close()
    memory = WSGIDoor(lambda e, s: (s("200 OK", []), e["wsgi.file_wrapper"](io.BytesIO(b"memory")))[1], config)
    assert TestClient(memory).get("/").body == b"memory"


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


# --- an App as a WSGI application


def routes(r: Routes) -> None:
    """Echo, stream and send."""
    r.any("/echo/{name}", _echo, limit=10)
    r.post("/live", _live, body="stream", limit=10, guard=_with_key)
    r.get("/stream", lambda _ctx: Response(iter([b"one ", b"two"]), content_type="text/plain"))
    r.get("/file", lambda _ctx: file(Path(__file__)))


def _echo(ctx: Context) -> Response:
    return text(f"{ctx.route['name']} {ctx.params.get('q')} {ctx.request.body.decode()} {ctx.request.head.client}")


def _with_key(ctx: Context) -> Response | None:
    """Turn away who has no key, before a byte of the body is read."""
    return None if ctx.params.query else text("no key", 401)


def _live(ctx: Context) -> Response:
    return text(b"|".join(ctx.request.stream).decode())


def call(config: Config, method: str, path: str, **more: Any) -> tuple[str, dict[str, str], bytes]:  # noqa: ANN401 - an environ
    """Call the App as a WSGI server would, under the eyes of the standard library's validator."""
    environ: Environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "HTTP_HOST": "x",
        "QUERY_STRING": "",
    }
    environ |= {"REMOTE_ADDR": "192.0.2.1", **more}
    setup_testing_defaults(environ)
    told: list[Any] = []

    def start(*said: Any) -> Callable[[bytes], object]:  # noqa: ANN401 - status, headers, perhaps an exception
        told.extend(said)
        return lambda _data: None

    result = validator(AppCallable(App(config, routes)))(environ, start)
    try:
        body = b"".join(result)
    finally:
        result.close()  # type: ignore[attr-defined] # the validator's iterator has it
    return told[0], {name.lower(): value for name, value in told[1]}, body


def test_an_app_answers_any_wsgi_server(config: Config) -> None:
    status, headers, body = call(
        config,
        "POST",
        "/echo/ü".encode().decode("latin-1"),
        QUERY_STRING="q=1",
        CONTENT_LENGTH="2",
        CONTENT_TYPE="text/plain",
        **{"wsgi.input": io.BytesIO(b"hi and more")},
    )
    assert (status, body.decode()) == ("200 OK", "ü 1 hi 192.0.2.1")
    assert headers["content-length"] == str(len(body))
    assert {"x-request-id", "content-security-policy"} <= set(headers)
    assert "connection" not in headers


def test_the_raw_path_is_taken_where_the_server_tells_it(config: Config) -> None:
    assert call(config, "GET", "/echo/a/b", RAW_URI="/echo/a%2Fb?q=2", QUERY_STRING="q=2")[2] == b"a/b 2  192.0.2.1"


def test_streams_files_and_errors_go_out_by_wsgi(config: Config) -> None:
    assert call(config, "GET", "/stream")[2] == b"one two"
    assert call(config, "GET", "/file")[2] == Path(__file__).read_bytes()
    assert call(config, "GET", "/nothing")[0] == "404 Not Found"
    assert call(config, "HEAD", "/stream")[2] == b""


def test_a_length_that_is_no_number_is_400(config: Config) -> None:
    environ: Environ = {"CONTENT_LENGTH": "x"}
    setup_testing_defaults(environ)
    told: list[str] = []
    AppCallable(App(config, routes))(environ, lambda status, _headers: told.append(status))
    assert told == ["400 Bad Request"]


def test_a_body_above_the_routes_limit_is_413(config: Config) -> None:
    more = {"CONTENT_LENGTH": "11", "wsgi.input": io.BytesIO(b"x" * 11)}
    assert call(config, "POST", "/echo/x", **more)[0].startswith("413 ")


def test_a_body_in_chunks_is_read_to_the_end_that_the_server_makes(config: Config) -> None:
    chunked: dict[str, Any] = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert call(config, "POST", "/echo/x", **chunked, **{"wsgi.input": io.BytesIO(b"pieces")})[2] == (
        b"x None pieces 192.0.2.1"
    )
    assert call(config, "POST", "/echo/x", **chunked, **{"wsgi.input": io.BytesIO(b"x" * 11)})[0].startswith("413 ")
    del chunked["wsgi.input_terminated"]
    assert call(config, "POST", "/echo/x", **chunked, **{"wsgi.input": io.BytesIO(b"never ends")})[2] == (
        b"x None  192.0.2.1"
    )


def test_an_endpoint_that_reads_as_it_comes_does_so_on_other_servers_too(config: Config) -> None:
    body = io.BytesIO(b"12345 and the next request")
    more = {"CONTENT_LENGTH": "5", "wsgi.input": body}
    assert call(config, "POST", "/live", **more)[0].startswith("401 ")
    assert body.tell() == 0
    assert call(config, "POST", "/live", QUERY_STRING="key=1", **more)[2] == b"12345"
    assert body.tell() == 5
    assert call(config, "POST", "/live", QUERY_STRING="key=1", **more | {"CONTENT_LENGTH": "11"})[0].startswith("413 ")
