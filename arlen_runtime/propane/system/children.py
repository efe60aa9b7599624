"""Starts child processes and reaps them.

Invariant: a program gets no descriptor of ours, unless it is passed on purpose. Its limits, signal
mask and ignored signals are those that this command was started with.
A process that forks must call `reap` in its loop; a subreaper also gets the orphans of others.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from arlen_runtime import start_state
from arlen_runtime.errors import BootError
from arlen_runtime.propane.system import signals


def spawn(
    command: Sequence[str],
    folder: str,
    *,
    environ: Mapping[str, str] = os.environ,
    descriptors: Iterable[int] = (),
    prepare: Callable[[], None] | None = None,
    keep_signals_blocked: bool = False,
) -> int:
    """Run a program in a folder, with these descriptors. Return its process id.

    Raise BootError if no process can be forked. `prepare` is called in the child before the exec. A
    program that cannot be run exits with status 127 and writes the reason to standard error.
    `keep_signals_blocked` is for our own programs: signals stay pending until it calls
    `signals.begin`, so none ends an interpreter that is only starting.
    """
    state = start_state.current()
    pid = fork(command[0])
    if pid == 0:
        try:
            # The child has one thread, signals are blocked, and the parent's handlers are still
            # installed. A signal that is delivered before the exec would be enqueued, and lost with
            # the queue.
            state.restore_signals()
            os.chdir(folder)
            for fd in descriptors:
                os.set_inheritable(fd, True)
            if prepare is not None:
                prepare()
            state.restore_limits()
            if not keep_signals_blocked:
                state.restore_mask()
            os.execvpe(command[0], list(command), dict(environ))  # noqa: S606 - no shell is wanted
        except OSError as error:
            os.write(2, f"propane: cannot run {command[0]} in {folder}: {error.strerror}\n".encode())
        finally:
            os._exit(127)
    signals.unblock()
    return pid


def fork(purpose: str) -> int:
    """Fork with signals blocked in both processes. Return the pid, 0 in the child.

    `purpose` is for the message of the BootError, raised if no process can be forked. Each of the
    two processes must unblock signals when it can handle them.
    """
    signals.block()
    try:
        return os.fork()
    except OSError as error:  # the limit of processes, or no memory: this can pass
        signals.unblock()
        raise BootError(f"cannot start a process for {purpose}: {error.strerror}") from error


def signal_group(pid: int, sig: signal.Signals) -> None:
    """Send a signal to an unreaped child, and to the group that it leads.

    A child that has just been forked leads no group yet: it gets the signal alone, and it has
    started nothing.
    """
    with suppress(PermissionError):  # the program may run as another user by now
        try:
            os.killpg(pid, sig)
        except ProcessLookupError:
            os.kill(pid, sig)


def kill_group(pid: int) -> None:
    """Kill what is left of the group that an exited and reaped child has led."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def reap() -> Iterator[tuple[int, int]]:
    """Yield process id and exit code of each exited child.

    A negative code is the signal that ended it.
    """
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, os.waitstatus_to_exitcode(status)
