"""Middlewares out of one plain function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from arlen_runtime.errors import BootError, Forbidden
from arlen_runtime.http.application import BodyPolicy
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.before_after import after, before
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import text
from tests.fixtures import ServeApp


def routes(r: Routes) -> None:
    """Add a page, and one with an option."""
    r.get("/", lambda _ctx: text("page"))
    r.get("/closed", lambda _ctx: text("closed"), roles=["admin"])


def refuse_roles(ctx: Context) -> Response | None:
    """Read an option of the route."""
    return text("no", 403) if ctx.endpoint.options.get("roles") else None


def test_before_answers_or_lets_the_request_pass(serve: ServeApp) -> None:
    client = serve(routes, middleware=[before(refuse_roles, options={"roles"})])
    assert (client.get("/").text, client.get("/closed").status) == ("page", 403)


def test_after_changes_or_replaces_the_answer_and_sees_errors(serve: ServeApp) -> None:
    def note(ctx: Context, response: Response) -> Response | None:
        response.set("X-Seen", f"{ctx.path} {type(response.error).__name__}")
        return text("replaced").add("X-Seen", "other") if ctx.params.query.get("replace") else None

    def raising(_ctx: Context) -> None:
        raise Forbidden("No.")

    def with_error(r: Routes) -> None:
        r.get("/", lambda _ctx: text("page"))
        r.get("/error", raising)

    client = serve(with_error, middleware=[after(note)])
    assert client.get("/").headers["x-seen"] == "/ NoneType"
    answer = client.get("/error")
    assert (answer.status, answer.headers["x-seen"]) == (403, "/error Forbidden")
    assert client.get("/?replace=1").text == "replaced"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: before(lambda: None), r"must be a plain function of \(context\)"),  # type: ignore[arg-type,misc] # the mistake
        (lambda: after(lambda _ctx: None), r"must be a plain function of \(context, response\)"),  # type: ignore[arg-type,misc] # the mistake
        (lambda: before("text"), "builtins.str must be a plain function"),  # type: ignore[arg-type] # the mistake
    ],
)
def test_a_function_of_another_form_is_refused_at_boot(make: Any, message: str) -> None:  # noqa: ANN401 - any value
    with pytest.raises(BootError, match=message):
        make()


@pytest.mark.parametrize("middleware", [before(lambda _ctx: 3), after(lambda _ctx, _response: 3)])  # type: ignore[arg-type,return-value] # the mistake
def test_another_result_than_a_response_or_none_is_named(serve: ServeApp, middleware: Any) -> None:  # noqa: ANN401 - any value
    answer = serve(lambda r: r.get("/", lambda _ctx: None), environment="test", middleware=[middleware]).get("/")
    assert answer.status == 500
    assert "<lambda> returned int: return a Response or None" in answer.json()["detail"]


def read_parameter(ctx: Context) -> None:
    """Read a form, which is kept."""
    ctx.params.get("name")


def read_stream(ctx: Context) -> None:
    """Read the body as it arrives, which nothing keeps."""
    ctx.request.stream.read()


@pytest.mark.parametrize(
    ("policy", "function", "seen"),
    [
        ("buffer", read_parameter, ["x", "name=x"]),
        ("buffer", read_stream, ["x", "name=x"]),
        ("stream", read_parameter, ["x", "name=x"]),
        ("stream", read_stream, ["", ""]),
        ("none", read_parameter, ["", ""]),
    ],
)
def test_what_is_read_of_a_streamed_body_before_the_action_is_gone_for_it(
    serve: ServeApp, policy: BodyPolicy, function: Callable[[Context], None], seen: list[str]
) -> None:
    def show(ctx: Context) -> list[str]:
        return [ctx.params.get("name", ""), ctx.request.body.decode()]

    for options in ({"middleware": [before(function)]}, {}):
        guard = None if options else function
        client = serve(lambda r, guard=guard: r.post("/", show, body=policy, guard=guard), **options)
        assert client.post("/", data={"name": "x"}).json() == seen
