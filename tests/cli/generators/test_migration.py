"""Migrations: their versions, and that a second run finds the first one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arlen_cli.errors import ToolError, UsageError
from arlen_cli.generators.migration import IGNORE, LONGEST, plan_migration, stamp_for
from arlen_cli.generators.plan import Create, Project
from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations.files import Direction, parse


def test_a_migration_is_a_file_with_both_directions(project: Project) -> None:
    create = plan_migration(project, "AddTitleToPosts").actions[0]
    assert isinstance(create, Create)
    assert create.path == "db/migrations/20300131123000_add_title_to_posts.sql"
    up, _, down = create.content.partition("-- migrate:down\n")
    assert up.startswith("-- migrate:up\n-- Write the change")
    assert down.startswith("-- Write what undoes it")


def test_an_untouched_migration_is_refused_until_its_change_is_written(project: Project) -> None:
    create = plan_migration(project, "add_title").actions[0]
    assert isinstance(create, Create)
    with pytest.raises(
        MigrationError, match=r'add_title\.sql:1: no statement below "-- migrate:up": write the change there'
    ):
        parse("20300131123000_add_title.sql", create.content)
    written = create.content.replace(
        "\n\n-- migrate:down", "\nALTER TABLE posts ADD COLUMN title text;\n\n-- migrate:down"
    )
    assert parse("20300131123000_add_title.sql", written).down == Direction((), in_transaction=True)


def test_a_migration_of_that_name_keeps_its_version(project: Project) -> None:
    existing = replace(project, files=frozenset({"db/migrations/20200101000000_create_posts.sql"}))
    assert stamp_for(existing, "create_posts") == "20200101000000"
    assert stamp_for(existing, "create_authors") == "20300131123000"


def test_a_new_version_is_later_than_every_other(project: Project) -> None:
    existing = replace(
        project, files=frozenset({"db/migrations/20300131123059_a.sql", "db/migrations/20300131000000_b.sql"})
    )
    assert stamp_for(existing, "c") == "20300131123100"


@pytest.mark.parametrize("version", ["99999999999999", "99991231235959"])
def test_a_version_that_has_no_successor_is_reported(version: str, project: Project) -> None:
    existing = replace(project, files=frozenset({f"db/migrations/{version}_late.sql"}))
    assert stamp_for(existing, "late") == version
    with pytest.raises(ToolError, match=rf"db/migrations/{version}_late\.sql does not start with a date"):
        stamp_for(existing, "y")


def test_a_one_file_application_keeps_its_database_out_of_git(project: Project) -> None:
    lite = replace(project, target="app:create")
    ignore = Create(".arlen/.gitignore", "/pg*\n")
    assert ignore in plan_migration(lite, "x").actions
    assert ignore not in plan_migration(project, "x").actions
    assert ignore not in plan_migration(replace(lite, files=frozenset({IGNORE})), "x").actions


def test_other_files_are_ignored(project: Project) -> None:
    others = {
        "db/migrations/README.md",
        "db/migrations/9999_x.sql",
        "db/20990101000000_x.sql",
        "db/migrations/.gitkeep",
    }
    assert stamp_for(replace(project, files=frozenset(others)), "x") == "20300131123000"


@pytest.mark.parametrize("name", ["", "a b", "x" * (LONGEST + 1), "../x"])
def test_an_invalid_name_is_refused(name: str, project: Project) -> None:
    with pytest.raises(UsageError):
        plan_migration(project, name)
