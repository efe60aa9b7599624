"""The nearest routes of a request that none matches, each with its reason, at a bounded cost."""

from __future__ import annotations

import time

import pytest

from arlen_runtime.routing.router import Router
from arlen_runtime.routing.routes import Routes


def act(_ctx: object) -> None:
    """Do nothing."""


def build_router() -> Router:
    """Build a router with one route for each reason."""
    r = Routes()
    r.converter("broken", {"a": 1}.__getitem__)
    r.get("/", act)
    r.get("/about", act)
    r.get("/users/{id:int}", act)
    r.get("/users/{id:int}/posts/{day:date}", act)
    r.post("/articles", act)
    r.get("/tenant", act, host="{tenant}.example.org")
    r.get("/reports/{name}.json", act)
    r.get("/data", act, formats=("json",))
    r.get("/broken/{x:broken}", act)
    r.get("/files/all/{rest:path}", act)
    r.check()
    return Router(r.endpoints)


ROUTER = build_router()


@pytest.mark.parametrize(
    ("request_line", "path", "reason"),
    [
        ("GET /abuot", "/about", "'abuot' is not 'about'"),
        ("GET /users/abc", "/users/{id:int}", "the converter int of id refuses 'abc'"),
        ("GET /users/", "/users/{id:int}", "the converter int of id refuses ''"),
        ("GET /user/3", "/users/{id:int}", "'user' is not 'users'"),
        ("GET /users", "/users/{id:int}", "the path has one segment fewer: {id:int} is missing"),
        ("GET /users/3/posts", "/users/{id:int}/posts/{day:date}", "one segment fewer: {day:date} is missing"),
        ("GET /users/3/psts/1", "/users/{id:int}/posts/{day:date}", "'psts' is not 'posts'; the converter date of"),
        ("GET /about/us", "/about", "one segment more: 'us'"),
        ("GET /about/", "/about", "one segment more: a final slash"),
        ("GET /articles", "/articles", "it answers POST, not GET"),
        ("GET /tenant", "/tenant", "its host is {tenant}.example.org, not example.net"),
        ("GET /reports/x", "/reports/{name}.json", "the converter text with .json of name refuses 'x'"),
        ("GET /data", "/data", "it answers in json"),
        ("GET /broken/b", "/broken/{x:broken}", "the converter broken of x raises KeyError"),
        ("GET /files/al/x/y", "/files/all/{rest:path}", "'al' is not 'all'"),
        ("HEAD /about", "/about", "it matches this path"),
    ],
)
def test_the_nearest_route_has_its_reason(request_line: str, path: str, reason: str) -> None:
    method, _, requested = request_line.partition(" ")
    nearest = ROUTER.explain(method, requested, "Example.net:80")[0]
    assert (nearest.endpoint.pattern.text, reason in nearest.reason) == (path, True), nearest.reason


@pytest.mark.parametrize("path", ["/nothing/in/common", "/%ff", "*", "/" + "x" * 10_000, "/a" * 5_000])
def test_a_path_that_has_nothing_in_common_has_no_near_route(path: str) -> None:
    assert ROUTER.explain("GET", path) == ()


def test_a_long_segment_is_shortened() -> None:
    (nearest,) = ROUTER.explain("GET", "/users/" + "x" * 1_000)
    assert nearest.reason == f"the converter int of id refuses '{'x' * 40}…'"


def test_the_work_is_bounded_for_many_routes_and_long_paths() -> None:
    r = Routes()
    for number in range(10_000):
        r.get(f"/area{number}/{{id:int}}", act)
    router = Router(r.endpoints)
    began = time.process_time()
    assert len(router.explain("GET", "/area77/x")) == 5
    router.explain("GET", "/" + "area/" * 1_000 + "x" * 5_000)
    assert time.process_time() - began < 2  # 0.2 on the machine where it was written
