"""Which versions count as pending, and how often the database is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.migrations import api
from arlen_runtime.alnpg.pending_migrations import FOLDER, PendingMigrations

FIRST, SECOND, THIRD = "20260101000000_first", "20260102000000_second", "20260103000000_third"


def write(root: Path, version: str) -> None:
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{version}.sql").write_text("-- migrate:up\nselect 1;\n-- migrate:down\nselect 1;\n")


def pending_of(pg: ALNPg, root: Path) -> PendingMigrations:
    pending = pg.pending_migrations(root)
    assert pending is not None
    return pending


def test_files_of_this_code_count_until_they_are_applied(url: str, tmp_path: Path) -> None:
    write(tmp_path, FIRST)
    write(tmp_path, SECOND)
    pg = ALNPg(url)
    pending = pending_of(pg, tmp_path)
    assert pending() == [FIRST, SECOND], "no migration ever ran, so there is no table"
    write(tmp_path, THIRD)
    assert pending() == [FIRST, SECOND], "a file of the next deploy"
    api.migrate(url, tmp_path / FOLDER)
    assert pending() == []
    assert pending_of(pg, tmp_path)() == []
    api.down(url, tmp_path / FOLDER)
    assert pending_of(pg, tmp_path)() == [THIRD]
    (tmp_path / FOLDER / f"{THIRD}.sql").unlink()
    assert pending_of(pg, tmp_path)() == []
    (tmp_path / FOLDER / f"{SECOND}.sql").unlink()
    assert pending_of(pg, tmp_path)() == [], "the table has a version that this code does not know"
    pg.close()


def test_once_nothing_is_pending_no_query_runs() -> None:
    asked: list[str] = []

    def query(sql: str, *_parameters: object, **_options: object) -> list[tuple[Any, ...]]:
        asked.append(sql)
        return [(True,)] if "to_regclass" in sql else [(FIRST,)]

    pending = PendingMigrations(query, frozenset({FIRST}))
    assert [pending(), pending(), pending()] == [[], [], []]
    assert len(asked) == 2


@pytest.mark.parametrize("name", ["", "notes.md", "create_posts.sql", ".20260101000000_first.sql"])
def test_without_files_there_is_nothing_to_ask(tmp_path: Path, name: str) -> None:
    if name:
        (tmp_path / FOLDER).mkdir(parents=True)
        (tmp_path / FOLDER / name).write_text("")
    assert ALNPg("postgresql://nowhere.invalid/x").pending_migrations(tmp_path) is None
