"""The application's own class of contexts: what guards and middleware learn has a type."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BootError, Unauthorized
from arlen_runtime.middleware.before_after import before
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from arlen_runtime.web.context import Context


class Shop(App):
    """An application with a service of its own."""

    currency = "EUR"


class Ctx(Context):
    """What the guard learns, and the application in its own class."""

    user: str | None = None
    visits = 0
    LEVELS = {"guest": 0}  # noqa: RUF012 - a constant
    app: Shop

    @property
    def greeting(self) -> str:
        """A name of the application's own."""
        return f"hello {self.user}"


def load_user(ctx: Ctx) -> None:
    """Set the user."""
    ctx.visits += 1
    ctx.user = ctx.header("X-User")


def require_user(ctx: Ctx) -> None:
    """Let only users in."""
    if ctx.user is None:
        raise Unauthorized("Log in first.")


def show(ctx: Ctx) -> dict[str, object]:
    """Return what was learned."""
    return {"user": ctx.user, "visits": ctx.visits, "greeting": ctx.greeting, "currency": ctx.app.currency}


def routes(r: Routes) -> None:
    """One route behind the guard."""
    r.get("/", show, guard=require_user)


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """Return a client of the application."""
    return TestClient(Shop(Config("production", tmp_path), routes, context=Ctx, middleware=[before(load_user)]))


def test_what_middleware_and_guards_learn_reaches_the_action(client: TestClient) -> None:
    expected = {"user": "ada", "visits": 1, "greeting": "hello ada", "currency": "EUR"}
    assert client.get("/", headers={"X-User": "ada"}).json() == expected


def test_a_request_starts_from_the_values_of_the_class(client: TestClient) -> None:
    assert client.get("/", headers={"X-User": "ada"}).status == 200
    assert client.get("/").status == 401
    assert (Ctx.user, Ctx.visits) == (None, 0)


def test_requests_at_the_same_time_do_not_share_what_they_learned(tmp_path: Path) -> None:
    meet = threading.Barrier(4)

    def wait(ctx: Ctx) -> dict[str, object]:
        meet.wait(30)
        return {"user": ctx.user}

    app = App(Config("test", tmp_path), lambda r: r.get("/", wait), context=Ctx, middleware=[before(load_user)])
    names = [f"user{number}" for number in range(4)]
    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(lambda name: TestClient(app).get("/", headers={"X-User": name}).json()["user"], names)
        assert list(answers) == names


SITE = """
import time
from arlen_runtime import App, Config, Context, Routes

class Ctx(Context):
    user: str | None = None

def log_in(ctx):
    name = ctx.header("X-User")
    if name is not None:
        ctx.user = name

def show(ctx):
    seconds = {"leader": 0, "follower": 0.02}[ctx.route["how"]]
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return {"user": ctx.user}

def create(config: Config) -> App:
    return App(config, lambda r: r.get("/{how}", show, guard=log_in), context=Ctx)
"""


def test_nothing_is_left_on_a_connection_and_a_thread_that_takes_over_shares_nothing(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SITE)
    with RunningServer(tmp_path, "--workers", "1") as server, ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.port)) for _ in range(4)]
        for how in ("leader", "follower", "leader"):
            for number, wire in enumerate(wires):
                wire.send(f"GET /{how} HTTP/1.1\r\nHost: x\r\nX-User: user{number}\r\n\r\n".encode())
            assert [wire.answer().body for wire in wires] == [b'{"user":"user%d"}' % n for n in range(4)]
            assert {wire.get(f"/{how}").body for wire in wires} == {b'{"user":null}'}


class Overriding(Context):
    """Replaces a method and a property of Context."""

    def render(self, *_arguments: Any, **_values: Any) -> Any:  # noqa: ANN401 - any value
        """Do something else."""

    pg = None


class Constructed(Context):
    """Has a constructor, which the runtime would call in its own way."""

    def __init__(self) -> None:
        """Take nothing."""


class Sharing(Context):
    """Has a value that all requests would share."""

    roles: list[str] = []  # noqa: RUF012 - the mistake


class Mixed(Overriding):
    """Inherits the mistakes of another class."""


@pytest.mark.parametrize(
    ("kind", "messages"),
    [
        (dict, ["context=builtins.dict is not a class of contexts"]),
        (Ctx.__new__(Ctx), ["Ctx is not a class of contexts: write class Ctx(Context)"]),
        (None, ["is not a class of contexts"]),
        (Overriding, ["Overriding.render would replace Context.render", "Overriding.pg would replace Context.pg"]),
        (Mixed, ["Overriding.render would replace Context.render"]),
        (Constructed, ["Constructed.__init__ would replace Context.__init__"]),
        (Sharing, ["all requests would share the list", "Sharing.roles: use None"]),
    ],
)
def test_a_class_that_cannot_be_a_context_is_refused_at_boot(tmp_path: Path, kind: Any, messages: list[str]) -> None:  # noqa: ANN401 - any value
    with pytest.raises(BootError) as caught:
        App(Config("test", tmp_path), routes, context=kind)
    for message in messages:
        assert message in caught.value.detail
    if isinstance(kind, type) and issubclass(kind, Context):
        assert f"{__file__}:" in caught.value.detail
