"""Requirements of RFC 9112 and RFC 9110 on responses, tested on a real port."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire, WireAnswer

FIXDATE = re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
CHANGED = "Sun, 06 Nov 1994 08:49:37 GMT"
EARLIER = "Sat, 05 Nov 1994 08:49:37 GMT"
LATER = "Mon, 07 Nov 1994 08:49:37 GMT"
PARTS = ["/page", "/static/hundred.txt", "/report"]
"""An answer with a tag, a static file, a file that an action sends: a hundred bytes each."""


def ask(wire: Wire, method: str, path: str, *lines: str, version: str = "1.1", body: bytes = b"") -> WireAnswer:
    """Send a request and return its answer."""
    wire.send("\r\n".join([f"{method} {path} HTTP/{version}", "Host: localhost", *lines, "", ""]).encode() + body)
    return wire.answer(to_head=method == "HEAD")


def raw(server: RunningServer, request: bytes) -> bytes:
    """Send a request and return every byte until the server closes."""
    with Wire(server.port) as wire:
        wire.send(request)
        data = b""
        while piece := wire.socket.recv(65536):
            data += piece
        return data


# ---- RFC 9112: messages ----


@pytest.mark.parametrize("path", ["/stream", "/static/hundred.txt"])
def test_nothing_is_chunked_for_http_1_0(site_server: RunningServer, path: str) -> None:
    data = raw(site_server, f"GET {path} HTTP/1.0\r\n\r\n".encode())
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert path != "/stream" or body == b"one two three"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_version_of_an_answer_is_the_servers_own(site_server: RunningServer, version: str) -> None:
    request = f"GET / HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert raw(site_server, request.encode()).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_status_without_a_phrase_keeps_its_space(site_server: RunningServer) -> None:
    request = b"GET /status/299 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert raw(site_server, request).startswith(b"HTTP/1.1 299 \r\n")


@pytest.mark.parametrize("path", ["/stream", "/measured", "/page", "/missing", "/static/hundred.txt"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_exactly_one_field_declares_where_a_body_ends(site_server: RunningServer, path: str, version: str) -> None:
    request = f"GET {path} HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n"
    head = raw(site_server, request.encode()).partition(b"\r\n\r\n")[0].lower()
    count = head.count(b"\r\ncontent-length:") + head.count(b"\r\ntransfer-encoding:")
    assert count == (0 if (path, version) == ("/stream", "1.0") else 1)


def test_a_body_in_pieces_is_chunked_once_and_no_empty_piece_ends_it(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "GET", "/stream")
        assert (answer.headers["transfer-encoding"], answer.body) == ("chunked", b"one two three")
        assert ask(wire, "GET", "/").status == 200


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_content_end_with_their_head(site_server: RunningServer, status: int) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "GET", f"/status/{status}")
        assert answer.status == status
        assert "transfer-encoding" not in answer.headers
        assert status != 204 or "content-length" not in answer.headers
        assert ask(wire, "GET", "/").body == b"0", "no byte of content came between"


def test_reset_content_has_no_content(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "GET", "/status/205")
        assert (answer.headers["content-length"], answer.body) == ("0", b"")
        assert ask(wire, "GET", "/").body == b"0"


@pytest.mark.parametrize(
    "path",
    ["/page", "/stream", "/measured", "/missing", "/fails", "/static/hundred.txt", "/cookies", "/report", "/long"],
)
def test_head_gets_the_fields_of_get_and_no_content(site_server: RunningServer, path: str) -> None:
    own = {"date", "x-request-id", "content-length", "transfer-encoding"}
    with Wire(site_server.port) as wire:
        get, head = ask(wire, "GET", path), ask(wire, "HEAD", path)
        assert get.status == head.status
        assert {name: get.headers[name] for name in get.headers.keys() - own} == {
            name: head.headers[name] for name in head.headers.keys() - own
        }
        if "content-length" in head.headers and get.status == 200:
            assert head.headers["content-length"] == str(len(get.body))
        assert ask(wire, "GET", "/").body == b"0"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Host: x", "Expect: miracles"], 417),
        (["Host: x", "Content-Length: x"], 400),
        ([], 400),
        (["Host: x", "X-Long: " + "x" * 100_000], 431),
    ],
)
def test_a_head_that_is_refused_gets_no_content_either(
    site_server: RunningServer, lines: list[str], status: int
) -> None:
    data = raw(site_server, "\r\n".join(["HEAD / HTTP/1.1", *lines, "", ""]).encode())
    assert data.startswith(b"HTTP/1.1 %d " % status)
    assert data.endswith(b"\r\n\r\n")
    assert data.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize("status", [100, 103, 199])
def test_no_answer_leaves_its_client_waiting_for_another(site_server: RunningServer, status: int) -> None:
    with Wire(site_server.port) as wire:
        assert ask(wire, "GET", f"/status/{status}").status == 500
        assert ask(wire, "GET", "/").body == b"0"


@pytest.mark.parametrize(
    ("version", "connection", "persists"),
    [
        ("1.1", None, True),
        ("1.1", "close", False),
        ("1.1", "keep-alive, Close", False),
        ("1.1", "keep-alive", True),
        ("1.0", None, False),
        ("1.0", "keep-alive", True),
        ("1.0", "Keep-Alive, close", False),
    ],
)
def test_a_connection_persists_as_version_and_options_say(
    site_server: RunningServer, version: str, connection: str | None, *, persists: bool
) -> None:
    lines = [] if connection is None else [f"Connection: {connection}"]
    with Wire(site_server.port) as wire:
        answer = ask(wire, "GET", "/", *lines, version=version)
        if persists:
            assert answer.headers.get("connection") == (None if version == "1.1" else "keep-alive")
            assert ask(wire, "GET", "/").status == 200
        else:
            assert answer.headers["connection"] == "close"
            wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert wire.ends(), "what comes after close is not answered"


def test_pipelined_requests_are_answered_in_order(site_server: RunningServer) -> None:
    order = ["/missing", "/page", "/stream", "/", "/cookies", "/static/hundred.txt", "/status/204", "/login"]
    with Wire(site_server.port) as wire:
        wire.send(b"".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in order))
        assert [wire.answer().status for _ in order] == [404, 200, 200, 200, 200, 200, 204, 401]


@pytest.mark.parametrize("path", ["/only-get", "/missing", "/page", "/fails"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_unwanted_body_is_read_or_the_connection_is_closed(
    site_server: RunningServer, path: str, framing: str
) -> None:
    inner = b"GET /sentinel HTTP/1.1\r\nHost: x\r\n\r\n"
    coded = b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner)
    lines, body = (
        (f"Content-Length: {len(inner)}", inner) if framing == "length" else ("Transfer-Encoding: chunked", coded)
    )
    with Wire(site_server.port) as wire:
        answer = ask(wire, "GET", path, lines, body=body)
        if answer.headers.get("connection") == "close":
            assert wire.ends(), "the body is never taken for a request"
        else:
            assert ask(wire, "GET", "/").status == 200
            wire.socket.settimeout(0.01)
            with pytest.raises(TimeoutError):
                wire.socket.recv(1)


# ---- RFC 9110: semantics ----


@pytest.mark.parametrize(
    "path", ["/", "/missing", "/fails", "/status/204", "/status/304", "/stream", "/static/hundred.txt", "/closing"]
)
def test_every_answer_has_one_date_in_the_preferred_form(site_server: RunningServer, path: str) -> None:
    data = raw(site_server, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    (date,) = re.findall(rb"\r\ndate: ([^\r]*)", data, re.IGNORECASE)
    assert FIXDATE.fullmatch(date.decode())
    assert abs(parsedate_to_datetime(date.decode()).timestamp() - time.time()) < 60


@pytest.mark.parametrize("path", ["/static/hundred.txt", "/static/future.txt", "/report"])
def test_last_modified_is_not_later_than_date(site_server: RunningServer, path: str) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "GET", path)
    changed, date = (parsedate_to_datetime(answer.headers[name]) for name in ("last-modified", "date"))
    assert changed <= date
    assert FIXDATE.fullmatch(answer.headers["last-modified"])


def test_a_field_that_could_split_a_response_is_never_sent(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        assert ask(wire, "GET", "/forger").body == b"8"
        assert ask(wire, "GET", "/leave?to=/a%0d%0aX-Evil:%201").status == 400


def test_only_the_server_sets_connection_fields(site_server: RunningServer) -> None:
    data = raw(site_server, b"GET /closing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").lower()
    assert data.count(b"\r\nconnection:") == 1
    assert b"keep-alive" not in data
    assert b"yesterday" not in data


def test_fields_of_one_name_are_not_joined_where_they_must_not_be(site_server: RunningServer) -> None:
    data = raw(site_server, b"GET /cookies HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert [line[:15] for line in data.split(b"\r\n") if line.startswith(b"Set-Cookie")] == [
        b"Set-Cookie: a=1",
        b"Set-Cookie: b=2",
    ]


@pytest.mark.parametrize(
    "path", ["/", "/missing", "/fails", "/page", "/closing", "/tagged", "/report", "/login", "/stream"]
)
def test_fields_that_may_come_once_are_not_repeated(site_server: RunningServer, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    lines = raw(site_server, request.encode()).partition(b"\r\n\r\n")[0].lower().split(b"\r\n")[1:]
    names = [line.partition(b":")[0] for line in lines]
    assert len(names) == len(set(names))


def test_a_weight_of_0_is_never_served(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(
            wire, "GET", "/missing", "Accept: application/problem+json;q=0, application/json;q=0, text/*;q=0.1"
        )
        assert answer.headers["content-type"].startswith("text/")
        assert "content-encoding" not in ask(wire, "GET", "/long", "Accept-Encoding: gzip;q=0, *;q=0").headers


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("protocol", ["h2c", "TLS/1.0", "HTTP/2.0"])
def test_no_upgrade_is_made(site_server: RunningServer, protocol: str, version: str) -> None:
    with Wire(site_server.port) as wire:
        options = "Connection: Upgrade, HTTP2-Settings, keep-alive"
        fields = (options, f"Upgrade: {protocol}", "HTTP2-Settings: AAMAAABk")
        answer = ask(wire, "GET", "/", *fields, version=version)
        assert (answer.status, "upgrade" in answer.headers) == (200, False)
        assert ask(wire, "GET", "/").status == 200


@pytest.mark.parametrize(("version", "status"), [("1.0", 200), ("1.1", 501)])
def test_a_websocket_handshake_is_refused_and_ignored_in_http_1_0(
    site_server: RunningServer, version: str, status: int
) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "GET", "/", "Connection: Upgrade, keep-alive", "Upgrade: websocket", version=version)
        assert (answer.status, "upgrade" in answer.headers) == (status, False)


def test_trailers_are_not_merged_into_the_head(echo_server: RunningServer) -> None:
    with Wire(echo_server.port) as wire:
        body = b"1\r\nx\r\n0\r\nX-Trailer: 1\r\nContent-Length: 9\r\nAuthorization: me\r\n\r\n"
        answer = ask(wire, "POST", "/", "Transfer-Encoding: chunked", body=body)
        assert answer.body == b"x"
        assert "TRAILER" not in answer.headers["x-facts"]
        assert "AUTHORIZATION" not in answer.headers["x-facts"]


def test_the_order_of_repeated_fields_is_kept(echo_server: RunningServer) -> None:
    with Wire(echo_server.port) as wire:
        answer = ask(wire, "GET", "/", "X-A: 1", "X-B: 0", "X-A: 2")
        assert '"HTTP_X_A"' in answer.headers["x-facts"]


def test_100_comes_before_a_wanted_body_and_a_final_answer_after_it(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "POST", "/upload", "Content-Length: 3", "Expect: 100-continue")
        assert (answer.status, answer.headers) == (100, {})
        wire.send(b"abc")
        assert wire.answer().body == b"3"


def test_http_1_0_gets_no_100(site_server: RunningServer) -> None:
    request = b"POST /upload HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"
    assert raw(site_server, request).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("path", "length", "status"), [("/upload", 1001, 413), ("/missing", 5, 404), ("/page", 5, 405)]
)
def test_a_client_that_waits_for_100_gets_the_refusal_instead(
    site_server: RunningServer, path: str, length: int, status: int
) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "POST", path, f"Content-Length: {length}", "Expect: 100-continue")
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert wire.ends()


def test_an_unknown_expectation_is_417(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        assert ask(wire, "GET", "/", "Expect: miracles").status == 417


def test_405_lists_the_allowed_methods(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "DELETE", "/page")
        assert (answer.status, "" in answer.headers["allow"].split(", ")) == (405, False)
        assert "DELETE" not in answer.headers["allow"]
        assert {"GET", "HEAD", "PUT", "OPTIONS"} == set(answer.headers["allow"].split(", "))
        assert set(ask(wire, "OPTIONS", "/page").headers["allow"].split(", ")) == {"GET", "HEAD", "PUT", "OPTIONS"}


def test_a_compressed_response_has_its_own_tag_and_vary(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        plain, coded = ask(wire, "GET", "/tagged"), ask(wire, "GET", "/tagged", "Accept-Encoding: gzip")
        assert (plain.headers.get("content-encoding"), coded.headers["content-encoding"]) == (None, "gzip")
        assert plain.headers["etag"] != coded.headers["etag"]
        for answer in (plain, coded):
            assert "accept-encoding" in answer.headers["vary"].lower()
            again = ask(wire, "GET", "/tagged", "Accept-Encoding: gzip", f"If-None-Match: {answer.headers['etag']}")
            assert again.status == (304 if answer is coded else 200)


def test_401_challenges(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "GET", "/login")
        assert answer.status == 401
        assert re.fullmatch(r"[A-Za-z]+ realm=\"[^\"]+\"", answer.headers["www-authenticate"])


@pytest.mark.parametrize("method", ["BREW", "CONNECT", "TRACE", "PROPFIND", "get"])
def test_an_unknown_method_is_501(site_server: RunningServer, method: str) -> None:
    with Wire(site_server.port) as wire:
        assert ask(wire, method, "/" if method != "CONNECT" else "/a").status == 501


def test_options_for_the_whole_server_is_answered(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        assert ask(wire, "OPTIONS", "*").status in {200, 204}


# ---- RFC 9110 section 13: conditions ----


@pytest.mark.parametrize("path", PARTS)
def test_a_weakly_equal_tag_is_304_with_the_fields_of_200(site_server: RunningServer, path: str) -> None:
    with Wire(site_server.port) as wire:
        whole = ask(wire, "GET", path)
        for condition in (
            whole.headers["etag"],
            "W/" + whole.headers["etag"],
            f'"other", {whole.headers["etag"]}',
            "*",
        ):
            answer = ask(wire, "GET", path, f"If-None-Match: {condition}")
            assert (answer.status, answer.body) == (304, b"")
            for name in ("cache-control", "content-location", "etag", "expires", "vary"):
                assert answer.headers.get(name) == whole.headers.get(name), name
            assert "date" in answer.headers
            assert ask(wire, "HEAD", path, f"If-None-Match: {condition}").status == 304
        assert ask(wire, "GET", path, 'If-None-Match: "other"').status == 200


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([f"If-Modified-Since: {CHANGED}"], 304),
        ([f"If-Modified-Since: {LATER}"], 304),
        ([f"If-Modified-Since: {EARLIER}"], 200),
        (["If-Modified-Since: yesterday"], 200),
        ([f"If-Modified-Since: {CHANGED}", 'If-None-Match: "other"'], 200),
        (["If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT"], 304),
        (["If-Modified-Since: Sun Nov  6 08:49:37 1994"], 304),
        (['If-Match: "v1"'], 200),
        (["If-Match: *"], 200),
        (['If-Match: W/"v1"'], 412),
        (['If-Match: "other"'], 412),
        ([f"If-Unmodified-Since: {EARLIER}"], 412),
        ([f"If-Unmodified-Since: {CHANGED}"], 200),
        (["If-Unmodified-Since: yesterday"], 200),
        (["If-Unmodified-Since: Saturday, 05-Nov-94 08:49:37 GMT"], 412),
        ([f"If-Range: {LATER}"], 200),
        (['If-Match: "v1"', f"If-Unmodified-Since: {EARLIER}"], 200),
        (['If-Match: "other"', 'If-None-Match: "v1"'], 412),
        (['If-Match: "v1"', 'If-None-Match: "v1"'], 304),
    ],
)
def test_conditions_are_evaluated_in_their_order(site_server: RunningServer, lines: list[str], status: int) -> None:
    with Wire(site_server.port) as wire:
        assert ask(wire, "GET", "/page", *lines).status == status


def test_a_method_whose_condition_fails_is_not_performed(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        before = int(ask(wire, "PUT", "/page", 'If-Match: "v1"', "Content-Length: 0").body)
        for line in (
            'If-Match: "other"',
            'If-Match: W/"v1"',
            'If-None-Match: "v1"',
            "If-None-Match: *",
            f"If-Unmodified-Since: {EARLIER}",
        ):
            assert ask(wire, "PUT", "/page", line, "Content-Length: 0").status == 412
        assert int(ask(wire, "PUT", "/page", "Content-Length: 0").body) == before + 1


def test_a_condition_for_reads_does_not_block_a_change(site_server: RunningServer) -> None:
    with Wire(site_server.port) as wire:
        assert ask(wire, "PUT", "/page", f"If-Modified-Since: {LATER}", "Content-Length: 0").status == 200
        for line in ('If-Match: "other"', "If-None-Match: *", f"If-Unmodified-Since: {EARLIER}"):
            assert ask(wire, "OPTIONS", "/page", line).status == 204, "there is no state to ask about"


@pytest.mark.parametrize(
    ("path", "status"), [("/missing", 404), ("/login", 401), ("/status/500", 500), ("/fails", 500)]
)
def test_conditions_are_ignored_if_the_response_is_not_a_success(
    site_server: RunningServer, path: str, status: int
) -> None:
    with Wire(site_server.port) as wire:
        for line in ("If-None-Match: *", 'If-Match: "other"', "Range: bytes=0-1"):
            assert ask(wire, "GET", path, line).status == status


# ---- RFC 9110 section 14: ranges ----


@pytest.mark.parametrize("path", PARTS)
@pytest.mark.parametrize(
    ("asked", "part", "body"),
    [
        ("bytes=0-4", "bytes 0-4/100", b"01234"),
        ("bytes=95-", "bytes 95-99/100", b"56789"),
        ("bytes=-3", "bytes 97-99/100", b"789"),
        ("bytes=-200", "bytes 0-99/100", b"0123456789" * 10),
        ("bytes=98-200", "bytes 98-99/100", b"89"),
        ("bytes=0-1,2-3", "bytes 0-3/100", b"0123"),
        ("Bytes=0-0", "bytes 0-0/100", b"0"),
    ],
)
def test_a_range_is_206_with_its_part_and_the_fields_of_200(
    site_server: RunningServer, path: str, asked: str, part: str, body: bytes
) -> None:
    with Wire(site_server.port) as wire:
        whole = ask(wire, "GET", path)
        answer = ask(wire, "GET", path, f"Range: {asked}")
        assert (answer.status, answer.headers["content-range"], answer.body) == (206, part, body)
        for name in ("cache-control", "content-location", "etag", "expires", "vary", "content-type"):
            assert answer.headers.get(name) == whole.headers.get(name), name


@pytest.mark.parametrize("path", PARTS)
def test_several_ranges_are_parts_with_their_content_range(site_server: RunningServer, path: str) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "GET", path, "Range: bytes=0-1, 50-51")
        assert answer.status == 206
        assert "content-range" not in answer.headers
        kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
        assert kind == "multipart/byteranges"
        first, second = answer.body.removesuffix(f"\r\n--{boundary}--\r\n".encode()).split(
            f"\r\n--{boundary}\r\n".encode()
        )[1:]
        assert b"Content-Range: bytes 0-1/100\r\n" in first
        assert first.endswith(b"\r\n\r\n01")
        assert b"Content-Range: bytes 50-51/100\r\n" in second
        assert b"Content-Type: text/plain" in second
        assert ask(wire, "GET", "/").status == 200


@pytest.mark.parametrize("path", PARTS)
@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=-0", "bytes=200-300"])
def test_a_range_outside_the_content_is_416_with_its_size(site_server: RunningServer, path: str, asked: str) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "GET", path, f"Range: {asked}")
        assert (answer.status, answer.headers["content-range"]) == (416, "bytes */100")


@pytest.mark.parametrize("path", PARTS)
@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=a-b", "bytes=5-2", "bytes", "bytes=", "bytes=0-1;2-3"])
def test_a_range_that_cannot_be_read_is_ignored(site_server: RunningServer, path: str, asked: str) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, "GET", path, f"Range: {asked}")
        assert (answer.status, len(answer.body)) == (200, 100)


@pytest.mark.parametrize("method", ["HEAD", "PUT"])
def test_range_is_only_for_get(site_server: RunningServer, method: str) -> None:
    with Wire(site_server.port) as wire:
        answer = ask(wire, method, "/page", "Range: bytes=0-1", "Content-Length: 0")
        assert (answer.status, "content-range" in answer.headers) == (200, False)


@pytest.mark.parametrize("path", PARTS)
def test_if_range_must_match_exactly_or_the_whole_content_is_sent(site_server: RunningServer, path: str) -> None:
    with Wire(site_server.port) as wire:
        whole = ask(wire, "GET", path)
        tag, changed = whole.headers["etag"], whole.headers["last-modified"]
        for condition, status in (
            (tag, 206),
            (changed, 200),
            ("W/" + tag, 200),
            ('"other"', 200),
            (LATER, 200),
            ("x", 200),
        ):
            assert ask(wire, "GET", path, "Range: bytes=0-1", f"If-Range: {condition}").status == status, condition
        answer = ask(wire, "GET", path, "Range: bytes=0-1", f"If-None-Match: {tag}")
        assert answer.status == 304, "a condition comes before a range"
