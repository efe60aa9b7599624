"""An App as a WSGI application: another server's requests get the same answers as propane's."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config
from arlen_runtime.http.response import Response
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import file, text
from arlen_runtime.wsgi import AppCallable
from arlen_runtime.wsgi.cgi_names import Environ


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
