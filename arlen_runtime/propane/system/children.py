"""Starting programs and hearing of their end. One rule: nothing of ours leaks into a program: no signal mask, no descriptor.

The kernel reaps for nobody: whoever forks calls `reaped` in its loop, and a subreaper gets the orphans of others too.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

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
    """Run a program in a folder as a child that inherits these descriptors; return its process id. BootError without one.

    `prepare` is called in the child before the program takes over. A program that cannot be run ends with status 127 and
    says why on standard error. `held` is for programs of ours: signals wait until it calls `signals.begin`, so none ends an
    interpreter that only starts.
    """
    pid = fork(command[0])
    if pid == 0:
        try:
            for sig in signals.HANDLED:  # one that comes before the exec would be enqueued, and lost with the queue
                signal.signal(sig, signal.SIG_DFL)
            os.chdir(folder)
            for fd in descriptors:
                os.set_inheritable(fd, True)
            if prepare is not None:
                prepare()
            if not keep_signals_blocked:
                signals.unblock()
            os.execvpe(command[0], list(command), dict(environ))  # noqa: S606 - no shell is wanted
        except OSError as error:
            os.write(2, f"propane: cannot run {command[0]} in {folder}: {error.strerror}\n".encode())
        finally:
            os._exit(127)
    signals.unblock()
    return pid


def fork(purpose: str) -> int:
    """Fork with signals held in both, for `what`; return the process id, 0 in the child. BootError when there is none left."""
    signals.block()
    try:
        return os.fork()
    except OSError as error:  # the limit of processes, or no memory: that may pass
        signals.unblock()
        raise BootError(f"no process for {purpose}: {error.strerror}") from error


def signal_group(pid: int, sig: signal.Signals) -> None:
    """Send a signal to a child that has not been reaped, and to all of the group that it leads.

    A child that has only just been forked leads none yet: it gets the signal alone, and it has started nothing.
    """
    with suppress(PermissionError):  # a program may have become another user's
        try:
            os.killpg(pid, sig)
        except ProcessLookupError:
            os.kill(pid, sig)


def kill_group(pid: int) -> None:
    """Kill what is left of the group that a child has led, which has ended and been reaped."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def reap() -> Iterator[tuple[int, int]]:
    """Yield process id and exit code of each child that has ended; a negative code is the signal that has ended it."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, os.waitstatus_to_exitcode(status)
