"""The supervisor by itself, run by its path as `embedded.server` runs it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from arlen_runtime.alnpg.embedded import server as embedded
from arlen_runtime.alnpg.embedded import supervisor
from arlen_runtime.alnpg.embedded.supervisor import StartOptions, lock


@pytest.fixture
def options(tmp_path: Path) -> StartOptions:
    data = tmp_path / "pg"
    data.mkdir()
    return embedded._start_options(data, durable=False)


@pytest.fixture
def _user(options: StartOptions) -> Iterator[None]:
    """Hold the lock of a user during a test."""
    descriptor = lock(Path(options.data) / "users.lock", fcntl.LOCK_SH)
    assert descriptor is not None
    yield
    os.close(descriptor)


def keep(options: StartOptions) -> str:
    """Run a supervisor and return what it reports; nothing if it dies first."""
    reading, writing = os.pipe()
    with (Path(options.data) / "log").open("ab") as log:
        command = [sys.executable, "-I", "-S", supervisor.__file__, json.dumps(options._asdict()), str(writing)]
        subprocess.run(command, pass_fds=(writing,), stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
    os.close(writing)
    with open(reading, "rb") as channel:  # noqa: PTH123 - a descriptor
        return channel.read().decode()


def await_end(data: str) -> None:
    for name in ("server.lock", "keeper.lock"):
        with (Path(data) / name).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)


def postmaster(data: str) -> int:
    return int((Path(data) / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def test_a_supervisor_without_users_starts_and_stops(options: StartOptions) -> None:
    assert keep(options) == "ready"
    await_end(options.data)
    assert not (Path(options.data) / "socket").exists()


@pytest.mark.usefixtures("_user")
def test_a_second_supervisor_exits(options: StartOptions) -> None:
    assert keep(options) == "ready"
    first = postmaster(options.data)
    assert keep(options) == "taken"
    assert postmaster(options.data) == first


@pytest.mark.usefixtures("_user")
def test_a_postgres_that_outlived_its_supervisor_is_ended_by_the_next(options: StartOptions) -> None:
    """Without a parent death signal, as on macOS, SIGKILL of a supervisor leaves postgres.

    Here `env` in place of the prefix has the same effect.
    """
    deaf = [word for word in options.postgres if not word.startswith("--pdeathsig")] or ["env"]
    assert keep(options._replace(postgres=deaf)) == "ready"
    left = postmaster(options.data)
    keeper = int(Path(f"/proc/{left}/stat").read_text().rpartition(")")[2].split()[1])
    folder = (Path(options.data) / "socket").read_text()
    os.kill(keeper, signal.SIGKILL)
    assert keep(options) == "ready"
    assert postmaster(options.data) != left
    assert (Path(options.data) / "socket").read_text() == folder


@pytest.mark.usefixtures("_user")
@pytest.mark.parametrize("change", ["open", "link", "filled", "elsewhere"])
def test_a_recorded_folder_is_used_again_only_while_it_is_ours(
    options: StartOptions, tmp_path: Path, change: str
) -> None:
    """A process that can write there could pose as the server."""
    target = tmp_path / "arlen-pg-target"
    target.mkdir(mode=0o700)
    (target / "kept").touch()
    folder = Path(tempfile.mkdtemp(prefix="arlen-pg-", dir="/tmp"))
    if change == "open":
        folder.chmod(0o755)
    if change == "filled":
        (folder / "folder").mkdir()
    if change == "link":
        folder.rmdir()
        folder.symlink_to(target)
    recorded = str(target if change == "elsewhere" else folder)
    (Path(options.data) / "socket").write_text(recorded)
    assert keep(options) == "ready"
    assert (Path(options.data) / "socket").read_text() != recorded
    assert (target / "kept").exists()
    folder.unlink() if change == "link" else shutil.rmtree(folder)


def test_an_error_of_initdb_is_reported_in_one_line(options: StartOptions) -> None:
    output = keep(options._replace(initdb=["sh", "-c", "echo 'initdb: error: no space left' >&2; exit 1"]))
    assert output == "failed initdb failed: initdb: error: no space left"


def test_the_rest_of_an_interrupted_initdb_is_ignored(options: StartOptions) -> None:
    (Path(options.data) / "cluster.new").mkdir()
    (Path(options.data) / "cluster.new" / "PG_VERSION").write_text("18\n")
    assert keep(options) == "ready"
    await_end(options.data)


def test_a_machine_without_a_place_for_the_socket_is_an_error(
    options: StartOptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(supervisor, "SOCKET_HOMES", (str(tmp_path / "none"),))
    with pytest.raises(supervisor.SupervisorError, match="no folder for the socket"):
        supervisor.PostgresSupervisor(options)._socket_folder()
