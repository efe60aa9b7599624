"""Health endpoints: /healthz, /livez and /readyz.

They run only the three outer middlewares and are never queued, so they answer even when the rest
does not. `healthz` and `livez` report that the process serves, at all times. `readyz` reports
that it can answer requests: 503 while the worker drains, the database cannot be reached, a
migration of this code is not applied, or a critical check of the application fails.

Everybody gets one word. Details, as JSON, are for direct requests from `[health] details_from`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from arlen_runtime.config.sections import Config
from arlen_runtime.http.application import WorkerHandle
from arlen_runtime.http.origin import TrustedProxies
from arlen_runtime.http.response import Response
from arlen_runtime.log.logger import Log
from arlen_runtime.routing.pattern import Pattern
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.checks import DATABASE, MIGRATIONS, ChangeLog, Check, CheckRunner, check_all
from arlen_runtime.web.context import Context
from arlen_runtime.web.metrics import comes_directly
from arlen_runtime.web.responses import json, text

_OK = 200
_UNAVAILABLE = 503


class _Result(NamedTuple):
    """What one check means for readiness, and its entry in the details."""

    is_ready: bool
    entry: Mapping[str, object]


class Health:
    """The endpoints, and what they know of the worker and of the checks."""

    def __init__(
        self,
        config: Config,
        pg: Any = None,  # noqa: ANN401 - any database
        checks: Mapping[str, Check] | None = None,
    ) -> None:
        """Read the files of the migrations, if the database can compare them with its history.

        Raise BootError for mistakes in `checks`, ConfigError for a bad [health] details_from.
        """
        self._details_from = TrustedProxies(config.health.details_from, "[health] details_from")
        self._keep_seconds = config.health.check_seconds
        self._changes = ChangeLog()
        self._runners = [
            CheckRunner(name, check, self._keep_seconds, self._changes)
            for name, check in check_all(checks or {}).items()
        ]
        has_history = hasattr(pg, "pending_migrations")
        self._pending: Callable[[], list[str]] | None = pg.pending_migrations(config.root) if has_history else None
        self._migrations = _Result(is_ready=False, entry={})
        self._ask_migrations_at = 0.0
        self._worker: WorkerHandle | None = None
        self._started = time.monotonic()

    def start(self, worker: WorkerHandle) -> None:
        """Serve in a worker."""
        self._worker = worker
        self._started = time.monotonic()

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints."""
        table = {"/healthz": self.healthz, "/livez": self.livez, "/readyz": self.readyz}
        return [
            Endpoint(("GET",), Pattern(path), action, name=f"arlen{path.replace('/', '.')}", immediate=True, bare=True)
            for path, action in table.items()
        ]

    def healthz(self, context: Context) -> Response:
        """Answer that the process serves."""
        return self._answer("ok", details=self._wants_details(context))

    def livez(self, context: Context) -> Response:
        """Answer that the process serves."""
        return self._answer("live", details=self._wants_details(context))

    def readyz(self, context: Context) -> Response:
        """Answer whether requests can be answered."""
        details = self._wants_details(context)
        if self._worker is not None and self._worker.draining():
            return self._answer("draining", _UNAVAILABLE, {}, details=details)
        # Checks that are not critical decide nothing, so only the details need them.
        runners = [runner for runner in self._runners if runner.check.critical or details]
        runs = [runner.start(context.log) for runner in runners]
        results = {}
        if context.services.pg is not None:
            results[DATABASE] = self._ask_database(context)
            if self._pending is not None and results[DATABASE].is_ready:
                results[MIGRATIONS] = self._ask_for_pending(self._pending, context.log)
        for runner, run in zip(runners, runs, strict=True):
            outcome = runner.outcome(run, context.log)
            entry: dict[str, object] = {"status": outcome.status, "ms": outcome.ms, "critical": runner.check.critical}
            entry |= {"error": outcome.error} if outcome.error else {}
            results[runner.name] = _Result(outcome.status == "ok" or not runner.check.critical, entry)
        entries = {name: result.entry for name, result in results.items()}
        is_ready = all(result.is_ready for result in results.values())
        word, status = ("ready", _OK) if is_ready else ("unavailable", _UNAVAILABLE)
        return self._answer(word, status, entries, details=details)

    def _ask_database(self, context: Context) -> _Result:
        started = time.monotonic()
        try:
            context.pg.query_value("select 1")
        except Exception as error:  # noqa: BLE001 - any database, any of its errors
            name = type(error).__qualname__
            self._changes.note(context.log, DATABASE, {"error": name, "message": error})
            return _Result(is_ready=False, entry={"status": "failed", "error": name})
        self._changes.note(context.log, DATABASE, None)
        return _Result(is_ready=True, entry={"status": "ok", "ms": round((time.monotonic() - started) * 1000, 2)})

    def _ask_for_pending(self, pending: Callable[[], list[str]], log: Log) -> _Result:
        """Ask at most once in `check_seconds`, and not at all once nothing is pending."""
        now = time.monotonic()
        if now < self._ask_migrations_at:
            return self._migrations
        self._ask_migrations_at = now + self._keep_seconds
        try:
            versions = pending()
        except Exception as error:  # noqa: BLE001 - any database; perhaps this role may not read the table
            self._changes.note(log, MIGRATIONS, {"error": type(error).__qualname__, "message": error})
            self._migrations = _Result(is_ready=True, entry={"status": "unknown", "error": type(error).__qualname__})
            return self._migrations
        self._changes.note(log, MIGRATIONS, {"pending": " ".join(versions)} if versions else None)
        entry = {"status": "pending" if versions else "ok", "pending": len(versions)}
        self._migrations = _Result(not versions, entry)
        return self._migrations

    def _wants_details(self, context: Context) -> bool:
        head = context.request.head
        if not comes_directly(head, self._details_from):
            return False
        if "format=json" in head.query.split("&"):
            return True
        return context.prefers("text/plain", "application/json") == "application/json"

    def _answer(
        self, word: str, status: int = _OK, checks: Mapping[str, object] | None = None, *, details: bool
    ) -> Response:
        """Return the word, or with `details` a JSON object."""
        if details:
            about = {
                "status": word,
                **({} if checks is None else {"checks": checks}),
                "version": _version(),
                "generation": self._worker.generation if self._worker is not None else 0,
                "uptime_seconds": round(time.monotonic() - self._started, 1),
            }
            response = json(about, status)
        else:
            response = text(f"{word}\n", status)
        if status == _UNAVAILABLE:
            response.set("Retry-After", "1")
        return response


@cache
def _version() -> str:
    """Return the version of Arlen; reads a file, so it is kept."""
    try:
        return version("arlen")
    except PackageNotFoundError:  # a source tree that is not installed
        return "unknown"
