"""Records of the standard library's `logging` as our log lines; they keep their level."""

from __future__ import annotations

import logging

from arlen_runtime.log.logger import Log


class Bridge(logging.Handler):
    """A handler that writes records to a Log as event `library` with logger name and message."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._write = {
            logging.DEBUG: log.debug,
            logging.INFO: log.info,
            logging.WARNING: log.warning,
            logging.ERROR: log.error,
        }
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; if its arguments do not fit its message, report it as logging does."""
        try:
            fields = {"logger": record.name, "message": record.getMessage()}
            if record.exc_info and record.exc_info[1]:
                self._log.failure("library", record.exc_info[1], logger=record.name, says=fields["message"])
            else:
                level = max(step for step in self._write if step <= max(record.levelno, logging.DEBUG))
                self._write[level]("library", **fields)
        except Exception:  # noqa: BLE001 - the contract of logging.Handler: a log call never raises
            self.handleError(record)


def connect_logging(log: Log) -> Bridge:
    """Send warnings and errors of all libraries to the log; return the handler for removal."""
    bridge = Bridge(log)
    logging.getLogger().addHandler(bridge)
    return bridge
