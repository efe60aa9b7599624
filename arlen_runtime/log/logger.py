"""The log: events are written at once, access lines wait for the next `flush`.

`access` is on the path of every request, so it only records its arguments; the reactor calls
`flush` once per batch of events. Safe from several threads. Also safe across fork: when a child
starts, nothing is pending and no lock is held.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

from arlen_runtime import scope
from arlen_runtime.errors import ConfigError
from arlen_runtime.log.lines import FORMATS, NO_ENDPOINT, RESERVED, Access, EndpointFields, Fields, stamp, wants_colours
from arlen_runtime.log.sink import Sink

_IDS = (("request_id", scope.request_id), ("correlation_id", scope.correlation_id))
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
MAX_PENDING = 512
"""Number of pending access lines at which `access` flushes itself, if no reactor does."""


class LogSettings(Protocol):
    """The settings that a log needs: the [log] section."""

    @property
    def format(self) -> str:
        """Either "text" or "json", or "" for the default of the environment."""
        ...

    @property
    def level(self) -> str:
        """The lowest level that is written."""
        ...

    @property
    def file(self) -> str:
        """The file to append to, relative to the application; "" for standard error."""
        ...

    @property
    def access(self) -> bool:
        """Whether each request is logged."""
        ...


class Log:
    """Write events: `log.info("worker_ready", worker=2)`.

    An event is one word; variable data go into its fields.
    """

    def __init__(
        self, settings: LogSettings, environment: str, root: Path | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """Open the log; a relative file is relative to `root`.

        Raises ConfigError if the file cannot be opened.
        """
        plain = environment in {"development", "test"}
        name = settings.format or ("text" if plain else "json")
        if name == "text" and not settings.file and wants_colours(2, os.environ):
            name = "coloured"
        self._format = FORMATS[name]
        self._min_level = LEVELS[settings.level]
        self._access_enabled = settings.access and self._min_level <= LEVELS["info"]
        self._clock = clock
        self._pending: list[Access] = []
        self._lock = threading.RLock()  # reentrant: a finalizer may log while a line is written
        self._sink = Sink((root or Path()) / settings.file if settings.file else None)
        _register_fork_hooks(self)
        _open.add(self)

    def debug(self, event: str, **fields: object) -> None:
        """Log a detail that helps to find a fault."""
        self.write("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Log a normal event."""
        self.write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log an event that an operator should check."""
        self.write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log a failure."""
        self.write("error", event, fields)

    def failure(self, event: str, error: BaseException, **fields: object) -> None:
        """Log a failure with its exception: type, message, and the traceback with all causes."""
        described = {"error": type(error).__name__, "message": error, **fields}
        self.write("error", event, described, "".join(traceback.format_exception(error)))

    def bind(self, **fields: object) -> Self:
        """Add fields to all further lines of the current request, its access line included.

        A later value replaces an earlier one. Raises ValueError for a name that lines have
        already, RuntimeError outside a request: there are no lines that belong together.
        """
        reserved = RESERVED.intersection(fields)
        if reserved:
            raise ValueError(
                f"log.bind({min(reserved)}=...): each line has its own {min(reserved)!r}; take another name"
            )
        if not scope.request_id.get():
            raise RuntimeError("log.bind() adds fields to the lines of a request, and no request runs here")
        scope.log_fields.set({**scope.log_fields.get(), **fields})
        return self

    def access(  # noqa: PLR0913, PLR0917 - positional, because each keyword costs time here
        self,
        method: str,
        target: str,
        status: int,
        length: int,
        seconds: float,
        request_id: str,
        client: str,
        extra: Fields | None = None,
        endpoint: EndpointFields = NO_ENDPOINT,
    ) -> None:
        """Record an answered request: length in bytes, seconds, fields from the application."""
        if self._access_enabled:
            pending = self._pending
            pending.append((method, target, status, length, seconds, request_id, client, extra, endpoint))
            if len(pending) >= MAX_PENDING:
                self.flush()

    def flush(self) -> None:
        """Write the pending access lines, and report lost ones; cheap if there are none.

        Waits for lines that another thread is writing, so that a process can exit
        afterwards.
        """
        with self._lock:
            if self._pending or self._sink.has_lost:
                self._write_lines("")

    def count_lost_in(self, cells: memoryview) -> None:
        """Count lost lines and bytes in shared memory, so that another process can report them."""
        with self._lock:
            self._sink.count_lost_in(cells)

    def add_lost(self, lines: int, size: int) -> None:
        """Report lines and bytes that a process lost and did not report before it ended."""
        with self._lock:
            self._sink.add_lost(lines, size)

    def reopen(self) -> None:
        """Reopen the file by its name after a rotation.

        Raises ConfigError if that fails; the old file then stays open.
        """
        with self._lock:
            self._write_lines("")
            self._sink.reopen()

    def close(self) -> None:
        """Write the pending lines and close the file."""
        with self._lock:
            self._write_lines("")
            self._sink.close()
            _open.discard(self)

    def write(self, level: str, event: str, fields: dict[str, object], trace: str = "") -> None:
        """Write one event of any level, after the access lines that came before it.

        `fields` gets the fields and the ids of the request, unless it has others by their names.
        """
        if LEVELS[level] < self._min_level:
            return
        for name, value in scope.log_fields.get().items():
            fields.setdefault(name, value)
        for name, variable in _IDS:
            if name not in fields and (current := variable.get()):
                fields[name] = current
        line = self._format.event(stamp(self._clock()), level, event, fields, trace)
        with self._lock:
            self._write_lines(line)

    def _write_lines(self, line: str) -> None:
        """Write the pending lines, then `line`. Call with the lock held.

        Only the holder of the lock removes from the list; `access` may append from other
        threads at the same time.
        """
        pending = self._pending
        batch = pending[:]
        del pending[: len(batch)]
        now = stamp(self._clock())
        data = _encode("".join(self._format.accesses(now, batch)) + line)
        if self._report_lost(now):
            self._sink.write(data)
        else:
            self._sink.drop(data)

    def _report_lost(self, now: str) -> bool:
        """Report lines that were lost, before others are written. Return False if that fails."""
        sink = self._sink
        if not sink.has_lost:
            return True
        lines, size = sink.lost
        return sink.report(_encode(self._format.event(now, "warning", "log_lost", {"lines": lines, "bytes": size})))

    def before_fork(self) -> None:
        """Take the lock with nothing pending.

        So the child inherits neither pending lines nor a lock that another thread holds.
        """
        self._lock.acquire()
        self._write_lines("")

    def after_fork(self) -> None:
        """Release the lock in the parent."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Release the lock in the child. The parent reports the lines that it has lost."""
        self._sink.after_fork_in_child()
        self._lock.release()


_open: weakref.WeakSet[Log] = weakref.WeakSet()


def reopen_all() -> None:
    """Reopen the files of all logs of this process.

    A log that cannot reopen its file logs that and keeps the old one.
    """
    for log in list(_open):
        try:
            log.reopen()
        except ConfigError as error:
            log.error("log_not_reopened", reason=error.detail, action="old_file_serves_on")


def _register_fork_hooks(log: Log) -> None:
    """Call the log's hooks around each fork while the log exists."""
    methods = map(weakref.WeakMethod, (log.before_fork, log.after_fork, log.after_fork_in_child))

    def caller(method: weakref.WeakMethod[Callable[[], None]]) -> Callable[[], None]:
        def call() -> None:
            bound = method()
            if bound is not None:
                bound()

        return call

    before, after, after_in_child = map(caller, methods)
    os.register_at_fork(before=before, after_in_parent=after, after_in_child=after_in_child)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


@atexit.register
def _flush_all() -> None:
    """Report lost lines at the end of a process that writes nothing more."""
    for log in list(_open):
        log.flush()
