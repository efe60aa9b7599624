"""The sink: whole lines to pipes, rotation, and a log that cannot be written."""

from __future__ import annotations

import fcntl
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from arlen_runtime.errors import ConfigError
from arlen_runtime.log.sink import PIPE_BUF, Sink

LINES = b"".join(b"%05d %s\n" % (number, b"x" * (number % 211)) for number in range(500))


def test_lines_are_appended_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"before\n")
    sink = Sink(path)
    sink.write(LINES)
    sink.close()
    assert path.read_bytes() == b"before\n" + LINES


def pipe_sink(flags: int) -> tuple[int, Sink]:
    """Make a sink that writes to a pipe with these flags; return it with the read end."""
    reader, writer = os.pipe()
    sink = Sink(Path(f"/dev/fd/{writer}"))
    os.close(writer)
    fcntl.fcntl(sink._descriptor, fcntl.F_SETFL, flags)
    return reader, sink


def test_writes_to_a_pipe_are_small_and_end_at_a_lines_end() -> None:
    # In packet mode a pipe keeps the boundaries of writes (pipe(2), O_DIRECT): a read is one write.
    reader, sink = pipe_sink(os.O_DIRECT)
    atom = b"y" * (PIPE_BUF - 1) + b"\n"
    sink.write(LINES + atom)
    sink.close()
    pieces = list(iter(lambda: os.read(reader, 65536), b""))
    os.close(reader)
    assert all(len(piece) <= PIPE_BUF and piece.endswith(b"\n") for piece in pieces)
    assert pieces[-1] == atom
    assert b"".join(pieces) == LINES + atom


def test_a_line_longer_than_pipe_buf_is_written_whole() -> None:
    code = (
        "from arlen_runtime.log.sink import Sink\n"
        "Sink(None).write(b'a\\n' + b'x' * 10000 + b'\\nb\\n' + b'no newline')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30)
    assert done.stderr == b"a\n" + b"x" * 10000 + b"\nb\nno newline"


@pytest.mark.parametrize("flags", [0, os.O_NONBLOCK])
def test_a_line_longer_than_pipe_buf_waits_for_no_reader_and_the_next_line_stays_separate(flags: int) -> None:
    reader, sink = pipe_sink(flags)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4 * PIPE_BUF)
    long = b"x" * 6 * PIPE_BUF + b"\n"
    writing = threading.Thread(target=sink.write, args=(long,), daemon=True)
    writing.start()
    writing.join(30)
    assert not writing.is_alive(), "it waits for a reader"
    torn = os.read(reader, 1 << 20)
    assert long.startswith(torn)
    assert 0 < len(torn) < len(long)
    assert sink.lost == (1, len(long)), "half a line is lost, all of it"

    sink.write(b"next\n")
    assert os.read(reader, 1 << 20) == b"\nnext\n"
    sink.write(b"last\n")
    assert os.read(reader, 1 << 20) == b"last\n"
    sink.close()
    os.close(reader)


UNREAD = """
import os
from arlen_runtime.log.sink import Sink
sink = Sink(None)
for _ in range(20):
    sink.write(b"x" * 30_000 + b"\\n")
print(*sink.lost, os.get_blocking(2))
"""


