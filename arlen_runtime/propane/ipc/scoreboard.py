"""What the processes know of each other: a table in shared memory. One rule: each cell has one writer.

A row per worker, a cell is one aligned 64-bit number, so it is never seen half-written. The supervisor hands out rows,
moves a dead worker's counters to the row of the dead, and notes what the kernel says of the living; the worker writes the
rest. Behind the rows lie named blocks for the application.
"""

from __future__ import annotations

import enum
import fcntl
import mmap
import os
import struct
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import TypeVar

from arlen_runtime.config.sections import MOST_WORKERS
from arlen_runtime.errors import BootError

ROWS = 2 * MOST_WORKERS
"""Most workers at one time: those of a generation that goes and those of one that comes."""
CELLS = 32
DURATIONS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
"""Upper borders, in seconds, of the classes into which answered requests are counted by what they took."""
_ROW_BYTES = CELLS * 8
_RETIRED, _MANAGER = ROWS, ROWS + 1
_BLOCKS_AT = (ROWS + 2) * _ROW_BYTES
_BLOCK_HEADER = struct.Struct("<48sQQ")  # name, offset, size
_BLOCK_COUNT = 64
_DATA_AT = _BLOCKS_AT + _BLOCK_COUNT * _BLOCK_HEADER.size
_BYTES = 4 << 20
_MAX_READS = 1000
_BLOCKS_LOCK = threading.Lock()
"""lockf excludes processes, not threads."""

Result = TypeVar("Result")


class Cell(enum.IntEnum):
    """The columns of a worker's row. Times are nanoseconds of the monotonic clock."""

    PID = 0
    GENERATION = 1
    STATE = 2
    TICK = 3
    STARTED = 4
    CONNECTIONS = 5
    REQUESTS = 6
    BUSY = 7
    QUEUED = 8
    TAKEOVERS = 9
    STUCK = 10
    SHED = 11
    PSS = 12
    RSS = 13
    DESCRIPTORS = 14
    ANSWERED_2XX = 15
    ANSWERED_3XX = 16
    ANSWERED_4XX = 17
    ANSWERED_5XX = 18
    MICROSECONDS = 19
    """What all answers took together."""
    LASTED = 20
    """The first of the cells that count answers by their duration, one for each class of the ledger."""


ANSWERED = (Cell.ANSWERED_2XX, Cell.ANSWERED_3XX, Cell.ANSWERED_4XX, Cell.ANSWERED_5XX)
LASTED = range(Cell.LASTED, Cell.LASTED + len(DURATIONS) + 1)
COUNTERS: tuple[int, ...] = (Cell.REQUESTS, Cell.TAKEOVERS, Cell.SHED, *ANSWERED, Cell.MICROSECONDS, *LASTED)
"""The cells that only grow, and go on growing when their worker is gone."""


class ManagerCell(enum.IntEnum):
    """The columns of the supervisor's own row."""

    STARTED = 0
    GENERATION = 1
    RELOADS_DONE = 2
    RELOADS_FAILED = 3
    CRASHED = 4
    KILLED = 5
    SILENT = 6
    RETIRED = 7
    PSS = 8
    RSS = 9
    DESCRIPTORS = 10
    MOVING = 11
    """Odd while a dead worker's counters are between two rows."""


class WorkerState(enum.IntEnum):
    """Where a worker is in its life."""

    FREE = 0
    STARTING = 1
    READY = 2
    DRAINING = 3


def _open_memory() -> int:
    if sys.platform == "linux":
        fd = os.memfd_create("arlen-scoreboard", os.MFD_CLOEXEC)
    else:
        fd, path = tempfile.mkstemp()
        os.unlink(path)  # noqa: PTH108 - a descriptor is all that is wanted
    os.ftruncate(fd, _BYTES)
    return fd


