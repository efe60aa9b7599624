"""A WSGI callable as an application: it cannot notice what kind of server serves it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest

from arlen_runtime import scope
from arlen_runtime.app import App
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, RequestTimeout
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Response
from arlen_runtime.testing.client import TestClient
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from arlen_runtime.wsgi import WSGIAdapter
from arlen_runtime.wsgi.cgi_names import Environ, WSGICallable
from arlen_runtime.wsgi.closing import CloseOnce

Start = Callable[..., Any]


def plain(environ: Environ, start: Start) -> list[bytes]:
    """Answer with a summary of the request."""
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


@pytest.fixture
def seen(config: Config) -> Callable[[bytes], Environ]:
    """Return a function from the bytes of a head to the environ of the application."""

    def ask(wire: bytes) -> Environ:
        parser = RequestParser(config.limits, Origin("127.0.0.1", "http", TrustedProxies(), IdSource()))
        parser.feed(wire)
        head = parser.next_head()
        assert head is not None
        environs: list[Environ] = []

        def application(environ: Environ, start: Start) -> list[bytes]:
            environs.append(environ)
            start("204 No Content", [])
            return []

        response = WSGIAdapter(validator(application), config)(Request(head, parser.read_body()))
        CloseOnce(response.body).close()
        assert response.status == 204
        return environs[0]

    return ask


def test_without_a_host_the_server_says_where_it_listens(seen: Callable[[bytes], Environ]) -> None:
    environ = seen(b"GET / HTTP/1.0\r\n\r\n")
    assert "HTTP_HOST" not in environ
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", "3000")


@pytest.mark.parametrize(
    ("head", "host", "name", "port"),
    [
        (b"GET / HTTP/1.1\r\nHost: a.example:81\r\n\r\n", "a.example:81", "a.example", "81"),
        (b"GET / HTTP/1.0\r\nHost: a.example\r\n\r\n", "a.example", "a.example", "80"),
        (b"GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", "b.example", "b.example", "80"),
    ],
)
def test_the_environ_has_the_host_that_counts(
    seen: Callable[[bytes], Environ], head: bytes, host: str, name: str, port: str
) -> None:
    environ = seen(head)
    assert (environ["HTTP_HOST"], environ["SERVER_NAME"], environ["SERVER_PORT"]) == (host, name, port)


def test_a_chunked_body_is_passed_with_its_length(seen: Callable[[bytes], Environ]) -> None:
    environ = seen(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert "HTTP_TRANSFER_ENCODING" not in environ
    assert environ["CONTENT_LENGTH"] == "3"


def test_options_for_the_whole_server_has_no_path(seen: Callable[[bytes], Environ]) -> None:
    environ = seen(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (environ["PATH_INFO"], environ["REQUEST_URI"]) == ("", "*")


class Stream:
    """A body that counts how often it was closed."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        self.start("200 OK", [("Content-Type", "text/plain")])
        yield b""
        yield b"one "
        yield b"two"

    def close(self) -> None:
        """Count it."""
        self.closed += 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_generator_may_start_late_and_is_closed_once(
    serve: Callable[[WSGICallable], TestClient], method: str
) -> None:
    streams: list[Stream] = []

    def application(_environ: Environ, start: Start) -> Iterable[bytes]:
        streams.append(Stream(start))
        return streams[0]

    answer = serve(application).request(method, "/")
    assert answer.text == ("one two" if method == "GET" else "")
    assert streams[0].closed == 1


class Failing(Stream):
    """Fails before its first piece, in one of several ways."""

    def __iter__(self) -> Iterator[bytes]:
        self.start("200 OK", [("X", "a")])
        raise RuntimeError("before the first piece")


