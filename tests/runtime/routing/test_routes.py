"""Routes are data. Mistakes are reported at boot with file and line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from arlen_runtime.errors import BootError
from arlen_runtime.routing.routes import Routes


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
        (lambda r: r.get("/a", action, guard=of_two), "the guard of_two"),
        (lambda r: r.get("/{id:nothing}", action), "the unknown converter 'nothing'"),
        (lambda r: r.add(("BREW",), "/a", action), "'BREW' is not one of"),
        (lambda r: r.add((), "/a", action), "has no method"),
        (lambda r: r.get("a", action), "'a' must begin with a slash"),
        (within_admin("users"), "'users' must begin with a slash"),
        (within_admin(""), "'' must begin with a slash"),
        (lambda r: r.converter("c", Unhashable()), "'c' is not hashable"),
        (lambda r: r.converter("c", "int"), "'c' cannot be called"),
        (lambda r: r.post("/a", action, body="later"), 'must be "none"'),
        (lambda r: [r.get("/a", action, name="n"), r.get("/b", action, name="n")], r"'n' is taken by GET /a, .*:\d+$"),
        (lambda r: r.group("admin").__enter__(), "must begin with a slash"),
        (lambda r: r.group("/admin/").__enter__(), "not end with one"),
        (lambda r: r.group("/admin", guard=of_two).__enter__(), "the guard of_two"),
        (lambda r: r.converter("int", int), "already a converter 'int'"),
    ],
)
def test_a_bad_route_is_refused_with_its_file_and_line(write: Callable[[Any], object], part: str) -> None:
    with pytest.raises(BootError, match=rf"^{re.escape(__file__)}:\d+: .*{part}"):
        write(Routes())


def test_an_application_can_add_converters() -> None:
    r = Routes()
    r.converter("month", lambda text: int(text) if text in {"1", "2"} else int(""))
    r.get("/{m:month}", action, name="month")
    assert r.endpoints[0].pattern.parameters[0].convert("2") == 2


def test_a_callable_without_a_signature_is_accepted() -> None:
    routes = Routes()
    routes.get("/a", str)

    assert [endpoint.action for endpoint in routes.endpoints] == [str]
