"""One value for each error; it decides what production shows."""

from __future__ import annotations

from arlen_runtime.error_pages.error_value import document_for
from arlen_runtime.errors import ArlenError, FieldError, MethodNotAllowed, NotFound, ValidationFailed
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request import Head

HEAD = Head("GET", "/users", "q=1", 1, Headers([]), "x", True, None, False, False, "id-1", "::1", "::1", "http")
SECRET = "postgresql://user:hunter2@db/x"


class Taken(ArlenError):
    """An internal error with a status of its own, like those of the database."""

    status = 409
    code = "taken"
    title = "Taken"


def test_the_members_are_the_same_for_every_error() -> None:
    for error in (NotFound("Gone."), ValueError("x"), Taken("x")):
        assert list(document_for(error, HEAD, internal=False).members()) == [
            "type",
            "title",
            "status",
            "code",
            "detail",
            "instance",
            "request_id",
            "correlation_id",
        ]


def test_errors_are_present_only_if_there_are_any() -> None:
    value = document_for(
        ValidationFailed([FieldError("age", "invalid_integer", "must be an integer")]), HEAD, internal=False
    )
    assert value.members()["detail"] == "1 field is invalid"
    assert value.members()["errors"] == [
        {"field": "age", "code": "invalid_integer", "message": "must be an integer", "source": "body"}
    ]


def test_a_detail_written_for_the_client_is_shown() -> None:
    value = document_for(NotFound("There is no such page."), HEAD, internal=False)
    assert (value.status, value.code, value.detail) == (404, "not_found", "There is no such page.")
    assert (value.instance, value.request_id) == ("/users", "id-1")
    assert document_for(NotFound(), HEAD, internal=False).detail == "Not found"


def test_production_shows_nothing_from_inside() -> None:
    for error, status, code in ((RuntimeError(SECRET), 500, "internal_error"), (Taken(SECRET), 409, "taken")):
        value = document_for(error, HEAD, internal=False)
        assert (value.status, value.code) == (status, code)
        assert "hunter2" not in str(value)
        assert "correlation id" in value.detail


def test_development_shows_the_message() -> None:
    assert document_for(RuntimeError("why"), HEAD, internal=True).detail == "RuntimeError: why"


def test_headers_of_the_error_are_kept_and_a_missing_head_is_allowed() -> None:
    value = document_for(MethodNotAllowed(["GET"]), None, internal=False)
    assert value.headers == (("Allow", "GET"),)
    assert (value.instance, value.request_id, value.correlation_id) == ("", "", "")


def test_the_correlation_id_is_the_one_of_the_proxy_else_the_request_id() -> None:
    alone = document_for(NotFound(), HEAD, internal=False)
    together = document_for(NotFound(), HEAD._replace(correlated="order-4711"), internal=False)
    assert (alone.request_id, alone.correlation_id) == ("id-1", "id-1")
    assert (together.request_id, together.correlation_id) == ("id-1", "order-4711")
