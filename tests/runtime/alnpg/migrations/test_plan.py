"""Plans are computed from files and rows alone, without a database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations.files import Migration, parse
from arlen_runtime.alnpg.migrations.plan import Applied, History, Progress, pending, states, to_undo, verify

THEN = datetime(2026, 1, 1, tzinfo=UTC)
A, B, C = (
    parse(
        f"2026010{day}000000_{name}.sql", f"-- migrate:up\ncreate table {name} ();\n-- migrate:down\ndrop table {name};"
    )
    for day, name in enumerate("abc", start=1)
)


def ran(*migrations: Migration) -> History:
    return History([Applied(migration.version, THEN, migration.checksum) for migration in migrations])


def test_files_without_a_row_are_pending_in_order() -> None:
    assert pending([A, B, C], ran(A)) == [B, C]


def test_nothing_is_pending_when_all_is_applied() -> None:
    assert pending([A, B], ran(A, B)) == []


def test_a_file_that_comes_late_is_pending_and_marked() -> None:
    assert pending([A, B, C], ran(A, C)) == [B]
    assert [(state.version, state.state, state.late) for state in states([A, B, C], ran(A, C))] == [
        (A.version, "applied", False),
        (B.version, "pending", True),
        (C.version, "applied", False),
    ]


def test_an_edited_file_stops_the_plan() -> None:
    edited = A._replace(checksum="other")
    with pytest.raises(MigrationError, match=f"^{A.version}.sql: was edited after it was applied.*--accept"):
        pending([edited, B], ran(A))


def test_a_row_of_an_older_version_has_no_checksum_and_is_accepted() -> None:
    assert pending([A, B], History([Applied(A.version, THEN)])) == [B]


def test_a_missing_file_stops_the_plan_unless_that_is_allowed() -> None:
    with pytest.raises(MigrationError, match=f"^{A.version}.sql: was applied and its file is missing.*--allow-missing"):
        pending([B], ran(A))
    assert pending([B], ran(A), allow_missing=True) == [B]


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(MigrationError) as raised:
        verify([A._replace(checksum="other")], ran(A, B))
    assert [line.partition(":")[0] for line in str(raised.value).splitlines()] == [
        f"{A.version}.sql",
        f"{B.version}.sql",
    ]


def test_a_migration_that_stopped_half_way_is_pending_and_called_partial() -> None:
    history = History([], [Progress(A.version, 1, "sum")])
    assert pending([A], history) == [A]
    assert states([A], history)[0].state == "partial"


def test_a_half_undone_migration_stops_the_plan_until_it_is_undone() -> None:
    history = ran(A)._replace(progress=[Progress(A.version, 1, "sum")])
    assert [state.state for state in states([A], history)] == ["half-undone"]
    with pytest.raises(MigrationError, match=f"^{A.version}.sql: was undone in part.*`arlen migrate down`"):
        pending([A, B], history)
    assert to_undo([A], history, 1) == [A]


def test_the_last_ones_are_undone_first() -> None:
    assert to_undo([A, B, C], ran(A, B, C), 2) == [C, B]
    assert to_undo([A, B, C], ran(A), 5) == [A]
    assert to_undo([A], History(), 1) == []


def test_an_edited_file_can_be_undone() -> None:
    edited = A._replace(checksum="other")
    assert to_undo([edited], ran(A), 1) == [edited]


def test_a_migration_without_a_down_or_without_its_file_cannot_be_undone() -> None:
    with pytest.raises(MigrationError, match='it has no "-- migrate:down" line'):
        to_undo([A._replace(down=None)], ran(A), 1)
    with pytest.raises(MigrationError, match="its file is missing, so it cannot be undone"):
        to_undo([], ran(A), 1)


def test_a_partial_migration_without_its_file_stops_the_plan_unless_that_is_allowed() -> None:
    history = History([], [Progress(A.version, 1, "sum")])
    assert [(state.version, state.state) for state in states([B], history)] == [
        (A.version, "abandoned"),
        (B.version, "pending"),
    ]
    with pytest.raises(MigrationError, match=f"^{A.version}.sql: was run in part.*--allow-missing"):
        pending([B], history)
    assert pending([B], history, allow_missing=True) == [B]