class Silent(Stream):
    """Never calls start_response."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"piece"])


class Texts(Stream):
    """Has text where bytes should be."""

    def __iter__(self) -> Iterator[bytes]:
        self.start("200 OK", [])
        return iter(["text"])  # type: ignore[list-item] # what a faulty application does


class Closable(list[bytes]):
    """A list with something to close."""

    closed = 0

    def close(self) -> None:
        """Count it."""
        self.closed += 1


@pytest.mark.parametrize("kind", [Failing, Silent, Texts])
def test_a_body_that_fails_before_its_first_piece_is_closed_and_500(
    serve: Callable[[WSGICallable], TestClient], kind: type[Stream]
) -> None:
    streams: list[Stream] = []

    def application(_environ: Environ, start: Start) -> Iterable[bytes]:
        streams.append(kind(start))
        return streams[0]

    assert serve(application).get("/").status == 500
    assert streams[0].closed == 1


def test_a_subclass_of_list_is_closed_too(serve: Callable[[WSGICallable], TestClient]) -> None:
    body = Closable([b"one"])

    def application(_environ: Environ, start: Start) -> Iterable[bytes]:
        start("200 OK", [])
        return body

    assert serve(application).get("/").text == "one"
    assert body.closed == 1


def test_what_is_written_comes_first(serve: Callable[[WSGICallable], TestClient]) -> None:
    def application(_environ: Environ, start: Start) -> list[bytes]:
        start("200 OK", [])(b"written ")
        return [b"returned"]

    assert serve(application).get("/").text == "written returned"


def _head(method: str, path: str) -> Head:
    return Head(method, path, "", 1, Headers([]), "x", True, None, False, False, "id-1", "::1", "::1", "http")


@pytest.mark.parametrize("kind", ["raises", "never starts", "starts twice", "bad header", "bad status", "1xx"])
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
        if kind == "1xx":
            start("100 Continue", [])
        return [b""]

    answer = TestClient(WSGIAdapter(application, config)).get("/")
    assert (answer.status, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] in (tmp_path / "log.txt").read_text()


def test_start_response_may_be_called_again_with_an_exception(serve: Callable[[WSGICallable], TestClient]) -> None:
    def application(_environ: Environ, start: Start) -> list[bytes]:
        start("200 OK", [])
        start("500 Oops", [], (ValueError, ValueError(), None))
        return [b"sorry"]

    answer = serve(application).get("/")
    assert (answer.status, answer.text) == (500, "sorry")


def test_start_response_raises_for_what_cannot_be_sent(serve: Callable[[WSGICallable], TestClient]) -> None:
    def application(_environ: Environ, start: Start) -> list[bytes]:
        try:
            start("200 OK", [("X", "a\nb")])
        except ValueError:
            start("502 Bad Gateway", [])
        return [b"recovered"]

    answer = serve(application).get("/")
    assert (answer.status, answer.text) == (502, "recovered")


@pytest.mark.parametrize("written", [True, False])
def test_an_exception_after_the_head_is_raised_again(
    serve: Callable[[WSGICallable], TestClient], *, written: bool
) -> None:
    raised: list[Exception] = []

    def application(_environ: Environ, start: Start) -> Iterator[bytes]:
        write = start("200 OK", [])
        try:
            if written:
                write(b"part one")
            else:
                yield b"part one"
            raise KeyError("late")  # noqa: TRY301 - what goes wrong in an application
        except KeyError:
            try:
                start("500 Oops", [], sys.exc_info())
            except KeyError as error:
                raised.append(error)
            yield b";end"

    answer = serve(application).get("/")
    assert (answer.status, answer.text, [str(error) for error in raised]) == (200, "part one;end", ["'late'"])


def test_what_is_written_beyond_the_length_is_refused(serve: Callable[[WSGICallable], TestClient]) -> None:
    def application(_environ: Environ, start: Start) -> list[bytes]:
        write = start("200 OK", [("Content-Length", "5")])
        write(b"12345")
        with pytest.raises(ArlenError, match="more than the 5 bytes"):
            write(b"6")
        return []

    assert serve(application).get("/").text == "12345"


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_a_body_ends_at_its_length(
    serve: Callable[[WSGICallable], TestClient], kind: Callable[[list[bytes]], Iterable[bytes]]
) -> None:
    fetched: list[bytes] = []

    def pieces() -> Iterator[bytes]:
        for piece in (b"123", b"45SECRET", b"SECRET"):
            fetched.append(piece)
            yield piece

    def application(_environ: Environ, start: Start) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", "5")])
        return pieces() if kind is iter else kind([b"123", b"45SECRET"])

    answer = serve(application).get("/")
    assert (answer.text, answer.headers["content-length"]) == ("12345", "5")
    assert len(fetched) == (2 if kind is iter else 0)


@pytest.mark.parametrize("body", [[], [b"12345"], iter([])])
def test_a_head_response_has_the_length_that_the_application_declares(
    serve: Callable[[WSGICallable], TestClient], body: Iterable[bytes]
) -> None:
    def application(_environ: Environ, start: Start) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", "5")])
        return body

    answer = serve(application).head("/")
    assert (answer.body, answer.headers["content-length"]) == (b"", "5")


def test_log_lines_of_an_application_have_the_request_id(serve: Callable[[WSGICallable], TestClient]) -> None:
    def application(environ: Environ, start: Start) -> list[bytes]:
        start("200 OK", [])
        return [f"{environ['arlen.request_id'] == scope.request_id.get()}".encode()]

    assert serve(application).get("/").text == "True"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/", "GET /"),
        ("*", "GET *"),
        ("/users/123/all_posts", "GET /users/0/all_posts"),
        ("/articles/the-title", "GET /articles/0"),
        ("/v2//f3b1c/Title/%C3%A9/", "GET /0//0/0/0/"),
        ("/static/main.css", "GET /static/main.css"),
        ("/" + "a" * 100_000, "GET /" + "a" * 100_000),  # in linear time, because the client chooses the path
    ],
)
def test_the_timing_key_collapses_variable_segments(config: Config, path: str, key: str) -> None:
    assert WSGIAdapter(plain, config).admit(_head("GET", path)).key == key


def test_the_limit_is_the_global_one(config: Config) -> None:
    application = WSGIAdapter(plain, config)
    admission = application.admit(_head("GET", "/"))
    assert (admission.policy, admission.limit) == ("buffer", 100)
    assert TestClient(application).post("/", body=b"x" * 101).status == 413
    assert application.refuse(RequestTimeout("Slow."), None).status == 408


def test_a_spooled_body_is_read_from_its_start(config: Config) -> None:
    head = _head("POST", "/")._replace(content_length=4)
    spool = io.BytesIO(b"body")
    spool.read()
    body = WSGIAdapter(plain, config)(Request(head, b"", spool)).body
    assert isinstance(body, bytes)
    assert body.endswith(b"CONTENT_LENGTH=4;HTTP_X_A=None;SERVER_PORT=80;body")


# --- on a real port

SITE = """
import gzip, sys, tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
(FOLDER / "ten").write_bytes(b"0123456789")
with gzip.open(FOLDER / "ten.gz", "wb") as packed:
    packed.write(b"0123456789")
