"""Every error that Arlen raises on purpose, with its HTTP status and its code.

    ArlenError                      500 internal_error       never shown to a client as it is
    ├── ConfigError                                          a file, variable or flag is wrong
    │   └── NoApplication                                    a command needs an application
    ├── BootError                                            the application cannot start
    └── HTTPError                                            its detail is written for the client
        ├── BadRequest              400 bad_request
        │   └── InvalidBody         400 invalid_body         the body does not match its type
        ├── Unauthorized            401 unauthorized
        ├── Forbidden               403 forbidden
        ├── NotFound                404 not_found
        ├── MethodNotAllowed        405 method_not_allowed   with Allow
        ├── NotAcceptable           406 not_acceptable
        ├── RequestTimeout          408 request_timeout
        ├── Conflict                409 conflict
        ├── Gone                    410 gone
        ├── LengthRequired          411 length_required
        ├── PreconditionFailed      412 precondition_failed
        ├── PayloadTooLarge         413 payload_too_large
        ├── URITooLong              414 uri_too_long
        ├── UnsupportedMediaType    415 unsupported_media_type
        ├── RangeNotSatisfiable     416 range_not_satisfiable
        ├── ExpectationFailed       417 expectation_failed
        ├── MisdirectedRequest      421 misdirected_request
        ├── ValidationFailed        422 validation_failed    with errors, a FieldError each
        ├── TooManyRequests         429 too_many_requests    with Retry-After
        ├── HeadersTooLarge         431 headers_too_large
        ├── NotImplementedByServer  501 not_implemented
        ├── ServiceUnavailable      503 service_unavailable  with Retry-After
        ├── GatewayTimeout          504 gateway_timeout
        └── VersionNotSupported     505 version_not_supported

`alnpg.errors` adds the database errors below ArlenError. Statuses are those of RFC 9110 section 15
and RFC 6585.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import ClassVar, NamedTuple


class FieldError(NamedTuple):
    """An error in one field of the input: `field`, a stable `code`, a sentence, and its source."""

    field: str
    code: str
    message: str
    source: str = "body"


class ArlenError(Exception):
    """The root of the tree. `detail` says what is wrong and what to do.

    Only the detail of an HTTPError may reach a client.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal server error"
    exit_status: ClassVar[int] = 1
    """The exit status of a command that gets this error: 1 failure, 2 wrong usage."""

    def __init__(
        self,
        detail: str = "",
        *,
        headers: Sequence[tuple[str, str]] = (),
        errors: Sequence[FieldError] = (),
    ) -> None:
        """Keep the sentence, the response headers of the error, and its field errors."""
        super().__init__(detail)
        self.detail = detail
        self.headers: tuple[tuple[str, str], ...] = tuple(headers)
        self.errors: tuple[FieldError, ...] = tuple(errors)


class ConfigError(ArlenError):
    """The configuration is wrong.

    The detail names the file (and line) or variable, the key and the remedy.
    """

    code = "invalid_configuration"


class NoApplication(ConfigError):
    """A command that needs an application was called outside one."""

    exit_status = 2


class BootError(ArlenError):
    """The application cannot start: a bad target, wrong signature, or duplicate route name."""

    code = "boot_failed"


class HTTPError(ArlenError):
    """An error that is sent to the client as a response; its detail is written for the client."""


class BadRequest(HTTPError):
    """The request is malformed."""

    status = 400
    code = "bad_request"
    title = "Bad request"


class InvalidBody(BadRequest):
    """The body does not match its Content-Type."""

    code = "invalid_body"
    title = "Invalid body"


class Unauthorized(HTTPError):
    """The client is not authenticated.

    RFC 9110 section 15.5.2: a challenge must be sent.
    """

    status = 401
    code = "unauthorized"
    title = "Unauthorized"

    def __init__(
        self, detail: str = "", *, headers: Sequence[tuple[str, str]] = (), challenge: str = 'Session realm="login"'
    ) -> None:
        """Set the challenge; the default asks for a session: browsers open no dialog for it."""
        super().__init__(detail, headers=[("WWW-Authenticate", challenge), *headers])


class Forbidden(HTTPError):
    """The client may not do this."""

    status = 403
    code = "forbidden"
    title = "Forbidden"


class NotFound(HTTPError):
    """There is nothing at this address."""

    status = 404
    code = "not_found"
    title = "Not found"


class MethodNotAllowed(HTTPError):
    """The path exists, but not for this method.

    RFC 9110 section 15.5.6: Allow must be sent.
    """

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"

    def __init__(self, allowed: Sequence[str], detail: str = "") -> None:
        """Name the methods that the path allows."""
        allow = ", ".join(allowed)
        super().__init__(detail or f"This address answers {allow}.", headers=[("Allow", allow)])


class NotAcceptable(HTTPError):
    """No representation matches the Accept header."""

    status = 406
    code = "not_acceptable"
    title = "Not acceptable"


class RequestTimeout(HTTPError):
    """The request did not arrive in time."""

    status = 408
    code = "request_timeout"
    title = "Request timeout"


class Conflict(HTTPError):
    """The state of the resource forbids the request."""

    status = 409
    code = "conflict"
    title = "Conflict"


