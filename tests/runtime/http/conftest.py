"""Fixtures for HTTP: a connection here is bytes in, values out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.errors import HTTPError
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.http.request import Head


@dataclass
class Conversation:
    """The output of a parser: heads with their bodies so far, and the error that ended it."""

    heads: list[Head] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    error: HTTPError | None = None

    @property
    def status(self) -> int | None:
        return None if self.error is None else self.error.status


@pytest.fixture(scope="session")
def parser_for() -> Callable[..., RequestParser]:
    """Build a parser with these limits."""

    def build(**limits: int) -> RequestParser:
        origin = Origin("192.0.2.1", "http", TrustedProxies(), IdSource())
        return RequestParser(LimitsSection(**limits), origin)

    return build


@pytest.fixture(scope="session")
def converse(parser_for: Callable[..., RequestParser]) -> Callable[..., Conversation]:
    """Feed pieces of bytes to a new parser as a connection does, and return its output."""

    def run(pieces: Iterable[bytes], **limits: int) -> Conversation:
        parser = parser_for(**limits)
        out = Conversation()
        try:
            for piece in pieces:
                parser.feed(piece)
                _drain(parser, out)
        except HTTPError as error:
            out.error = error
        return out

    return run


def _drain(parser: RequestParser, out: Conversation) -> None:
    while True:
        if not parser.body_done:
            out.bodies[-1] += parser.read_body()
            if not parser.body_done:
                return
        head = parser.next_head()
        if head is None:
            return
        out.heads.append(head)
        out.bodies.append(b"")


@pytest.fixture(scope="session")
def head_of() -> Callable[..., Head]:
    """Build a head as the parser would."""

    def build(method: str = "GET", target: str = "/", headers: Iterable[tuple[str, str]] = (), **facts: object) -> Head:
        path, _, query = target.partition("?")
        pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        values: dict[str, Any] = {
            "minor": 1,
            "headers": Headers(pairs),
            "host": "example.org",
            "keep_alive": True,
            "content_length": None,
            "chunked": False,
            "expects_continue": False,
            "id": "0" * 24,
            "client": "192.0.2.1",
            "peer": "192.0.2.1",
            "scheme": "http",
        } | facts
        return Head(method=method, path=path, query=query, **values)

    return build
