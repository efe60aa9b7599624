"""State of one request, for all layers. It lives in the request's own `contextvars.Context`.

The server runs a handler, and each step of a stream, in one Context per request, on any thread. So
a value that is set here is neither lost when the thread changes nor leaked to the next request on
the same thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import NamedTuple, Protocol


class StatementRecord(NamedTuple):
    """One SQL statement of a request: text, wall time in seconds, row count, call site.

    `failed` is the code of the error that it raised, "" if none.
    """

    sql: str
    seconds: float
    rows: int
    call_site: str
    failed: str = ""


class OpenTransaction(Protocol):
    """A transaction, opaque here: the layer that opened it finds it again."""


class PageRequest(Protocol):
    """The request that a page is rendered for, as far as helpers of templates use it."""

    @property
    def csp_nonce(self) -> str:
        """Nonce for inline scripts and styles."""
        ...

    def csrf_field(self) -> str:
        """Return the hidden field that every form needs."""
        ...


def _do_nothing() -> None:
    """Default of `about_to_wait` outside a server."""


def _never() -> bool:
    """Default of `client_is_gone` outside a server."""
    return False


deadline: ContextVar[float | None] = ContextVar("arlen_deadline", default=None)
"""Deadline of this request, in seconds of `time.monotonic()`; None: no limit."""

request_id: ContextVar[str] = ContextVar("arlen_request_id", default="")
"""The id of the request, for log lines; "" outside a request."""

correlation_id: ContextVar[str] = ContextVar("arlen_correlation_id", default="")
"""The correlation id that a trusted proxy passed on, for log lines; "" if none."""

log_fields: ContextVar[Mapping[str, object]] = ContextVar("arlen_log_fields", default=MappingProxyType({}))
"""What `log.bind` added to the lines of the request."""

traceparent: ContextVar[str] = ContextVar("arlen_traceparent", default="")
"""The traceparent that the request sends on; "" until it is first used."""

transaction: ContextVar[OpenTransaction | None] = ContextVar("arlen_transaction", default=None)
"""The current database transaction of this request, the innermost one."""

statements: ContextVar[list[StatementRecord] | None] = ContextVar("arlen_statements", default=None)
"""The statement log of this request; None if it is not recorded."""

wrote: ContextVar[bool] = ContextVar("arlen_wrote", default=False)
"""Whether this request has written to the database: it then reads from the same database."""

client_is_gone: ContextVar[Callable[[], bool]] = ContextVar("arlen_gone", default=_never)
"""Called now and then during a long wait; True if the client has disconnected.

The function must not wait.
"""

about_to_wait: ContextVar[Callable[[], None]] = ContextVar("arlen_about_to_wait", default=_do_nothing)
"""Call it before a wait of unknown length: the server then serves other connections."""

page_request: ContextVar[PageRequest | None] = ContextVar("arlen_page_request", default=None)
"""The request whose template is being rendered; None outside a rendering."""
