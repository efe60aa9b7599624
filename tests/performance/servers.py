"""The servers that are measured: one process each, pinned to one core, started by its own command line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

APPLICATIONS = Path(__file__).parent / "contenders"
START_SECONDS = 20.0

COMMANDS = {
    "arlen": "{python} -m arlen_runtime.propane arlen_bench:create --workers 1 --threads 16 --port {port} --env production",
    "starlette": "{python} -m uvicorn starlette_bench:app --loop uvloop --http httptools --no-access-log --port {port}",
    "gthread": "{python} -m gunicorn wsgi_bench:app --worker-class gthread --workers 1 --threads 16 --bind 127.0.0.1:{port}",
    "fastify": "node fastify_bench.mjs {port}",
}
"""Contender to its command. Arlen writes its access log; the others write none."""


@contextmanager
def serving(name: str, core: int, database_url: str) -> Iterator[str]:
    """Run a contender on that core; yield its address. RuntimeError when it does not come up."""
    port = _free_port()
    told = {"ARLEN_DATABASE_URL": database_url, "BENCH_PG": _for_node(database_url), "PYTHONPATH": str(APPLICATIONS)}
    command = COMMANDS[name].format(python=sys.executable, port=port).split()
    with Path(os.devnull).open("wb") as nowhere:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            cwd=APPLICATIONS,
            env={**os.environ, **told},
            stdout=nowhere,
            stderr=nowhere,
        )
    try:
        _await(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _for_node(database_url: str) -> str:
    """Write a connection string as pg's options: it reads no socket folder out of an address."""
    names = {"host": "host", "port": "port", "user": "user", "dbname": "database"}
    given = conninfo_to_dict(database_url)
    return json.dumps({names[name]: value for name, value in given.items() if name in names})


def _free_port() -> int:
    """Ask the kernel for a port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the port answers."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not come up")
