"""Cookies: read leniently, written strictly."""

from __future__ import annotations

from time import process_time

import pytest

from arlen_runtime.http.cookies import SetCookie, read
from arlen_runtime.http.headers import Headers


def _read(*lines: str) -> dict[str, str]:
    return read(Headers([(b"cookie", line.encode("latin-1")) for line in lines]))


def test_pairs_become_names_and_values() -> None:
    assert _read("a=1; b=two;c=3=3;  d = 4 ") == {"a": "1", "b": "two", "c": "3=3", "d": "4"}
    assert _read() == {}


def test_the_first_cookie_of_a_name_counts_as_the_most_specific() -> None:
    assert _read("a=1; a=2", "a=3; b=4") == {"a": "1", "b": "4"}


def test_quotes_around_a_value_are_not_part_of_it() -> None:
    assert _read('a="x y"; b="; c="') == {"a": "x y", "b": '"', "c": '"'}


def test_text_that_is_not_a_pair_is_skipped() -> None:
    assert _read("; ;=1; naked; a=; =;;") == {"a": ""}


def test_the_cost_is_linear_in_the_header() -> None:
    def seconds(count: int) -> float:
        headers = Headers([(b"cookie", b"; ".join(b"n%d=%d" % (number, number) for number in range(count)))])
        started = process_time()
        read(headers)
        return process_time() - started

    small = min(seconds(4_000) for _ in range(5))
    assert min(seconds(32_000) for _ in range(3)) < small * 8 * 4


def test_the_defaults_are_the_safe_ones() -> None:
    assert str(SetCookie("a", "1")) == "a=1; Path=/; HttpOnly; SameSite=Lax"


def test_every_attribute_is_written() -> None:
    cookie = SetCookie("a", "1", 60, "/x", "example.org", secure=True, http_only=False, same_site="None")
    assert str(cookie) == "a=1; Path=/x; Domain=example.org; Max-Age=60; Secure; SameSite=None"


def test_a_cookie_is_removed_by_an_age_of_zero() -> None:
    assert (
        str(SetCookie.gone("__Host-a", secure=True)) == "__Host-a=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
    )


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "a\r\nb", "\u00e9", 'a"'])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        SetCookie(name, "1")


@pytest.mark.parametrize("value", ["a b", "a;b", "a,b", 'a"b', "a\\b", "a\r\nSet-Cookie: b=1", "\u00e9", "a\x00"])
def test_a_bad_value_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="value"):
        SetCookie("a", value)


def test_bad_paths_and_domains_are_refused() -> None:
    for path in ("", "x", "/;", "/\r\n", "/\u00e9"):
        with pytest.raises(ValueError, match="path"):
            SetCookie("a", "1", path=path)
    for domain in ("", "a b", "a;b", "a..b", "-\r\n"):
        with pytest.raises(ValueError, match="domain"):
            SetCookie("a", "1", domain=domain)


@pytest.mark.parametrize(
    "build",
    [
        lambda: SetCookie("a", "1", same_site="None"),
        lambda: SetCookie("a", "1", same_site="lax"),  # type: ignore[arg-type] # what a caller without a checker does
        lambda: SetCookie("__Secure-a", "1"),
        lambda: SetCookie("__Host-a", "1"),
        lambda: SetCookie("__host-a", "1", path="/x", secure=True),
        lambda: SetCookie("__Host-a", "1", domain="a.org", secure=True),
        lambda: SetCookie("a", "1" * 4096),
    ],
)
def test_cookies_that_browsers_drop_silently_are_refused(build: object) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match=r"cookie|SameSite"):
        build()
