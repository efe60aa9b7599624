"""URLs are read as the WHATWG URL Standard says."""

from __future__ import annotations

import pytest

from arlen_runtime.testing import url
from arlen_runtime.testing.url import URL

BASE = URL("http", "localhost", "/a/b", "q=1", "f")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("/e/ü b?ö#x", "/e/%C3%BC%20b?%C3%B6"),
        ("c", "/a/c"),
        ("../../../c", "/c"),
        ("", "/a/b?q=1"),
        ("#g", "/a/b?q=1"),
        ("?", "/a/b?"),
        ("%2E%2e/./c/%2e", "/c/"),
        (" \t/a\r\nb\x00", "/ab"),
        ("\\a\\..\\b", "/b"),
        ("/%zz%4", "/%zz%4"),
        ("/a?b'\"<>#`", "/a?b%27%22%3C%3E"),
        ("/`{}^?`{}^|", "/%60%7B%7D%5E?`{}^|"),
        ("/\ud83d\ude00/\udc00", "/%F0%9F%98%80/%EF%BF%BD"),
        ("http:c", "/a/c"),
    ],
)
def test_a_target_is_encoded_and_resolved_as_by_a_browser(text: str, target: str) -> None:
    read = url.parse(text, BASE)
    assert (read.origin, read.target) == ("http://localhost", target)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("//OTHER.example:80/x", "http://other.example"),
        ("https:\\\\b\\x", "https://b"),
        ("https:b", "https://b"),
        ("https://b:00443", "https://b"),
        ("http://user:secret@b:8080/x@y", "http://b:8080"),
        ("http://ü.example", "http://xn--tda.example"),
        ("http://a%2eb", "http://a.b"),
        ("http://a。b", "http://a.b"),
        ("http://127.1", "http://127.0.0.1"),
        ("http://0x7f000001", "http://127.0.0.1"),
        ("http://017700000001", "http://127.0.0.1"),
        ("http://[0:0::1]:81/", "http://[::1]:81"),
    ],
)
def test_a_host_has_one_spelling(text: str, origin: str) -> None:
    assert url.parse(text, BASE).origin == origin


@pytest.mark.parametrize(
    "text",
    [
        "mailto:a@b",
        "javascript:alert(1)",
        "https://",
        "http://a b",
        "http://a:99999",
        "http://a:b",
        "http://1.2.3.4.5",
        "http://256.1.1.1",
        "http://[::1",
        "http://[1]",
        "http://a%00b",
        "http://%ff",
    ],
)
def test_what_is_not_a_url_of_http_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"http or https|valid host") as caught:
        url.parse(text, BASE)
    assert repr(text) in str(caught.value)


def test_a_url_is_written_with_its_fragment_and_its_host_read_without_the_port() -> None:
    read = url.parse("//b:81/x?#ü", BASE)
    assert (str(read), read.hostname) == ("http://b:81/x?#%C3%BC", "b")
    assert url.parse("//[::1]", BASE).hostname == "[::1]"
