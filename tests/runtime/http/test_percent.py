"""Percent-decoding: once, strict."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arlen_runtime.errors import BadRequest
from arlen_runtime.http.percent import decode, decode_plus, split_path

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(_TEXT)
def test_what_was_encoded_comes_back(text: str) -> None:
    assert decode(quote(text, safe="")) == text
    assert decode_plus(quote_plus(text)) == text


def test_it_decodes_once() -> None:
    assert decode("%252F%2f+") == "%2F/+"
    assert decode_plus("a+b%2B") == "a b+"


@pytest.mark.parametrize("text", ["%", "a%2", "%zz", "%%20", "% 20", "%2", "%+1", "%\u0662\u0660"])
def test_a_percent_without_two_digits_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="hexadecimal"):
        decode(text)


@pytest.mark.parametrize("text", ["%ff", "%c0%af", "%ed%a0%80", "%e2%82", "%80"])
def test_what_is_not_utf_8_is_refused_overlong_forms_and_surrogates_too(text: str) -> None:
    with pytest.raises(BadRequest, match="UTF-8"):
        decode(text)


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/", [""]),
        ("/a/b", ["a", "b"]),
        ("/a//b/", ["a", "", "b", ""]),
        ("/a%2Fb/c", ["a/b", "c"]),
        ("/%252F", ["%2F"]),
        ("/%C3%A9", ["é"]),
    ],
)
def test_a_path_is_split_before_it_is_decoded_and_decoded_once(path: str, segments: list[str]) -> None:
    assert split_path(path) == segments


@pytest.mark.parametrize("path", ["", "a", "*", "/%", "/%4", "/%zz", "/%ff", "/%c0%af", "/%ed%a0%80", "/a%00b"])
def test_a_path_that_is_not_percent_encoded_utf8_is_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        split_path(path)
