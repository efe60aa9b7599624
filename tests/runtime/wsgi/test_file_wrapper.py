"""`wsgi.file_wrapper`: the kernel sends what reading would."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.config.sections import Config
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Body, FileBody
from arlen_runtime.testing.client import TestClient
from arlen_runtime.wsgi import WSGIAdapter
from arlen_runtime.wsgi.cgi_names import Environ, WSGICallable
from arlen_runtime.wsgi.file_wrapper import FileWrapper

Start = Callable[..., Any]
HEAD = Head("GET", "/", "", 1, Headers([]), "x", True, None, False, False, "id-1", "::1", "::1", "http")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write ten bytes."""
    path = tmp_path / "ten"
    path.write_bytes(b"0123456789")
    return path


def wrapping(file: object, length: str = "") -> WSGICallable:
    """Return an application that answers with the file."""

    def application(environ: Environ, start: Start) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", length)] if length else [])
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file)
        return wrapped

    return application


def body_of(config: Config, file: object, length: str = "") -> Body:
    """Return the body that the server gets."""
    return WSGIAdapter(wrapping(file, length), config)(Request(HEAD)).body


@pytest.mark.parametrize(("length", "sent"), [("", b"3456789"), ("7", b"3456789"), ("4", b"3456")])
@pytest.mark.parametrize("buffering", [0, -1])
def test_the_kernel_sends_a_file_from_its_position_to_its_length(
    config: Config, path: Path, buffering: int, length: str, sent: bytes
) -> None:
    opened = path.open("rb", buffering)
    opened.seek(3)
    body = body_of(config, opened, length)
    assert isinstance(body, FileBody)
    assert (body.file.fileno(), body.offset, body.length) == (opened.fileno(), 3, len(sent))
    assert TestClient(WSGIAdapter(wrapping(opened, length), config)).get("/").body == sent
    assert opened.closed


def test_buffered_writes_are_flushed_and_sent(config: Config, path: Path) -> None:
    opened = path.open("r+b")
    opened.read(2)
    opened.seek(0)
    opened.write(b"abcd")
    opened.seek(1)
    body = body_of(config, opened)
    assert isinstance(body, FileBody)
    assert os.pread(body.file.fileno(), body.length, body.offset) == b"bcd456789"
    body.file.close()


class Reversed(io.FileIO):
    """Has the descriptor of a file but reads other bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read backwards."""
        return bytes(reversed(super().read(size) or b""))


def test_a_file_with_its_own_read_is_read(config: Config, tmp_path: Path, path: Path) -> None:
    packed = tmp_path / "packed"
    with gzip.open(packed, "wb") as file:
        file.write(b"plain text")
    unpacked = gzip.GzipFile(packed)
    files = {b"plain text": unpacked, b"9876543210": Reversed(path), b"memory": io.BytesIO(b"memory")}
    for content, source in files.items():
        assert TestClient(WSGIAdapter(wrapping(source), config)).get("/").body == content
        assert source.closed
        assert TestClient(WSGIAdapter(wrapping(io.BytesIO(content), "3"), config)).get("/").body == content[:3]


def test_a_file_without_a_size_is_read(config: Config) -> None:
    path = Path("/proc/self/cmdline")
    assert TestClient(WSGIAdapter(wrapping(io.FileIO(path)), config)).get("/").body == path.read_bytes()


def test_nothing_is_sent_beyond_the_end_of_a_file(config: Config, path: Path) -> None:
    opened = path.open("rb")
    opened.seek(50)
    assert TestClient(WSGIAdapter(wrapping(opened), config)).get("/").body == b""


def test_a_closed_file_is_a_500(config: Config, path: Path) -> None:
    opened = path.open("rb")
    opened.close()
    assert TestClient(WSGIAdapter(wrapping(opened), config)).get("/").status == 500


def test_what_is_written_comes_before_the_file(config: Config, path: Path) -> None:
    def application(environ: Environ, start: Start) -> Iterable[bytes]:
        start("200 OK", [])(b"written ")
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](path.open("rb"))
        return wrapped

    assert TestClient(WSGIAdapter(application, config)).get("/").body == b"written 0123456789"


def test_the_file_is_closed_once(config: Config, path: Path) -> None:
    calls: list[int] = []
    with path.open("rb") as opened:
        close = opened.close
        opened.close = lambda: calls.append(1)  # type: ignore[method-assign] # as Django does, to hear of the end
        body = body_of(config, opened)
        assert isinstance(body, FileBody)
        body.file.close()
        body.file.close()
        assert calls == [1]
        close()


def test_a_file_need_not_have_a_close() -> None:
    class Bare:
        def read(self, _size: int) -> bytes:
            return b""

    wrapper = FileWrapper(Bare())  # type: ignore[arg-type] # PEP 3333 asks for read alone
    assert list(wrapper) == []
    wrapper.close()
