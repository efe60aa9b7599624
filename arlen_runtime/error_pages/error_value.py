"""An error as one value, from which every format is made.

Only this module decides what production shows. The detail of an HTTPError was written for the
client. For every other error, a client outside development and test gets the status, the code, the
title, and the id that leads to the log record.
"""

from __future__ import annotations

from typing import NamedTuple

from arlen_runtime.error_pages.traceback_view import message_of
from arlen_runtime.errors import ArlenError, FieldError, HTTPError
from arlen_runtime.http.request import Head

_UNEXPECTED = "Something went wrong. The error is in the log under the correlation id."
_PRIVATE = "The request failed. The reason is in the log under the correlation id."
_SERVER_ERROR = 500


class ErrorDocument(NamedTuple):
    """Fields of an error in every format, with the names of RFC 9457.

    `headers` are added to the response.
    """

    status: int
    code: str
    title: str
    detail: str
    instance: str
    request_id: str
    correlation_id: str
    errors: tuple[FieldError, ...]
    headers: tuple[tuple[str, str], ...]

    def members(self) -> dict[str, object]:
        """Return the members of the problem document; `errors` only if there are any."""
        members: dict[str, object] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "instance": self.instance,
            "request_id": self.request_id,
            "correlation_id": self.correlation_id,
        }
        return members | {"errors": [error._asdict() for error in self.errors]} if self.errors else members


def document_for(error: BaseException, head: Head | None, *, internal: bool) -> ErrorDocument:
    """Return the document for an error, not redacted.

    `internal` allows internal messages in it. `head` is None if no head was read.
    """
    arlen_error = error if isinstance(error, ArlenError) else ArlenError()
    return ErrorDocument(
        status=arlen_error.status,
        code=arlen_error.code,
        title=arlen_error.title,
        detail=_detail(error, arlen_error.status, internal=internal),
        instance=head.path if head is not None else "",
        request_id=head.id if head is not None else "",
        correlation_id=head.correlation_id if head is not None else "",
        errors=arlen_error.errors,
        headers=arlen_error.headers,
    )


def _detail(error: BaseException, status: int, *, internal: bool) -> str:
    """Return the sentence for the client."""
    if isinstance(error, HTTPError):
        return error.detail or error.title
    if internal:
        return f"{type(error).__qualname__}: {message_of(error)}"
    return _UNEXPECTED if status >= _SERVER_ERROR else _PRIVATE
