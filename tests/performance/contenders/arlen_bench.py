"""The measured application on Arlen, with all that is on by default."""

from __future__ import annotations

import time

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.app import App
from arlen_runtime.config.sections import Config
from arlen_runtime.http.response import Response
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import text

SQL = "SELECT id, name FROM bench_rows WHERE id = $1"


def plaintext(_ctx: Context) -> Response:
    """Answer a constant."""
    return text("Hello, world!")


def json(_ctx: Context) -> dict[str, str]:
    """Answer a small document."""
    return {"message": "Hello, world!"}


def show(ctx: Context) -> dict[str, object]:
    """Answer with a number from the path."""
    return {"id": ctx.params["id"]}


def row(ctx: Context) -> dict[str, object]:
    """Answer with one row by its primary key."""
    record = ctx.pg.query_one(SQL, ctx.params["id"])
    return {"id": record["id"], "name": record["name"]}


def rows(ctx: Context) -> list[dict[str, object]]:
    """Answer with so many rows, each found by a statement of its own, in one round trip."""
    first = ctx.params["id"]
    results = ctx.pg.query_many(SQL, [(first + step,) for step in range(ctx.params["count"])])
    return [{"id": row["id"], "name": row["name"]} for (row,) in results]


def wait(ctx: Context) -> Response:
    """Sleep for so many milliseconds, as a slow service behind us would make us do."""
    time.sleep(ctx.params["ms"] / 1000)
    return text("waited")


def wait_briefly(ctx: Context) -> Response:
    """Sleep for so many microseconds."""
    time.sleep(ctx.params["us"] / 1e6)
    return text("waited")


def burn(ctx: Context) -> Response:
    """Compute for so many milliseconds of this thread's own processor time."""
    end = time.thread_time() + ctx.params["ms"] / 1000
    while time.thread_time() < end:
        pass
    return text("burned")


def routes(r: Routes) -> None:
    """Name the addresses that every contender answers."""
    r.get("/plaintext", plaintext)
    r.get("/json", json)
    r.get("/users/{id:int}", show)
    r.get("/rows/{id:int}", row)
    r.get("/rows/{id:int}/and/{count:int}", rows)
    r.get("/wait/{ms:int}", wait)
    r.get("/wait-briefly/{us:int}", wait_briefly)
    r.get("/burn/{ms:int}", burn)


def create(config: Config) -> App:
    """Build the application."""
    if not config.database.url:
        return App(config, routes)
    pg = ALNPg.from_section(config.database)
    return App(config, routes, pg=pg, on_worker_stop=[pg.close])
