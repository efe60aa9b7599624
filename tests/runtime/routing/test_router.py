"""A match is always an endpoint, by precedence.

Its cost does not grow with the number of routes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

import pytest

from arlen_runtime.errors import ArlenError
from arlen_runtime.routing.answers import BAD_PATH, METHOD_NOT_ALLOWED, NOT_FOUND, OPTIONS, SLASH_REDIRECT
from arlen_runtime.routing.conditions import HostPattern
from arlen_runtime.routing.pattern import Pattern
from arlen_runtime.routing.router import Router
from arlen_runtime.routing.routes import Endpoint, Routes

TraceFunction = Callable[[FrameType, str, Any], Any]


def routed(*routes: str) -> Router:
    """Build a router of "METHOD /path name" lines; the name defaults to the path."""
    return Router(map(_endpoint, routes))


def _endpoint(route: str) -> Endpoint:
    method, path, *name = route.split()
    return Endpoint((method,), Pattern(path), print, name=name[0] if name else f"{method} {path}")


def matched_name(router: Router, method: str, path: str) -> str | None:
    """Return the name of the matched route."""
    return router.match(method, path).endpoint.name


def test_static_comes_before_parameter_before_wildcard_whatever_was_registered_first() -> None:
    router = routed(
        "GET /{rest:path} wild", "GET /{a} parameter", "GET /a static", "GET /a/{rest:path} tail", "GET /a/{b} two"
    )
    assert matched_name(router, "GET", "/a") == "static"
    assert matched_name(router, "GET", "/x") == "parameter"
    assert matched_name(router, "GET", "/a/b") == "two"
    assert matched_name(router, "GET", "/a/b/c") == "tail"
    assert matched_name(router, "GET", "/x/y") == "wild"


def test_an_extension_comes_before_none_whatever_was_registered_first() -> None:
    router = routed(
        "GET /{id:int} number",
        "GET /{name} name",
        "GET /{name}.json json",
        "GET /all.json all",
        "PUT /{id:int}.json put",
    )
    for path, name, params in (
        ("/all.json", "all", {}),
        ("/3.json", "json", {"name": "3"}),
        ("/a.b.json", "json", {"name": "a.b"}),
        ("/a%2Ejson", "json", {"name": "a"}),
        ("/3", "number", {"id": 3}),
        ("/a.xml", "name", {"name": "a.xml"}),
        ("/.json", "name", {"name": ".json"}),
    ):
        match = router.match("GET", path)
        assert (match.endpoint.name, match.params) == (name, params)
    assert router.match("PUT", "/3.json").params == {"id": 3}
    assert router.match("PUT", "/x.json").endpoint is METHOD_NOT_ALLOWED
    assert router.url_for("put", {"id": 7}) == "/7.json"


def test_of_equal_routes_the_first_registered_matches() -> None:
    router = routed("GET /{id:int} number", "GET /{name} name", "GET /{other} never")
    assert matched_name(router, "GET", "/3") == "number"
    assert matched_name(router, "GET", "/x") == "name"


def test_a_branch_without_an_endpoint_is_abandoned() -> None:
    router = routed("GET /a/b/c deep", "GET /{x}/b/d other", "GET /a/{rest:path} tail")
    assert matched_name(router, "GET", "/a/b/d") == "tail"
    assert matched_name(router, "GET", "/z/b/d") == "other"
    assert router.match("GET", "/a/q").params == {"rest": "q"}


def test_the_values_of_an_abandoned_branch_are_dropped() -> None:
    router = routed("GET /{a}/{b}/end first", "POST /{a}/{rest:path} posted", "GET /{c:slug}/{rest:path} second")
    match = router.match("GET", "/x/y/z")
    assert (match.endpoint.name, match.params) == ("second", {"c": "x", "rest": "y/z"})


def test_methods_of_one_path_may_be_on_different_branches() -> None:
    router = routed("GET /users/new form", "POST /users/{id:slug} update")
    assert matched_name(router, "POST", "/users/new") == "update"
    match = router.match("DELETE", "/users/new")
    assert match.endpoint is METHOD_NOT_ALLOWED
    assert match.params == {"allowed": ("GET", "HEAD", "OPTIONS", "POST")}


def test_get_answers_head_unless_head_has_its_own_route() -> None:
    router = routed("GET /a get", "GET /b/{x} parameter", "GET /c got", "HEAD /c head")
    assert matched_name(router, "HEAD", "/a") == "get"
    assert matched_name(router, "HEAD", "/b/1") == "parameter"
    assert matched_name(router, "HEAD", "/c") == "head"


def test_options_lists_the_methods() -> None:
    router = routed("GET /a", "PUT /a")
    match = router.match("OPTIONS", "/a")
    assert (match.endpoint, match.params) == (OPTIONS, {"allowed": ("GET", "HEAD", "OPTIONS", "PUT")})
    assert router.match("OPTIONS", "*").endpoint is OPTIONS
    assert router.match("OPTIONS", "/nothing").endpoint is NOT_FOUND
    assert router.match("GET", "*").endpoint is BAD_PATH


def test_an_encoded_slash_never_makes_a_segment() -> None:
    router = routed("GET /a/b two", "GET /{one} one", "GET /files/{rest:path} files")
    assert router.match("GET", "/a%2Fb").params == {"one": "a/b"}
    assert router.match("GET", "/files/x%2F..%2Fy").endpoint is NOT_FOUND


def test_a_static_path_matches_however_it_is_encoded() -> None:
    router = routed("GET /über plain", "GET /users users")
    assert matched_name(router, "GET", "/%C3%BCber") == "plain"
    assert matched_name(router, "GET", "/%75sers") == "users"
    assert "/%C3%BCber" in router.fixed


@pytest.mark.parametrize("path", ["/%ff", "/%", "/%00", "*x"])
def test_a_path_that_cannot_be_decoded_is_a_bad_path(path: str) -> None:
    assert routed("GET /{x} any").match("GET", path).endpoint is BAD_PATH


@pytest.mark.parametrize("path", ["/n/9223372036854775808", "/n/x", "/n/", "/n//", "//n/1"])
def test_a_segment_that_no_converter_accepts_is_not_found(path: str) -> None:
    assert routed("GET /n/{id:int}").match("GET", path).endpoint is NOT_FOUND


def test_the_other_form_of_the_last_slash_is_a_redirect() -> None:
    router = routed("GET /users", "GET /posts/", "GET /n/{id:int}")
    assert router.match("GET", "/users/")[:] == (SLASH_REDIRECT, {"path": "/users"})
    assert router.match("GET", "/posts")[:] == (SLASH_REDIRECT, {"path": "/posts/"})
    assert router.match("GET", "/n/1/")[:] == (SLASH_REDIRECT, {"path": "/n/1"})


def test_strict_slashes_redirect_nowhere() -> None:
    router = Router([_endpoint("GET /users"), _endpoint("GET /posts/")], redirect_slashes=False)
    assert [router.match("GET", path).endpoint for path in ("/users/", "/posts")] == [NOT_FOUND, NOT_FOUND]


@pytest.mark.parametrize("path", ["/" + "x" * 10_000, "/x" * 5_000, "/n/" + "9" * 10_000, "/n/" + "%2e" * 3_000])
def test_a_long_path_costs_little_and_is_not_found(path: str) -> None:
    router = routed("GET /n/{id:int}", "GET /d/{day:date}", "GET /{a:uuid}/{b:uuid}")
    began = time.process_time()
    assert router.match("GET", path).endpoint is NOT_FOUND
    assert time.process_time() - began < 0.5


def test_a_request_is_matched_for_a_host() -> None:
    r = Routes()
    r.get("/a/{id:int}", print, host="{tenant}.example.org")
    router = Router(r.endpoints)
    match = router.find_route("GET", "/a/3", "t.example.org:80")
    assert match is not None
    assert match.params == {"id": 3, "tenant": "t"}
    assert router.find_route("GET", "/a/3") is None


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example/", "/%0d%0a//"])
def test_no_redirect_leads_to_another_host(path: str) -> None:
    router = routed("GET /{x}", "GET /{x}/{y}")
    assert router.match("GET", path).endpoint is NOT_FOUND


def test_a_wildcard_matches_no_path_that_could_not_be_built() -> None:
    router = routed("GET /{rest:path} all", "GET /files/{rest:path} files")
    assert router.match("GET", "//evil.example/x").endpoint is NOT_FOUND
    assert router.match("GET", "//").endpoint is NOT_FOUND
    assert router.match("GET", "/files//a").params == {"rest": "/a"}


def test_a_query_that_cannot_be_encoded_is_an_arlen_error() -> None:
    with pytest.raises(ArlenError, match="cannot contain"):
        routed("GET / home").url_for("home", {"q": "a\ud800"})


def test_urls_are_built_from_names() -> None:
    router = routed("GET /users/{id:int} users.show", "GET / home")
    assert router.url_for("home", {}) == "/"
    assert router.url_for("users.show", {"id": 3, "tab": "a b", "page": 2}) == "/users/3?tab=a+b&page=2"
    assert router.url_for("home", {"q": None, "tag": ["a", "b"], "on": True}) == "/?tag=a&tag=b&on=true"
    with pytest.raises(ArlenError, match=r"no route named 'hme'; did you mean home\?"):
        router.url_for("hme", {})
    for name, values in (("nothing", {}), ("users.show", {}), ("users.show", {"id": "x"})):
        with pytest.raises(ArlenError):
            router.url_for(name, values)


def test_a_match_costs_the_same_among_ten_and_ten_thousand_routes() -> None:
    few, many = (
        routed(*(f"GET /area{n}/{{id:int}}/part{n}" for n in range(count)), "GET /x/{id:int}/y target")
        for count in (10, 10_000)
    )
    assert matched_name(many, "GET", "/x/1/y") == "target"
    assert _seconds(many) < 5 * _seconds(few)


def test_conditions_of_other_routes_cost_a_match_nothing() -> None:
    paths = [f"/area{number}/{{id:int}}/part" for number in range(500)]
    hosts = [None if number % 100 != 50 else HostPattern("{tenant}.x") for number in range(500)]
    plain = Router(Endpoint(("GET",), Pattern(path), print) for path in paths)
    mixed = Router(Endpoint(("GET",), Pattern(path), print, host=host) for path, host in zip(paths, hosts, strict=True))
    assert mixed.match("GET", "/area50/1/part").endpoint is NOT_FOUND, "it has conditions"
    assert _lines_of_a_match(plain, "/area51/1/part") == _lines_of_a_match(mixed, "/area51/1/part") > 10


def _lines_of_a_match(router: Router, path: str) -> int:
    """Count the lines that run, which unlike time is the same in each run."""
    lines = 0

    def count(_frame: FrameType, event: str, _argument: object) -> TraceFunction:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        assert router.match("GET", path).endpoint.pattern.text == path.replace("/1/", "/{id:int}/")
    finally:
        sys.settrace(before)
    return lines


def _seconds(router: Router) -> float:
    """Return the minimum of several times: noise only adds."""
    return min(_timed(router) for _ in range(20))


def _timed(router: Router) -> float:
    began = time.perf_counter()
    _match_all(router, ["/x/1/y"] * 200)
    return time.perf_counter() - began


def _match_all(router: Router, paths: Iterable[str]) -> None:
    for path in paths:
        router.match("GET", path)