def test_long_lines_to_an_unread_pipe_block_no_writer_and_keep_its_flags() -> None:
    reader, writer = os.pipe()
    done = subprocess.run(
        [sys.executable, "-c", UNREAD], stdout=subprocess.PIPE, stderr=writer, text=True, check=True, timeout=30
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as unread:
        kept = unread.read().count(b"\n")

    assert 0 < kept < 20
    assert done.stdout == f"{20 - kept} {(20 - kept) * 30_001} True\n"


def test_reopening_follows_the_name_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    sink = Sink(path)
    sink.write(b"old\n")
    path.rename(tmp_path / "app.log.1")
    sink.write(b"still old\n")
    sink.reopen()
    sink.write(b"new\n")
    sink.close()
    assert (tmp_path / "app.log.1").read_bytes() == b"old\nstill old\n"
    assert path.read_bytes() == b"new\n"


def test_a_reopening_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    sink = Sink(folder / "app.log")
    folder.rename(tmp_path / "moved")
    with pytest.raises(ConfigError, match="No such file or directory"):
        sink.reopen()
    sink.write(b"kept\n")
    sink.close()
    assert (tmp_path / "moved" / "app.log").read_bytes() == b"kept\n"


def test_a_file_that_cannot_be_opened_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[log\] file: cannot open .*none/app\.log: No such file"):
        Sink(tmp_path / "none" / "app.log")


def test_an_unread_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="cannot open"):
        Sink(tmp_path / "pipe")
    script = "from arlen_runtime.log.sink import Sink; Sink(None).write(b'lost'); print('went on')"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=writer, timeout=30, check=True)
    os.close(writer)
    assert done.stdout == b"went on\n"


def test_a_full_disk_loses_lines_and_nothing_else() -> None:
    sink = Sink(Path("/dev/full"))
    sink.write(b"lost\nand this\nhalf")
    assert sink.lost == (3, 18)
    assert not sink.report(b"lost 3\n")
    assert sink.lost == (3, 18), "a report that was not written reports nothing"
    sink.close()


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Have writes fail at a size of the file, in the middle of a line, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (0, b""),
        (5, b"one.\n"),
        (6, b"one.\n\n"),
        (7, b"one.\n.\n"),
        (11, b"one.\ntw...\n"),
        (14, b"one.\ntwo two\n\n"),
        (18, b"one.\ntwo two\nt...\n"),
    ],
)
def test_a_line_that_was_cut_is_marked_at_once_so_that_no_process_appends_to_it(
    tmp_path: Path, room: int, kept: bytes
) -> None:
    path = tmp_path / "app.log"
    full, other = Sink(path), Sink(path)
    lines = b"one.\ntwo two\nthree\n"
    with file_size_limit(room):
        full.write(lines)
    other.write(b"of another process\n")
    full.write(b"later\n")

    assert path.read_bytes() == kept + b"of another process\nlater\n"
    whole = [line for line in kept.splitlines(keepends=True) if line in lines.splitlines(keepends=True)]
    assert full.lost == (3 - len(whole), len(lines) - sum(map(len, whole)))
    full.close()
    other.close()


def test_a_cut_line_that_another_process_has_appended_to_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    sink = Sink(path)

    def append_first(fd: int, offset: int, whence: int) -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        os.write(fd, b" and a line\n")  # a child has inherited the descriptor, and so its position
        return lseek(fd, offset, whence)

    lseek = os.lseek
    with pytest.MonkeyPatch.context() as patch, file_size_limit(20):
        patch.setattr(os, "lseek", append_first)
        sink.write(b"0123456789 is cut off\n")
    sink.write(b"next\n")

    assert path.read_bytes() == b"0123456789 is cut of and a line\n\nnext\n"
    sink.close()


def test_a_reopened_file_does_not_begin_with_the_end_of_a_cut_line(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    sink = Sink(path)
    sink._line_is_cut = True
    path.rename(tmp_path / "app.log.1")
    sink.reopen()
    sink.write(b"new\n")

    assert path.read_bytes() == b"new\n"
    sink.close()


@pytest.mark.parametrize("flags", [0, os.O_NONBLOCK])
def test_a_reader_that_does_not_read_is_waited_for_once_and_lost_bytes_are_counted(flags: int) -> None:
    reader, sink = pipe_sink(flags)
    line = b"z" * 999 + b"\n"
    started = time.monotonic()
    for _ in range(200):
        sink.write(line)
    assert time.monotonic() - started < 3
    lines, size = sink.lost
    kept = 200 - lines
    assert 0 < kept < 200
    assert size == lines * len(line)
    assert os.read(reader, 1 << 20) == kept * line
    assert sink.report(b"lost\n")
    sink.write(line)
    assert os.read(reader, 1 << 20) == b"lost\n" + line
    assert sink.lost == (0, 0)
    sink.close()
    os.close(reader)
