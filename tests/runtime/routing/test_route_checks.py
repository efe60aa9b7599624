"""The checks of one route; most are tested with their file and line in test_routes."""

from __future__ import annotations

import pytest

from arlen_runtime.errors import BootError
from arlen_runtime.routing.converters import CONVERTERS, Converter, to_text
from arlen_runtime.routing.pattern import Pattern
from arlen_runtime.routing.route_checks import (
    checked_body,
    checked_converter,
    checked_formats,
    checked_host,
    checked_limit,
    checked_methods,
    join_path,
)


def test_a_checked_value_is_returned() -> None:
    assert join_path("/a", "/") == "/a"
    assert checked_methods(["GET", "GET"]) == ("GET",)
    assert checked_body(None, ("GET", "PUT")) == "buffer"
    assert checked_limit(0) == 0
    assert checked_formats(["json"], Pattern("/v1.0")) == ("json",)
    assert checked_formats(["json", "xml"], Pattern("/feed.xml")) == ()
    assert checked_host("a.example", None).labels == ("a", "example")
    assert checked_converter(Converter("a", to_text), CONVERTERS).name == "a"


@pytest.mark.parametrize(
    ("formats", "reason"),
    [
        ("json", "formats must list extensions"),
        ((), "formats must list extensions"),
        (("jsn",), "did you mean json"),
        (("JSON",), "'JSON' is not the extension"),
        ((3,), "3 is not the extension"),
        (("html", "htm"), "a media type twice"),
        (("json",), "has an extension that formats does not list"),
    ],
)
def test_formats_are_extensions_of_media_types(formats: tuple[str, ...], reason: str) -> None:
    with pytest.raises(BootError, match=reason):
        checked_formats(formats, Pattern("/{id}.xml"))