closed = []

class Body:
    def __init__(self, pieces):
        self.pieces = iter(pieces)
    def __iter__(self):
        return self
    def __next__(self):
        return next(self.pieces)
    def close(self):
        closed.append(1)

def late(start):
    yield b"part one;"
    try:
        1 / 0
    except ZeroDivisionError:
        start("500 Oops", [("Content-Type", "text/plain")], sys.exc_info())
        yield b"ERROR PAGE"

def endless():
    while True:
        yield b"x" * 65536

def application(environ, start):
    name = environ["PATH_INFO"][1:]
    wrap = environ["wsgi.file_wrapper"]
    length = environ["QUERY_STRING"]
    start("200 OK", [("Content-Length", length)] if length else [])
    if name == "count":
        answer = [str(len(closed)).encode()]
        closed.clear()
        return answer
    return {
        "late": lambda: Body(late(start)),
        "endless": lambda: Body(endless()),
        "list": lambda: [b"01234", b"56789"],
        "pieces": lambda: Body([b"01234", b"56789"]),
        "file": lambda: wrap((FOLDER / "ten").open("rb")),
        "gzip": lambda: wrap(gzip.open(FOLDER / "ten.gz", "rb")),
    }[name]()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Serve an application that tests what PEP 3333 leaves to the server."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "site_module.py").write_text(SITE)
    with RunningServer(folder, "site_module:application", "--workers", "1") as running:
        yield running


@pytest.mark.parametrize("name", ["list", "pieces", "file", "gzip"])
def test_bodies_of_all_kinds_must_match_their_length(server: RunningServer, name: str) -> None:
    with Wire(server.port) as wire:
        assert wire.get(f"/{name}").body == b"0123456789"
        assert wire.get(f"/{name}?10").body == b"0123456789"
        assert wire.get(f"/{name}?4").body == b"0123"
        wire.send(f"HEAD /{name}?10 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert wire.answer(to_head=True).headers["content-length"] == "10"
        with pytest.raises(EOFError, match="0123456789"):
            wire.get(f"/{name}?11")


def test_a_response_that_fails_midway_is_cut_off_and_logged(server: RunningServer) -> None:
    with Wire(server.port) as wire:
        with pytest.raises(EOFError) as cut:
            wire.get("/late")
        assert "ERROR PAGE" not in str(cut.value)
    server.wait_for("stream_failed", error="ZeroDivisionError")


def test_a_client_that_disconnects_early_closes_the_body_once(server: RunningServer) -> None:
    with Wire(server.port) as wire:
        wire.get("/count")
        wire.get("/pieces")
        assert wire.get("/count").body == b"1"
        for path in ("/endless", "/endless?1000000000"):
            with Wire(server.port) as leaving:
                leaving.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert leaving.socket.recv(1000)
            while (count := wire.get("/count").body) == b"0":
                pass
            assert count == b"1"


def test_a_trusted_proxy_passes_on_the_correlation_id(config: Config) -> None:
    def application(environ: Environ, start: Start) -> list[bytes]:
        start("200 OK", [])
        return [f"{environ['arlen.correlation_id']} {scope.correlation_id.get()}".encode()]

    response = WSGIAdapter(application, config)(Request(_head("GET", "/")._replace(correlated="order-4711")))
    assert (response.body, response.log) == (b"order-4711 order-4711", {"correlation_id": "order-4711"})


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/%zz", 400),
        ("/%", 400),
        ("/a%2", 400),
        ("/%ff", 400),
        ("/%c0%af", 400),
        ("/%ed%a0%80", 400),
        ("/a%00b", 400),
        ("/%C3%BC/a%2fb/..", 200),
        ("/a%0d%0ab", 200),
        ("//a", 200),
        ("/?a=%zz", 200),
    ],
)
def test_a_path_is_refused_as_an_app_refuses_it(config: Config, path: str, status: int) -> None:
    calls: list[str] = []

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        calls.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return [b""]

    by_wsgi = TestClient(WSGIAdapter(application, config)).get(path, raw=True)
    by_app = TestClient(App(config, lambda r: r.get("/{rest:path}", lambda _ctx: Response(b"")))).get(path, raw=True)
    assert (by_wsgi.status, len(calls)) == (status, status == 200)
    assert (by_app.status == 400) == (status == 400)
    if status == 400:
        assert (by_wsgi.headers["content-type"], by_wsgi.json()["code"]) == ("application/problem+json", "bad_request")
