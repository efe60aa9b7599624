"""Real servers for the black-box tests, which communicate only by socket."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from arlen_runtime.testing.server import RunningServer

ECHO = '''
"""A WSGI application that says what it was asked: the head's facts in a field, the body as it came."""
import json

def application(environ, start_response):
    facts = {
        "method": environ["REQUEST_METHOD"],
        "path": environ["REQUEST_URI"].partition("?")[0],
        "query": environ["QUERY_STRING"],
        "host": environ.get("HTTP_HOST", ""),
        "minor": int(environ["SERVER_PROTOCOL"] == "HTTP/1.1"),
        "fields": sorted(name for name in environ if name.startswith(("HTTP_", "CONTENT_"))),
    }
    start_response("200 OK", [("X-Facts", json.dumps(facts)), ("Content-Type", "application/octet-stream")])
    return [environ["wsgi.input"].read()]
'''

SITE = '''
import json
from pathlib import Path
from arlen_runtime import App, Config, Context, Response, Routes, Unauthorized, file, json, text
from arlen_runtime.http.cookies import SetCookie

def anything(ctx: Context) -> Response:
    """Answer any request with the length of its body."""
    return text(str(len(ctx.request.body)))

def page(ctx: Context) -> Response:
    return Response(b"0123456789" * 10, 200, [("ETag", '"v1"'), ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("Cache-Control", "max-age=60"), ("Vary", "Accept"), ("Content-Location", "/page"),
        ("Expires", "Thu, 01 Dec 1994 16:00:00 GMT")], "text/plain")

writes = []

def write(ctx: Context) -> Response:
    """Change the page; the conditions were checked before."""
    ctx.check_conditions('"v1"', 784111777)
    writes.append(1)
    return text(str(len(writes)))

def status(ctx: Context) -> Response:
    return Response(b"content", ctx.params.route["code"], content_type="text/plain")

def stream(ctx: Context) -> Response:
    return Response(iter([b"one ", b"", b"two ", b"three"]), content_type="text/plain")

def measured(ctx: Context) -> Response:
    """Declare a length for a body in pieces, and try to set its transfer coding."""
    return Response(iter([b"12", b"345"]), 200, [("Content-Length", "5"), ("Transfer-Encoding", "chunked")], "text/plain")

def forger(ctx: Context) -> Response:
    """Try to split the response: Response refuses each attempt."""
    refused = 0
    splitting = (
        ("X-A", "a\\r\\nX-Evil: 1"), ("X-A", "a\\r\\n b"), ("X-A", "a\\nb"), ("X-A", "a\\0b"),
        ("Set-Cookie", "a=1\\r\\nX: 1"), ("X A", "b"), ("X-A\\r\\n", "b"), ("", "b"),
    )
    for name, value in splitting:
        try:
            Response(b"", 200, [(name, value)])
        except ValueError:
            refused += 1
    return text(str(refused))

def cookies(ctx: Context) -> Response:
    answer = text("two")
    answer.add("Set-Cookie", str(SetCookie("a", "1")))
    answer.add("Set-Cookie", str(SetCookie("b", "2")))
    return answer

def closing(ctx: Context) -> Response:
    return Response(b"x", 200, [("Connection", "keep-alive, X-Own"), ("Keep-Alive", "max=5"), ("Date", "yesterday")])

def field(ctx: Context) -> Response:
    """Answer with the field that the body names."""
    return text(ctx.params.body["n"])

def leave(ctx: Context) -> Response:
    """Redirect to the address in the query if it is on this site."""
    return ctx.redirect(ctx.params.query["to"])

def members_only(ctx: Context) -> None:
    raise Unauthorized("Who are you?")

def login(ctx: Context) -> Response:
    raise Unauthorized("Who are you?")

def fails(ctx: Context) -> Response:
    raise RuntimeError("inside")

def routes(r: Routes) -> None:
    r.get("/page", page)
    r.put("/page", write)
    r.get("/status/{code:int}", status)
    r.get("/stream", stream)
    r.get("/long", lambda ctx: text("long " * 1000))
    r.get("/tagged", lambda ctx: Response(b"long " * 1000, 200, [("ETag", '"v1"')], "text/plain"))
    r.get("/measured", measured)
    r.get("/forger", forger)
    r.get("/cookies", cookies)
    r.get("/closing", closing)
    r.get("/login", login)
    r.get("/fails", fails)
    r.get("/report", lambda ctx: file(Path(__file__).with_name("public") / "hundred.txt"))
    r.get("/leave", leave)
    r.post("/field", field)
    r.post("/live", anything, body="stream", limit=1000)
    r.post("/members", anything, body="stream", limit=1000, guard=members_only)
    r.get("/only-get", anything)
    r.post("/upload", anything, limit=1000)
    r.any("/any/{rest:path}", anything)
    r.get("/sentinel", anything)
    r.post("/form", anything)
    r.get("/", anything)
    r.get("/2", anything)

def create(config: Config) -> App:
    return App(config, routes)
'''


def _serve(folder: Path, source: str, *arguments: str) -> Iterator[RunningServer]:
    (folder / "app.py").write_text(source)
    (folder / "public").mkdir()
    (folder / "public" / "hundred.txt").write_bytes(b"0123456789" * 10)
    (folder / "public" / "future.txt").write_bytes(b"not yet")
    os.utime(folder / "public" / "future.txt", (time.time() + 86_400,) * 2)
    with RunningServer(folder, *arguments, "--workers", "1") as server:
        yield server


@pytest.fixture(scope="session")
def echo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Serve the WSGI application that echoes its request."""
    yield from _serve(tmp_path_factory.mktemp("echo"), ECHO, "app:application")


@pytest.fixture(scope="session")
def site_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Serve the application with one address per requirement."""
    yield from _serve(tmp_path_factory.mktemp("site"), SITE)
