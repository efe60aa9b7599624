"""The error tree: every error has its status and code, and the drawing matches the tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from arlen_runtime import errors
from arlen_runtime.errors import (
    REFUSALS,
    ArlenError,
    BadRequest,
    FieldError,
    HTTPError,
    InvalidBody,
    MethodNotAllowed,
    NotFound,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    ValidationFailed,
    error_of,
)


def tree(kind: type[ArlenError]) -> Iterator[type[ArlenError]]:
    """Yield the class and its subclasses in this module."""
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from tree(below)


KINDS = list(tree(ArlenError))
REFUSING = [kind for kind in KINDS if issubclass(kind, HTTPError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_known_status_a_code_and_a_title(kind: type[ArlenError]) -> None:
    assert 400 <= HTTPStatus(kind.status) < 600
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert kind.title
    assert kind.title[0].isupper()


def test_the_drawing_shows_every_error_that_is_raised_with_its_status_and_code() -> None:
    drawn = {
        match[1]: (int(match[2]), match[3])
        for match in re.finditer(r"[├└]── (\w+) +(\d{3}) (\w+)", errors.__doc__ or "")
    }
    with_a_face = {kind.__name__: (kind.status, kind.code) for kind in REFUSING if kind.status != ArlenError.status}
    assert drawn == {name: face for name, face in with_a_face.items() if name != "RetryLater"}


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in REFUSING if kind.status != ArlenError.status]
    assert len(codes) == len(set(codes))


def test_an_error_keeps_its_sentence_headers_and_field_errors() -> None:
    problem = FieldError("age", "invalid_integer", "must be an integer")
    error = BadRequest("Not so.", headers=[("X-Why", "because")], errors=[problem])
    assert (str(error), error.detail, error.headers, error.errors) == (
        "Not so.",
        "Not so.",
        (("X-Why", "because"),),
        (problem,),
    )
    assert problem.source == "body"


def test_an_invalid_body_is_a_bad_request() -> None:
    assert issubclass(InvalidBody, BadRequest)
    assert InvalidBody.status == 400


def test_a_wrong_method_names_the_allowed_ones() -> None:
    error = MethodNotAllowed(["GET", "HEAD"])
    assert error.headers == (("Allow", "GET, HEAD"),)
    assert "GET, HEAD" in error.detail


@pytest.mark.parametrize(("count", "sentence"), [(1, "1 field is invalid"), (2, "2 fields are invalid")])
def test_a_failed_validation_counts_its_fields(count: int, sentence: str) -> None:
    error = ValidationFailed([FieldError("a", "missing", "is missing")] * count)
    assert error.detail == sentence
    assert len(error.errors) == count


@pytest.mark.parametrize("kind", [TooManyRequests, ServiceUnavailable])
def test_errors_that_allow_a_retry_have_retry_after(kind: type[TooManyRequests | ServiceUnavailable]) -> None:
    assert kind("Later.", retry_after=7).headers == (("Retry-After", "7"),)


def test_a_status_finds_its_error_unless_more_than_a_sentence_is_needed() -> None:
    assert REFUSALS[404] is NotFound
    assert set(REFUSALS) & {405, 422} == set()
    assert all(kind("x").status == status for status, kind in REFUSALS.items())


def test_an_unauthenticated_client_is_challenged() -> None:
    """RFC 9110 section 15.5.2: a 401 must have a challenge."""
    assert Unauthorized().headers == (("WWW-Authenticate", 'Session realm="login"'),)
    assert Unauthorized("Whose?", challenge='Bearer realm="api"').headers == (
        ("WWW-Authenticate", 'Bearer realm="api"'),
    )


@pytest.mark.parametrize(
    ("status", "name", "code", "headers"),
    [
        (404, "NotFound", "not_found", {}),
        (410, "Gone", "gone", {}),
        (401, "Unauthorized", "unauthorized", {"WWW-Authenticate": 'Session realm="login"'}),
        (422, "ValidationFailed", "validation_failed", {}),
        (429, "TooManyRequests", "too_many_requests", {"Retry-After": "1"}),
        (402, "HTTP402", "payment_required", {}),
        (405, "HTTP405", "method_not_allowed", {}),
        (418, "HTTP418", "i_m_a_teapot", {}),
        (499, "HTTP499", "status_499", {}),
        (502, "HTTP502", "bad_gateway", {}),
    ],
)
def test_a_status_has_its_error(status: int, name: str, code: str, headers: dict[str, str]) -> None:
    error = error_of(status, "Why.")
    assert (type(error).__name__, error.status, error.code, error.detail) == (name, status, code, "Why.")
    assert dict(error.headers) == headers
    assert type(error_of(status)) is type(error)


def test_headers_of_the_caller_replace_those_of_the_error() -> None:
    error = error_of(429, headers=[("retry-after", "90"), ("X-Plan", "free")])
    assert error.headers == (("retry-after", "90"), ("X-Plan", "free"))


@pytest.mark.parametrize("status", [200, 303, 399, 600, 0])
def test_a_status_that_is_no_error_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="from 400 to 599"):
        error_of(status)
