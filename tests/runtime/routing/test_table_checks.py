"""Two routes for one address, and routes that are never reached, are mistakes at boot."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from arlen_runtime.errors import BootError
from arlen_runtime.routing.routes import Routes

Write = Callable[[Any], object]


def act(_ctx: object) -> None:
    """Do nothing."""


def within(prefix: str, path: str) -> Write:
    """Return a function that adds a route in a group."""

    def write(r: Routes) -> None:
        with r.group(prefix):
            r.get(path, act)

    return write


def mistakes(*writes: Write) -> list[str]:
    """Return the lines of the error; [] if there is none."""
    r = Routes()
    for write in writes:
        write(r)
    try:
        r.check()
    except BootError as error:
        return error.detail.splitlines()
    return []


def get(path: str, **options: Any) -> Write:  # noqa: ANN401 - options of a route
    """Return a function that adds a route for GET."""
    return lambda r: r.get(path, act, **options)


@pytest.mark.parametrize(
    ("first", "second", "methods"),
    [
        (get("/a"), get("/a"), "GET"),
        (get("/u/{id}"), get("/u/{name}"), "GET"),
        (get("/u/{id:int}/x"), get("/u/{n:int}/x"), "GET"),
        (get("/{a:path}"), get("/{b:path}"), "GET"),
        (get("/{a}.json"), get("/{b}.json"), "GET"),
        (within("/a", "/b"), get("/a/b"), "GET"),
        (within("/a", "/"), get("/a"), "GET"),
        (lambda r: r.any("/a", act), get("/a"), "GET"),
        (lambda r: r.any("/a", act), lambda r: r.add(("PUT", "POST", "OPTIONS"), "/a", act), "PUT POST"),
        (get("/a", host="{a}.x"), get("/a", host="{b}.X."), "GET"),
        (get("/a", formats=("json", "csv")), get("/a", formats=("csv", "xml")), "GET"),
        (lambda r: r.redirect("/a", "/b"), get("/a"), "GET"),
    ],
)
def test_one_address_has_one_route(first: Write, second: Write, methods: str) -> None:
    for writes in ((first, second), (second, first)):
        (line,) = mistakes(*writes)
        assert re.match(
            rf"{re.escape(__file__)}:\d+: [A-Z ]+ /.* has a route already: .*{re.escape(__file__)}:\d+\)$", line
        )
        assert set(re.findall("[A-Z]{3,}", line.split(": ")[1])) == set(methods.split())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (get("/a"), lambda r: r.add(("HEAD",), "/a", act)),
        (get("/a"), lambda r: r.post("/a", act)),
        (get("/a"), get("/a/")),
        (get("/u/{id}"), get("/u/{rest:path}")),
        (get("/u/{id:int}"), get("/u/{id}")),
        (get("/u/{id}"), get("/u/{id}.json")),
        (get("/u/{id}"), get("/u/new")),
        (get("/a"), get("/a", host="a.x")),
        (get("/a", host="{a}.x"), get("/a", host="a.x")),
        (get("/a", formats=("json",)), get("/a", formats=("csv",))),
        (get("/a", formats=("json",)), get("/a")),
        (get("/{a}", host="a.x"), get("/{a:int}")),
        (get("/{rest:path}"), get("/{a:int}/x")),
        (get("/{a}/"), get("/{a:int}/{b:int}")),
    ],
)
def test_different_conditions_methods_and_places_are_no_mistake(first: Write, second: Write) -> None:
    assert mistakes(first, second) == mistakes(second, first)[:0] == []


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (get("/u/{name}"), get("/u/{id:int}")),
        (get("/{a}/{b}"), get("/{a:slug}/x")),
        (get("/{a}/x/{c}"), get("/{a:date}/x/{c:uuid}")),
        (get("/{a}/{rest:path}"), get("/{a:int}/{rest:path}")),
        (lambda r: r.any("/{a}", act), get("/{a:int}")),
    ],
)
def test_a_route_that_is_never_reached_is_reported(wide: Write, narrow: Write) -> None:
    (line,) = mistakes(wide, narrow)
    assert re.match(
        rf"{re.escape(__file__)}:\d+: GET /.* is never reached: .*{re.escape(__file__)}:\d+\) matches", line
    )
    assert mistakes(narrow, wide) == []


def test_a_route_whose_branch_came_first_is_reached() -> None:
    """The converter of the route was tried before the text, because of another route."""
    assert mistakes(get("/{a:int}/x"), get("/{a}/y"), get("/{a:int}/y")) == []
