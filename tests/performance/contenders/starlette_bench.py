"""The same application on Starlette, with asyncpg for rows and nothing else enabled."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

SQL = "SELECT id, name FROM bench_rows WHERE id = $1"


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open as many connections as Arlen's default pool."""
    async with asyncpg.create_pool(os.environ["ARLEN_DATABASE_URL"], min_size=8, max_size=8) as pool:
        app.state.pool = pool
        yield


async def plaintext(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("Hello, world!")


async def json(_request: Request) -> JSONResponse:
    return JSONResponse({"message": "Hello, world!"})


async def show(request: Request) -> JSONResponse:
    return JSONResponse({"id": request.path_params["id"]})


async def row(request: Request) -> JSONResponse:
    async with request.app.state.pool.acquire() as connection:
        row = await connection.fetchrow(SQL, request.path_params["id"])
    return JSONResponse({"id": row["id"], "name": row["name"]})


async def rows(request: Request) -> JSONResponse:
    """Answer with `count` rows, each read by its own statement."""
    first, count = request.path_params["id"], request.path_params["count"]
    async with request.app.state.pool.acquire() as connection:
        fetched = [await connection.fetchrow(SQL, first + step) for step in range(count)]
    return JSONResponse([{"id": row["id"], "name": row["name"]} for row in fetched])


app = Starlette(
    routes=[
        Route("/plaintext", plaintext),
        Route("/json", json),
        Route("/users/{id:int}", show),
        Route("/rows/{id:int}", row),
        Route("/rows/{id:int}/and/{count:int}", rows),
    ],
    lifespan=lifespan,
)
