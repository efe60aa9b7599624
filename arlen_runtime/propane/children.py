"""Starting programs and hearing of their end. One rule: nothing of ours leaks into a program: no signal mask, no descriptor.

The kernel reaps for nobody: whoever forks calls `reaped` in its loop, and a subreaper gets the orphans of others too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from arlen_runtime.propane import signals


def spawn(
    command: Sequence[str],
    folder: str,
    *,
    environ: Mapping[str, str] = os.environ,
    descriptors: Iterable[int] = (),
    prepare: Callable[[], None] | None = None,
) -> int:
    """Run a program in a folder as a child that inherits these descriptors; return its process id.

    `prepare` is called in the child before the program takes over. A program that cannot be run ends with status 127 and
    says why on standard error.
    """
    signals.block()
    pid = os.fork()
    if pid == 0:
        try:
            os.chdir(folder)
            for fd in descriptors:
                os.set_inheritable(fd, True)
            if prepare is not None:
                prepare()
            signals.unblock()
            os.execvpe(command[0], list(command), dict(environ))  # noqa: S606 - no shell is wanted
        except OSError as error:
            os.write(2, f"propane: cannot run {command[0]} in {folder}: {error.strerror}\n".encode())
        finally:
            os._exit(127)
    signals.unblock()
    return pid


def reaped() -> Iterator[tuple[int, int]]:
    """Yield process id and exit code of each child that has ended; a negative code is the signal that has ended it."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, os.waitstatus_to_exitcode(status)
