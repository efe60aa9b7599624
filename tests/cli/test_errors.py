"""Exit statuses: each refusal carries its own."""

from __future__ import annotations

from arlen_cli.errors import Conflicts, ToolError, UsageError


def test_each_kind_of_refusal_has_its_status() -> None:
    assert (ToolError.status, UsageError.status, Conflicts.status) == (1, 2, 3)


def test_a_refusal_is_its_sentence() -> None:
    assert str(UsageError("there is no such thing")) == "there is no such thing"
