"""A redirect keeps the values and the query, and leads nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.routing.redirects import Redirect
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient


def routes(r: Routes) -> None:
    """Add redirects before and after their targets."""
    with r.group("/old", name="old."):
        r.redirect("/users/{id:int}", "users.show")
        r.redirect("/{name}/{rest:path}", "/new/{rest:path}", 301)
    r.get("/users/{id:int}", lambda _ctx: None, name="users.show")
    r.redirect("/any/{name}", "/slugs/{name:slug}", status=307)
    r.redirect("/", "/users/3", 302)


@pytest.mark.parametrize(
    ("method", "path", "status", "location"),
    [
        ("GET", "/old/users/3?a=b%20c&d", 308, "/users/3?a=b%20c&d"),
        ("POST", "/old/users/3", 308, "/users/3"),
        ("HEAD", "/old/users/3", 308, "/users/3"),
        ("GET", "/old/users/x", 301, "/new/x"),
        ("GET", "/old/a/b/c%20d", 301, "/new/b/c%20d"),
        ("GET", "/old/a//evil.example", 301, "/new//evil.example"),
        ("POST", "/old/a/b", 405, None),
        ("GET", "/any/a-b", 307, "/slugs/a-b"),
        ("DELETE", "/any/a-b", 307, "/slugs/a-b"),
        ("GET", "/any/A%20b", 404, None),
        ("GET", "/", 302, "/users/3"),
    ],
)
def test_a_redirect_keeps_values_and_query(
    serve: Callable[..., TestClient], method: str, path: str, status: int, location: str | None
) -> None:
    answer = serve(routes).request(method, path)
    assert (answer.status, answer.headers.get("location")) == (status, location)


@pytest.mark.parametrize(
    ("old", "to", "status", "reason"),
    [
        ("/a", "users.shw", 308, "no route has this name; did you mean users.show"),
        ("/a", "users.show", 308, "needs id, which /a does not have"),
        ("/a/{n}", "/b/{m}", 308, "needs m, which /a/{n} does not have"),
        ("/a/{n}", "/a/{n}", 308, "leads to itself"),
        ("/a", "//evil.example", 308, "another host"),
        ("/a", "https://evil.example", 308, "a path without query"),
        ("/a", "/b?c=d", 308, "a path without query"),
        ("/a", "/b/{n:nothing}", 308, "unknown converter"),
        ("/a", "/b", 200, "301, 302, 303, 307 or 308, not 200"),
        ("a", "/b", 308, "must begin with a slash"),
    ],
)
def test_a_redirect_that_cannot_work_is_reported_at_its_line(old: str, to: str, status: int, reason: str) -> None:
    r = Routes()
    r.get("/users/{id:int}", lambda _ctx: None, name="users.show")
    r.redirect(old, to, status)
    with pytest.raises(BootError, match=rf"^{re.escape(__file__)}:\d+: .*{re.escape(reason)}[^\n]*$"):
        r.check()


def test_a_redirect_says_what_it_does_and_works_only_after_the_check() -> None:
    redirect = Redirect("/b", 308)
    assert str(redirect) == "redirect 308 to /b"
    with pytest.raises(ArlenError, match=r"Routes\.check"):
        redirect(None)  # type: ignore[arg-type] # it is not read
