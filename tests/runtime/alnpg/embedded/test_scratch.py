"""Servers to try things on: each starts new, and is removed with its contents."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from arlen_runtime.alnpg.embedded import scratch, supervisor
from arlen_runtime.alnpg.embedded import server as embedded
from arlen_runtime.alnpg.embedded.binaries import EmbeddedServerError

HOLD = """
import sys; from pathlib import Path; from arlen_runtime.alnpg.embedded.scratch import throwaway
with throwaway(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    for data in folders(tmp_path / "home"):
        embedded.release(tmp_path / "home" / data)


def folders(home: Path) -> set[str]:
    return {path.name for path in home.iterdir() if path.is_dir()} if home.is_dir() else set()


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_a_throwaway_server_starts_new_and_leaves_nothing(home: Path) -> None:
    for _ in range(2):
        with scratch.throwaway(home) as url:
            execute(url, "create role reporter")
        assert folders(home) == set()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)


def test_the_server_of_a_killed_process_is_removed_by_the_next(home: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        (left,) = folders(home)
        with scratch.throwaway(home):
            assert left in folders(home)  # it is in use
        os.kill(process.pid, signal.SIGKILL)
    with scratch.throwaway(home):
        assert left not in folders(home)


def test_a_cached_server_is_filled_once_and_removed_for_another_unless_it_is_in_use(home: Path) -> None:
    def fill(url: str) -> None:
        execute(url, "create role reporter")
        execute(url, "create table filled ()")

    one = scratch.cached(home, "one", fill)
    assert scratch.cached(home, "one", fill) == one
    scratch.cached(home, "two", fill)
    execute(one, "select from filled")
    embedded.release(home / "one")
    scratch.cached(home, "three", fill)
    assert folders(home) == {"two", "three"}


def test_a_cached_server_that_was_filled_in_part_is_made_again(home: Path) -> None:
    def fail(url: str) -> None:
        execute(url, "create role reporter")
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            scratch.cached(home, "one", fail)
    execute(scratch.cached(home, "one", lambda url: execute(url, "create role reporter")), "select")


def test_a_cached_server_that_cannot_be_started_is_made_again(home: Path) -> None:
    (home / "one" / "cluster").mkdir(parents=True)
    (home / "one" / "cluster" / "PG_VERSION").write_text("7\n")
    (home / "one" / scratch.COMPLETE).touch()
    execute(scratch.cached(home, "one", lambda url: execute(url, "create table filled ()")), "select from filled")


def test_a_folder_that_cannot_be_made_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(EmbeddedServerError, match="no server can be made in"),
        scratch.throwaway(tmp_path / "file" / "home"),
    ):
        pass


def test_a_cached_database_survives_the_kill_of_its_server(home: Path) -> None:
    def fill(url: str) -> None:
        execute(url, "create table filled ()")

    scratch.cached(home, "one", fill)
    main = int((home / "one" / "cluster" / "postmaster.pid").read_text().split()[0])
    os.kill(main, signal.SIGSTOP)  # stopped, it restarts no process
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    for process in (*map(int, children), main):
        os.kill(process, signal.SIGKILL)
    embedded.release(home / "one")
    execute(scratch.cached(home, "one", pytest.fail), "select from filled")


def test_a_folder_that_another_process_removes_is_not_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = supervisor.lock

    def removed_before(path: Path, operation: int) -> int | None:
        if path.parent.name == "left":
            shutil.rmtree(path.parent, ignore_errors=True)
        return lock(path, operation)

    (home / "left").mkdir(parents=True)
    monkeypatch.setattr(supervisor, "lock", removed_before)
    with scratch.throwaway(home) as url:
        execute(url, "select")
    assert folders(home) == set()
