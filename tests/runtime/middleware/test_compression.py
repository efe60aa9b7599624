"""Which responses are compressed, for which clients, and how caches see that."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import CompressionSection, Config
from arlen_runtime.http.response import FileBody, Response
from arlen_runtime.middleware.compression import Compression, codings
from arlen_runtime.routing.pattern import Pattern
from arlen_runtime.routing.routes import Endpoint, Routes
from arlen_runtime.testing.client import TestClient
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import html, json, text

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
LONG = "a long text, again and again; " * 100
ACCEPTS = {"Accept-Encoding": "gzip, br"}


def pieces() -> Iterator[bytes]:
    """Yield a streamed body; one piece is empty."""
    yield b"one "
    yield b""
    yield b"two"


def own_file(_ctx: Context) -> Response:
    path = Path(__file__)
    return Response(FileBody(path.open("rb"), 0, path.stat().st_size), content_type="text/plain")


ANSWERS: dict[str, Callable[[Context], Any]] = {
    "text": lambda _ctx: text(LONG),
    "html": lambda _ctx: html(LONG),
    "json": lambda _ctx: json([LONG]),
    "short": lambda _ctx: text("short"),
    "image": lambda _ctx: Response(LONG.encode(), content_type="image/png"),
    "encoded": lambda _ctx: Response(LONG.encode(), 200, [("Content-Encoding", "br")], "text/plain"),
    "kept": lambda _ctx: Response(LONG.encode(), 200, [("Cache-Control", "no-transform")], "text/plain"),
    "stream": lambda _ctx: Response(pieces(), content_type="text/plain"),
    "list": lambda _ctx: Response([b"one ", b"", b"two"], content_type="text/plain"),  # type: ignore[arg-type] # as some do
    "missing": lambda _ctx: Response(LONG.encode(), 404, [("ETag", '"v1"')], "text/plain"),
    "events": lambda _ctx: Response(pieces(), content_type="text/event-stream"),
    "file": own_file,
    "dated": lambda _ctx: Response(LONG.encode(), 200, [("Last-Modified", DATE)], "text/plain"),
    "tagged": lambda _ctx: Response(LONG.encode(), 200, [("ETag", '"v1"'), ("Vary", "Accept")], "text/plain"),
}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """Serve each of these responses under its name."""

    def routes(r: Routes) -> None:
        for name, action in ANSWERS.items():
            r.get(f"/{name}", action)
        r.get("/left-out", ANSWERS["text"], compress=False)

    return TestClient(App(Config("production", tmp_path), routes))


@pytest.mark.parametrize("name", ["text", "html", "json"])
def test_long_text_is_compressed_for_clients_that_accept_it(client: TestClient, name: str) -> None:
    plain, answer = client.get(f"/{name}"), client.get(f"/{name}", headers=ACCEPTS)
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body) == plain.body
    assert int(answer.headers["content-length"]) == len(answer.body) < len(plain.body) / 5
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == answer.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("name", ["short", "image", "encoded", "kept", "events", "file", "left-out"])
def test_responses_that_need_not_or_must_not_be_compressed_are_not(client: TestClient, name: str) -> None:
    answer = client.get(f"/{name}", headers=ACCEPTS)
    assert answer.headers.get("content-encoding") == ("br" if name == "encoded" else None)
    assert "vary" not in answer.headers


def test_each_piece_of_a_stream_is_sent_without_delay(client: TestClient) -> None:
    answer = client.get("/stream", headers=ACCEPTS)
    assert gzip.decompress(answer.body) == b"one two"
    layer = Compression(CompressionSection())(Endpoint(("GET",), Pattern("/"), print))
    assert layer is not None
    response = layer(client_context(ACCEPTS), lambda _ctx: Response(pieces(), content_type="text/plain"))
    assert isinstance(response.body, Iterator)
    assert zlib.decompressobj(31).decompress(next(response.body)) == b"one ", "before the second one is made"


@pytest.mark.parametrize("name", ["stream", "list"])
def test_a_streamed_body_matches_its_fields(client: TestClient, name: str) -> None:
    answer = client.get(f"/{name}", headers=ACCEPTS)
    assert (answer.headers["content-encoding"], gzip.decompress(answer.body)) == ("gzip", b"one two")


class Closing:
    """A streamed body that counts how often it is closed."""

    def __init__(self) -> None:
        self.closed = 0
        self._pieces = pieces()

    def __iter__(self) -> Closing:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_compressed_body_is_closed_once_even_if_it_is_not_read(tmp_path: Path, method: str) -> None:
    made: list[Closing] = []

    def closing(_ctx: Context) -> Response:
        made.append(Closing())
        return Response(made[0], content_type="text/plain")

    client = TestClient(App(Config("production", tmp_path), lambda r: r.get("/", closing)))
    assert client.request(method, "/", headers=ACCEPTS).headers["content-encoding"] == "gzip"
    assert made[0].closed == 1


def client_context(headers: dict[str, str]) -> Any:  # noqa: ANN401 - only the part of a Context that the layer reads
    """Build the part of a Context that the layer reads."""
    seen: list[Context] = []

    def note(ctx: Context) -> None:
        seen.append(ctx)

    def routes(r: Routes) -> None:
        r.get("/", note)

    TestClient(App(Config("production", Path("/nowhere")), routes)).get("/", headers=headers)
    return seen[0]


def test_a_compressed_answer_has_a_tag_of_its_own_that_gives_304(client: TestClient) -> None:
    answer = client.get("/tagged", headers=ACCEPTS)
    assert answer.headers["etag"] == '"v1--gzip"'
    again = client.get("/tagged", headers=ACCEPTS | {"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.headers["etag"]) == (304, '"v1--gzip"')
    assert "content-encoding" not in again.headers
    assert [value for name, value in again.fields if name == "Vary"] == ["Accept", "Accept-Encoding"]
    assert client.get("/tagged", headers={"If-None-Match": '"v1--gzip"'}).status == 200, "it has other bytes"


@pytest.mark.parametrize(
    ("path", "condition"),
    [
        ("/tagged", {"If-None-Match": '"zz"v1--gzip"'}),  # contains the text of the tag, but is not the tag
        ("/missing", {"If-None-Match": '"v1--gzip"'}),  # conditions do not apply to a 404
    ],
)
def test_the_tag_of_a_coding_is_sent_only_with_the_coded_body(
    client: TestClient, path: str, condition: dict[str, str]
) -> None:
    answer = client.get(path, headers=ACCEPTS | condition)
    assert (answer.headers["etag"], answer.headers["content-encoding"]) == ('"v1--gzip"', "gzip")
    assert gzip.decompress(answer.body) == LONG.encode()


@pytest.mark.parametrize(("accept", "then"), [("gzip", ""), ("", "gzip")])
def test_a_part_of_one_coding_is_not_joined_to_one_of_another_by_a_date(
    client: TestClient, accept: str, then: str
) -> None:
    assert client.get("/dated", headers={"Accept-Encoding": accept}).headers["last-modified"] == DATE
    more = {"Range": "bytes=10-", "If-Range": DATE, "Accept-Encoding": then}
    assert client.get("/dated", headers=more).status == 200


@pytest.mark.parametrize(("lines", "coding"), [(("br", "gzip"), "gzip"), (("*", "gzip;q=0, zstd;q=0"), None)])
def test_every_line_of_accept_encoding_counts(client: TestClient, lines: tuple[str, str], coding: str | None) -> None:
    answer = client.get("/text", headers={"Accept-Encoding": lines})
    assert answer.headers.get("content-encoding") == coding


def test_several_ranges_of_a_compressed_answer_get_all_of_it_and_one_its_part(client: TestClient) -> None:
    whole = client.get("/tagged", headers=ACCEPTS)
    several = client.get("/tagged", headers=ACCEPTS | {"Range": "bytes=0-4, 20-24"})
    assert (several.status, several.headers["content-encoding"], several.body) == (200, "gzip", whole.body)
    one = client.get("/tagged", headers=ACCEPTS | {"Range": "bytes=20-24"})
    assert (one.status, one.headers["content-encoding"], one.body) == (206, "gzip", whole.body[20:25])


@pytest.mark.parametrize(
    ("headers", "compressed"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Cookie": "session=1"}, True),
        ({"Cookie": "session=1", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Cookie": "session=1", "Sec-Fetch-Site": "none"}, True),
        ({"Cookie": "session=1", "Sec-Fetch-Site": "cross-site"}, False),
        ({"Cookie": "session=1", "Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_another_site_learns_no_secret_from_a_length(
    client: TestClient, headers: dict[str, str], *, compressed: bool
) -> None:
    answer = client.get("/text", headers=ACCEPTS | headers)
    assert ("content-encoding" in answer.headers) is compressed
    assert answer.headers["vary"] == "Accept-Encoding"


def test_head_has_the_fields_of_get(client: TestClient) -> None:
    get, head = client.get("/text", headers=ACCEPTS), client.request("HEAD", "/text", headers=ACCEPTS)
    assert head.headers["content-length"] == get.headers["content-length"]
    assert head.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(("path", "coding"), [("/static/a.txt", None), ("/empty", None), ("/short", "gzip")])
def test_head_has_the_fields_of_get_however_little_is_compressed(tmp_path: Path, path: str, coding: str | None) -> None:
    def routes(r: Routes) -> None:
        r.get("/short", ANSWERS["short"])
        r.get("/empty", lambda _ctx: text(""))

    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "a.txt").write_text(LONG)
    config = replace(Config("production", tmp_path), compression=CompressionSection(minimum_bytes=0))
    client = TestClient(App(config, routes))
    get, head = (client.request(method, path, headers=ACCEPTS) for method in ("GET", "HEAD"))
    assert get.headers.get("content-encoding") == coding
    for name in ("content-encoding", "etag", "vary"):
        assert head.headers.get(name) == get.headers.get(name)
    assert head.headers.get("content-length", "0") == get.headers["content-length"]


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    config = replace(Config("production", tmp_path), compression=CompressionSection(enabled=False))
    client = TestClient(App(config, lambda r: r.get("/", ANSWERS["text"])))
    assert "content-encoding" not in client.get("/", headers=ACCEPTS).headers


def test_every_coding_that_this_python_has_is_offered() -> None:
    available = codings(1)
    assert list(available)[-1] == "gzip"
    assert set(available) <= {"zstd", "gzip"}
