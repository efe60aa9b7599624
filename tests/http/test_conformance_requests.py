"""Requirements of RFC 9112 and RFC 9110 on requests that still arrive, on a real port."""

from __future__ import annotations

import socket

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire, WireAnswer

MEMBER = b"POST /members HTTP/1.1\r\nHost: x\r\n"


def ask(wire: Wire, method: str, path: str, *lines: str, body: bytes = b"") -> WireAnswer:
    """Send a request and return its answer."""
    wire.send("\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode() + body)
    return wire.answer()


def writes(server: RunningServer) -> int:
    """Count the changes of the page, this one included."""
    with Wire(server.port) as wire:
        return int(ask(wire, "PUT", "/page", "Content-Length: 0").body)


def until_the_end(wire: Wire) -> bytes:
    """Shut down sending, and return everything that the server still sends."""
    wire.socket.shutdown(socket.SHUT_WR)
    return b"".join(iter(lambda: wire.socket.recv(65536), b""))


# ---- incomplete requests ----


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"PUT /page HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n",
        b"PUT /page HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345",
        b"PUT /page HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        b"PUT /page HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\nX: 1\r\n",
    ],
    ids=["head", "length", "chunks", "trailers"],
)
def test_an_incomplete_request_is_not_executed_and_ends_its_connection(
    site_server: RunningServer, request_bytes: bytes
) -> None:
    before = writes(site_server)
    with Wire(site_server.port) as wire:
        wire.send(request_bytes)
        assert b" 200 " not in until_the_end(wire)
    assert writes(site_server) == before + 1


def test_a_complete_request_is_answered_though_its_client_has_stopped_sending(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        wire.send(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        assert until_the_end(wire).endswith(b"long " * 1000)


# ---- Expect: 100-continue under each policy ----


def test_a_streaming_endpoint_requests_the_body_when_it_reads(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        assert ask(wire, "POST", "/live", "Content-Length: 3", "Expect: 100-continue").status == 100
        wire.send(b"abc")
        assert wire.answer().body == b"3"
        assert ask(wire, "POST", "/live", "Content-Length: 3", body=b"abc").body == b"3"


@pytest.mark.parametrize("framing", ["Content-Length: 900", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(("path", "status"), [("/members", 401), ("/missing", 404), ("/page", 405)])
def test_a_client_that_may_not_send_is_refused_before_the_body_instead_of_100(
    site_server: RunningServer, path: str, status: int, framing: str
) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "POST", path, framing, "Expect: 100-continue")
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert wire.ends()


@pytest.mark.parametrize("path", ["/upload", "/live", "/members"])
def test_a_body_declared_too_large_is_refused_before_it_arrives(site_server: RunningServer, path: str) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "POST", path, "Content-Length: 1001")
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert wire.ends()


@pytest.mark.parametrize("path", ["/upload", "/live"])
def test_a_body_that_becomes_too_large_is_refused_at_its_limit(site_server: RunningServer, path: str) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "POST", path, "Transfer-Encoding: chunked", body=b"3e9\r\n" + b"x" * 1001 + b"\r\n")
        assert (answer.status, answer.headers["connection"]) == (413, "close")


# ---- the meaning of fields ----


@pytest.mark.parametrize("name", ["content-length", "CONTENT-LENGTH", "Content-length", "cOnTeNt-LeNgTh"])
def test_names_of_fields_have_no_case(site_server: RunningServer, name: str) -> None:
    with Wire(site_server.port) as wire:
        assert ask(wire, "POST", "/upload", f"{name}: 3", body=b"abc").body == b"3"


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data; boundary=xy",
        'multipart/form-data; boundary="xy"',
        'multipart/form-data; boundary="x\\y"',
        "Multipart/Form-Data;BOUNDARY=xy",
        "multipart/form-data; other=1; boundary=xy",
    ],
)
def test_parameters_have_no_case_and_may_be_quoted(site_server: RunningServer, kind: str) -> None:
    body = b'--xy\r\nContent-Disposition: form-data; name="n"\r\n\r\nvalue\r\n--xy--\r\n'
    with Wire(site_server.port) as wire:
        answer = ask(wire, "POST", "/field", f"Content-Type: {kind}", f"Content-Length: {len(body)}", body=body)
        assert (answer.status, answer.body) == (200, b"value")


@pytest.mark.parametrize(
    ("fields", "body", "status"),
    [
        (["Content-Type: application/json", "Content-Encoding: identity"], b'{"n": "1"}', 200),
        (["Content-Type: application/json", "Content-Encoding: gzip"], b"\x1f\x8b\x08", 415),
        (["Content-Type: application/x-www-form-urlencoded", "Content-Encoding: br"], b"n=1", 415),
        (["Content-Type: application/json"], b'{"n": "1", "n": "2"}', 400),
        (["Content-Type: application/json"], b'{"n": NaN}', 400),
        (["Content-Type: application/x-www-form-urlencoded; charset=koi8-r"], b"n=1", 415),
        (["Content-Type: application/x-www-form-urlencoded"], b"n=%zz", 400),
    ],
)
def test_a_body_is_read_by_its_declared_type_or_not_at_all(
    site_server: RunningServer, fields: list[str], body: bytes, status: int
) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "POST", "/field", *fields, f"Content-Length: {len(body)}", body=body)
        assert answer.status == status
        assert ask(wire, "GET", "/").status == 200, "the connection is as good as before"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/any/a%2Fb", 404),  # a decoded slash does not separate segments
        ("/any/a%00b", 400),
        ("/any/a%ffb", 400),
        ("/any/a%zz", 400),
        ("/any/%C3%BC", 200),
        ("/static/..%2fapp.py", 404),
        ("/static/%2e%2e/app.py", 404),
        ("/static/%252e%252e/app.py", 404),
        ("//example.org/..", 404),
    ],
)
def test_a_path_is_decoded_once_after_it_is_split(site_server: RunningServer, path: str, status: int) -> None:
    with Wire(site_server.port) as wire:
        assert wire.get(path).status == status
