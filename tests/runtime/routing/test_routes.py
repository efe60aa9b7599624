"""Routes are data. Mistakes are reported at boot with file and line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from arlen_runtime.errors import BootError
from arlen_runtime.routing.routes import ROUTE_PARAMETERS, Routes


def action(_ctx: object) -> None:
    """Do nothing."""


def guard(_ctx: object) -> None:
    """Let every request pass."""


def other_guard(_ctx: object) -> None:
    """Let every request pass, too."""


async def asynchronous(_ctx: object) -> None:
    """Be async, which an action must not be."""


def of_two(_ctx: object, _more: object) -> None:
    """Take two parameters, which an action must not."""


class Unhashable:
    """A converter that cannot be a dict key."""

    __hash__ = None  # type: ignore[assignment] # what a class with __eq__ alone has

    def __call__(self, text: str) -> str:
        return text


def within_admin(path: str) -> Callable[[Routes], object]:
    """Return a function that adds a route with this path inside a group."""

    def write(r: Routes) -> None:
        with r.group("/admin"):
            r.get(path, action)

    return write


def checked(write: Callable[[Any], object]) -> Routes:
    """Write routes and check them, as App does."""
    r = Routes()
    write(r)
    r.check()
    return r


def test_groups_join_prefixes_and_names_and_accumulate_guards() -> None:
    r = Routes()
    with r.group("/admin", guard=guard, name="admin.", api=True):
        r.get("/", action, name="home")
        with r.group("/users", guard=[other_guard]):
            r.get("/{id:int}", action, name="user", guard=guard, api=False)
    r.post("/outside", action)
    home, user, outside = r.endpoints
    assert (home.pattern.text, home.name, home.guards, home.options) == (
        "/admin",
        "admin.home",
        (guard,),
        {"api": True},
    )
    assert (user.pattern.text, user.name) == ("/admin/users/{id:int}", "admin.user")
    assert user.guards == (guard, other_guard, guard)
    assert user.options == {"api": False}
    assert (outside.pattern.text, outside.guards, outside.options) == ("/outside", (), {})


def test_the_body_policy_depends_on_the_methods_unless_it_is_set() -> None:
    r = Routes()
    r.get("/a", action)
    r.post("/a", action)
    r.any("/b", action)
    r.get("/c", action, body="buffer", limit=10)
    r.delete("/d", action, body="none")
    assert [(e.body, e.limit) for e in r.endpoints] == [
        ("none", None),
        ("buffer", None),
        ("buffer", None),
        ("buffer", 10),
        ("none", None),
    ]


def test_a_route_has_the_line_where_it_was_written() -> None:
    r = Routes()
    frame = inspect.currentframe()
    assert frame is not None
    r.get("/a", action)
    assert str(r.endpoints[0].site) == f"{__file__}:{frame.f_lineno - 1}"


@pytest.mark.parametrize(
    ("write", "part"),
    [
        (lambda r: r.get("/a", of_two), r"of_two\(.*\).* must accept exactly one argument"),
        (lambda r: r.get("/a", asynchronous), "asynchronous is async"),
        (lambda r: r.get("/a", "index"), "cannot be called"),
        (lambda r: r.get("/a", action, guard=of_two), f"the guard {__name__}.of_two"),
        (lambda r: r.get("/{id:nothing}", action), "the unknown converter 'nothing'"),
        (lambda r: r.add(("BREW",), "/a", action), "'BREW' is not one of"),
        (lambda r: r.add((), "/a", action), r"methods must list methods, .* not \(\)"),
        (lambda r: r.add("GET", "/a", action), "methods must list methods, .* not 'GET'"),
        (lambda r: r.get("/a", action, guard="admin"), "the guard 'admin' cannot be called"),
        (lambda r: r.redirect("/a", action), "a redirect leads to a path"),
        (lambda r: r.get("a", action), "'a' must begin with a slash"),
        (within_admin("users"), "'users' must begin with a slash"),
        (within_admin(""), "'' must begin with a slash"),
        (lambda r: r.converter("c", Unhashable()), "'c' is not hashable"),
        (lambda r: r.converter("c", "int"), "'c' cannot be called"),
        (lambda r: r.post("/a", action, body="later"), 'must be "none"'),
        (lambda r: [r.get("/a", action, name="n"), r.get("/b", action, name="n")], r"'n' is taken by GET /a, .*:\d+$"),
        (lambda r: r.group("admin").__enter__(), "must begin with a slash"),
        (lambda r: r.group("/admin/").__enter__(), "not end with one"),
        (lambda r: r.group("/admin", guard=of_two).__enter__(), f"the guard {__name__}.of_two"),
        (lambda r: r.converter("int", int), "already a converter 'int'"),
        (lambda r: r.converter("A b", int), "not 'A b'"),
        (lambda r: r.converter("c", int, write="x"), "write of the converter 'c' cannot be called"),
        (lambda r: r.get("/a", action, limit="1"), "limit must be a number of bytes, not '1'"),
        (lambda r: r.get("/a", action, formats="json"), "formats must list"),
    ],
)
def test_a_bad_route_is_refused_with_its_file_and_line(write: Callable[[Any], object], part: str) -> None:
    with pytest.raises(BootError, match=rf"^{re.escape(__file__)}:\d+: .*{part}"):
        checked(write)


def test_all_mistakes_are_one_error_with_a_line_each() -> None:
    def write(r: Any) -> None:  # noqa: ANN401 - Routes; the arguments are of wrong types
        r.get("a", of_two, guard=asynchronous, limit=-1)
        with r.group("users/", guard=of_two, formats=("jsn",)):
            r.get("/{id:nmber}", action, host="a:80")
        r.get("/x", action)
        r.get("/x", action)
        r.redirect("/y", "nowhere")
        r.get("/z/{tenant}", action, host="{tenant}.example.org")

    with pytest.raises(BootError) as raised:
        checked(write)
    lines = [line.removeprefix(f"{__file__}:").partition(": ") for line in raised.value.detail.splitlines()]
    first = write.__code__.co_firstlineno
    expected = [
        (1, "the path 'a' must begin with a slash"),
        (1, f"the action {__name__}.of_two"),
        (1, f"the guard {__name__}.asynchronous is async"),
        (1, "limit must be a number of bytes, not -1"),
        (2, "the format 'jsn' is not the extension of a media type; did you mean"),
        (2, "the prefix 'users/' must begin"),
        (2, f"the guard {__name__}.of_two"),
        (3, "the unknown converter 'nmber'"),
        (3, "the host 'a:80' must be a name"),
        (3, "the format 'jsn'"),
        (7, "the host '{tenant}.example.org' and the path '/z/{tenant}' both name the parameter 'tenant'"),
        (6, "the redirect leads to 'nowhere'"),
        (5, f"GET /x has a route already: GET /x ({__file__}:{first + 4})"),
    ]
    assert [int(number) - first for number, _, _ in lines] == [line for line, _ in expected]
    assert [part in text for (_, _, text), (_, part) in zip(lines, expected, strict=True)] == [True] * len(expected)


def test_the_parameters_of_a_route_are_those_that_are_no_options() -> None:
    keywords = inspect.signature(Routes.add).parameters.values()
    assert tuple(item.name for item in keywords if item.kind is item.KEYWORD_ONLY) == ROUTE_PARAMETERS


def test_conditions_of_a_group_apply_to_routes_without_their_own() -> None:
    r = Routes()
    with r.group("/a", host="{tenant}.example.org", formats=["json"], api=True):
        r.get("/x", action)
        r.get("/y", action, host="api.example.org", formats=("csv",))
        with r.group(host="other.example.org"):
            r.get("/z", action)
    r.check()
    texts = [(endpoint.host and endpoint.host.text, endpoint.formats, endpoint.options) for endpoint in r.endpoints]
    assert texts == [
        ("{tenant}.example.org", ("json",), {"api": True}),
        ("api.example.org", ("csv",), {"api": True}),
        ("other.example.org", ("json",), {"api": True}),
    ]


def test_an_application_can_add_converters() -> None:
    r = Routes()
    r.converter("month", lambda text: int(text) if text in {"1", "2"} else int(""))
    r.get("/{m:month}", action, name="month")
    assert r.endpoints[0].pattern.parameters[0].convert("2") == 2


def test_a_callable_without_a_signature_is_accepted() -> None:
    routes = Routes()
    routes.get("/a", str)

    assert [endpoint.action for endpoint in routes.endpoints] == [str]
