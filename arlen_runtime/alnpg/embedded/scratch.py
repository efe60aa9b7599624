"""Embedded servers to try things on. One rule: each begins as initdb made it, and what one run leaves no other run meets.

A migration can make what belongs to no database: a role, its memberships, a setting of the server. That stays when the
scratch database goes. On the server of the application it would stand in the way of that very migration, and on a server
that is used again in the way of the next try. So such a server is thrown away as a whole, with its folder.
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
"""The name of the database on a server that is kept."""

COMPLETE = "complete"
"""The file in a kept server's folder that says that its database was filled to the end."""

LOCKS = ("users.lock", "keeper.lock", "server.lock")
"""What is held while somebody uses a server, while it has a keeper, while one of its processes lives."""


@contextmanager
def throwaway(home: Path) -> Iterator[str]:
    """Start a new server below `home` and give its URL; stop it afterwards and remove all that it had.

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
    """Return the URL of the database that `fill` made of an empty one, given its URL; it is made once for each `name`.

    Servers of other names below `home` are removed when one is made, unless they are in use. Raises EmbeddedServerError, and
    what `fill` raises; then the next call begins anew.
    """
    data = home / name
    with _exclusive(home):
        if (data / COMPLETE).exists():
            with suppress(EmbeddedServerError):  # of a version that is gone, or broken by a power failure
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
    """Have the server write what it has in memory: it syncs nothing by itself, and a server that is killed would lose it."""
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("checkpoint")
    except psycopg.Error as error:
        raise EmbeddedServerError(f"the new database cannot be kept: {' '.join(str(error).split())}") from error


@contextmanager
def _exclusive(home: Path) -> Iterator[None]:
    """Be the only one who makes or removes servers below `home`; wait for whoever does."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = supervisor.lock(home / "lock", fcntl.LOCK_EX)
    except OSError as error:
        raise EmbeddedServerError(f"no server can be made in {home}: {error}") from error
    try:
        yield
    finally:
        if descriptor is not None:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing is not enough: a fork of another thread may have a copy
            os.close(descriptor)


def _remove_unused(home: Path) -> None:
    """Remove the servers below `home` that nobody uses; the caller has seen to it that nobody begins to."""
    for data in home.iterdir():
        if data.is_dir() and _is_unlocked(data / LOCKS[0]):
            _remove(data)


def _remove(data: Path) -> None:
    """Remove a server's folder once its processes have ended; it stays for the next sweep where they do not in time."""
    deadline = time.monotonic() + embedded.WAIT_SECONDS
    while data.exists() and not all(_is_unlocked(data / name) for name in LOCKS):
        if time.monotonic() > deadline:
            return
        time.sleep(0.01)
    shutil.rmtree(data, ignore_errors=True)


def _is_unlocked(path: Path) -> bool:
    """Say whether nobody holds the lock, as of a folder that another process has removed meanwhile."""
    try:
        descriptor = supervisor.lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    if descriptor is None:
        return False
    os.close(descriptor)
    return True
