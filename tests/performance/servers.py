"""Starts the measured servers: one process each, pinned to one core."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from psycopg.conninfo import conninfo_to_dict

APPLICATIONS = Path(__file__).parent / "contenders"
START_SECONDS = 20.0

_ARLEN = "{python} -m arlen_runtime.propane arlen_bench:create --workers 1 --env production --port {port}"

COMMANDS = {
    "arlen": f"{_ARLEN} --threads 16",
    "arlen, threads = 0": f"{_ARLEN} --threads 0",
    "starlette": "{python} -m uvicorn starlette_bench:app --loop uvloop --http httptools --no-access-log --port {port}",
    "gthread": "{python} -m gunicorn wsgi_bench:app --worker-class gthread --workers 1 --threads 16 --bind 127.0.0.1:{port}",
    "waitress": "{python} -m waitress --threads 16 --listen 127.0.0.1:{port} wsgi_bench:app",
    "fastify": "node fastify_bench.mjs {port}",
}
"""Contender to command. Arlen writes an access log; the others write none."""


class Server(NamedTuple):
    """A running contender: its URL and its process."""

    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process and its descendants.

        Descendants that have exited are not counted.
        """
        total, pids = 0, [self.pid]
        while pids:
            process = Path(f"/proc/{pids.pop()}")
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
            for children in process.glob("task/*/children"):
                pids += map(int, children.read_text().split())
        return total / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(name: str, core: int, database_url: str = "") -> Iterator[Server]:
    """Run a contender on this core. Raise RuntimeError if it does not start."""
    port = _free_port()
    environ = {"ARLEN_DATABASE_URL": database_url, "BENCH_PG": _for_node(database_url), "PYTHONPATH": str(APPLICATIONS)}
    command = COMMANDS[name].format(python=sys.executable, port=port).split()
    with Path(os.devnull).open("wb") as nowhere:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            cwd=APPLICATIONS,
            env={**os.environ, **environ},
            stdout=nowhere,
            stderr=nowhere,
        )
    try:
        _await(process, port)
        yield Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _for_node(database_url: str) -> str:
    """Return a connection string as options of node's pg.

    pg does not read the folder of a socket out of a URL.
    """
    names = {"host": "host", "port": "port", "user": "user", "dbname": "database"}
    parameters = conninfo_to_dict(database_url)
    return json.dumps({names[name]: value for name, value in parameters.items() if name in names})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until it answers: a port may accept connections before the server reads them."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), START_SECONDS) as probe:
            probe.sendall(b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            if probe.recv(4096):
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not come up")
