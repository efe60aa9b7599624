"""The measured application on Arlen, with all defaults on."""

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
    return text("Hello, world!")


def json(_ctx: Context) -> dict[str, str]:
    return {"message": "Hello, world!"}


def show(ctx: Context) -> dict[str, object]:
    return {"id": ctx.params["id"]}


def row(ctx: Context) -> dict[str, object]:
    record = ctx.pg.query_one(SQL, ctx.params["id"])
    return {"id": record["id"], "name": record["name"]}


def rows(ctx: Context) -> list[dict[str, object]]:
    """Answer with `count` rows, each read by its own statement, in one round trip."""
    first = ctx.params["id"]
    results = ctx.pg.query_many(SQL, [(first + step,) for step in range(ctx.params["count"])])
    return [{"id": row["id"], "name": row["name"]} for (row,) in results]


def wait(ctx: Context) -> Response:
    """Sleep for this many milliseconds, like a call of a slow service."""
    time.sleep(ctx.params["ms"] / 1000)
    return text("waited")


def wait_briefly(ctx: Context) -> Response:
    time.sleep(ctx.params["us"] / 1e6)
    return text("waited")


def burn(ctx: Context) -> Response:
    """Compute for this many milliseconds of this thread's CPU time."""
    end = time.thread_time() + ctx.params["ms"] / 1000
    while time.thread_time() < end:
        pass
    return text("burned")


def routes(r: Routes) -> None:
    """Add the paths that every contender answers."""
    r.get("/plaintext", plaintext)
    r.get("/json", json)
    r.get("/users/{id:int}", show)
    r.get("/rows/{id:int}", row)
    r.get("/rows/{id:int}/and/{count:int}", rows)
    r.get("/wait/{ms:int}", wait)
    r.get("/wait-briefly/{us:int}", wait_briefly)
    r.get("/burn/{ms:int}", burn)


def create(config: Config) -> App:
    if not config.database.url:
        return App(config, routes)
    pg = ALNPg.from_section(config.database)
    return App(config, routes, pg=pg, on_worker_stop=[pg.close])
