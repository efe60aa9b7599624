"""What one request carries through every room. One rule: it lives in the request's own `contextvars.Context`.

The server runs a handler, and each step of a stream, inside one Context per request, on whatever thread. So what is set
here is neither lost when the thread changes nor leaked to the next request on the same thread.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple, Protocol


class StatementRecord(NamedTuple):
    """One SQL statement of a request: its text, its wall time in seconds, rows or affected count, where it was called.

    `failed` is the code of the error that it ended with, "" where it did not.
    """

    sql: str
    seconds: float
    rows: int
    call_site: str
    failed: str = ""


class OpenTransaction(Protocol):
    """What scope knows of a transaction: nothing but that the layer that opened it can find it again."""


def _do_nothing() -> None:
    """Stand in for the server's `about_to_wait` where no server runs the request."""


def _never() -> bool:
    """Stand in for the server's `gone` where no server runs the request."""
    return False


deadline: ContextVar[float | None] = ContextVar("arlen_deadline", default=None)
"""When this request must be answered, in seconds of `time.monotonic()`; None: no limit."""

request_id: ContextVar[str] = ContextVar("arlen_request_id", default="")
"""The id of the request, for log lines; empty outside a request."""

correlation_id: ContextVar[str] = ContextVar("arlen_correlation_id", default="")
"""The id that a trusted proxy passed on for all that belongs together, for log lines; empty without one."""

transaction: ContextVar[OpenTransaction | None] = ContextVar("arlen_transaction", default=None)
"""The current database transaction of this request, the innermost one."""

statements: ContextVar[list[StatementRecord] | None] = ContextVar("arlen_statements", default=None)
"""The statement log of this request; None: nobody wants it."""

wrote: ContextVar[bool] = ContextVar("arlen_wrote", default=False)
"""Whether this request has written to the database: then it reads from where it wrote."""

client_is_gone: ContextVar[Callable[[], bool]] = ContextVar("arlen_gone", default=_never)
"""Asked now and then during a long wait: True when nobody waits for the answer any more. Must not wait itself."""

about_to_wait: ContextVar[Callable[[], None]] = ContextVar("arlen_about_to_wait", default=_do_nothing)
"""Call it before a wait of unknown length, so that the server can go on with other connections meanwhile."""
