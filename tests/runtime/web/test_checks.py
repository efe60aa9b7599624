"""Checks of the application: mistakes at boot, time limits, threads, kept results, log lines."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime import scope
from arlen_runtime.config.sections import LogSection
from arlen_runtime.errors import BootError
from arlen_runtime.log.logger import Log
from arlen_runtime.web.checks import ChangeLog, Check, CheckOutcome, CheckRunner, check_all


def ask() -> None:
    """Succeed."""


async def ask_later() -> None:
    """Do nothing."""


def ask_about(_name: str) -> None:
    """Do nothing."""


WRONG: Any = object()


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ([], "checks must be a mapping .*, not list"),
        ({"mail": ask}, r"checks\['mail'\]: it must be a Check, not function: write Check\(function\)"),
        ({"database": Check(ask)}, "Arlen has a check of this name"),
        ({"migrations": Check(ask)}, "Arlen has a check of this name"),
        ({"": Check(ask)}, "a name consists of letters"),
        ({"a\nb": Check(ask)}, "a name consists of letters"),
        ({1: Check(ask)}, "a name consists of letters"),
        ({"mail": Check(WRONG)}, "cannot be called"),
        ({"mail": Check(ask_later)}, "ask_later is async"),
        ({"mail": Check(ask_about)}, "ask_about must need no argument"),  # type: ignore[arg-type] # the mistake
        ({"mail": Check(ask, seconds=0)}, "seconds must be a number above 0 and at most 30, not 0"),
        ({"mail": Check(ask, seconds=-1)}, "not -1"),
        ({"mail": Check(ask, seconds=float("nan"))}, "not nan"),
        ({"mail": Check(ask, seconds=31)}, "not 31"),
        ({"mail": Check(ask, seconds=True)}, "not True"),
        ({"mail": Check(ask, seconds="1")}, "not '1'"),  # type: ignore[arg-type] # the mistake
        ({"mail": Check(ask, critical=1)}, "critical must be True or False, not 1"),  # type: ignore[arg-type] # the mistake
    ],
)
def test_a_mistake_is_an_error_at_boot(checks: object, message: str) -> None:
    with pytest.raises(BootError, match=message):
        check_all(checks)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(BootError) as caught:
        check_all({"a": Check(ask, seconds=0), "b": ask, "c": Check(ask)})
    assert [line.partition(":")[0] for line in caught.value.detail.splitlines()] == ["checks['a']", "checks['b']"]


class Watched:
    """A runner of one check, and the lines that it logs."""

    def __init__(self, folder: Path, function: Callable[[], object], *, seconds: float = 10, keep: float = 0) -> None:
        self.log = Log(LogSection(file="app.log"), "production", folder)
        self.runner = CheckRunner("mail", Check(function, seconds), keep, ChangeLog())
        self._path = folder / "app.log"

    def ask(self) -> CheckOutcome:
        """Ask as a request does."""
        return self.runner.outcome(self.runner.start(self.log), self.log)

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of the log."""
        return [json.loads(line) for line in self._path.read_text().splitlines()]


def test_a_change_is_logged_once(tmp_path: Path) -> None:
    results = iter([None, OSError("refused\nforged"), OSError("again"), True, None, False])

    def function() -> object:
        result = next(results)
        if isinstance(result, OSError):
            raise result
        return result

    watched = Watched(tmp_path, function)
    outcomes = [watched.ask() for _ in range(6)]
    assert [outcome.status for outcome in outcomes] == ["ok", "failed", "failed", "ok", "ok", "failed"]
    assert [outcome.error for outcome in outcomes] == ["", "OSError", "OSError", "", "", "False"]
    lines = watched.lines()
    assert [(line["level"], line["event"], line["check"]) for line in lines] == [
        ("warning", "check_failed", "mail"),
        ("info", "check_recovered", "mail"),
        ("warning", "check_failed", "mail"),
    ]
    assert (lines[0]["error"], lines[0]["message"]) == ("OSError", "refused\nforged")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_a_check_raises_fails_it_alone(tmp_path: Path, error: BaseException) -> None:
    def function() -> None:
        raise error

    assert Watched(tmp_path, function).ask().error == type(error).__name__


def test_a_result_is_kept(tmp_path: Path) -> None:
    calls: list[int] = []
    watched = Watched(tmp_path, lambda: calls.append(1), keep=60)
    assert {watched.ask().status for _ in range(100)} == {"ok"}
    assert len(calls) == 1


def test_a_check_that_hangs_holds_one_thread_and_is_never_started_twice(tmp_path: Path) -> None:
    release, calls = threading.Event(), list[int]()

    def function() -> None:
        calls.append(1)
        release.wait(30)

    watched = Watched(tmp_path, function, seconds=0.05)
    waits: list[int] = []
    scope.about_to_wait.set(lambda: waits.append(1))
    for _ in range(50):
        outcome = watched.ask()
        assert (outcome.status, outcome.error, outcome.message) == ("failed", "TimeoutError", "no result after 0.05 s")
    assert (len(calls), len(waits)) == (1, 1), "only the first request has waited"
    threads = [thread for thread in threading.enumerate() if thread.name == "check-mail"]
    assert len(threads) == 1
    release.set()
    threads[0].join(10)
    assert watched.ask().status == "ok", "the late result does not count, the next run does"
    assert [line["event"] for line in watched.lines()] == ["check_failed", "check_recovered"]


def test_a_second_request_does_not_wait_for_the_first_run(tmp_path: Path) -> None:
    release = threading.Event()
    watched = Watched(tmp_path, lambda: release.wait(30))
    first = watched.runner.start(watched.log)
    assert watched.ask() == CheckOutcome("failed", 0, "NotAsked", "its first run has not ended")
    release.set()
    assert watched.runner.outcome(first, watched.log).status == "ok"


def test_a_check_is_not_part_of_the_request_that_starts_it(tmp_path: Path) -> None:
    seen: list[str] = []
    scope.request_id.set("r-1")
    Watched(tmp_path, lambda: seen.append(scope.request_id.get())).ask()
    assert seen == [""]


def test_a_check_that_gets_no_thread_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    watched = Watched(tmp_path, ask)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert watched.ask().error == "RuntimeError"
    assert watched.ask().status == "ok"
