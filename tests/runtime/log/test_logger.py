"""The log: levels, order, request ids, threads, forks and access lines."""

from __future__ import annotations

import contextvars
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime import scope
from arlen_runtime.config.sections import LogSection
from arlen_runtime.log.lines import RESERVED
from arlen_runtime.log.logger import MAX_PENDING, Log
from arlen_runtime.propane.ipc.scoreboard import Cell, Scoreboard

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


def test_bound_fields_are_in_further_lines_and_replace_none(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    scope.request_id.set("r-7")
    log.info("before")
    log.bind(user=7, team="a").info("first")
    log.bind(team="b").info("second", user=8)
    log.failure("third", ValueError("no"))
    assert [(record.get("user"), record.get("team")) for record in records(tmp_path)] == [
        (None, None),
        (7, "a"),
        (8, "b"),
        (7, "b"),
    ]


def test_bound_fields_stay_in_their_request_on_any_thread(tmp_path: Path) -> None:
    log = open_log(tmp_path)

    def run(number: int) -> None:
        scope.request_id.set(f"r-{number}")
        log.bind(user=number)
        barrier.wait(10)
        log.info("inside")

    barrier = threading.Barrier(4)
    contexts = [contextvars.copy_context() for _ in range(4)]
    threads = [threading.Thread(target=context.run, args=(run, number)) for number, context in enumerate(contexts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(record["request_id"], record["user"]) for record in records(tmp_path)} == {
        (f"r-{number}", number) for number in range(4)
    }
    assert not scope.log_fields.get()


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_name_that_lines_have_cannot_be_bound(tmp_path: Path, name: str) -> None:
    scope.request_id.set("r-7")
    with pytest.raises(ValueError, match=rf"log\.bind\({name}=\.\.\.\)"):
        open_log(tmp_path).bind(**{name: 1})


def test_fields_are_bound_to_a_request_only(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no request runs here"):
        open_log(tmp_path).bind(user=7)


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


def limit_file_size(size: int = resource.RLIM_INFINITY) -> None:
    """Have writes fail at a size of the file, in the middle of a line, as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.fixture
def _no_limit_remains() -> Iterator[None]:
    yield
    limit_file_size()


def whole_records(data: bytes) -> list[dict[str, Any]]:
    """Return the records of whole lines; the half lines end with dots."""
    lines = [line for line in data.split(b"\n") if line]
    assert all(line.startswith(b'{"time"') or len(line) < 10 for line in lines), "a line was appended to another one"
    return [json.loads(line) for line in lines if line.endswith(b"}")]


@pytest.mark.usefixtures("_no_limit_remains")
@pytest.mark.parametrize("room", [0, 1, 70, 71, 140, 200])
def test_lost_lines_are_reported_once_before_the_next_line_by_a_line_that_was_written(
    tmp_path: Path, room: int
) -> None:
    def write(log: Log, limit: Callable[[int], None]) -> None:
        limit(room)
        for number in range(10):
            log.info("kept", number=number)
        log.access(*ACCESS)
        log.flush()
        limit(room + 20)  # no room for the report
        log.info("kept", number=10)
        limit(resource.RLIM_INFINITY)
        log.info("later")
        log.info("last")

    (tmp_path / "whole").mkdir()
    write(open_log(tmp_path / "whole"), lambda _size: None)
    write(open_log(tmp_path), limit_file_size)

    written = (tmp_path / "app.log").read_bytes()
    missing = set((tmp_path / "whole" / "app.log").read_bytes().splitlines(keepends=True))
    missing -= set(written.splitlines(keepends=True))
    *kept, report, later, last = whole_records(written)
    assert {record["event"] for record in kept} <= {"kept"}
    assert (report["event"], later["event"], last["event"]) == ("log_lost", "later", "last")
    assert (report["lines"], report["bytes"]) == (len(missing), sum(map(len, missing)))


@pytest.mark.usefixtures("_no_limit_remains")
def test_a_flush_reports_lost_lines_even_if_there_is_no_other_line(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    limit_file_size(0)
    log.info("lost")
    limit_file_size()
    log.flush()
    log.flush()
    assert [record["event"] for record in records(tmp_path)] == ["log_lost"]


@pytest.mark.usefixtures("_no_limit_remains")
def test_a_child_does_not_report_what_its_parent_has_lost(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    limit_file_size(0)
    log.info("lost")
    child = os.fork()
    if child == 0:
        log.info("lost by the child")
        limit_file_size()
        log.info("child")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    limit_file_size()
    log.info("parent")
    assert [(record["event"], record.get("lines")) for record in records(tmp_path)] == [
        ("log_lost", 1),
        ("child", None),
        ("log_lost", 1),
        ("parent", None),
    ]


@pytest.mark.usefixtures("_no_limit_remains")
def test_what_a_killed_process_lost_is_reported_by_another_one(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    row = Scoreboard().rows[0]
    child = os.fork()
    if child == 0:
        limit_file_size(0)
        log.info("before")
        log.count_lost_in(row.lost)
        log.info("after")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    log.add_lost(*row.lost)
    log.info("parent")
    (report, parent) = records(tmp_path)
    assert (report["event"], report["lines"], report["bytes"]) == ("log_lost", 2, 68 + 67)
    assert parent["event"] == "parent"


@pytest.mark.usefixtures("_no_limit_remains")
def test_shared_counts_are_cleared_by_a_report(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    row = Scoreboard().rows[0]
    row[Cell.LOST_LINES], row[Cell.LOST_BYTES] = 3, 300  # of a predecessor in this process
    log.count_lost_in(row.lost)
    log.info("next")
    assert [(record["event"], record.get("lines")) for record in records(tmp_path)] == [("log_lost", 3), ("next", None)]
    assert list(row.lost) == [0, 0]


AT_EXIT = """
import resource
from pathlib import Path
from arlen_runtime.config.sections import LogSection
from arlen_runtime.log.logger import Log

log = Log(LogSection(file="app.log"), "production", Path())
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
log.info("lost")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


def test_a_process_that_ends_reports_what_it_has_lost(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", AT_EXIT], cwd=tmp_path, check=True, timeout=60)
    assert [(record["event"], record["lines"]) for record in records(tmp_path)] == [("log_lost", 1)]


def write_and_lose(log: Log, writer: int, fill: Callable[[bool], None]) -> None:
    """Write 2000 lines, half of them while the disk is full."""
    for number in range(2000):
        if number % 500 == 0:
            fill(number % 1000 == 500)
        log.info("kept", writer=writer, number=number, text="x" * (number % 97))
    fill(False)
    log.flush()


@pytest.mark.usefixtures("_no_limit_remains")
def test_the_losses_that_several_processes_report_add_up_to_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.touch()
    inherited = open_log(tmp_path)

    def fill(full: bool) -> None:  # noqa: FBT001 - a callback
        limit_file_size(path.stat().st_size + 1000 if full else resource.RLIM_INFINITY)

    children = []
    for writer in range(4):
        child = os.fork()
        if child == 0:
            write_and_lose(inherited if writer % 2 else open_log(tmp_path), writer, fill)
            os._exit(0)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4

    (tmp_path / "whole").mkdir()
    for writer in range(4):
        write_and_lose(open_log(tmp_path / "whole"), writer, lambda _full: None)
    written = path.read_bytes()
    missing = set((tmp_path / "whole" / "app.log").read_bytes().splitlines(keepends=True))
    missing -= set(written.splitlines(keepends=True))
    reports = [record for record in whole_records(written) if record["event"] == "log_lost"]
    assert 1000 < len(missing) < 8000
    assert sum(report["lines"] for report in reports) == len(missing)
    assert sum(report["bytes"] for report in reports) == sum(map(len, missing))


def test_lines_for_a_reader_that_does_not_read_add_up_to_what_is_missing() -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 2)
        log = Log(LogSection(), "production", clock=lambda: 0.0)
        for number in range(3000):
            log.info("kept", number=number)
        os.kill(os.getpid(), signal.SIGSTOP)  # the parent reads now
        log.info("last")
        os._exit(0)
    os.close(writer)
    os.waitpid(child, os.WUNTRACED)
    data = os.read(reader, 1 << 20)
    os.kill(child, signal.SIGCONT)
    with os.fdopen(reader, "rb") as rest:
        data += rest.read()
    os.waitpid(child, 0)

    records = whole_records(data)
    report, last = records[-2:]
    assert {record["event"] for record in records[:-2]} == {"kept"}
    assert (report["event"], report["lines"], last["event"]) == ("log_lost", 3000 - len(records) + 2, "last")


def test_without_a_file_lines_go_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    Log(LogSection(), "test").warning("look")
    assert capfd.readouterr().err.endswith(" warning look\n")
