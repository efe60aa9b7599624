"""The raw client reads every kind of response, and every wait has a timeout."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from arlen_runtime.testing.wire import Wire


@contextmanager
def _saying(data: bytes) -> Iterator[Wire]:
    """Serve these bytes to one client, then close."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            accepted, _address = listener.accept()
            with accepted:
                accepted.recv(65536)
                accepted.sendall(data)

        server = threading.Thread(target=serve)
        server.start()
        with Wire(listener.getsockname()[1]) as wire:
            wire.send(b"?")
            yield wire
        server.join()


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (b"Content-Length: 5\r\n", b"hello"),
        (b"Transfer-Encoding: chunked\r\n", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
        (b"", b"hello"),
    ],
)
def test_a_body_is_read_whatever_marks_its_end(fields: bytes, body: bytes) -> None:
    with _saying(b"HTTP/1.1 200 OK\r\nX-A: b\r\n" + fields + b"\r\n" + body) as wire:
        answer = wire.answer()

    assert (answer.status, answer.headers["x-a"], answer.body) == (200, "b", b"hello")


def test_two_answers_are_read_one_by_one_and_then_the_end() -> None:
    one = b"HTTP/1.1 204 No Content\r\n\r\n"
    with _saying(one + one) as wire:
        assert [wire.answer().status, wire.answer().status] == [204, 204]
        assert wire.ends()


def test_a_truncated_answer_is_an_error() -> None:
    with _saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel") as wire, pytest.raises(EOFError, match="hel"):
        wire.answer()
