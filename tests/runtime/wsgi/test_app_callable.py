"""An App as a WSGI application: other servers give the same responses as propane."""

from __future__ import annotations

import io
import resource
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config
from arlen_runtime.http.response import Response
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import file, text
from arlen_runtime.wsgi import AppCallable
from arlen_runtime.wsgi.cgi_names import Environ

recorded: ContextVar[str] = ContextVar("recorded", default="nothing")


class Body:
    """Pieces that say what `told` is, and count how often they are closed."""

    closed = 0
    ended_with = ""

    def __init__(self) -> None:
        self._left = 2

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        self._left -= 1
        return recorded.get().encode()

    def close(self) -> None:
        """Count it."""
        self.closed += 1
        self.ended_with = recorded.get()


def routes(r: Routes) -> None:
    """Echo, stream and send."""
    r.get("/", lambda _ctx: text("root"))
    r.any("/echo/{name}", _echo, limit=10)
    r.post("/live", _live, body="stream", limit=10, guard=_with_key)
    r.get("/stream", lambda _ctx: Response(iter([b"one ", b"two"]), content_type="text/plain"))
    r.get("/body", _body)
    r.get("/events", lambda ctx: ctx.events("news"))
    r.get("/file", lambda _ctx: file(Path(__file__)))
    r.post("/spool", _spool)


def _body(_ctx: Context) -> Response:
    """Tell the steps of the answer something by way of the request's Context."""
    recorded.set("something ")
    return Response(bodies[-1], content_type="text/plain")


bodies: list[Body] = []
spools: list[Any] = []


def _spool(ctx: Context) -> Response:
    spools.append(ctx.request.spool)
    return text(f"{ctx.request.spool is not None} {len(ctx.request.body)}")


def _echo(ctx: Context) -> Response:
    return text(f"{ctx.route['name']} {ctx.params.get('q')} {ctx.request.body.decode()} {ctx.request.head.client}")


def _with_key(ctx: Context) -> Response | None:
    """Turn away who has no key, before a byte of the body is read."""
    return None if ctx.params.query else text("no key", 401)


def _live(ctx: Context) -> Response:
    return text(b"|".join(ctx.request.stream).decode())


def environ_of(method: str, path: str, **more: Any) -> Environ:  # noqa: ANN401 - an environ
    """Return what a WSGI server tells of a request."""
    environ: Environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "HTTP_HOST": "x",
        "QUERY_STRING": "",
    }
    environ |= {"REMOTE_ADDR": "192.0.2.1", **more}
    setup_testing_defaults(environ)
    return environ


def ask(
    application: AppCallable,
    environ: Environ,
) -> tuple[str, dict[str, str], bytes]:
    """Call the App as a WSGI server would, under the eyes of the standard library's validator."""
    said: list[Any] = []

    def start(*words: Any) -> Callable[[bytes], object]:  # noqa: ANN401 - status, headers, perhaps an exception
        said.extend(words)
        return lambda _data: None

    result = validator(application)(environ, start)
    try:
        body = b"".join(result)
    finally:
        result.close()  # type: ignore[attr-defined] # the validator's iterator has it
    return said[0], {name.lower(): value for name, value in said[1]}, body


def call(config: Config, method: str, path: str, **more: Any) -> tuple[str, dict[str, str], bytes]:  # noqa: ANN401 - an environ
    """Ask a new App."""
    return ask(AppCallable(App(config, routes)), environ_of(method, path, **more))


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


def test_the_raw_path_is_used_if_the_server_passes_it(config: Config) -> None:
    assert call(config, "GET", "/echo/a/b", RAW_URI="/echo/a%2Fb?q=2", QUERY_STRING="q=2")[2] == b"a/b 2  192.0.2.1"


@pytest.mark.parametrize(
    ("mount", "path", "raw", "name"),
    [
        ("/app", "/echo/b", "/app/echo/b", "b"),
        ("/app", "/echo/a/b", "/%61pp/echo/a%2Fb?q=1", "a/b"),
        ("/\xc3\xbc", "/echo/a/b", "/%C3%BC/echo/a%2fb", "a/b"),
        ("/app", "/echo/b", "/echo/b", "b"),  # the server passes only what is below the mount point
        ("", "/echo/b", "/before/it/was/rewritten", "b"),
        ("", "/echo/b", "http://x/echo/a%2Fb", "b"),
        ("", "/echo/\xc3\xbc", "/echo/\xc3\xbc", "ü"),
    ],
)
@pytest.mark.parametrize("variable", ["RAW_URI", "REQUEST_URI"])
def test_the_path_is_what_comes_below_the_mount_point(
    config: Config, variable: str, mount: str, path: str, raw: str, name: str
) -> None:
    body = call(config, "GET", path, SCRIPT_NAME=mount, **{variable: raw})[2]
    assert body.decode() == f"{name} None  192.0.2.1"


