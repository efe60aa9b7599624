"""Health checks of the application.

    App(config, routes, checks={"mail": Check(ask_mail_server, seconds=1, critical=False)})

A check runs on a thread of its own and its result is kept for a while, because what it asks may be
slow, and everybody may ask /readyz.

Invariant: a check never runs twice at the same time, and at most one request waits for it.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass
from typing import NamedTuple

from arlen_runtime import scope
from arlen_runtime.callables import accepts, is_async, name_of
from arlen_runtime.errors import BootError
from arlen_runtime.log.logger import Log

DATABASE = "database"
MIGRATIONS = "migrations"
_OWN = (DATABASE, MIGRATIONS)

MOST_SECONDS = 30.0
"""A caller of /readyz does not wait longer."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Check:
    """One health check: `Check(ask_mail_server, seconds=1, critical=False)`.

    It fails if `function()` raises, returns False, or takes more than `seconds`. While a `critical`
    one fails, /readyz answers 503: that is for what no request can do without.
    """

    function: Callable[[], object]
    seconds: float = 1.0
    critical: bool = False


class CheckOutcome(NamedTuple):
    """The result of a check: ok or failed, its time, and the class and message of its error."""

    status: str
    ms: float
    error: str = ""
    message: str = ""


def check_all(checks: object) -> Mapping[str, Check]:
    """Return the checks of an application. Raise BootError that names all mistakes."""
    if not isinstance(checks, Mapping):
        raise BootError(f'checks must be a mapping such as {{"mail": Check(function)}}, not {type(checks).__name__}')
    mistakes = [f"checks[{name!r}]: {mistake}" for name, check in checks.items() if (mistake := _mistake(name, check))]
    if mistakes:
        raise BootError("\n".join(mistakes))
    return checks


def _mistake(name: object, check: object) -> str:
    """Return what is wrong with a check, "" if nothing is."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "a name consists of letters, digits, _ and -, and begins with a letter"
    if name in _OWN:
        return "Arlen has a check of this name: choose another one"
    if not isinstance(check, Check):
        return f"it must be a Check, not {type(check).__name__}: write Check(function)"
    seconds: object = check.seconds
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= MOST_SECONDS:
        return f"seconds must be a number above 0 and at most {MOST_SECONDS:g}, not {seconds!r}"
    critical: object = check.critical
    if not isinstance(critical, bool):
        return f"critical must be True or False, not {critical!r}"
    return _function_mistake(check.function)


def _function_mistake(function: object) -> str:
    if not callable(function):
        return f"{function!r} cannot be called"
    if is_async(function):
        return f"{name_of(function)} is async: write a plain function, it may block"
    return "" if accepts(function, 0) else f"{name_of(function)} must need no argument"


class ChangeLog:
    """Logs when a check begins to fail and when it succeeds again, not each failure."""

    def __init__(self) -> None:
        self._failing: set[str] = set()

    def note(self, log: Log, name: str, failure: Mapping[str, object] | None) -> None:
        """Log a change. `failure` describes why the check fails; None: it does not."""
        if failure is None and name in self._failing:
            self._failing.discard(name)
            log.info("check_recovered", check=name)
        elif failure is not None and name not in self._failing:
            self._failing.add(name)
            log.warning("check_failed", check=name, **failure)


class _Run:
    """One call of a check on its thread."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.done = threading.Event()
        self.is_given_up = False


class CheckRunner:
    """Runs one check when its result is out of date."""

    def __init__(self, name: str, check: Check, keep_seconds: float, changes: ChangeLog) -> None:
        """`keep_seconds`: how long a result is kept."""
        self.name = name
        self.check = check
        self._keep_seconds = keep_seconds
        self._changes = changes
        self._lock = threading.Lock()
        self._run: _Run | None = None
        self._due_at = -math.inf
        self._outcome = CheckOutcome("failed", 0, "NotAsked", "its first run has not ended")

    def start(self, log: Log) -> _Run | None:
        """Start the check if it is due and not running. Return the run, for `outcome`."""
        with self._lock:
            if self._run is not None or time.monotonic() < self._due_at:
                return None
            run = self._run = _Run()
        # A Context of its own: the check is not part of the request that happens to start it.
        arguments = (self._call, run, log)
        try:
            threading.Thread(target=Context().run, args=arguments, name=f"check-{self.name}", daemon=True).start()
        except RuntimeError as error:  # no thread can be started now
            self._end(run, CheckOutcome("failed", 0, type(error).__name__, str(error)), log)
        return run

    def outcome(self, run: _Run | None, log: Log) -> CheckOutcome:
        """Return the result, after the time of the check at the latest.

        Only the caller that started it waits. Others get the result before: while a check hangs,
        they would hold one thread each.
        """
        if run is not None and not run.done.is_set():
            scope.about_to_wait.get()()
            run.done.wait(max(run.started + self.check.seconds - time.monotonic(), 0))
            with self._lock:
                if not run.done.is_set():
                    run.is_given_up = True
                    self._keep(self._timeout(), log)
        return self._outcome

    def _call(self, run: _Run, log: Log) -> None:
        """Run the check. On its own thread."""
        error = message = ""
        try:
            if self.check.function() is False:
                error, message = "False", "it returned False"
        except BaseException as raised:  # noqa: BLE001 - an exit in a check concerns nothing else
            error, message = type(raised).__qualname__, _text(raised)
        seconds = time.monotonic() - run.started
        outcome = CheckOutcome("failed" if error else "ok", round(seconds * 1000, 2), error, message)
        self._end(run, outcome if seconds <= self.check.seconds else self._timeout(), log)

    def _end(self, run: _Run, outcome: CheckOutcome, log: Log) -> None:
        with self._lock:
            self._run = None
            if not run.is_given_up:
                self._keep(outcome, log)
            run.done.set()

    def _timeout(self) -> CheckOutcome:
        seconds = self.check.seconds
        return CheckOutcome("failed", seconds * 1000, "TimeoutError", f"no result after {seconds:g} s")

    def _keep(self, outcome: CheckOutcome, log: Log) -> None:
        """Store a result, with the lock held, and log a change."""
        self._outcome = outcome
        self._due_at = time.monotonic() + self._keep_seconds
        failed = outcome.status == "failed"
        why = {"critical": self.check.critical, "error": outcome.error, "message": outcome.message}
        self._changes.note(log, self.name, why if failed else None)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - __str__ of an application's error
        return ""
