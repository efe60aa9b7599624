"""Headers: ordered, case-insensitive, repeated names kept."""

from __future__ import annotations

import pytest

from arlen_runtime.http.headers import Headers

HEADERS = Headers([(b"accept", b"a"), (b"x-name", b"caf\xe9"), (b"accept", b"b")])


def test_names_are_found_whatever_their_case() -> None:
    assert HEADERS["Accept"] == HEADERS.get("ACCEPT") == "a"
    assert "X-Name" in HEADERS
    assert "x-other" not in HEADERS


def test_a_field_that_did_not_come_is_the_default_or_a_key_error() -> None:
    assert HEADERS.get("host") is None
    assert HEADERS.get("host", "-") == "-"
    with pytest.raises(KeyError):
        HEADERS["host"]


def test_repeated_fields_are_kept_in_their_order() -> None:
    assert HEADERS.get_all("accept") == ["a", "b"]
    assert (HEADERS.get_list("Accept"), HEADERS.get_list("x-other")) == ("a,b", "")
    assert list(HEADERS) == [("accept", "a"), ("x-name", "caf\u00e9"), ("accept", "b")]
    assert len(HEADERS) == 3


def test_bytes_are_what_came() -> None:
    assert HEADERS.get_bytes(b"x-name") == b"caf\xe9"
    assert HEADERS.get_bytes(b"host") is None
