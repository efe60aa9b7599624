"""Conditional requests: the order of RFC 9110 section 13.2.2."""

from __future__ import annotations

import pytest

from arlen_runtime.http.conditional import change_outcome, coded, outcome, range_still_valid
from arlen_runtime.http.headers import Headers

MODIFIED = 784111777
AT = "Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"


def _headers(fields: dict[str, str]) -> Headers:
    return Headers([(name.lower().encode(), value.encode("latin-1")) for name, value in fields.items()])


@pytest.mark.parametrize(
    ("method", "fields", "answer"),
    [
        ("GET", {}, None),
        ("GET", {"If-None-Match": '"a"'}, 304),
        ("HEAD", {"If-None-Match": '"a"'}, 304),
        ("GET", {"If-None-Match": 'W/"a"'}, 304),
        ("GET", {"If-None-Match": '"x", "a,b", W/"a"'}, 304),
        ("GET", {"If-None-Match": '"b"'}, None),
        ("GET", {"If-None-Match": "a"}, None),
        ("GET", {"If-None-Match": "*"}, 304),
        ("PUT", {"If-None-Match": "*"}, 412),
        ("PUT", {"If-None-Match": '"a"'}, 412),
        ("PUT", {"If-None-Match": '"b"'}, None),
        ("GET", {"If-Modified-Since": AT}, 304),
        ("GET", {"If-Modified-Since": AFTER}, 304),
        ("GET", {"If-Modified-Since": BEFORE}, None),
        ("GET", {"If-Modified-Since": "yesterday"}, None),
        ("POST", {"If-Modified-Since": AT}, None),
        ("GET", {"If-None-Match": '"b"', "If-Modified-Since": AT}, None),
        ("PUT", {"If-Match": '"a"'}, None),
        ("PUT", {"If-Match": '"b", "a"'}, None),
        ("PUT", {"If-Match": "*"}, None),
        ("PUT", {"If-Match": 'W/"a"'}, 412),
        ("PUT", {"If-Match": '"b"'}, 412),
        ("PUT", {"If-Match": ""}, 412),
        ("PUT", {"If-Unmodified-Since": BEFORE}, 412),
        ("PUT", {"If-Unmodified-Since": AT}, None),
        ("PUT", {"If-Unmodified-Since": "never"}, None),
        ("PUT", {"If-Match": '"a"', "If-Unmodified-Since": BEFORE}, None),
        ("GET", {"If-Match": '"a"', "If-None-Match": '"a"'}, 304),
        ("GET", {"If-Match": '"b"', "If-None-Match": '"a"'}, 412),
    ],
)
def test_conditions_are_evaluated_in_their_order(method: str, fields: dict[str, str], answer: int | None) -> None:
    assert outcome(method, _headers(fields), '"a"', MODIFIED) == answer


def test_a_weak_tag_matches_weakly_only() -> None:
    assert outcome("GET", _headers({"If-None-Match": '"a"'}), 'W/"a"', None) == 304
    assert outcome("PUT", _headers({"If-Match": 'W/"a"'}), 'W/"a"', None) == 412


def test_a_representation_without_validators_matches_only_the_star() -> None:
    assert outcome("GET", _headers({"If-None-Match": '"a"', "If-Modified-Since": AT}), None, None) is None
    assert outcome("GET", _headers({"If-Modified-Since": AT}), None, None) is None
    assert outcome("PUT", _headers({"If-Match": '"a"'}), None, None) == 412
    assert outcome("PUT", _headers({"If-Match": "*"}), None, None) is None
    twice = Headers([(b"if-none-match", b"*"), (b"if-none-match", b"* ")])
    assert outcome("PUT", twice, '"a"', None) == outcome("PUT", _headers({"If-None-Match": "*, *"}), '"a"', None) == 412


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({}, None),
        ({"If-None-Match": "*"}, None),
        ({"If-None-Match": '"a"'}, None),
        ({"If-None-Match": "*, *"}, None),
        ({"If-Match": "*"}, 412),
        ({"If-Match": "*, *"}, 412),
        ({"If-Match": '"a"'}, 412),
        ({"If-Unmodified-Since": BEFORE}, None),
    ],
)
def test_if_there_is_no_representation_a_star_matches_nothing(fields: dict[str, str], answer: int | None) -> None:
    assert change_outcome("PUT", _headers(fields), None, None) == answer
    assert outcome("PUT", _headers(fields), None, None, exists=False) == answer


def test_a_resource_with_a_date_and_no_tag_exists() -> None:
    assert change_outcome("PUT", _headers({"If-None-Match": "*"}), None, MODIFIED) == 412
    assert change_outcome("PUT", _headers({"If-Match": "*"}), None, MODIFIED) is None


@pytest.mark.parametrize(
    ("condition", "tag", "valid"),
    [
        ('"a"', '"a"', True),
        ('"b"', '"a"', False),
        ('W/"a"', 'W/"a"', False),
        ('"a"', None, False),
        (AT, '"a"', False),
        (AT, 'W/"a"', True),
        (AT, None, True),
        (AFTER, '"a"', False),
        (AFTER, None, False),
        (BEFORE, None, False),
        ("nonsense", '"a"', False),
    ],
)
def test_a_range_is_valid_only_for_exactly_this_representation(condition: str, tag: str | None, valid: bool) -> None:  # noqa: FBT001 - a column
    assert range_still_valid(_headers({"If-Range": condition}), tag, MODIFIED) is valid


def test_without_if_range_a_range_is_valid_and_without_a_date_no_date_is() -> None:
    assert range_still_valid(_headers({}), None, None)
    assert not range_still_valid(_headers({"If-Range": AT}), '"a"', None)
    assert not range_still_valid(_headers({"If-Range": "nonsense"}), '"a"', None)


def test_the_tag_of_a_coding_means_the_same_state_for_a_change() -> None:
    tag = coded('"v1"', "gzip")
    assert tag == '"v1--gzip"'
    headers = Headers([(b"if-match", tag.encode())])
    assert outcome("PUT", headers, '"v1"', None) == 412
    assert change_outcome("PUT", headers, '"v1"', None) is None
    assert change_outcome("PUT", headers, '"v2"', None) == 412
