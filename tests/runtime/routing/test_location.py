"""A target that a browser could read as another host is not local."""

from __future__ import annotations

import pytest

from arlen_runtime.routing.location import is_local


@pytest.mark.parametrize("target", ["/", "/a", "/a/b?c=d#e", "/a?next=http://x", "/%5Cevil", "/a//b"])
def test_a_path_on_this_host_is_local(target: str) -> None:
    assert is_local(target)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "a",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " /a",
        "/a\r\nSet-Cookie: x=y",
        "http://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "/a\\b",
        "/a b",
        "/a\n",
    ],
)
def test_a_target_that_could_leave_this_host_is_not_local(target: str) -> None:
    assert not is_local(target)
