"""Records of libraries as our log lines."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.config.sections import LogSection
from arlen_runtime.log.bridge import connect_logging
from arlen_runtime.log.logger import Log

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
    assert (record["error"], record["says"]) == ("KeyError", "while looking")
    assert "KeyError" in record["traceback"]
