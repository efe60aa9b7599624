"""Header field lines: everything that RFC 9112 section 5 does not allow is refused."""

from __future__ import annotations

import pytest

from arlen_runtime.errors import BadRequest, HeadersTooLarge
from arlen_runtime.http import fields


def test_a_block_becomes_lower_case_names_and_trimmed_values_in_their_order() -> None:
    headers = fields.read(b"Host: a\r\nX-Empty:\r\nACCEPT:\t text/html \t\r\nx-b: 1: 2", 100)
    assert headers.raw == [(b"host", b"a"), (b"x-empty", b""), (b"accept", b"text/html"), (b"x-b", b"1: 2")]


def test_an_empty_block_has_no_fields() -> None:
    assert len(fields.read(b"", 100)) == 0


@pytest.mark.parametrize("value", [b"a\tb", b"caf\xe9", b"\xff\x80", b'"quoted, list"', b"~!{}|"])
def test_tabs_inside_and_obs_text_are_part_of_a_value(value: bytes) -> None:
    assert fields.read(b"X-A: " + value, 100).get_bytes(b"x-a") == value


@pytest.mark.parametrize("code", [*range(9), *range(10, 32), 127])
def test_every_control_byte_but_the_tab_is_refused_in_a_value(code: int) -> None:
    with pytest.raises(BadRequest):
        fields.read(b"X-A: a" + bytes([code]) + b"b", 100)


@pytest.mark.parametrize(
    "line",
    [
        b"X-A : 1",
        b"X-A\t: 1",
        b" X-A: 1",
        b"\tfolded",
        b": 1",
        b"X-A",
        b"",
        b"X A: 1",
        b"X(A): 1",
        b"X\x00A: 1",
        b"X\xc4: 1",
        b"X@A: 1",
        b'"X": 1',
    ],
)
def test_a_malformed_field_line_is_refused(line: bytes) -> None:
    with pytest.raises(BadRequest):
        fields.read(b"Host: a\r\n" + line, 100)


def test_a_malformed_line_is_refused_again_when_it_comes_again() -> None:
    for _ in range(2):
        with pytest.raises(BadRequest):
            fields.read(b"Accept : */*", 100)


@pytest.mark.parametrize("name", [b"Host", b"Content-Length", b"Transfer-Encoding", b"Content-Type", b"Expect"])
def test_a_field_that_may_come_once_is_refused_twice_whatever_its_case(name: bytes) -> None:
    with pytest.raises(BadRequest, match=name.decode().lower()):
        fields.read(name + b": 1\r\nX-A: 2\r\n" + name.upper() + b": 1", 100)


def test_other_fields_may_repeat_and_the_first_value_is_the_one_that_get_returns() -> None:
    headers = fields.read(b"X-A: 1\r\nX-B: 2\r\nX-A: 3", 100)
    assert headers.get("x-a") == "1"
    assert headers.get_all("x-a") == ["1", "3"]


def test_connection_lines_become_one_list() -> None:
    assert fields.read(b"Connection: keep-alive\r\nConnection: close", 100).get("connection") == "keep-alive,close"


def test_a_name_with_an_underscore_does_not_reach_the_application() -> None:
    headers = fields.read(b"X_User: root\r\nX-User: me\r\n_: 1", 100)
    assert list(headers) == [("x-user", "me")]
    assert "x_user" not in headers
    assert "" not in headers


@pytest.mark.parametrize("name", [b"Content_Length", b"TRANSFER_ENCODING", b"content_type"])
def test_a_framing_field_spelled_with_an_underscore_is_refused(name: bytes) -> None:
    with pytest.raises(BadRequest, match="underscore"):
        fields.read(name + b": 5", 100)


def test_more_fields_than_the_limit_are_too_large() -> None:
    block = b"\r\n".join(b"X-%d: 1" % number for number in range(10))
    assert len(fields.read(block, 10)) == 10
    with pytest.raises(HeadersTooLarge):
        fields.read(block, 9)


def test_dropped_fields_count_towards_the_limit() -> None:
    with pytest.raises(HeadersTooLarge):
        fields.read(b"\r\n".join([b"x_a: 1"] * 10), 9)


def test_the_cache_of_lines_contains_no_secrets_and_is_bounded() -> None:
    fields.read(
        b"Cookie: session=s3same-a\r\nAuthorization: Bearer s3same-b\r\nX-Own: s3same-c\r\nAccept: four/five", 100
    )
    remembered = b"\n".join(fields._parsed_lines)
    assert b"four/five" in remembered
    assert b"s3same" not in remembered
    for number in range(5000):
        fields.read(b"Accept: a/%d" % number, 100)
    assert len(fields._parsed_lines) <= 2048
    fields.read(b"Accept: " + b"a" * 10_000, 100)
    assert max(map(len, fields._parsed_lines)) <= 512
