"""What libraries say through the standard library's `logging`, in our lines. One rule: the level is theirs, the form ours."""

from __future__ import annotations

import logging

from arlen_runtime.log.logger import Log


class Bridge(logging.Handler):
    """A handler that hands records to a Log: event `library`, with the logger's name and the message."""

    def __init__(self, log: Log) -> None:
        """Take the log to write to."""
        super().__init__()
        self._write = {
            logging.DEBUG: log.debug,
            logging.INFO: log.info,
            logging.WARNING: log.warning,
            logging.ERROR: log.error,
        }
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a record whose arguments do not fit its message is reported as logging does it."""
        try:
            fields = {"logger": record.name, "message": record.getMessage()}
            if record.exc_info and record.exc_info[1]:
                self._log.failure("library", record.exc_info[1], logger=record.name, says=fields["message"])
            else:
                level = max(step for step in self._write if step <= max(record.levelno, logging.DEBUG))
                self._write[level]("library", **fields)
        except Exception:  # noqa: BLE001 - the contract of logging.Handler: a log call never raises
            self.handleError(record)


def connect(log: Log) -> Bridge:
    """Send warnings and errors of every library to the log; returns the handler, for who wants to take it off again."""
    bridge = Bridge(log)
    logging.getLogger().addHandler(bridge)
    return bridge
