"""The log: levels, order, request ids, threads, forks and access lines."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime import scope
from arlen_runtime.config.sections import LogSection
from arlen_runtime.log.logger import MAX_PENDING, Log

ACCESS = ("GET", "/", 200, 13, 0.001, "r-1", "::1", None)


def open_log(tmp_path: Path, environment: str = "production", **settings: Any) -> Log:  # noqa: ANN401 - any setting of the section
    return Log(LogSection(file="app.log", **settings), environment, tmp_path, clock=lambda: 0.0)


def lines(tmp_path: Path) -> list[str]:
    return (tmp_path / "app.log").read_text().splitlines()


def records(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(tmp_path)]


def test_an_event_is_written_at_once(tmp_path: Path) -> None:
    open_log(tmp_path).info("worker_ready", worker=2)
    assert records(tmp_path) == [
        {"time": "1970-01-01T00:00:00.000Z", "level": "info", "event": "worker_ready", "worker": 2}
    ]


@pytest.mark.parametrize(
    ("environment", "form", "opening"),
    [
        ("development", "", "1970"),
        ("test", "", "1970"),
        ("production", "", "{"),
        ("staging", "", "{"),
        ("production", "text", "1970"),
        ("development", "json", "{"),
    ],
)
def test_lines_are_text_in_development_and_test_and_json_elsewhere_unless_configured(
    tmp_path: Path, environment: str, form: str, opening: str
) -> None:
    open_log(tmp_path, environment, format=form).info("hello")
    assert lines(tmp_path)[0].startswith(opening)


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error", "error"]),
        ("info", ["info", "warning", "error", "error"]),
        ("warning", ["warning", "error", "error"]),
        ("error", ["error", "error"]),
    ],
)
def test_what_is_below_the_level_is_not_written(tmp_path: Path, level: str, written: list[str]) -> None:
    log = open_log(tmp_path, level=level)
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    log.failure("e", ValueError("x"))
    assert [record["level"] for record in records(tmp_path)] == written


def test_an_exception_is_logged_with_type_message_and_its_causes(tmp_path: Path) -> None:
    error = ValueError("second")
    error.__cause__ = KeyError("first")
    open_log(tmp_path).failure("action_failed", error, action="show")
    (record,) = records(tmp_path)
    assert (record["error"], record["message"], record["action"]) == ("ValueError", "second", "show")
    assert record["traceback"].index("KeyError: 'first'") < record["traceback"].index("ValueError: second")


def test_an_event_inside_a_request_has_its_id(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    token = scope.request_id.set("r-7")
    log.info("inside")
    log.info("other", request_id="r-8")
    scope.request_id.reset(token)
    log.info("outside")
    assert [record.get("request_id") for record in records(tmp_path)] == ["r-7", "r-8", None]


def test_an_event_has_the_correlation_id_of_its_request(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    token = scope.correlation_id.set("order-4711")
    log.info("inside")
    log.info("other", correlation_id="order-4712")
    scope.correlation_id.reset(token)
    log.info("outside")
    assert [record.get("correlation_id") for record in records(tmp_path)] == ["order-4711", "order-4712", None]


def test_access_lines_wait_for_the_flush_and_keep_their_order(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for number in range(3):
        log.access("GET", f"/{number}", 200, 13, 0.001, "r-1", "::1", None)
    assert lines(tmp_path) == []
    log.flush()
    log.flush()
    assert [record["target"] for record in records(tmp_path)] == ["/0", "/1", "/2"]


def test_access_lines_come_before_an_event_that_follows_them(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.access(*ACCESS)
    log.info("later")
    assert [record["event"] for record in records(tmp_path)] == ["request", "later"]


def test_access_lines_do_not_pile_up_without_a_flush(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for _ in range(MAX_PENDING):
        log.access(*ACCESS)
    assert len(lines(tmp_path)) == MAX_PENDING


@pytest.mark.parametrize("settings", [{"access": False}, {"level": "warning"}])
def test_access_lines_can_be_turned_off(tmp_path: Path, settings: dict[str, Any]) -> None:
    log = open_log(tmp_path, **settings)
    log.access(*ACCESS)
    log.flush()
    assert lines(tmp_path) == []


def test_reopening_writes_pending_lines_to_the_old_file(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.access(*ACCESS)
    (tmp_path / "app.log").rename(tmp_path / "app.log.1")
    log.reopen()
    log.info("new")
    log.close()
    assert '"request"' in (tmp_path / "app.log.1").read_text()
    assert [record["event"] for record in records(tmp_path)] == ["new"]


def test_several_threads_lose_and_cut_no_line(tmp_path: Path) -> None:
    log = open_log(tmp_path)

    def work(name: str) -> None:
        for number in range(500):
            log.access("GET", f"/{name}/{number}", 200, 13, 0.001, "r-1", "::1", None)
            if number % 7 == 0:
                log.flush()
            if number % 50 == 0:
                log.info("step", name=name)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.flush()
    events = records(tmp_path)
    for name in "abcd":
        targets = [record["target"] for record in events if record.get("target", "").startswith(f"/{name}/")]
        assert targets == [f"/{name}/{number}" for number in range(500)]
    assert sum(record["event"] == "step" for record in events) == 40


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # the test is about forking beside a thread
def test_a_child_inherits_no_pending_line_and_no_lock(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    held = threading.Event()
    go_on = threading.Event()

    def hold() -> None:
        with log._lock:
            held.set()
            go_on.wait(10)

    thread = threading.Thread(target=hold)
    log.access(*ACCESS)
    thread.start()
    held.wait(10)
    threading.Timer(0.05, go_on.set).start()  # the fork waits for the lock until then
    child = os.fork()
    if child == 0:
        log.info("child")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    thread.join()
    log.info("parent")
    assert [record["event"] for record in records(tmp_path)] == ["request", "child", "parent"]


def test_lines_that_could_not_be_written_are_reported(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log._sink.lost = 42
    log.info("first")
    log.info("second")
    assert [(record["event"], record.get("bytes")) for record in records(tmp_path)] == [
        ("first", None),
        ("log_lost", 42),
        ("second", None),
    ]


def test_without_a_file_lines_go_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    Log(LogSection(), "test").warning("look")
    assert capfd.readouterr().err.endswith(" warning look\n")
