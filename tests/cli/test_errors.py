"""Exit statuses: each error has its own."""

from __future__ import annotations

from arlen_cli.errors import Conflicts, ToolError, UsageError


def test_each_error_has_its_status() -> None:
    assert (ToolError.status, UsageError.status, Conflicts.status) == (1, 2, 3)


def test_an_error_prints_its_message() -> None:
    assert str(UsageError("there is no such thing")) == "there is no such thing"
