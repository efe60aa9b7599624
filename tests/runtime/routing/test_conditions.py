"""A host is compared without case, port and final dot; its parameters match one label."""

from __future__ import annotations

import pytest

from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.routing.conditions import HostPattern, host_key, media_types_of


def test_a_parameter_matches_one_label() -> None:
    host = HostPattern("{tenant}.Example.org.")
    assert host.match("a.example.org") == ["a"]
    for other in ("example.org", "a.b.example.org", ".example.org", "a.example.com", "a b.example.org", ""):
        assert host.match(other) is None
    assert host.build({"tenant": "Acme"}) == "acme.example.org"
    assert host_key(host) == host_key(HostPattern("{name}.example.org"))
    assert host_key(None) is None


@pytest.mark.parametrize("values", [{}, {"tenant": "a.b"}, {"tenant": ""}, {"tenant": "a/b"}, {"tenant": None}])
def test_a_host_is_built_of_labels_only(values: dict[str, object]) -> None:
    with pytest.raises(ArlenError, match="needs a value for 'tenant'"):
        HostPattern("{tenant}.example.org").build(values)


@pytest.mark.parametrize(
    "text",
    ["", ".", "https://a.example", "a.example:80", "a.example/x", "a..b", "{a}{b}.c", "{a}.{a}.c", "bücher.example", 3],
)
def test_a_host_that_no_request_can_have_is_reported(text: str) -> None:
    with pytest.raises(BootError, match="host"):
        HostPattern(text)


def test_formats_that_are_one_media_type_are_one() -> None:
    assert media_types_of(["htm", "html", "json"]) == {"text/html; charset=utf-8", "application/json"}
