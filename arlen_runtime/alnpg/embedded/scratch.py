"""Embedded servers to try things on.

A migration can create what belongs to no database: a role, its memberships, a setting of the
server. That stays if only the scratch database is dropped. On the application's server it would
block that same migration later, and on a reused server the next try. So such a server is thrown
away as a whole, with its folder.

Invariant: each server begins as initdb made it, and no run sees what another run left.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from arlen_runtime.alnpg.embedded import server as embedded
from arlen_runtime.alnpg.embedded import supervisor
from arlen_runtime.alnpg.embedded.binaries import EmbeddedServerError

DATABASE = "arlen_copy"
"""The name of the database on a cached server."""

COMPLETE = "complete"
"""The file in a cached server's folder that shows that its database was filled completely."""

LOCKS = ("users.lock", "keeper.lock", "server.lock")
"""Locks held while a process uses the server, while it has a supervisor, while it runs."""


@contextmanager
def throwaway(home: Path) -> Iterator[str]:
    """Start a new server below `home` and yield its URL; remove it afterwards.

    What a killed process left below `home` is removed too. Raises EmbeddedServerError.
    """
    data = home / f"{os.getpid()}_{secrets.token_hex(4)}"
    try:
        with _exclusive(home):
            _remove_unused(home)
            url = embedded.ensure_running(data, durable=False)
        yield url
    finally:
        embedded.release(data)
        _remove(data)


def cached(home: Path, name: str, fill: Callable[[str], object]) -> str:
    """Return the URL of a database filled by `fill`; it is made once for each `name`.

    `fill` receives the URL of the empty database. Servers of other names below `home` are removed
    when one is made, unless they are in use. Raises EmbeddedServerError, and what `fill` raises;
    then the next call starts again.
    """
    data = home / name
    with _exclusive(home):
        if (data / COMPLETE).exists():
            with suppress(EmbeddedServerError):  # its version is not installed, or a power failure broke it
                return embedded.ensure_running(data, DATABASE, durable=False)
            embedded.release(data)
        _remove_unused(home)
        try:
            url = embedded.ensure_running(data, DATABASE, durable=False)
            fill(url)
            _checkpoint(url)
            (data / COMPLETE).touch()
        except BaseException:
            embedded.release(data)
            raise
        return url


def _checkpoint(url: str) -> None:
    """Make the server write its memory to disk.

    It does not sync by itself, so a killed server would lose the database.
    """
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("checkpoint")
    except psycopg.Error as error:
        raise EmbeddedServerError(f"the new database cannot be kept: {' '.join(str(error).split())}") from error


@contextmanager
def _exclusive(home: Path) -> Iterator[None]:
    """Hold the lock for making and removing servers below `home`; wait for it."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = supervisor.lock(home / "lock", fcntl.LOCK_EX)
    except OSError as error:
        raise EmbeddedServerError(f"no server can be made in {home}: {error}") from error
    try:
        yield
    finally:
        if descriptor is not None:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing is not enough: another thread's fork may have a copy
            os.close(descriptor)


def _remove_unused(home: Path) -> None:
    """Remove the servers below `home` that no process uses. The caller holds the lock."""
    for data in home.iterdir():
        if data.is_dir() and _is_unlocked(data / LOCKS[0]):
            _remove(data)


def _remove(data: Path) -> None:
    """Remove a server's folder once its processes have ended.

    If they do not end in time, the folder stays for the next run.
    """
    deadline = time.monotonic() + embedded.WAIT_SECONDS
    while data.exists() and not all(_is_unlocked(data / name) for name in LOCKS):
        if time.monotonic() > deadline:
            return
        time.sleep(0.01)
    shutil.rmtree(data, ignore_errors=True)


def _is_unlocked(path: Path) -> bool:
    """Return True if no process holds the lock, or its folder has been removed."""
    try:
        descriptor = supervisor.lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    if descriptor is None:
        return False
    os.close(descriptor)
    return True
