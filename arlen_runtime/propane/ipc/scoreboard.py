"""The scoreboard: a table in shared memory that all processes map.

Invariant: each cell has one writer. There is a row per worker; a cell is one aligned 64-bit number,
so it is never read half-written. The manager hands out rows, adds an exited worker's counters to
the retired row, and writes what the kernel reports about running workers. The worker writes the
rest. Named blocks for the application follow the rows.
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
"""Most workers at one time: those of a generation that drains and those of its successor."""
CELLS = 32
DURATIONS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
"""Upper bounds, in seconds, of the classes by which responses are counted."""
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
    SECONDS = 19
    """The sum of all response times: the only cell that is a floating-point number."""
    LASTED = 20
    """The first of the cells that count responses by duration: one for each class."""
    LOST_LINES = 27
    """Lines of the log that were lost and are not reported; the next cell counts their bytes."""
    LOST_BYTES = 28


ANSWERED = (Cell.ANSWERED_2XX, Cell.ANSWERED_3XX, Cell.ANSWERED_4XX, Cell.ANSWERED_5XX)
LASTED = range(Cell.LASTED, Cell.LASTED + len(DURATIONS) + 1)
COUNTERS: tuple[int, ...] = (Cell.REQUESTS, Cell.TAKEOVERS, Cell.SHED, *ANSWERED, *LASTED)
"""The cells of integers that only grow. Their sums go on growing after their worker has exited."""


class ManagerCell(enum.IntEnum):
    """The columns of the manager's own row."""

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
    """Odd while an exited worker's counters are between two rows."""
    LOST_LINES = Cell.LOST_LINES
    LOST_BYTES = Cell.LOST_BYTES
    """The manager's own lost lines; it adds those of exited workers."""


class WorkerState(enum.IntEnum):
    """The states of a worker."""

    FREE = 0
    STARTING = 1
    READY = 2
    DRAINING = 3


def _open_memory() -> int:
    if sys.platform == "linux":
        fd = os.memfd_create("arlen-scoreboard", os.MFD_CLOEXEC)
    else:
        fd, path = tempfile.mkstemp()
        os.unlink(path)  # noqa: PTH108 - only the descriptor is needed
    os.ftruncate(fd, _BYTES)
    return fd


class WorkerRow:
    """One worker's cells, by their names."""

    def __init__(self, cells: memoryview, floats: memoryview[float]) -> None:
        self.cells = cells
        self.floats = floats
        """The same memory as floating-point numbers, for Cell.SECONDS."""

    def __getitem__(self, cell: int) -> int:
        return int(self.cells[cell])

    def __setitem__(self, cell: int, value: int) -> None:
        self.cells[cell] = value

    @property
    def lost(self) -> memoryview:
        """The two cells of lost lines and their bytes."""
        return self.cells[Cell.LOST_LINES : Cell.LOST_BYTES + 1]

    def clear(self) -> None:
        """Set all cells to zero: the row is free."""
        for cell in range(CELLS):
            self.cells[cell] = 0


class Scoreboard:
    """The table, opened by the manager and mapped by every process below it.

    Maps the memory behind `fd`; without one, opens new memory.
    """

    def __init__(self, fd: int | None = None) -> None:
        self.fd = _open_memory() if fd is None else fd
        self._map = mmap.mmap(self.fd, _BYTES)
        memory = memoryview(self._map)
        parts = (memory[at : at + _ROW_BYTES] for at in range(0, _BLOCKS_AT, _ROW_BYTES))
        rows = [WorkerRow(part.cast("Q"), part.cast("d")) for part in parts]
        self.rows, self.retired, self.manager = rows[:ROWS], rows[_RETIRED], rows[_MANAGER]

    def free_row(self) -> int:
        """Return the number of the first free row. Raise BootError if there is none."""
        for number, row in enumerate(self.rows):
            if row[Cell.STATE] == WorkerState.FREE:
                return number
        raise BootError(f"all {ROWS} rows of the scoreboard are taken")

    def active_rows(self) -> list[tuple[int, WorkerRow]]:
        """Return the rows that have a worker, with their numbers."""
        return [(number, row) for number, row in enumerate(self.rows) if row[Cell.STATE] != WorkerState.FREE]

    def retire_row(self, row: WorkerRow) -> None:
        """Free an exited worker's row and keep its counters. For the manager only."""
        # Other processes may read at any time. MOVING is odd until the counters are in one row
        # again: `read_consistent` sees that and reads again.
        self.manager[ManagerCell.MOVING] += 1
        for cell in COUNTERS:
            self.retired[cell] += row[cell]
        self.retired.floats[Cell.SECONDS] += row.floats[Cell.SECONDS]
        row.clear()
        self.manager[ManagerCell.MOVING] += 1

    def total(self, cell: int) -> int:
        """Return the sum of a counter over running and exited workers."""
        return self.retired[cell] + sum(row[cell] for _number, row in self.active_rows())

    def total_seconds(self) -> float:
        """Return the sum of all response times of running and exited workers."""
        rows = (self.retired, *(row for _number, row in self.active_rows()))
        return float(sum(row.floats[Cell.SECONDS] for row in rows))

    def read_consistent(self, read: Callable[[], Result]) -> Result:
        """Return the result of `read`, taken while no counters are between two rows.

        Otherwise a reader could see a counter fall.
        """
        for _ in range(_MAX_READS):
            before = self.manager[ManagerCell.MOVING]
            result = read()
            if before % 2 == 0 and before == self.manager[ManagerCell.MOVING]:
                return result
        return read()  # the manager died while moving: a slightly wrong figure is better than none

    def shared_block(self, name: str, size: int) -> memoryview:
        """Return the block of that name, zero when new.

        It is the same memory in every process, over all generations. Raise ValueError if the name
        is longer than 48 bytes, the size differs from the first caller's, or memory is used up.
        """
        encoded_name = name.encode()
        if len(encoded_name) > 48:  # noqa: PLR2004 - the field's width in _BLOCK_HEADER
            raise ValueError(f"the name of a shared block has at most 48 bytes: {name!r}")
        with _BLOCKS_LOCK:
            fcntl.lockf(self.fd, fcntl.LOCK_EX, 1, 0)  # the kernel releases it if this process dies here
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