@pytest.mark.parametrize("raw", ["", "/app", "/app?a=/echo/b"])
def test_without_a_path_it_is_the_root(config: Config, raw: str) -> None:
    environ = environ_of("GET", "", SCRIPT_NAME="/app", REQUEST_URI=raw)
    environ["PATH_INFO"] = ""
    application = AppCallable(App(config, routes))
    assert ask(application, environ)[2] == b"root"
    del environ["PATH_INFO"]  # empty variables may be missing (PEP 3333, "environ Variables"), against the validator
    assert b"".join(application(environ, lambda _status, _headers: None)) == b"root"


def test_options_for_the_whole_server_is_answered(config: Config) -> None:
    status, headers, _ = call(config, "OPTIONS", "/", REQUEST_URI="*")
    assert (status, "OPTIONS" in headers["allow"], "POST" in headers["allow"]) == ("204 No Content", True, True)


def test_streams_files_and_errors_go_out_by_wsgi(config: Config) -> None:
    assert call(config, "GET", "/stream")[2] == b"one two"
    assert call(config, "GET", "/file")[2] == Path(__file__).read_bytes()
    assert call(config, "GET", "/nothing")[0] == "404 Not Found"
    assert call(config, "HEAD", "/stream")[2] == b""


@pytest.mark.parametrize("length", ["x", "-1", "+1", "²", "9" * 5000])
def test_a_length_that_is_not_a_number_is_400(config: Config, length: str) -> None:
    environ: Environ = {"CONTENT_LENGTH": length}
    setup_testing_defaults(environ)
    said: list[str] = []
    AppCallable(App(config, routes))(environ, lambda status, _headers: said.append(status))
    assert said == ["400 Bad Request"]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"SERVER_PROTOCOL": "HTTP/1.1"}, "200 OK"),
        ({"HTTP_HOST": 'a"b c'}, "400 Bad Request"),
        ({"HTTP_HOST": "a,b"}, "400 Bad Request"),  # a server joins a repeated field like this
        ({"HTTP_HOST": ""}, "400 Bad Request"),
        ({"HTTP_HOST": None, "SERVER_PROTOCOL": "HTTP/1.1"}, "400 Bad Request"),
        ({"HTTP_HOST": None, "SERVER_PROTOCOL": "HTTP/1.0"}, "200 OK"),
        ({"REQUEST_METHOD": "FOO"}, "501 Not Implemented"),
        ({"QUERY_STRING": "x=\x01"}, "400 Bad Request"),
        ({"QUERY_STRING": "x=\xe9"}, "400 Bad Request"),
    ],
)
def test_a_head_that_propane_refuses_is_refused_from_other_servers_too(
    config: Config, more: dict[str, str | None], status: str
) -> None:
    environ = {name: value for name, value in (environ_of("GET", "/") | more).items() if value is not None}
    said: list[str] = []
    AppCallable(App(config, routes))(environ, lambda status, _headers: said.append(status))
    assert said == [status]


def test_a_body_above_the_routes_limit_is_413(config: Config) -> None:
    more = {"CONTENT_LENGTH": "11", "wsgi.input": io.BytesIO(b"x" * 11)}
    assert call(config, "POST", "/echo/x", **more)[0].startswith("413 ")


def test_a_chunked_body_is_read_to_the_end_of_the_input(config: Config) -> None:
    chunked: dict[str, Any] = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert call(config, "POST", "/echo/x", **chunked, **{"wsgi.input": io.BytesIO(b"pieces")})[2] == (
        b"x None pieces 192.0.2.1"
    )
    assert call(config, "POST", "/echo/x", **chunked, **{"wsgi.input": io.BytesIO(b"x" * 11)})[0].startswith("413 ")
    del chunked["wsgi.input_terminated"]
    assert call(config, "POST", "/echo/x", **chunked, **{"wsgi.input": io.BytesIO(b"never ends")})[0].startswith("411 ")


def test_a_streaming_endpoint_works_on_other_servers_too(config: Config) -> None:
    body = io.BytesIO(b"12345 and the next request")
    more = {"CONTENT_LENGTH": "5", "wsgi.input": body}
    assert call(config, "POST", "/live", **more)[0].startswith("401 ")
    assert body.tell() == 0
    assert call(config, "POST", "/live", QUERY_STRING="key=1", **more)[2] == b"12345"
    assert body.tell() == 5
    assert call(config, "POST", "/live", QUERY_STRING="key=1", **more | {"CONTENT_LENGTH": "11"})[0].startswith("413 ")


@pytest.mark.parametrize("path", ["/echo/x", "/live"])
def test_a_body_that_ends_early_is_400_and_runs_nothing(config: Config, path: str) -> None:
    more = {"CONTENT_LENGTH": "9", "QUERY_STRING": "key=1", "wsgi.input": io.BytesIO(b"1234")}
    assert call(config, "POST", path, **more)[0] == "400 Bad Request"


