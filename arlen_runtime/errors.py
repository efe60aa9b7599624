"""Every error that Arlen raises on purpose. One rule: an error knows its HTTP status and its code.

    ArlenError                      500 internal_error       never shown to a client as it stands
    ├── ConfigError                                          a file, variable or flag is wrong
    │   └── NoApplication                                    a command was given outside of an application
    ├── BootError                                            the application cannot start
    └── HTTPError                                            its detail is written for the client
        ├── BadRequest              400 bad_request
        │   └── InvalidBody         400 invalid_body         the body is not what its type promises
        ├── Unauthorized            401 unauthorized
        ├── Forbidden               403 forbidden
        ├── NotFound                404 not_found
        ├── MethodNotAllowed        405 method_not_allowed   with Allow
        ├── NotAcceptable           406 not_acceptable
        ├── RequestTimeout          408 request_timeout
        ├── Conflict                409 conflict
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

`alnpg.errors` grows the database's branch from ArlenError. Statuses are those of RFC 9110 section 15 and RFC 6585.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple


class FieldError(NamedTuple):
    """What is wrong with one field of the input: `field`, a stable `code`, a sentence, and where it came from."""

    field: str
    code: str
    message: str
    source: str = "body"


class ArlenError(Exception):
    """The root. `detail` says what was wrong and what to do; only an HTTPError's detail may reach a client."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal server error"
    exit_status: ClassVar[int] = 1
    """How a command ends that meets it: 1 failed, 2 wrong use."""

    def __init__(
        self,
        detail: str = "",
        *,
        headers: Sequence[tuple[str, str]] = (),
        errors: Sequence[FieldError] = (),
    ) -> None:
        """Keep the sentence, the response headers that belong to this error, and its field errors."""
        super().__init__(detail)
        self.detail = detail
        self.headers: tuple[tuple[str, str], ...] = tuple(headers)
        self.errors: tuple[FieldError, ...] = tuple(errors)


class ConfigError(ArlenError):
    """The configuration is wrong. The detail names the file (and line) or variable, the key and the remedy."""

    code = "invalid_configuration"


class NoApplication(ConfigError):
    """A command that works on an application was given outside of one."""

    exit_status = 2


class BootError(ArlenError):
    """The application cannot be started: a bad target, a wrong signature, a duplicate route name."""

    code = "boot_failed"


class HTTPError(ArlenError):
    """An answer to the client in the form of an error: its detail is written for the client's eyes."""


class BadRequest(HTTPError):
    """The request is malformed."""

    status = 400
    code = "bad_request"
    title = "Bad request"


class InvalidBody(BadRequest):
    """The body is not what its Content-Type promises."""

    code = "invalid_body"
    title = "Invalid body"


class Unauthorized(HTTPError):
    """The client has not said who it is (RFC 9110 section 15.5.2: a challenge must be sent)."""

    status = 401
    code = "unauthorized"
    title = "Unauthorized"

    def __init__(
        self, detail: str = "", *, headers: Sequence[tuple[str, str]] = (), challenge: str = 'Session realm="login"'
    ) -> None:
        """Take the challenge; the default says that a session is wanted, for which no browser opens a window."""
        super().__init__(detail, headers=[("WWW-Authenticate", challenge), *headers])


class Forbidden(HTTPError):
    """The client may not do this."""

    status = 403
    code = "forbidden"
    title = "Forbidden"


class NotFound(HTTPError):
    """Nothing is here."""

    status = 404
    code = "not_found"
    title = "Not found"


class MethodNotAllowed(HTTPError):
    """The path exists, under other methods (RFC 9110 section 15.5.6: Allow must be sent)."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"

    def __init__(self, allowed: Sequence[str], detail: str = "") -> None:
        """Take the methods that the path does answer."""
        allow = ", ".join(allowed)
        super().__init__(detail or f"This address answers {allow}.", headers=[("Allow", allow)])


class NotAcceptable(HTTPError):
    """No representation fits the Accept header."""

    status = 406
    code = "not_acceptable"
    title = "Not acceptable"


class RequestTimeout(HTTPError):
    """The request did not arrive in time."""

    status = 408
    code = "request_timeout"
    title = "Request timeout"


class Conflict(HTTPError):
    """The state of the resource forbids it."""

    status = 409
    code = "conflict"
    title = "Conflict"


class LengthRequired(HTTPError):
    """A body whose end is not told (RFC 9110 section 15.5.12)."""

    status = 411
    code = "length_required"
    title = "Length required"


class PreconditionFailed(HTTPError):
    """A condition of the request (If-Match, If-Unmodified-Since) does not hold."""

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
    """The body's Content-Type is not one that this address reads."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"


class RangeNotSatisfiable(HTTPError):
    """The Range lies outside the representation (RFC 9110 section 15.5.17: Content-Range says its length)."""

    status = 416
    code = "range_not_satisfiable"
    title = "Range not satisfiable"


class ExpectationFailed(HTTPError):
    """The Expect header asks for something other than 100-continue."""

    status = 417
    code = "expectation_failed"
    title = "Expectation failed"


class MisdirectedRequest(HTTPError):
    """The address is not one that this connection may ask for (RFC 9110 section 7.4)."""

    status = 421
    code = "misdirected_request"
    title = "Misdirected request"


class ValidationFailed(HTTPError):
    """The input was understood and is not valid; `errors` says which fields and why."""

    status = 422
    code = "validation_failed"
    title = "Validation failed"

    def __init__(self, errors: Sequence[FieldError], detail: str = "") -> None:
        """Take the field errors; the sentence counts them unless one is given."""
        count = len(errors)
        super().__init__(detail or f"{count} field{' is' if count == 1 else 's are'} invalid", errors=errors)


class RetryLater(HTTPError):
    """The root of the two errors that carry Retry-After (RFC 9110 section 10.2.3), in whole seconds."""

    def __init__(self, detail: str = "", *, retry_after: int = 1) -> None:
        """Take the sentence and the seconds after which a new attempt makes sense."""
        super().__init__(detail, headers=[("Retry-After", str(retry_after))])


class TooManyRequests(RetryLater):
    """The client's rate limit is used up (RFC 6585 section 4)."""

    status = 429
    code = "too_many_requests"
    title = "Too many requests"


class HeadersTooLarge(HTTPError):
    """The header block exceeds its limits (RFC 6585 section 5)."""

    status = 431
    code = "headers_too_large"
    title = "Request header fields too large"


class NotImplementedByServer(HTTPError):
    """The method or transfer coding is not one that this server knows."""

    status = 501
    code = "not_implemented"
    title = "Not implemented"


class ServiceUnavailable(RetryLater):
    """The server cannot answer now: overload, a draining worker, a database that is away."""

    status = 503
    code = "service_unavailable"
    title = "Service unavailable"


class GatewayTimeout(HTTPError):
    """Something behind the server did not answer in time."""

    status = 504
    code = "gateway_timeout"
    title = "Gateway timeout"


class VersionNotSupported(HTTPError):
    """The request speaks another major version of HTTP."""

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
"""Status to error class, for those who only know the number (405 and 422 want more than a sentence)."""
