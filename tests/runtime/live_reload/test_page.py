"""Which responses get the script: pages as text, whose policies allow it."""

from __future__ import annotations

import pytest

from arlen_runtime.error_pages.style import POLICY
from arlen_runtime.http.events import EventStream
from arlen_runtime.http.response import FileBody, Response
from arlen_runtime.live_reload.page import SCRIPT_PATH, add_script

PAGE = b"<html><body>x</body></html>"
HTML = "text/html; charset=utf-8"


def tag_in(response: Response) -> str:
    """Add the script; return the tag, "" if the body is as before."""
    before = response.body
    add_script(response, "c0de")
    if response.body is before:
        return ""
    assert isinstance(before, bytes)
    assert isinstance(response.body, bytes)
    end = before.lower().rfind(b"</body>")
    assert response.body.startswith(before[:end])
    assert response.body.endswith(before[end:])
    return response.body[end : len(response.body) - len(before) + end].decode()


@pytest.mark.parametrize(
    "response",
    [
        Response(PAGE, content_type=HTML),
        Response(PAGE, content_type="TEXT/HTML"),
        Response(b"<BODY>x</BODY>", content_type=HTML),
        Response(b"<p></body> in a text</p></body>", content_type=HTML),
        Response("<body>Grüße</body>".encode("latin-1"), content_type="text/html; charset=iso-8859-1"),
        Response(PAGE, 599, content_type=HTML),
        Response(PAGE, 422, [("ETag", '"a"'), ("Cache-Control", "public")], HTML),
    ],
)
def test_a_page_gets_the_script_once(response: Response) -> None:
    tag = tag_in(response)
    assert tag.startswith(f'<script src="{SCRIPT_PATH}?v=')
    assert tag.endswith(' data-code="c0de" async></script>\n')
    assert "nonce" not in tag


@pytest.mark.parametrize(
    "response",
    [
        Response(PAGE),
        Response(PAGE, content_type="text/plain"),
        Response(PAGE, content_type="application/xhtml+xml"),
        Response(b"", 204, content_type=HTML),
        Response(b"<p>a fragment</p>", content_type=HTML),
        Response("<body>x</body>".encode("utf-16"), content_type="text/html; charset=utf-16"),
        Response(iter([PAGE]), content_type=HTML),
        Response(EventStream(), content_type="text/event-stream"),
        Response(PAGE, 200, [("content-encoding", "br")], HTML),
        Response(PAGE, 206, [("Content-Range", "bytes 0-26/90")], HTML),
        Response(PAGE, 200, [("Content-Disposition", 'attachment; filename="a.html"')], HTML),
    ],
)
def test_every_other_response_is_left_alone(response: Response) -> None:
    assert tag_in(response) == ""


@pytest.mark.parametrize(
    ("policies", "nonce"),
    [
        (["default-src 'self'"], ""),
        (["img-src *; base-uri 'none'"], ""),
        (["DEFAULT-SRC 'SELF'"], ""),
        (["default-src *"], ""),
        (["default-src 'none'; script-src 'self'; connect-src 'self'"], ""),
        (["default-src 'none'; script-src 'self'; script-src 'none'; connect-src 'self'"], ""),
        (["script-src 'nonce-abc+/_-='"], "abc+/_-="),
        (["script-src 'strict-dynamic' 'nonce-abc'; connect-src *"], "abc"),
        (["default-src 'self', script-src 'nonce-abc'"], "abc"),
        (["default-src 'self'", "script-src 'nonce-abc'"], "abc"),
        (["script-src 'self' 'nonce-abc'", "script-src 'self' 'nonce-def'"], "abc"),
        (["script-src-elem 'self'; script-src 'none'"], ""),
        ([""], ""),
        (["default-src 'none'"], None),
        (["default-src"], None),
        (["default-src 'self'; connect-src 'none'"], None),
        (["default-src https://cdn.example"], None),
        (["script-src 'self' 'strict-dynamic'"], None),
        (["script-src 'sha256-abc'"], None),
        (["script-src 'nonce-'"], None),
        (["script-src 'nonce-\"><script>'"], None),
        (["default-src 'self'", "default-src 'none'"], None),
        (["default-src 'self', default-src 'none'"], None),
        (["script-src 'nonce-abc'", "script-src 'nonce-def'"], None),
        (["script-src-elem 'none'; script-src 'self'"], None),
        (["sandbox"], None),
        (["sandbox allow-scripts; default-src 'self'"], None),
    ],
)
@pytest.mark.parametrize("place", ["headers", "prepared"])
def test_the_policies_of_the_page_decide(policies: list[str], nonce: str | None, place: str) -> None:
    response = Response(PAGE, content_type=HTML)
    if place == "headers":
        for policy in policies:
            response.add("content-security-policy", policy)
    else:
        lines = [f"Content-Security-Policy: {policy}\r\n" for policy in policies]
        response.prepared = "".join(["X-Frame-Options: DENY\r\n", *lines]).encode()
    tag = tag_in(response)
    expected = None if tag == "" else tag.partition(' nonce="')[2].partition('"')[0]
    assert expected == nonce


def test_a_policy_that_only_reports_does_not_count() -> None:
    response = Response(PAGE, content_type=HTML)
    response.add("Content-Security-Policy-Report-Only", "default-src 'none'")
    assert tag_in(response)


def test_the_policy_of_an_error_page_is_extended_by_what_the_script_needs() -> None:
    response = Response(PAGE, 500, [("Content-Security-Policy", POLICY)], HTML)
    assert tag_in(response)
    assert response.get("Content-Security-Policy") == f"{POLICY}; script-src 'self'; connect-src 'self'"


class Pieces:
    """The body of a WSGI framework: pieces that are closed at the end."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = iter(pieces)
        self.closed = 0

    def __iter__(self) -> Pieces:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """Count the calls."""
        self.closed += 1


def test_a_page_in_pieces_is_read_if_its_length_is_declared() -> None:
    pieces = Pieces(PAGE[:20], PAGE[20:])
    response = Response(pieces, 200, [("Content-Length", str(len(PAGE)))], HTML)
    add_script(response, "c0de")
    assert isinstance(response.body, bytes)
    assert SCRIPT_PATH.encode() in response.body
    assert pieces.closed == 1


@pytest.mark.parametrize("length", ["26", "28", "10000000", "x", ""])
def test_a_page_in_pieces_of_another_length_keeps_its_pieces(length: str) -> None:
    pieces = Pieces(PAGE)
    response = Response(pieces, 200, [("Content-Length", length)], HTML)
    add_script(response, "c0de")
    assert not isinstance(response.body, (bytes, FileBody, EventStream))
    assert list(response.body) == [PAGE]
    assert pieces.closed == (length in {"26", "28"})
