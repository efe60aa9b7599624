"""PostgreSQL for development and tests, started on demand.

`ensure_running` returns a connection string. From then on this process is a user of the server, and
so are its forks: all hold one shared lock, which the kernel releases when the last of them dies,
however it dies. A supervisor process (`embedded.supervisor`) owns postgres, waits for that lock,
and stops postgres when it gets it. Commands that run at the same time share the server; the next
command finds the same data.

Invariant: the server runs only while it has users.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from arlen_runtime import start_state
from arlen_runtime.alnpg import identifier
from arlen_runtime.alnpg.embedded import binaries, supervisor
from arlen_runtime.alnpg.embedded.binaries import EmbeddedServerError

WAIT_SECONDS = 60.0
"""How long a command waits for a server that another one starts or stops."""

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "cluster_name": "arlen",
    "max_connections": "200",
    "timezone": "UTC",
    "synchronous_commit": "off",
}
"""The server trusts every connection.

Only its socket can be reached, in a folder that only its user can enter.
"""

THROWAWAY = {"fsync": "off", "full_page_writes": "off"}
"""For data that are not needed after a power failure."""

_user_locks: dict[Path, int] = {}
"""The lock of each data folder that this process uses, by folder, held until it ends.

Forks inherit the locks.
"""


def ensure_running(
    data: Path,
    database: str = "postgres",
    *,
    durable: bool = True,
    inheritable: bool = False,
    on_create: Callable[[], object] = lambda: None,
) -> str:
    """Return the URL of `database` on the server below `data`; start what is missing.

    The database is created if it does not exist. `durable=False` starts a server that is faster and
    may lose its data if the machine (not a process) fails. With `inheritable` this process stays a
    user of the server across an exec. `on_create` is called before initdb makes a new server, which
    takes seconds. Raises EmbeddedServerError.
    """
    reason = identifier.invalid_reason("the database", database)
    if reason:
        raise EmbeddedServerError(reason)
    data = Path(os.path.realpath(data))
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _start_lock(data):
            _hold_user_lock(data, inheritable=inheritable)
            if not (data / "cluster" / "PG_VERSION").exists():
                on_create()
            return _url(_ensure_serving(data, database, durable=durable), database)
    except OSError as error:
        raise EmbeddedServerError(f"the embedded server cannot use {data}: {error}") from error


def release(data: Path) -> None:
    """Stop being a user of the server, together with the forks of this process.

    The server ends unless it has other users.
    """
    descriptor = _user_locks.pop(Path(os.path.realpath(data)), None)
    if descriptor is not None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing is not enough: the forks have copies
        os.close(descriptor)


def descriptors() -> tuple[int, ...]:
    """Return the descriptors of the locks held.

    They are `pass_fds` of a child process that must keep the server running by itself.
    """
    return tuple(_user_locks.values())


@contextmanager
def _start_lock(data: Path) -> Iterator[None]:
    """Hold the lock for starting and stopping the server."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (descriptor := supervisor.lock(data / "start.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)) is None:
        if time.monotonic() > deadline:
            raise EmbeddedServerError(f"another command has been starting the server in {data} for too long")
        time.sleep(0.01)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing is not enough: another thread's fork may have a copy
        os.close(descriptor)


def _hold_user_lock(data: Path, *, inheritable: bool) -> None:
    """Become a user of the server.

    A lock on a file that was removed since has no effect, so then another one is taken.
    """
    users = data / "users.lock"
    descriptor = _user_locks.get(data)
    if descriptor is None or not users.exists() or not os.path.samestat(os.fstat(descriptor), users.stat()):
        descriptor = supervisor.lock(users, fcntl.LOCK_SH)
    if descriptor is not None:
        _user_locks[data] = descriptor
        os.set_inheritable(descriptor, inheritable)


def _ensure_serving(data: Path, database: str, *, durable: bool) -> str:
    """Return the socket folder of a running server.

    It has a supervisor and the database.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    last_error = ""
    while time.monotonic() < deadline:
        supervisor_lock = supervisor.lock(data / "keeper.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
        if supervisor_lock is not None:
            os.close(supervisor_lock)
            _start_supervisor(data, durable=durable)
        try:
            folder = (data / "socket").read_text()
            _create_database(_url(folder, "postgres"), database)
        except FileNotFoundError:
            time.sleep(0.01)  # the supervisor's user died while it started, or it is stopping
        except psycopg.OperationalError as error:
            last_error = str(error).splitlines()[0]
            time.sleep(0.05)
        else:
            return folder
    raise EmbeddedServerError(f"the server in {data} runs and cannot be reached: {last_error or 'it has no socket'}")


def _start_supervisor(data: Path, *, durable: bool) -> None:
    """Run a supervisor and wait until its server is ready.

    Raises EmbeddedServerError with the supervisor's error.
    """
    options = _start_options(data, durable=durable)
    reading, writing = os.pipe()
    with (data / "log").open("wb") as log, open(reading, "rb", buffering=0) as channel:  # noqa: PTH123 - a descriptor
        try:
            launcher = subprocess.Popen(  # noqa: S603 - this interpreter, on a file of ours
                [sys.executable, "-I", "-S", supervisor.__file__, json.dumps(options._asdict()), str(writing)],
                pass_fds=(writing,),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        finally:
            os.close(writing)
        launcher.wait()  # it forks at once, so the supervisor is no child of this process
        ready, _, _ = select.select([channel], [], [], WAIT_SECONDS)
        answer = channel.read(4096).decode() if ready else "failed no answer"
    if answer not in {"ready", "taken"}:
        raise EmbeddedServerError(answer.removeprefix("failed ") or f"the supervisor died, see {data / 'log'}")


def _start_options(data: Path, *, durable: bool, environ: Mapping[str, str] = os.environ) -> supervisor.StartOptions:
    version = data / "cluster" / "PG_VERSION"
    major = version.read_text().strip() if version.exists() else ""
    root = os.geteuid() == 0
    programs = binaries.runnable(binaries.find(environ, major), os.geteuid())
    return supervisor.StartOptions(
        data=str(data),
        programs=str(programs.folder),
        initdb=list(programs.initdb),
        postgres=list(programs.postgres),
        owner=binaries.NOBODY if root else None,
        settings=SETTINGS if durable else SETTINGS | THROWAWAY,
        descriptor_limit=start_state.current().descriptor_limit,
    )


def _create_database(url: str, database: str) -> None:
    """Create the database unless it exists.

    The caller holds the start lock, so no other process creates it now.
    """
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        if connection.execute("select from pg_database where datname = %s", [database]).rowcount == 0:
            # template0 never has sessions, so it can always be copied.
            connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(database)))


def _url(folder: str, database: str) -> str:
    """Set everything that a PG* variable of the user's environment could change."""
    return f"postgresql://arlen@/{quote(database, safe='')}?host={folder}&port=5432"
