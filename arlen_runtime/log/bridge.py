"""Records of the standard library's `logging` as our log lines; they keep their level."""

from __future__ import annotations

import logging
import traceback

from arlen_runtime.log.logger import LEVELS, Log

_LEVELS = [(level, name) for name, level in sorted(LEVELS.items(), key=lambda item: item[1])]  # as logging numbers them


class Bridge(logging.Handler):
    """A handler that writes records to a Log as event `library` with logger name and message."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def handle(self, record: logging.LogRecord) -> bool:
        """Write the record if the filters of this handler let it pass.

        The lock of the handler is not taken: the Log has one of its own. A finalizer that logs
        while a line is written would take the two in the other order.
        """
        passed: object = self.filter(record)  # since Python 3.12 perhaps another record
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, with its traceback if it has one."""
        try:
            level = max(name for name in _LEVELS if name[0] <= max(record.levelno, logging.DEBUG))[1]
            fields: dict[str, object] = {"logger": record.name, "message": _message(record)}
            error = record.exc_info[1] if record.exc_info else None
            if error is None:
                self._log.write(level, "library", fields, record.stack_info or "")
            else:
                fields["error"] = type(error).__name__
                self._log.write(level, "library", fields, "".join(traceback.format_exception(error)))
        except Exception:  # noqa: BLE001 - the contract of logging.Handler: a log call never raises
            self.handleError(record)


def connect_logging(log: Log) -> Bridge:
    """Send warnings and errors of all libraries to the log; return the handler for removal."""
    bridge = Bridge(log)
    logging.getLogger().addHandler(bridge)
    return bridge


def connect_libraries(log: Log, level: str) -> None:
    """Send records of all libraries from `level` on, and warnings of Python, to the log.

    Call it after the import of the application. If that has given the root logger a handler, or
    the level is "off", nothing is changed; so a second call changes nothing.
    """
    root = logging.getLogger()
    if level == "off" or root.handlers:
        return
    root.setLevel(LEVELS[level])
    connect_logging(log)
    logging.captureWarnings(capture=True)


def _message(record: logging.LogRecord) -> str:
    """Return the message; a record whose arguments do not fit is still a line."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - of any kind: __str__ of an argument may raise
        return f"{record.msg} (its arguments do not fit: {type(error).__name__})"
