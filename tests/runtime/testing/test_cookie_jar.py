"""The cookie jar keeps and sends what a browser does.

test_browser_requests.py compares most rules with Chromium; here is what needs https, and the jar
as a mapping.
"""

from __future__ import annotations

import pytest

from arlen_runtime.testing.cookie_jar import CookieJar, is_trustworthy
from arlen_runtime.testing.url import URL

SECURE = URL("https", "shop.example", "/in/x")
PLAIN = URL("http", "shop.example", "/in/x")


def test_an_unencrypted_page_neither_sees_nor_replaces_a_secure_cookie() -> None:
    jar = CookieJar()
    jar.store(SECURE, "a=1; Secure; Path=/in")
    jar.store(PLAIN, "a=2; Path=/in/x")
    jar.store(PLAIN, "a=3; Path=/; Domain=shop.example")
    assert jar.header(SECURE) == "a=1; a=3", "of the last one the path is outside"
    assert jar.header(PLAIN) == "a=3"
    jar.store(PLAIN, "b=1; Secure")
    jar.store(PLAIN, "c=1; SameSite=None")
    assert jar.header(PLAIN) == "a=3"


@pytest.mark.parametrize(
    ("line", "stored"),
    [
        ("__Host-a=1; Secure; Path=/", True),
        ("__Host-a=1; Secure; Path=/in", False),
        ("__Host-a=1; Secure", False),
        ("__Host-a=1; Secure; Path=/; Domain=shop.example", False),
        ("__SECURE-a=1; Secure", True),
        ("__Secure-a=1", False),
        ("a=1; Domain=example", False),
        ("a=1; Domain=op.example", False),
        ("a=1; Domain=.SHOP.example", True),
        ("a\x07=1", False),
        ("", False),
        ("=", False),
    ],
)
def test_a_cookie_that_breaks_a_promise_is_dropped(line: str, stored: bool) -> None:  # noqa: FBT001 - a column of the table
    jar = CookieJar()
    jar.store(SECURE, line)
    assert bool(jar.header(SECURE)) == stored


def test_the_mapping_shows_what_is_alive_and_a_test_may_change_it() -> None:
    jar = CookieJar()
    jar.update(a="own", b="own")
    assert jar.header(PLAIN) == jar.header(URL("https", "other.example", "/")) == "a=own; b=own"
    jar.store(PLAIN, "a=2; Path=/")
    assert (dict(jar), len(jar), repr(jar)) == ({"b": "own", "a": "2"}, 2, "CookieJar({'b': 'own', 'a': '2'})")
    jar.store(PLAIN, "b=; Max-Age=0")
    assert jar == {"a": "2"}
    jar["a"] = "3"
    assert jar.header(PLAIN) == "a=3"
    del jar["a"]
    with pytest.raises(KeyError):
        del jar["a"]


@pytest.mark.parametrize(
    ("expires", "alive"),
    [
        ("Fri, 01 Jan 2100 00:00:00 GMT", True),
        ("01-jan-69 0:0:0", True),
        ("2100 Jan 1 10:10:10 PST", True),
        ("Thu, 01 Jan 1970 00:00:00 GMT", False),
        ("01-JAN-99 00:00:00", False),
        ("1 Jan 1600 00:00:00", True),
        ("1 Jan 2100", True),
        ("1 Feb 1970 24:00:00", True),
    ],
)
def test_a_date_is_read_leniently_and_ignored_if_it_is_none(expires: str, alive: bool) -> None:  # noqa: FBT001 - a column of the table
    jar = CookieJar()
    jar.store(PLAIN, f"a=1; Expires={expires}")
    assert ("a" in jar) == alive


def test_https_and_this_machine_are_trustworthy() -> None:
    hosts = {
        "localhost": True,
        "a.localhost:80": True,
        "127.9.9.9": True,
        "[::1]:1": True,
        "a.test": False,
        "127.example": False,
    }
    assert {host: is_trustworthy(URL("http", host, "/")) for host in hosts} == hosts
    assert is_trustworthy(SECURE)
