"""The process that owns an embedded PostgreSQL.

`embedded.server` runs this file by its path, in an interpreter of its own (`python -I -S`). So it
imports only the standard library, starts in milliseconds, and does not depend on the application's
environment. The data folder holds

    cluster/      PostgreSQL's own folder
    log           the output of initdb and postgres since the last start
    socket        the path of the socket's folder, written once the server is ready; processes read
                  it and never compute it. A supervisor that ends before its users leaves it, and
                  the next one serves them at the same place
    users.lock    held shared by every process that uses the server; the kernel releases it when a
                  process dies
    start.lock    held by a process that starts or stops the server
    keeper.lock   held by the supervisor: as long as it is held, postgres will be stopped
    server.lock   held by postgres and its backends: as long as it is held, one of them is alive

The locks are the kernel's (flock), so no death, not even by SIGKILL, leaves a stale lock. The
supervisor waits for the users' lock; when it gets it, there are no users left.

Invariant: however the supervisor ends, postgres ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

LINGER_SECONDS = 0.5
"""How long the server outlives its last user, so that the next command finds it running."""

START_SECONDS = 30.0
FAST_STOP_SECONDS = 3.0
LEFTOVER_SECONDS = 10.0

SOCKET_PREFIX = "arlen-pg-"
SOCKET_HOMES = ("/tmp", "/dev/shm", "/var/tmp")  # noqa: S108 - mkdtemp makes a 0700 folder with a random name
"""Where the socket's folder may be, whatever TMPDIR says.

The paths are short: a socket's path is limited to 107 bytes.
"""

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
NO_USERS = signal.SIGUSR1
WATCHED_SIGNALS = frozenset({*STOP_SIGNALS, NO_USERS, signal.SIGCHLD})

DEATH_SIGNAL_OPTION = 1
"""PR_SET_PDEATHSIG of Linux prctl(2): the kernel sends this signal when the parent dies."""


class SupervisorError(Exception):
    """The server cannot be started. The message is shown to the user."""


class StartOptions(NamedTuple):
    """The data folder, the programs, their command prefixes, PostgreSQL's settings."""

    data: str
    programs: str
    initdb: list[str]
    postgres: list[str]
    owner: int | None
    settings: dict[str, str]
    descriptor_limit: int
    """The soft limit of PostgreSQL: a server that starts it may have raised its own."""