class Gone(HTTPError):
    """There was something at this address, and it will not come back."""

    status = 410
    code = "gone"
    title = "Gone"


class LengthRequired(HTTPError):
    """The body has no known end (RFC 9110 section 15.5.12)."""

    status = 411
    code = "length_required"
    title = "Length required"


class PreconditionFailed(HTTPError):
    """A condition of the request (If-Match, If-Unmodified-Since) is not met."""

    status = 412
    code = "precondition_failed"
    title = "Precondition failed"


class PayloadTooLarge(HTTPError):
    """The body exceeds the endpoint's limit."""

    status = 413
    code = "payload_too_large"
    title = "Payload too large"


class URITooLong(HTTPError):
    """The request line exceeds its limit."""

    status = 414
    code = "uri_too_long"
    title = "URI too long"


class UnsupportedMediaType(HTTPError):
    """The endpoint does not accept the body's Content-Type."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"


class RangeNotSatisfiable(HTTPError):
    """The Range lies outside the representation.

    RFC 9110 section 15.5.17: Content-Range names its length.
    """

    status = 416
    code = "range_not_satisfiable"
    title = "Range not satisfiable"


class ExpectationFailed(HTTPError):
    """The Expect header asks for something other than 100-continue."""

    status = 417
    code = "expectation_failed"
    title = "Expectation failed"


class MisdirectedRequest(HTTPError):
    """The connection may not be used for this address (RFC 9110 section 7.4)."""

    status = 421
    code = "misdirected_request"
    title = "Misdirected request"


class ValidationFailed(HTTPError):
    """The input was understood but is not valid; `errors` names the fields and reasons."""

    status = 422
    code = "validation_failed"
    title = "Validation failed"

    def __init__(self, errors: Sequence[FieldError], detail: str = "") -> None:
        """Keep the field errors; the default sentence counts them."""
        count = len(errors)
        super().__init__(detail or f"{count} field{' is' if count == 1 else 's are'} invalid", errors=errors)


class RetryLater(HTTPError):
    """Base of the two errors with Retry-After in whole seconds (RFC 9110 section 10.2.3)."""

    def __init__(self, detail: str = "", *, retry_after: int = 1) -> None:
        """Set Retry-After to the seconds after which another attempt makes sense."""
        super().__init__(detail, headers=[("Retry-After", str(retry_after))])


class TooManyRequests(RetryLater):
    """The client has exceeded its rate limit (RFC 6585 section 4)."""

    status = 429
    code = "too_many_requests"
    title = "Too many requests"


class HeadersTooLarge(HTTPError):
    """The header block exceeds its limits (RFC 6585 section 5)."""

    status = 431
    code = "headers_too_large"
    title = "Request header fields too large"


class NotImplementedByServer(HTTPError):
    """The server does not implement the method or transfer coding."""

    status = 501
    code = "not_implemented"
    title = "Not implemented"


class ServiceUnavailable(RetryLater):
    """The server cannot respond now: overload, a draining worker, an unreachable database."""

    status = 503
    code = "service_unavailable"
    title = "Service unavailable"


class GatewayTimeout(HTTPError):
    """A service behind the server did not respond in time."""

    status = 504
    code = "gateway_timeout"
    title = "Gateway timeout"


class VersionNotSupported(HTTPError):
    """The request has another major version of HTTP."""

    status = 505
    code = "version_not_supported"
    title = "HTTP version not supported"


REFUSALS: dict[int, type[HTTPError]] = {
    kind.status: kind
    for kind in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        NotAcceptable,
        RequestTimeout,
        Conflict,
        Gone,
        PreconditionFailed,
        PayloadTooLarge,
        URITooLong,
        UnsupportedMediaType,
        RangeNotSatisfiable,
        ExpectationFailed,
        TooManyRequests,
        HeadersTooLarge,
        NotImplementedByServer,
        ServiceUnavailable,
        GatewayTimeout,
        VersionNotSupported,
    )
}
"""Status to error class, if only the number is known (405 and 422 need more than a sentence)."""


def error_of(status: int, detail: str = "", headers: Sequence[tuple[str, str]] = ()) -> HTTPError:
    """Return the error of a status from 400 to 599; `headers` are added to its own.

    Raises ValueError for another status.
    """
    if status == ValidationFailed.status:
        error: HTTPError = ValidationFailed((), detail or ValidationFailed.title)
    else:
        error = (REFUSALS.get(status) or _error_class(status))(detail)
    names = {name.lower() for name, _ in headers}
    kept = (field for field in error.headers if field[0].lower() not in names)
    error.headers = (*kept, *headers)
    return error


@lru_cache(None)  # at most one class for each number
def _error_class(status: int) -> type[HTTPError]:
    """Return a class for a status that has none here."""
    if not 400 <= status <= 599:  # noqa: PLR2004 - client and server errors (RFC 9110 section 15)
        raise ValueError(f"{status} is not the status of an error: it is a number from 400 to 599")
    try:
        title = HTTPStatus(status).phrase.capitalize()
    except ValueError:
        title = f"Status {status}"
    code = re.sub("[^a-z0-9]+", "_", title.lower())
    return type(f"HTTP{status}", (HTTPError,), {"status": int(status), "code": code, "title": title})
