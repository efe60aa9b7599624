"""Misspelt directives and other tools' annotations: named before they run the wrong half."""

from __future__ import annotations

import pytest

from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations.files import parse
from arlen_runtime.alnpg.migrations.foreign_syntax import find

UP = "-- migrate:up"
DOWN = "-- migrate:down"
NO_TRANSACTION = "-- migrate:no-transaction"


@pytest.mark.parametrize(
    ("line", "tool", "directive"),
    [
        ("-- +goose Up", "goose", UP),
        ("--+goose DOWN", "goose", DOWN),
        ("-- +goose NO TRANSACTION", "goose", NO_TRANSACTION),
        ("-- +migrate Up", "sql-migrate", UP),
        ("-- +migrate Down", "sql-migrate", DOWN),
        ("-- +migrate Up notransaction", "sql-migrate", NO_TRANSACTION),
        ("-- +micrate Down", "micrate", DOWN),
        ("-- rambler down", "rambler", DOWN),
        ("-- migrate:up transaction:false", "dbmate", NO_TRANSACTION),
        ("-- migrate:down transaction:false", "dbmate", NO_TRANSACTION),
        ("---- create above / drop below ----", "tern", DOWN),
        ("--liquibase formatted sql", "Liquibase", DOWN),
    ],
)
def test_an_annotation_of_another_tool_is_named_with_the_line_to_write(line: str, tool: str, directive: str) -> None:
    text = f"{UP}\ncreate table a ();\n\n{line}\ndrop table a;\n"
    with pytest.raises(MigrationError, match=f'^a.sql:4: .*{tool}.*"{directive}"') as raised:
        parse("a.sql", text)
    assert f'"{line}"' in str(raised.value)


@pytest.mark.parametrize("line", ["-- +goose StatementBegin", "-- +migrate StatementEnd", "-- +goose ENVSUB ON"])
def test_an_annotation_without_a_counterpart_is_to_be_removed(line: str) -> None:
    foreign = find(f"{UP}\n{line}\nselect 1;")
    assert foreign is not None
    assert foreign.line == 2
    assert "remove this line" in foreign.reason


@pytest.mark.parametrize(
    ("line", "directive"),
    [
        ("--migrate up", UP),
        ("-- migrate down", DOWN),
        ("-- migration:up", UP),
        ("-- Migrations: Down", DOWN),
        ("-- migrat:down", DOWN),
        ("-- migrate_down", DOWN),
        ("-- migrate:dwon", DOWN),
        ("-- migrate:down;", DOWN),
        ("-- migrate no-transaction", NO_TRANSACTION),
        ("-- migrate:notransaction", NO_TRANSACTION),
        ("/* migrate:down */", DOWN),
        ("-- down", DOWN),
        ("-- ==== DOWN ====", DOWN),
        ("-- Down Migration", DOWN),
        ("-- //@UNDO", DOWN),
        ("-- !Downs", DOWN),
        ("-- no transaction", NO_TRANSACTION),
    ],
)
def test_a_misspelt_directive_is_named_with_the_line_to_write(line: str, directive: str) -> None:
    with pytest.raises(MigrationError) as raised:
        parse("a.sql", f"{UP}\ncreate table a ();\n  {line}\ndrop table a;\n")
    assert str(raised.value) == f'a.sql:3: "{line}" is not a directive: write "{directive}"'


def test_an_unknown_directive_is_answered_with_all_of_them() -> None:
    with pytest.raises(MigrationError, match=f'"{UP}", "{DOWN}" and "{NO_TRANSACTION}"$'):
        parse("a.sql", f"{UP}\nselect 1;\n-- migrate:sideways\n")


def test_a_directive_behind_a_statement_is_refused() -> None:
    with pytest.raises(MigrationError, match=r'a\.sql:2: "-- migrate:down" must stand on a line of its own'):
        parse("a.sql", f"{UP}\ncreate table a (); -- migrate:down\ndrop table a;")


@pytest.mark.parametrize(
    "statement",
    ["create table ${schema}.a ()", "create table logs_${env} ()", 'create table "${schema}" ()', "select ${a:b}"],
)
def test_a_placeholder_is_refused(statement: str) -> None:
    with pytest.raises(MigrationError, match=r"a\.sql:2: nothing fills in \$\{[\w:]+\}, .*: write the value"):
        parse("a.sql", f"{UP}\n{statement};")


@pytest.mark.parametrize(
    "text",
    [
        "-- the users migrate up to here\nselect 1;",
        "-- migrate down to the old names by hand\nselect 1;",
        "-- migrated: down the road\nselect 1;",
        "-- rollback is done by hand\nselect 1;",
        "-- goose and duck\nselect 1;",
        "select 1; -- down",
        "create type way as enum (\n  -- up\n  'up',\n  -- down\n  'down'\n);",
        "select '${name}', $$ ${name} $$, E'\\n-- +goose Down\\n';",
        "create function f() returns void language plpgsql as $$ begin\n-- down\n-- migrate:down\nend $$;",
        "select '\n-- +goose Down\n';",
        "select a[1:2], $1, b - -1 from t;",
        "",
    ],
)
def test_comments_and_texts_of_other_kinds_are_left_alone(text: str) -> None:
    assert find(f"{UP}\n{text}\n{DOWN}\n  --MIGRATE: No-Transaction\nselect 1;") is None
