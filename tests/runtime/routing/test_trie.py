"""The trie itself; what it finds is tested with the router."""

from __future__ import annotations

import pytest

from arlen_runtime.errors import ArlenError
from arlen_runtime.routing.choices import Authority
from arlen_runtime.routing.conditions import HostPattern
from arlen_runtime.routing.converters import Converter
from arlen_runtime.routing.endpoint import Endpoint, Site
from arlen_runtime.routing.pattern import Pattern
from arlen_runtime.routing.trie import Trie, find

HOST = HostPattern("{tenant}.x")


def endpoint(
    path: str, method: str = "GET", host: HostPattern | None = None, formats: tuple[str, ...] = ()
) -> Endpoint:
    """Build an endpoint."""
    return Endpoint((method,), Pattern(path), print, host=host, formats=formats)


def test_a_leaf_with_conditions_is_not_on_the_fast_path() -> None:
    plain, other, put = endpoint("/a"), endpoint("/a", host=HOST), endpoint("/a", "PUT")
    for order in ((plain, other, put), (other, put, plain)):
        trie = Trie(order)
        assert trie.fixed == {"/a": {"PUT": put}}
        assert find(trie.root, ["a"], 0, "GET", [], None) is plain
        assert find(trie.root, ["a"], 0, "HEAD", [], Authority("b.x")) is other
        assert trie.negotiated == {}
    assert Trie([plain]).fixed == {"/a": {"GET": plain, "HEAD": plain}}


def test_an_own_route_for_head_stays_beside_those_of_get() -> None:
    head = endpoint("/a", "HEAD", host=HOST)
    trie = Trie([endpoint("/a"), endpoint("/a", host=HOST), head])
    assert find(trie.root, ["a"], 0, "HEAD", [], Authority("b.x")) is head
    only_head = endpoint("/a", "HEAD")
    trie = Trie([endpoint("/a", host=HOST), only_head])
    assert find(trie.root, ["a"], 0, "HEAD", [], Authority("b.x")) is only_head


def test_the_values_of_the_path_come_before_those_of_the_host() -> None:
    values: list[object] = []
    wild = endpoint("/{rest:path}", host=HOST)
    assert find(Trie([wild]).root, ["a", "b"], 0, "GET", values, Authority("t.x")) is wild
    assert values == ["a/b", "t"]
    values.clear()
    assert find(Trie([wild]).root, ["a", "b"], 0, "GET", values, Authority("t.y")) is None
    assert values == []


def test_accept_chooses_among_the_formats_of_a_host() -> None:
    csv, json = endpoint("/a", formats=("csv",)), endpoint("/a", formats=("json",))
    assert Trie([csv, json]).negotiated == dict.fromkeys((csv, json), ("text/csv", "application/json"))


def test_a_converter_that_fails_is_named_with_its_route_and_parameter() -> None:
    converters = {"color": Converter("color", {"red": 1}.__getitem__)}
    route = Endpoint(("GET",), Pattern("/paint/{tint:color}/x", converters), print, site=Site("shop.py", 3))
    with pytest.raises(ArlenError, match=r"'color' of 'tint' in GET /paint/.* \(shop.py:3\) raises KeyError") as raised:
        find(Trie([route]).root, ["paint", "blue", "x"], 0, "GET", [], None)
    assert isinstance(raised.value.__cause__, KeyError)