class WorkerRow:
    """One worker's cells, by their names."""

    def __init__(self, cells: memoryview) -> None:
        """Take the row's slice of the table."""
        self.cells = cells

    def __getitem__(self, cell: int) -> int:
        """Read a cell."""
        return int(self.cells[cell])

    def __setitem__(self, cell: int, value: int) -> None:
        """Write a cell."""
        self.cells[cell] = value

    def clear(self) -> None:
        """Zero the row: nobody lives here."""
        for cell in range(CELLS):
            self.cells[cell] = 0


class Scoreboard:
    """The table, opened by the supervisor and mapped by every process below it."""

    def __init__(self, fd: int | None = None) -> None:
        """Map the memory behind `fd`; without one, open new memory."""
        self.fd = _open_memory() if fd is None else fd
        self._map = mmap.mmap(self.fd, _BYTES)
        numbers = memoryview(self._map)[:_BLOCKS_AT].cast("Q")
        rows = [WorkerRow(numbers[at * CELLS : (at + 1) * CELLS]) for at in range(ROWS + 2)]
        self.rows, self.retired, self.manager = rows[:ROWS], rows[_RETIRED], rows[_MANAGER]

    def free_row(self) -> int:
        """Return the number of the first row that nobody has. Raises BootError when there is none."""
        for number, row in enumerate(self.rows):
            if row[Cell.STATE] == WorkerState.FREE:
                return number
        raise BootError(f"all {ROWS} rows of the scoreboard are taken")

    def active_rows(self) -> list[tuple[int, WorkerRow]]:
        """Return the rows that have a worker, with their numbers."""
        return [(number, row) for number, row in enumerate(self.rows) if row[Cell.STATE] != WorkerState.FREE]

    def retire_row(self, row: WorkerRow) -> None:
        """Free a dead worker's row; what it has counted is kept. The supervisor alone does this."""
        self.manager[ManagerCell.MOVING] += 1
        for cell in COUNTERS:
            self.retired[cell] += row[cell]
        row.clear()
        self.manager[ManagerCell.MOVING] += 1

    def total(self, cell: int) -> int:
        """Sum a counter over the living and the dead."""
        return self.retired[cell] + sum(row[cell] for _number, row in self.active_rows())

    def read_consistent(self, read: Callable[[], Result]) -> Result:
        """Return what `read` finds while no counters are between two rows: a counter must never be seen to fall."""
        for _ in range(_MAX_READS):
            before = self.manager[ManagerCell.MOVING]
            result = read()
            if before % 2 == 0 and before == self.manager[ManagerCell.MOVING]:
                return result
        return read()  # the supervisor died in between: a figure that is a little off is better than none

    def shared_block(self, name: str, size: int) -> memoryview:
        """Return the block of that name, zero when new; the same memory in every process, over all generations.

        ValueError when the name is longer than 48 bytes, the size differs from the first caller's, or memory is used up.
        """
        encoded_name = name.encode()
        if len(encoded_name) > 48:  # noqa: PLR2004 - the field's width in _BLOCK_HEADER
            raise ValueError(f"the name of a shared block has at most 48 bytes: {name!r}")
        with _BLOCKS_LOCK:
            fcntl.lockf(self.fd, fcntl.LOCK_EX, 1, 0)  # the kernel frees it if we die here
            try:
                return self._find_block(encoded_name, size)
            finally:
                fcntl.lockf(self.fd, fcntl.LOCK_UN, 1, 0)

    def _find_block(self, encoded_name: bytes, size: int) -> memoryview:
        free = _DATA_AT
        for at in range(_BLOCKS_AT, _DATA_AT, _BLOCK_HEADER.size):
            name, offset, length = _BLOCK_HEADER.unpack_from(self._map, at)
            if not length:
                if free + size > _BYTES:
                    break
                _BLOCK_HEADER.pack_into(self._map, at, encoded_name, free, size)
                return memoryview(self._map)[free : free + size]
            if name.rstrip(b"\0") == encoded_name:
                if length != size:
                    raise ValueError(f"the shared block {encoded_name.decode()!r} has {length} bytes, not {size}")
                return memoryview(self._map)[offset : offset + length]
            free = offset + (length + 63) // 64 * 64
        raise ValueError(f"no shared memory is left for {encoded_name.decode()!r} ({size} bytes)")