def lock(path: Path, operation: int) -> int | None:
    """Take the flock `operation` on the file at `path`; return its descriptor.

    Return None if LOCK_NB is set and the lock is held.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def environment() -> dict[str, str]:
    """Return the environment of PostgreSQL's programs.

    None of the user's PG* variables reach them.
    """
    utf8 = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": utf8, "TZ": "UTC"}


class PostgresSupervisor:
    """The owner of one server, from the first lock to the last."""

    def __init__(self, options: StartOptions) -> None:
        self.options = options
        self.data = Path(options.data)
        self.cluster = self.data / "cluster"
        self.socket_record = self.data / "socket"
        self.server: subprocess.Popen[bytes] | None = None

    def run(self, report: Callable[[str], None]) -> None:
        """Start the server, report "ready", and serve until there are no users.

        Raises SupervisorError only before "ready".
        """
        if lock(self.data / "keeper.lock", fcntl.LOCK_EX | fcntl.LOCK_NB) is None:
            report("taken")
            return
        server_lock = self._await_leftovers()
        if not (self.cluster / "PG_VERSION").exists():
            self._run_initdb()
        folder = self._recorded_folder() or self._socket_folder()
        unused = False
        try:
            self.server = self._start(folder, server_lock)
            os.close(server_lock)
            self._await_ready(self.server)
            self._write_record(folder)
            report("ready")
            unused = self._watch(self.server)
        finally:
            self._stop()
            if unused:
                self.socket_record.unlink(missing_ok=True)
            if not self.socket_record.exists():
                shutil.rmtree(folder, ignore_errors=True)

    def _await_leftovers(self) -> int:
        """Return the server lock: proof that no process of an earlier server is alive.

        A supervisor that was killed may leave one.
        """
        start = time.monotonic()
        while (descriptor := lock(self.data / "server.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)) is None:
            waited = time.monotonic() - start
            if waited > LEFTOVER_SECONDS:
                raise SupervisorError(
                    f"an earlier postgres of {self.data} does not exit (process {self._leftover_pid()})"
                )
            if waited > FAST_STOP_SECONDS and (process := self._leftover_pid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGQUIT)
            time.sleep(0.05)
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        return descriptor

    def _leftover_pid(self) -> int:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int((self.cluster / "postmaster.pid").read_text().splitlines()[0])
        return 0

    def _run_initdb(self) -> None:
        """Run initdb beside the final place and rename the result.

        If this is interrupted, no incomplete cluster is left.
        """
        fresh = self.data / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        command = [
            *self.options.initdb, f"{self.options.programs}/initdb", "-D", str(fresh), "-U", "arlen", "-A", "trust",
            "-E", "UTF8", "--no-instructions", *(["--no-sync"] if self.options.settings.get("fsync") == "off" else []),
        ]  # fmt: skip
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own program
            command,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            preexec_fn=_unblock_signals,
        )
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if "error" in line or "FATAL" in line]
            raise SupervisorError(f"initdb failed: {(errors or done.stderr.splitlines() or ['no error message'])[-1]}")
        fresh.rename(self.cluster)

    def _recorded_folder(self) -> str:
        """Return the socket folder that an earlier supervisor left, emptied.

        Its users still know it. Return "" unless the folder is still ours.
        """
        with contextlib.suppress(FileNotFoundError):
            folder = Path(self.socket_record.read_text())
            with contextlib.suppress(OSError):
                if self._is_ours(folder):
                    for left in folder.iterdir():
                        left.unlink()
                    return str(folder)
            self.socket_record.unlink()
        return ""

    def _is_ours(self, folder: Path) -> bool:
        """Return True if a supervisor made the folder and only its user can enter."""
        if str(folder.parent) not in SOCKET_HOMES or not folder.name.startswith(SOCKET_PREFIX):
            return False
        status = folder.lstat()
        owner = os.geteuid() if self.options.owner is None else self.options.owner
        return (status.st_uid, status.st_mode) == (owner, stat.S_IFDIR | stat.S_IRWXU)

    def _socket_folder(self) -> str:
        for home in SOCKET_HOMES:
            with contextlib.suppress(OSError):
                folder = tempfile.mkdtemp(prefix=SOCKET_PREFIX, dir=home)
                if self.options.owner is not None:
                    os.chown(folder, self.options.owner, self.options.owner)
                return folder
        raise SupervisorError(f"no folder for the socket can be made in any of {', '.join(SOCKET_HOMES)}")

    def _start(self, folder: str, server_lock: int) -> subprocess.Popen[bytes]:
        settings = {**self.options.settings, "unix_socket_directories": f'"{folder}"'}
        command = [*self.options.postgres, f"{self.options.programs}/postgres", "-D", str(self.cluster)]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        preexec = _unblock_signals if self.options.postgres or sys.platform != "linux" else _die_with_parent
        return subprocess.Popen(  # noqa: S603 - PostgreSQL's own program
            command,
            env=environment(),
            stdin=subprocess.DEVNULL,
            pass_fds=(server_lock,),
            preexec_fn=preexec,  # noqa: PLW1509 - the supervisor has one thread when it starts the server
        )

    def _await_ready(self, server: subprocess.Popen[bytes]) -> None:
        """Wait until line 8 of postmaster.pid says ready.

        pg_ctl reads the same line.
        """
        status = self.cluster / "postmaster.pid"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if server.poll() is not None:
                raise SupervisorError(f"postgres ended with status {server.returncode}: {self._log_tail()}")
            with contextlib.suppress(FileNotFoundError):
                lines = status.read_text().splitlines()
                if lines[7:] and lines[0] == str(server.pid) and lines[7].strip() == "ready":
                    return
            time.sleep(0.005)
        raise SupervisorError(f"postgres was not ready after {START_SECONDS:.0f} s, see {self.data / 'log'}")

    def _log_tail(self) -> str:
        """Return the end of the log in one line.

        The cause is on the line before the one that reports the fatal error.
        """
        lines = (self.data / "log").read_text(errors="replace").splitlines()
        return "; ".join(line.partition("] ")[2] or line for line in lines[-2:]) or "its log is empty"

    def _write_record(self, folder: str) -> None:
        fresh = self.data / "socket.new"
        fresh.write_text(folder)
        fresh.rename(self.socket_record)

    def _watch(self, server: subprocess.Popen[bytes]) -> bool:
        """Return when the server or the users are gone, or a signal ends the supervisor.

        Return True if there are no users.
        """
        while True:
            threading.Thread(target=self._await_no_users, daemon=True).start()
            event: int | None = NO_USERS
            while server.poll() is None and (event := signal.sigwait(WATCHED_SIGNALS)) == signal.SIGCHLD:
                pass
            if event != NO_USERS or server.poll() is not None:
                return self._has_no_users()
            signal.sigtimedwait(STOP_SIGNALS | {signal.SIGCHLD}, LINGER_SECONDS)
            if self._has_no_users():
                return True

    def _await_no_users(self) -> None:
        """Wait, in a thread of its own, until the kernel grants the users' lock.

        Then wake the main thread, which waits in sigwait, with a signal.
        """
        granted = lock(self.data / "users.lock", fcntl.LOCK_EX)
        if granted is not None:
            os.close(granted)
        os.kill(os.getpid(), NO_USERS)

    def _has_no_users(self) -> bool:
        """Return True if there are no users and no process is becoming one.

        Then both locks are held until this process ends.
        """
        if not self.data.exists():
            return True  # the folder was removed, so the server has no purpose
        start = lock(self.data / "start.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
        if start is None:
            return False
        if lock(self.data / "users.lock", fcntl.LOCK_EX | fcntl.LOCK_NB) is None:
            os.close(start)
            return False
        return True

    def _stop(self) -> None:
        """Stop the server: fast, then immediately, then by SIGKILL."""
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self.server is None or self.server.poll() is not None:
                return
            self.server.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.server.wait(FAST_STOP_SECONDS)


def _unblock_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED_SIGNALS)


def _die_with_parent() -> None:
    _unblock_signals()
    ctypes.CDLL(None).prctl(DEATH_SIGNAL_OPTION, signal.SIGINT)


def main(arguments: list[str]) -> int:
    """Detach, and supervise one server.

    Arguments: the StartOptions as JSON, and the descriptor to report to.
    """
    if os.fork():
        return 0
    os.setsid()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    # Blocked signals wait for sigwait: none is lost between two calls, and none interrupts
    # the shutdown.
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED_SIGNALS)
    channel = int(arguments[1])
    options = StartOptions(**json.loads(arguments[0]))
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (options.descriptor_limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )

    def report(line: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(channel, line.encode())
        os.close(channel)

    try:
        PostgresSupervisor(options).run(report)
    except SupervisorError as error:
        report(f"failed {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
