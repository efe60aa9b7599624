"""Bytes of a request go through the server's parser, and the response through its serializer."""

from __future__ import annotations

from pathlib import Path

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config
from arlen_runtime.testing.exchange import Exchange
from arlen_runtime.web.responses import text


def test_a_request_is_answered_and_a_bad_one_refused() -> None:
    exchange = Exchange(App(Config("test", Path()), lambda r: r.post("/", lambda ctx: text(ctx.request.body.decode()))))
    good = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    status, fields, body = exchange.run(good, "http")
    assert (status, dict(fields)["Content-Length"], body) == (200, "2", b"hi")
    assert exchange.run(b"POST / HTTP/1.1\r\nHost: a b\r\n\r\n", "http")[0] == 400
    status, fields, _ = exchange.run(b"GET / HTTP/1.1\r\n", "http")
    assert (status, dict(fields)["Connection"]) == (408, "close")