class Trickle(io.BytesIO):
    """Gives one byte at a time, as a socket may."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read one byte."""
        return super().read(1 if size else 0)


@pytest.mark.parametrize("path", ["/echo/x", "/live"])
def test_a_body_that_comes_slowly_is_read_to_its_end(config: Config, path: str) -> None:
    more = {"CONTENT_LENGTH": "4", "QUERY_STRING": "key=1", "wsgi.input": Trickle(b"1234 and more")}
    assert b"1234" in call(config, "POST", path, **more)[2]


def test_a_large_body_is_in_a_file_while_it_is_needed(config: Config) -> None:
    application = AppCallable(App(config, routes), spool_bytes=10)
    spools.clear()
    for size in (10, 11):
        more = {"CONTENT_LENGTH": str(size), "wsgi.input": io.BytesIO(b"x" * size)}
        assert ask(application, environ_of("POST", "/spool", **more))[2] == f"{size > 10} {size}".encode()
    assert spools[0] is None
    assert spools[1].closed


@pytest.mark.parametrize("size", [5000, 50_000])  # detected at the end, and during the body
def test_a_body_without_disk_space_is_503_and_the_reason_is_logged(config: Config, size: int) -> None:
    app = App(config, lambda r: r.post("/", _spool, limit=size))
    environ = environ_of("POST", "/", CONTENT_LENGTH=str(size), **{"wsgi.input": io.BytesIO(b"x" * size)})
    errors = environ["wsgi.errors"]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        status, headers, body = ask(AppCallable(app, spool_bytes=10), environ)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (status, headers["retry-after"]) == ("503 Service Unavailable", "1")
    assert b"no room for the body" in body
    assert "File too large" in errors.getvalue()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_is_closed_once(config: Config, method: str) -> None:
    bodies.append(Body())
    ask(AppCallable(App(config, routes)), environ_of(method, "/body"))
    assert bodies.pop().closed == 1


def test_a_body_is_closed_when_the_server_refuses_the_answer(config: Config) -> None:
    bodies.append(Body())

    def refuse(_status: str, _headers: list[tuple[str, str]]) -> None:
        raise RuntimeError("no response wanted")

    with pytest.raises(RuntimeError, match="no response wanted"):
        AppCallable(App(config, routes))(environ_of("GET", "/body"), refuse)
    assert bodies.pop().closed == 1


def test_a_head_request_leaves_no_subscription(config: Config) -> None:
    app = App(config, routes)
    for method in ("HEAD", "GET"):
        ask(AppCallable(app), environ_of(method, "/events"))
    assert app.services.topics.count("news") == 0


def test_each_request_and_its_steps_have_a_context_of_their_own(config: Config) -> None:
    bodies.append(Body())
    assert ask(AppCallable(App(config, routes)), environ_of("GET", "/body"))[2] == b"something something "
    assert bodies.pop().ended_with == "something "
    assert recorded.get() == "nothing"


def test_a_file_that_has_shrunk_is_cut_off(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "shrinking"
    path.write_bytes(b"0123456789")
    app = App(config, lambda r: r.get("/", lambda _ctx: file(path)))
    pieces = AppCallable(app)(environ_of("GET", "/"), lambda _status, _headers: None)
    path.write_bytes(b"01234")
    with pytest.raises(ValueError, match="5 bytes are missing"):
        list(pieces)
    pieces.close()  # type: ignore[attr-defined] # as a server calls it where it is there


def test_a_converter_that_fails_is_answered_as_propane_does_and_logged(config: Config) -> None:
    def app(r: Routes) -> None:
        r.converter("color", {"red": 1}.__getitem__)
        r.get("/{color:color}", lambda _ctx: text("never"))

    errors = io.StringIO()
    environ = environ_of("GET", "/blue", HTTP_ACCEPT="application/json", **{"wsgi.errors": errors})
    status, headers, body = ask(AppCallable(App(config, app)), environ)
    assert status == "500 Internal Server Error"
    assert headers["content-type"] == "application/problem+json"
    assert b"could not be admitted" not in body
    assert "KeyError: 'blue'" in errors.getvalue()


def test_a_correlation_id_counts_if_a_trusted_server_passes_it_on(config: Config) -> None:
    environ: Environ = {"HTTP_X_CORRELATION_ID": "order-4711", "REMOTE_ADDR": "192.0.2.7"}
    setup_testing_defaults(environ)
    app = App(config, lambda r: r.get("/", lambda ctx: text(str(ctx.correlation_id == "order-4711"))))
    for trusted, body in (((), b"False"), (("192.0.2.7",), b"True")):
        callable_ = AppCallable(app, trusted_proxies=trusted)
        assert b"".join(callable_(environ, lambda _status, _headers: None)) == body
