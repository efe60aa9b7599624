"""The types of fixtures that are functions: what a test calls, and what it gets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from arlen_runtime.http.request import Head
from arlen_runtime.testing import RunningServer, TestClient

Serve = Callable[..., RunningServer]
"""Start a server of the test's application; arguments are its flags and variables."""

ServeApp = Callable[..., TestClient]
"""Build an App and return a client that calls it without a socket."""

Rewrite = Callable[..., None]
"""Write another version of the test's application."""

Exhaust = Callable[[str], None]
"""Make fork fail for "worker" or "program"; with "" it works again."""

Drive = Callable[..., Any]
"""Put load on a server from another process."""

Write = Callable[..., Path]
"""Write a migration and return its path."""


Migrate = Callable[[str], object]
"""Run SQL on a connection of its own."""

Execute = Callable[[str], list[tuple[object, ...]]]
"""Run SQL on a connection of its own and return the rows."""

Suspend = Callable[[int], None]
"""Stop a process as a debugger does."""

HeadOf = Callable[..., Head]
"""Parse the head of a request."""

Same = Callable[[Any, Any], bool]
"""Compare two values, NaN included."""

Front = Callable[..., str]
"""Start a proxy in front of a server and return its address."""

DescriptorsLeft = Callable[[int], AbstractContextManager[None]]
"""Run a block in which the process can open only so many descriptors more."""


class RestartablePostgres(Protocol):
    """A PostgreSQL server of one test."""

    url: str

    def start(self) -> float:
        """Start it again. Return the time of its first answer."""
        ...

    def stop(self) -> None:
        """Stop it, which ends every connection."""
        ...
