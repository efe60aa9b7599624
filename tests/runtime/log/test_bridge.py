"""Records of libraries as our log lines."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime import App, Context, scope
from arlen_runtime.config.sections import Config, LogSection
from arlen_runtime.log.bridge import Bridge, connect_libraries, connect_logging
from arlen_runtime.log.logger import Log
from arlen_runtime.testing import TestClient

library = logging.getLogger("some.library")


@pytest.fixture
def log_folder(tmp_path: Path) -> Iterator[Path]:
    bridge = connect_logging(Log(LogSection(file="app.log"), "production", tmp_path))
    yield tmp_path / "app.log"
    logging.getLogger().removeHandler(bridge)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_librarys_warning_is_an_event(log_folder: Path) -> None:
    library.warning("pool %s is full", "main")
    (record,) = records(log_folder)
    assert (record["level"], record["event"]) == ("warning", "library")
    assert (record["logger"], record["message"]) == ("some.library", "pool main is full")


def test_other_levels_use_the_next_lower_one(log_folder: Path) -> None:
    library.critical("worst")
    library.log(logging.WARNING + 5, "between")
    assert [record["level"] for record in records(log_folder)] == ["error", "warning"]


def test_a_librarys_exception_comes_with_its_traceback(log_folder: Path) -> None:
    library.error("while looking", exc_info=KeyError("lost"))
    (record,) = records(log_folder)
    assert (record["error"], record["message"]) == ("KeyError", "while looking")
    assert "KeyError" in record["traceback"]


def test_a_warning_with_an_exception_stays_a_warning(log_folder: Path) -> None:
    library.warning("tried again", exc_info=OSError("reset"))
    (record,) = records(log_folder)
    assert (record["level"], record["error"]) == ("warning", "OSError")


class Unprintable:
    """An argument whose `__str__` raises."""

    def __str__(self) -> str:
        """Raise, as a broken model may."""
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("message", "arguments", "expected"),
    [
        ("line\nof two\x1b[31m", (), "line\nof two\x1b[31m"),
        ("%s and %s", (1,), "%s and %s (its arguments do not fit: TypeError)"),
        ("%s", (Unprintable(),), "%s (its arguments do not fit: RuntimeError)"),
    ],
)
def test_any_record_is_one_line(
    log_folder: Path, capfd: pytest.CaptureFixture[str], message: str, arguments: tuple[object, ...], expected: str
) -> None:
    # Not through a logger: pytest's own handler raises for arguments that do not fit.
    record = logging.LogRecord("some.library", logging.WARNING, "", 0, message, arguments, None)
    Bridge(Log(LogSection(file="app.log"), "production", log_folder.parent)).handle(record)
    (line,) = records(log_folder)
    assert line["message"] == expected
    assert capfd.readouterr().err == ""


def test_a_record_has_the_ids_and_the_fields_of_its_request(log_folder: Path) -> None:
    scope.request_id.set("r-1")
    scope.log_fields.set({"user": 7})
    library.warning("inside")
    (record,) = records(log_folder)
    assert (record["request_id"], record["user"]) == ("r-1", 7)


@contextmanager
def only_handlers(*handlers: logging.Handler) -> Iterator[logging.Logger]:
    """Take away the handlers that pytest adds for each test, as in a process of the server."""
    root = logging.getLogger()
    before = root.handlers, root.level
    root.handlers = list(handlers)
    try:
        yield root
    finally:
        logging.captureWarnings(capture=False)
        root.handlers, root.level = before
        root.setLevel(root.level)


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_libraries_are_connected_from_a_level_on_and_only_once(tmp_path: Path, level: str, written: list[str]) -> None:
    log = Log(LogSection(file="app.log", level="debug"), "production", tmp_path)
    with only_handlers():
        connect_libraries(log, level)
        connect_libraries(log, level)
        for name in ("debug", "info", "warning", "error"):
            library.log(getattr(logging, name.upper()), "at %s", name)
    assert [record["level"] for record in records(tmp_path / "app.log")] == written


def test_warnings_of_python_are_lines(tmp_path: Path) -> None:
    log = Log(LogSection(file="app.log"), "production", tmp_path)
    with warnings.catch_warnings(), only_handlers():
        connect_libraries(log, "warning")
        warnings.simplefilter("always")
        warnings.warn("old\nway", DeprecationWarning, stacklevel=1)
    (record,) = records(tmp_path / "app.log")
    assert (record["logger"], record["level"]) == ("py.warnings", "warning")
    assert "DeprecationWarning: old\nway" in record["message"]


@pytest.mark.parametrize("level", ["off", "warning"])
def test_logging_that_the_application_configured_is_left_alone(tmp_path: Path, level: str) -> None:
    own: list[logging.Handler] = [] if level == "off" else [logging.NullHandler()]
    with only_handlers(*own) as root:
        root.setLevel(logging.CRITICAL)
        connect_libraries(Log(LogSection(file="app.log"), "production", tmp_path), level)
        library.error("lost")
        assert (root.handlers, root.level) == (own, logging.CRITICAL)
    assert records(tmp_path / "app.log") == []


def test_a_test_client_leaves_the_handlers_of_pytest_alone(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    def act(_ctx: Context) -> None:
        library.warning("seen by caplog")

    before = logging.getLogger().handlers[:]
    TestClient(App(Config("test", tmp_path), lambda r: r.get("/", act))).get("/")
    assert logging.getLogger().handlers == before
    assert "seen by caplog" in caplog.text
