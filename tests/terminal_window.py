"""A terminal window: a program runs in it until the window is closed."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import termios
import time
from pathlib import Path
from typing import Self

PATIENCE_SECONDS = 30.0


class TerminalWindow:
    """A pseudo terminal and the leader of its session.

    `output` is what programs have written so far. The end of the `with` block closes the window and
    kills what is left of the leader.
    """

    def __init__(self, command: list[str], folder: Path, **environ: str) -> None:
        self._fd, theirs = os.openpty()
        self.output = b""
        self.leader = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "TERM": "xterm", **environ},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one call, no lock
        )
        os.close(theirs)

    def type(self, text: str) -> None:
        """Type text, as a person does."""
        os.write(self._fd, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until `text` has been written."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text.encode() not in self.output:
            if not select.select([self._fd], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise AssertionError(f"no {text!r} in {self.output.decode()}")
            self.output += os.read(self._fd, 65536)

    def close(self) -> None:
        """Close the window."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()
        if self.leader.poll() is None:
            self.leader.send_signal(signal.SIGKILL)
        self.leader.wait()
