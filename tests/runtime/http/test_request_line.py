"""The request line, letter by letter (RFC 9112 section 3)."""

from __future__ import annotations

import pytest

from arlen_runtime.errors import BadRequest, NotImplementedByServer, VersionNotSupported
from arlen_runtime.http import request_line


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b"GET / HTTP/1.1", ("GET", "/", "", 1, None)),
        (b"GET / HTTP/1.0", ("GET", "/", "", 0, None)),
        (b"GET / HTTP/1.7", ("GET", "/", "", 1, None)),
        (b"POST /a/b?c=d&e HTTP/1.1", ("POST", "/a/b", "c=d&e", 1, None)),
        (b"DELETE /a?b?c HTTP/1.1", ("DELETE", "/a", "b?c", 1, None)),
        (b"GET //host/x HTTP/1.1", ("GET", "//host/x", "", 1, None)),
        (b'GET /%2e%2F|{}^"<>`\\ HTTP/1.1', ("GET", '/%2e%2F|{}^"<>`\\', "", 1, None)),
        (b"OPTIONS * HTTP/1.1", ("OPTIONS", "*", "", 1, None)),
        (b"GET http://Example.org:8080/a?b HTTP/1.1", ("GET", "/a", "b", 1, ("http", "Example.org:8080"))),
        (b"GET HTTPS://a HTTP/1.0", ("GET", "/", "", 0, ("https", "a"))),
        (b"GET http://a?b HTTP/1.1", ("GET", "/", "b", 1, ("http", "a"))),
        (b"OPTIONS http://a HTTP/1.1", ("OPTIONS", "*", "", 1, ("http", "a"))),
        (b"OPTIONS http://a/ HTTP/1.1", ("OPTIONS", "/", "", 1, ("http", "a"))),
        (b"GET http://[::1]:80/ HTTP/1.1", ("GET", "/", "", 1, ("http", "[::1]:80"))),
    ],
)
def test_every_form_of_the_target_is_split(line: bytes, parts: tuple[object, ...]) -> None:
    assert request_line.read(line) == parts


@pytest.mark.parametrize("method", sorted(request_line.METHODS))
def test_every_method_that_is_implemented_is_read(method: str) -> None:
    assert request_line.read(f"{method} /x HTTP/1.1".encode())[0] == method


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET",
        b"GET /",
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b" GET / HTTP/1.1",
        b"GET\t/\tHTTP/1.1",
        b"GET / a HTTP/1.1",
        b"GET / http/1.1",
        b"GET / HTTP/1.10",
        b"GET / HTTP/01.1",
        b"GET / HTTP/1",
        b"GET / HTTP/1.",
        b"GET / HTTP 1.1",
        b"GET / ICE/1.1",
        b"GET /#a HTTP/1.1",
        b"GET /?a#b HTTP/1.1",
        b"GET http://a/#b HTTP/1.1",
        b"GET /\xe9 HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /a\x00 HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET a HTTP/1.1",
        b"GET ?a HTTP/1.1",
        b"GET example.org:80 HTTP/1.1",
        b"GET ftp://a/ HTTP/1.1",
        b"GET http:/a HTTP/1.1",
        b"GET http:///a HTTP/1.1",
        b"GET http://user@a/ HTTP/1.1",
        b"GET http://user:password@a/ HTTP/1.1",
        b"GET http://a:99999/ HTTP/1.1",
        b"GET http://a,b/ HTTP/1.1",
        b"G(ET / HTTP/1.1",
        b"GET /\r HTTP/1.1",
    ],
)
def test_a_malformed_request_line_is_a_bad_request(line: bytes) -> None:
    with pytest.raises(BadRequest):
        request_line.read(line)


@pytest.mark.parametrize(
    "line",
    [b"get / HTTP/1.1", b"TRACE / HTTP/1.1", b"CONNECT a:80 HTTP/1.1", b"BREW /pot HTTP/1.1", b"GETS / HTTP/1.1"],
)
def test_an_unknown_method_is_not_implemented(line: bytes) -> None:
    with pytest.raises(NotImplementedByServer):
        request_line.read(line)


@pytest.mark.parametrize("line", [b"GET / HTTP/2.0", b"GET / HTTP/0.9", b"PRI * HTTP/2.0", b"GET / HTTP/3.1"])
def test_another_major_version_is_not_supported(line: bytes) -> None:
    with pytest.raises(VersionNotSupported):
        request_line.read(line)


@pytest.mark.parametrize(
    "host",
    [
        "a",
        "example.org",
        "example.org.",
        "my_app:3000",
        "127.0.0.1:80",
        "[::1]",
        "[2001:db8::1]:443",
        "[::ffff:192.0.2.1]",
        "a:",
        "xn--4ca",
        "a~b",
    ],
)
def test_names_and_addresses_are_hosts(host: str) -> None:
    assert request_line.check_host(host) == host


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":80",
        "a b",
        "a,b",
        "a/b",
        "a?b",
        "a@b",
        "u:p@a",
        "a:b",
        "a:65536",
        "a:-1",
        "a:80:80",
        "::1",
        "[::1",
        "[]",
        "[::1]a",
        "[a.b]",
        "[1::2::3]",
        "[12345::]",
        "[::1%eth0]",
        "a\\b",
        "<a>",
        "a%00",
        "caf\xe9",
        "a" * 256,
        "http://a",
    ],
)
def test_an_invalid_host_is_refused(host: str) -> None:
    with pytest.raises(BadRequest):
        request_line.check_host(host)
