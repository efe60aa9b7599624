"""nginx and HAProxy in front of propane, with kept-alive connections as in production."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from arlen_runtime.testing.server import RunningServer
from tests.fixtures import Front

SITE = """
import hashlib, os
from arlen_runtime import App, Config, Context, FileBody, Response, Routes, json, text

VERSION = "one"

def upload(ctx: Context) -> Response:
    body = ctx.request.body
    return json({"size": len(body), "digest": hashlib.sha256(body).hexdigest()})

def download(ctx: Context) -> Response:
    path = ctx.config.root / "large.bin"
    return Response(FileBody(path.open("rb"), 0, path.stat().st_size), content_type="application/x-own")

def stream(ctx: Context) -> Response:
    return Response((b"%07d\\n" % number * 1000 for number in range(500)), content_type="text/x-own")

def who(ctx: Context) -> Response:
    head = ctx.request.head
    return json({"client": head.client, "scheme": head.scheme, "host": head.host, "id": head.id})

def routes(r: Routes) -> None:
    r.get("/", lambda ctx: text(VERSION))
    r.post("/upload", upload, limit=100_000_000)
    r.get("/download", download)
    r.get("/stream", stream)
    r.get("/who", who)

def create(config: Config) -> App:
    return App(config, routes)
"""
PATIENCE_SECONDS = 10.0
LARGE_BYTES = 20_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """Serve the application with two workers, without access lines."""
    (tmp_path / "app.py").write_text(SITE)
    (tmp_path / "large.bin").write_bytes(bytes(range(250)) * (LARGE_BYTES // 250))
    environ = {"ARLEN_TRUSTED_PROXIES": "127.0.0.0/8", "ARLEN_LOG_ACCESS": "false"}
    with RunningServer(tmp_path, "--workers", "2", environ=environ) as running:
        yield running


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    """Run a program with this configuration, replacing `PORT` by a free port; return its URL."""
    with ExitStack() as stack:

        def start(command: list[str], configuration: str) -> str:
            port = _free_port()
            (tmp_path / "front.conf").write_text(configuration.replace("PORT", str(port)).replace("DIR", str(tmp_path)))
            stack.enter_context(_running(command, tmp_path, port))
            return f"http://127.0.0.1:{port}"

        yield start


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    """Run the program in the foreground until the block ends; wait until its port answers."""
    with (folder / "front.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "front.log").read_text()
                assert time.monotonic() < deadline, f"{command[0]} does not listen"
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
