"""Paths are split first, decoded once, and converted exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.routing.pattern import Pattern
from arlen_runtime.routing.router import Router
from arlen_runtime.routing.routes import Endpoint


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("users", "begin with a slash"),
        ("/{id}/{id}", "twice"),
        ("/{rest:path}/x", "must be last"),
        ("/{id:number}", "available are date, int, path, slug, text, uuid"),
        ("/a{id}", "neither plain text nor one parameter"),
        ("/{id}x", "neither plain text nor one parameter"),
        ("/{id}.JSON", "neither plain text nor one parameter"),
        ("/{rest:path}.json", "cannot have an extension"),
        ("/{Id}", "neither plain text nor one parameter"),
        ("/a%20b", "written decoded"),
        ("/a/../b", "dot segments"),
        ("//a", "another host"),
        ("//{a}", "another host"),
        ("/a\0", "NUL"),
        ("/a\ud800", "surrogate"),
    ],
)
def test_an_invalid_pattern_is_reported_at_boot(text: str, part: str) -> None:
    with pytest.raises(BootError, match=part):
        Pattern(text)


def test_building_encodes_and_refuses_values_that_would_not_match() -> None:
    assert Pattern("/a b/{name}").build({"name": "x/y?z é"}) == "/a%20b/x%2Fy%3Fz%20%C3%A9"
    assert Pattern("/files/{rest:path}").build({"rest": "a/b c"}) == "/files/a/b%20c"
    for text, values in [
        ("/{id:int}", {"id": "x"}),
        ("/{id:int}", {}),
        ("/{name}", {"name": ""}),
        ("/{name}", {"name": ".."}),
        ("/files/{rest:path}", {"rest": "a/../b"}),
        ("/{id:int}.json", {"id": "x"}),
        ("/{name}.json", {"name": ""}),
        ("/{name}", {"name": "a\0"}),
        ("/{rest:path}", {"rest": "a/\0"}),
        ("/{name}", {"name": "a\ud800"}),
    ]:
        with pytest.raises(ArlenError):
            Pattern(text).build(values)


def test_no_built_path_leads_to_another_host() -> None:
    pattern = Pattern("/{rest:path}")
    assert Pattern("/files/{rest:path}").build({"rest": "/a"}) == "/files//a"
    assert pattern.build({"rest": "\\evil.example"}) == "/%5Cevil.example"
    for value in ("/evil.example/x", "//evil.example", "/"):
        with pytest.raises(ArlenError, match="another host"):
            pattern.build({"rest": value})


@pytest.mark.parametrize("text", ["/x/{name}", "/{rest:path}"])
@given(value=st.text(st.characters() | st.sampled_from("/\\%\0\ud800"), min_size=1))
def test_a_built_path_matches_again_with_the_same_value(text: str, value: str) -> None:
    """Any value, except values that no path can contain: these are not built."""
    pattern = Pattern(text)
    router = Router([Endpoint(("GET",), pattern, print)])
    try:
        path = pattern.build(dict.fromkeys(pattern.names, value))
    except ArlenError:
        return
    assert router.match("GET", path).params == dict.fromkeys(pattern.names, value)
