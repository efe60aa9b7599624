"""Host and Accept choose among the routes of one path; other routes are not affected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def answer(name: str) -> Callable[[Any], object]:
    """Return an action that answers with its name and the route's values."""
    return lambda ctx: {"at": name, **ctx.route}


def routes(r: Routes) -> None:
    """Add routes whose order does not matter."""
    r.get("/", answer("any"))
    r.get("/", answer("tenant"), host="{tenant}.example.org")
    r.get("/", answer("api"), host="API.example.org")
    r.get("/only/{id:int}", answer("only"), host="{tenant}.example.org")
    r.get("/only/{rest:path}", answer("rest"), host="{tenant}.example.com")
    r.get("/{page:slug}", answer("page"))
    r.get("/posts", answer("page of posts"))
    r.get("/posts", answer("feed"), formats=("json", "csv"))
    r.get("/data/{id:int}", answer("json"), formats=("json",))
    r.get(
        "/data/{id:int}",
        answer("csv"),
        formats=("csv",),
        guard=lambda ctx: ctx.redirect("/") if ctx.route["id"] == 0 else None,
    )
    r.put("/data/{id:int}", answer("put"))
    r.get("/files/{name}", answer("file"), formats=("json", "pdf"))
    r.get("/feed.xml", answer("xml"), formats=("xml",))


@pytest.fixture
def client(serve: Callable[..., TestClient]) -> TestClient:
    """Return a client of these routes."""
    return serve(routes)


@pytest.mark.parametrize(
    ("path", "host", "body"),
    [
        ("/", "example.org", {"at": "any"}),
        ("/", "api.example.org", {"at": "api"}),
        ("/", "Api.Example.ORG.:8080", {"at": "api"}),
        ("/", "acme.example.org", {"at": "tenant", "tenant": "acme"}),
        ("/", "a.b.example.org", {"at": "any"}),
        ("/only/3", "acme.example.org", {"at": "only", "id": 3, "tenant": "acme"}),
        ("/only/a/b", "acme.example.com", {"at": "rest", "rest": "a/b", "tenant": "acme"}),
        ("/only/3", "example.net", None),
        ("/only/x", "acme.example.org", None),
        ("/only", "acme.example.org", {"at": "page", "page": "only"}),
    ],
)
def test_the_most_specific_host_answers(client: TestClient, path: str, host: str, body: object) -> None:
    response = client.get(path, headers={"Host": host})
    assert (response.status, response.json() if body else None) == (200 if body else 404, body)


@pytest.mark.parametrize(
    ("path", "accept", "name"),
    [
        ("/posts", BROWSER, "page of posts"),
        ("/posts", None, "page of posts"),
        ("/posts", "image/png", "page of posts"),
        ("/posts", "application/json", "feed"),
        ("/posts", "text/html;q=0.4, text/csv;q=0.5", "feed"),
        ("/posts", "text/html, application/json;q=0.5", "page of posts"),
        ("/posts.json", BROWSER, "feed"),
        ("/posts.csv", "text/html", "feed"),
        ("/data/3", None, "json"),
        ("/data/3", "text/csv", "csv"),
        ("/data/3", "text/csv;q=0.2, application/json;q=0.1", "csv"),
        ("/data/3", "*/*", "json"),
        ("/data/3.csv", "application/json", "csv"),
        ("/data/3.json", "text/html", "json"),
        ("/feed.xml", "application/json", "xml"),
    ],
)
def test_the_extension_decides_and_then_accept(client: TestClient, path: str, accept: str | None, name: str) -> None:
    response = client.get(path, headers={} if accept is None else {"Accept": accept})
    assert (response.status, response.json()["at"]) == (200, name)
    assert ("accept" in response.headers.get("vary", "").lower()) is ("." not in path)


@pytest.mark.parametrize("name", ["a.pdf", "a.json", "a.tar.gz", "json", ".json"])
def test_the_whole_path_comes_before_its_extension(client: TestClient, name: str) -> None:
    assert client.get(f"/files/{name}").json() == {"at": "file", "name": name}


def test_a_format_that_there_is_not_is_406_with_those_that_there_are(client: TestClient) -> None:
    response = client.get("/data/3", headers={"Accept": "image/png"})
    assert (response.status, response.json()["detail"]) == (
        406,
        "This address is available as application/json or text/csv.",
    )
    assert "Accept" in response.headers["vary"]
    assert client.get("/files/a.json", headers={"Accept": "text/plain"}).status == 406


def test_an_unknown_extension_and_another_method_are_as_without_formats(client: TestClient) -> None:
    assert client.get("/data/3.xml").status == 404
    response = client.post("/data/3", headers={"Accept": "text/plain"})
    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS, PUT")
    assert client.post("/data/3.json").headers["allow"] == "GET, HEAD, OPTIONS"
    assert client.put("/data/3", headers={"Accept": "text/plain"}).status == 200


def test_head_is_answered_under_the_conditions_of_get(client: TestClient) -> None:
    for headers, length in (({"Accept": "text/csv"}, 19), ({}, 20)):
        response = client.request("HEAD", "/data/3", headers=headers)
        assert (response.status, response.headers["content-length"]) == (200, str(length))
    assert client.request("HEAD", "/only/3", headers={"Host": "example.net"}).status == 404


def test_an_answer_of_a_guard_depends_on_accept_too(client: TestClient) -> None:
    response = client.get("/data/0", headers={"Accept": "text/csv"})
    assert (response.status, "Accept" in response.headers["vary"]) == (303, True)


def test_the_action_may_ask_which_format_the_client_prefers(serve: Callable[..., TestClient]) -> None:
    def feed(ctx: Any) -> object:  # noqa: ANN401 - a context
        return {"type": ctx.prefers("application/json", "text/csv")}

    client = serve(lambda r: r.get("/feed/{day:date}", feed, formats=("json", "csv")))
    assert client.get("/feed/2026-01-31.csv").json() == {"type": "text/csv"}
    assert client.get("/feed/2026-01-31", headers={"Accept": "text/csv"}).json() == {"type": "text/csv"}
    assert client.get("/feed/2026-01-31").json() == {"type": "application/json"}
