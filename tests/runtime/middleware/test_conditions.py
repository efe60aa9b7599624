"""Conditions and ranges around actions whose responses have validators.

tests/http has the tests of the protocol itself.
"""

from __future__ import annotations

import pytest

from arlen_runtime.http.response import Response
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import text
from tests.fixtures import ServeApp


def page(_ctx: Context) -> Response:
    """Answer with an ETag."""
    return Response(b"0123456789", 200, [("ETag", '"v1"')], "text/plain")


def changing(ctx: Context) -> Response:
    """Change the page if its state is the expected one; answer with the new ETag."""
    ctx.check_conditions('"v1"')
    return Response(b"changed", 200, [("ETag", '"v2"')], "text/plain")


def putting(ctx: Context) -> Response:
    """Create what does not exist yet."""
    ctx.check_conditions(None)
    return text("created", 201)


@pytest.fixture
def client(serve: ServeApp) -> TestClient:
    """ServeApp a page that can be read and changed, and one without an ETag."""

    def routes(r: Routes) -> None:
        r.get("/page", page)
        r.put("/page", changing)
        r.put("/absent", putting)
        r.any("/both", page)
        r.get("/plain", lambda _ctx: text("0123456789"))

    return serve(routes)


def test_a_valid_copy_is_304_and_a_range_206(client: TestClient) -> None:
    assert client.get("/page", headers={"If-None-Match": '"v1"'}).status == 304
    part = client.get("/page", headers={"Range": "bytes=2-3"})
    assert (part.status, part.text) == (206, "23")


def test_an_answer_without_tag_or_date_is_always_whole(client: TestClient) -> None:
    for name, value in (("If-None-Match", "*"), ("Range", "bytes=2-3"), ("If-Match", '"x"')):
        assert client.get("/plain", headers={name: value}).text == "0123456789"


def test_the_answer_to_a_change_is_never_a_304(client: TestClient) -> None:
    answer = client.put("/page", headers={"If-Match": '"v1"'})
    assert (answer.status, answer.text) == (200, "changed")
    assert client.post("/both", headers={"If-None-Match": '"v1"'}).status == 200


def test_a_change_that_expects_something_else_is_412(client: TestClient) -> None:
    assert client.put("/page", headers={"If-Match": '"v0"'}).status == 412
    assert client.put("/page", headers={"If-None-Match": "*"}).status == 412


def test_a_missing_resource_can_be_created_but_not_changed(client: TestClient) -> None:
    assert client.put("/absent", headers={"If-None-Match": "*"}).status == 201
    assert client.put("/absent").status == 201
    for expected in ("*", '"v1"'):
        assert client.put("/absent", headers={"If-Match": expected}).status == 412


def test_a_client_that_read_it_compressed_may_change_it(client: TestClient) -> None:
    assert client.put("/page", headers={"If-Match": '"v1--gzip"'}).status == 200
    assert client.put("/page", headers={"If-Match": '"v0--gzip"'}).status == 412
