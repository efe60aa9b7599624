"""Commands start with closed descriptors, and give on what they were started with."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

CLOSED = [numbers for count in (1, 2, 3) for numbers in itertools.combinations((0, 1, 2), count)]

BEGIN = """
import os, sys
from arlen_runtime import start_state

start_state.begin()
print("text for no reader", flush=True)
sys.stderr.write("text for no reader\\n")
with open(sys.argv[1], "w") as file:
    links = [os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1, 2)]
    print(*links, *(os.get_inheritable(fd) for fd in (0, 1, 2)), file.fileno() > 2, file=file)
"""

RESTORE = """
import os, resource, signal, sys
from arlen_runtime import start_state

start_state.begin()
start_state.set_descriptor_limit(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
for sig in (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR2):
    signal.signal(sig, lambda *_: None)
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
start_state.current().restore()
os.execvp(sys.argv[1], sys.argv[1:])
"""

CONDITIONS = """
import os, resource, signal, sys

resource.setrlimit(resource.RLIMIT_NOFILE, (200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
for sig in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
    signal.signal(sig, signal.SIG_IGN)
for sig in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(sig, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR2, signal.SIGALRM})
os.umask(0o27)
os.execvp(sys.argv[1], sys.argv[1:])
"""

SHOW = ["bash", "-c", "grep -E '^(Sig(Blk|Ign)|Umask)' /proc/self/status; ulimit -Sn; ulimit -Hn; ls /proc/self/fd"]


@pytest.mark.parametrize("closed", CLOSED, ids=str)
def test_closed_standard_streams_are_opened_before_anything_else(tmp_path: Path, closed: tuple[int, ...]) -> None:
    def close() -> None:
        for fd in closed:
            os.close(fd)

    command = [sys.executable, "-c", BEGIN, str(tmp_path / "report")]
    with (tmp_path / "stream").open("w+b") as stream:
        subprocess.run(command, stdin=stream, stdout=stream, stderr=stream, preexec_fn=close, check=True, timeout=30)
    links = ["/dev/null" if fd in closed else str(tmp_path / "stream") for fd in (0, 1, 2)]
    assert (tmp_path / "report").read_text().split() == [*links, "True", "True", "True", "True"]


def test_a_program_that_is_execd_gets_limits_signals_and_mask_of_the_start() -> None:
    conditions = [sys.executable, "-c", CONDITIONS]
    expected = subprocess.run([*conditions, *SHOW], capture_output=True, text=True, check=True, timeout=30).stdout
    command = [*conditions, sys.executable, "-c", RESTORE, *SHOW]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

    assert "\n200\n" in expected
    assert shown == expected


@pytest.mark.parametrize(
    "command",
    [
        ("-m", "arlen_cli", "migrate", "status"),
        ("-m", "arlen_runtime", "migrate", "status"),
        ("-m", "arlen_runtime.propane", "--check"),
        ("-m", "arlen_runtime.propane", "status"),
    ],
    ids=" ".join,
)
def test_every_command_writes_to_the_null_device_what_it_cannot_write(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A command that writes to a stream that is None ends with an error of its own."""
    expected = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    code = (
        "import os, runpy, sys, traceback; sys.argv = sys.argv[1:]\n"
        "try: runpy.run_module(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: raise\n"
        "except BaseException: open('failure', 'w').write(traceback.format_exc())"
    )

    def close() -> None:
        os.closerange(0, 3)

    ran = subprocess.run([sys.executable, "-c", code, *command[1:]], cwd=tmp_path, preexec_fn=close, check=False)

    assert not (tmp_path / "failure").exists()
    assert ran.returncode == expected.returncode
