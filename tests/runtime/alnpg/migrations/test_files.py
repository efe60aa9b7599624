"""Reading migrations: every mistake in a file is found, with its line, before any runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations.files import Direction, checksum, fingerprint, parse, read_all

UP = "-- migrate:up\n"
BOTH = "-- migrate:up\ncreate table a ();\ncreate table b ();\n\n-- migrate:down\ndrop table b;\ndrop table a;\n"


def test_a_file_has_an_up_and_a_down() -> None:
    migration = parse("20260101000000_a.sql", BOTH)
    assert migration.version == "20260101000000_a"
    assert [statement.text for statement in migration.up.statements] == ["create table a ()", "create table b ()"]
    assert migration.up.in_transaction
    assert migration.down is not None
    assert [statement.line for statement in migration.down.statements] == [6, 7]


@pytest.mark.parametrize(
    ("text", "wholes"),
    [
        ("-- migrate:no-transaction\n-- migrate:up\nselect 1;\n-- migrate:down\nselect 2", (False, False)),
        ("-- migrate:up\n-- migrate:no-transaction\nselect 1;\n-- migrate:down\nselect 2", (False, True)),
        ("-- migrate:up\nselect 1;\n-- migrate:down\n-- migrate:no-transaction\nselect 2", (True, False)),
    ],
)
def test_no_transaction_applies_to_its_section(text: str, wholes: tuple[bool, bool]) -> None:
    migration = parse("20260101000000_a.sql", text)
    assert migration.down is not None
    assert (migration.up.in_transaction, migration.down.in_transaction) == wholes


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("-- migrate:up\nselect 1;\nBEGIN;\n", ":3", "BEGIN: remove it"),
        ("create table a ();\ncommit work;", ":2", "COMMIT WORK: remove it"),
        ("start transaction;", ":1", "START TRANSACTION: remove it"),
        ("select 1; rollback", ":1", "ROLLBACK: remove it"),
        ("prepare transaction 'x'", ":1", "PREPARE TRANSACTION: remove it"),
        ("-- migrate:no-transaction\nend;", ":2", "END: remove it"),
        ("select 1;\n\\restrict abc\n", ":2", r"\\restrict is a command of psql"),
        ("create table a ();\ncopy a from stdin;\n", ":2", "COPY FROM STDIN has no input here"),
        (
            "copy a.b (c, d, e, f, g, h, i) -- x\n from /* y */ STDIN with (format csv)",
            ":1",
            "COPY FROM STDIN has no input",
        ),
        ("select 1;\ncopy (select a from b) to stdout", ":2", "COPY TO STDOUT has no reader here"),
        ("-- migrate:no-transaction\ncopy a to stdin;", ":2", "COPY TO STDOUT has no reader here"),
        ("select 'abc", ":1", "' opens here and never closes"),
        ("select 1;\nselect '\0'", ":2", "a statement cannot hold a NUL"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, place: str, reason: str) -> None:
    with pytest.raises(MigrationError, match=f"^20260101000000_a.sql{place}: {reason}"):
        parse("20260101000000_a.sql", text)


NO_UP = 'no "-- migrate:up" line: '
NOTHING = 'no statement below "-- migrate:up": write the change there, or SELECT 1; for none'


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("", "", f"{NO_UP}write it, and the statements of the change below it"),
        ("\ufeff \r\n\t\r\n", "", NO_UP),
        ("-- only a remark\n/* and another */;\n", "", NO_UP),
        (
            "-- a remark\ncreate table a ();\n-- migrate:down\ndrop table a;",
            ":2",
            f"{NO_UP}write it above this statement",
        ),
        ("-- migrate:no-transaction\nvacuum;", ":2", f"{NO_UP}write it above this statement"),
        ("\n-- migrate:down\ndrop table a;", ":2", f'{NO_UP}.* above "-- migrate:down"'),
        ("-- migrate:up\n\n-- migrate:down\n", ":1", NOTHING),
        ("\n-- migrate:up\n;\n-- migrate:down\ndrop table a", ":2", NOTHING),
        ("\ufeff-- migrate:up\n-- create table a ();\n", ":1", NOTHING),
        ("-- migrate:up\n-- migrate:no-transaction\n", ":1", NOTHING),
        (
            "-- migrate:down\nselect 1;\n-- migrate:up\nselect 1",
            ":3",
            '"-- migrate:up" must come before "-- migrate:down"',
        ),
        (
            "-- migrate:down\n-- migrate:up\nselect 1",
            ":2",
            '"-- migrate:up" must .* move it and its statements above line 1',
        ),
        (
            "-- x\nselect 1;\n-- migrate:up\nselect 1",
            ":3",
            '"-- migrate:up" must .* all statements: move it above line 2',
        ),
        ("-- migrate:up\nselect 1;\n-- migrate:up\nselect 2", ":3", "migrate:up is already on line 1"),
        ("-- migrate:up\nselect 1;\n-- migrate:down\n\n-- migrate:down", ":5", "migrate:down is already on line 3"),
    ],
)
def test_a_file_that_would_do_nothing_or_the_wrong_half_is_refused_with_what_to_write(
    text: str, place: str, reason: str
) -> None:
    with pytest.raises(MigrationError, match=f"^20260101000000_a.sql{place}: {reason}"):
        parse("20260101000000_a.sql", text)


def test_an_empty_down_is_allowed_and_differs_from_none() -> None:
    assert parse("20260101000000_a.sql", f"{UP}select 1;\n-- migrate:down\n-- nothing to undo\n").down == Direction(
        (), True
    )
    assert parse("20260101000000_a.sql", f"{UP}select 1;").down is None


def test_begin_and_commit_are_refused_with_the_way_to_do_without_a_transaction() -> None:
    for text, remedy in (
        (f"{UP}begin;", 'in one transaction, or in none with "-- migrate:no-transaction" as its first line'),
        (f"-- migrate:no-transaction\n{UP}commit;", 'with "-- migrate:no-transaction" each statement is committed'),
        (f"{UP}select 1;\n-- migrate:down\nsavepoint a;", "in one transaction, or in none"),
        (f"{UP}-- migrate:no-transaction\nselect 1;\n-- migrate:down\nrelease a;", "in one transaction, or in none"),
    ):
        with pytest.raises(MigrationError, match=remedy):
            parse("20260101000000_a.sql", text)


@pytest.mark.parametrize(
    "text",
    [
        "copy a from 'stdin'",
        "copy (select b from stdin) to '/x'",
        "copy stdin from program 'x' /* from stdin */",
        "copy a to '/to stdout'",
    ],
)
def test_a_copy_by_the_server_is_accepted(text: str) -> None:
    assert [statement.text for statement in parse("20260101000000_a.sql", f"{UP}{text}").up.statements] == [text]


def test_a_checksum_covers_the_visible_text() -> None:
    unix = checksum("select 1;\nselect 2;\n")
    assert checksum("select 1;\r\nselect 2;\r\n") == unix
    assert checksum("\ufeffselect 1;  \nselect 2;\n\n\n") == unix
    assert checksum("select 1;\n\nselect 2;\n") != unix
    assert checksum("select 1;\nselect  2;\n") != unix


def test_the_lines_of_a_file_from_windows_are_the_same() -> None:
    unix, windows = (
        parse("20260101000000_a.sql", BOTH),
        parse("20260101000000_a.sql", "\ufeff" + BOTH.replace("\n", "\r\n")),
    )
    assert unix == windows


def test_a_folder_is_read_in_the_order_of_names_and_not_below(tmp_path: Path) -> None:
    for name in ("20260102000000_b.sql", "20260101000000_a.sql", ".20260103000000_c.sql", "notes.txt", "x.sql~"):
        (tmp_path / name).write_text(f"{UP}select 1")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "20250101000000_z.sql").write_text("select 1")
    assert [migration.file for migration in read_all(tmp_path)] == ["20260101000000_a.sql", "20260102000000_b.sql"]


@pytest.mark.parametrize(
    "name", ["create.sql", "12_a.sql", "20260101000000-a.sql", "20260101000000.sql", "20260101000000_a.SQL"]
)
def test_a_name_that_is_not_a_version_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(f"{UP}select 1")
    with pytest.raises(MigrationError, match=f"^{name}: the name is not a version"):
        read_all(tmp_path)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("V1__create_users.sql", 'call it <UTC time>_create_users.sql, with "-- migrate:up" as its first line'),
        ("R__views.sql", "call it <UTC time>_views.sql"),
        ("U1.2__create_users.sql", 'move its statements into the file that they undo, below "-- migrate:down"'),
        ("20260101000000_users.up.sql", 'call it 20260101000000_users.sql, with "-- migrate:up" as its first line'),
        ("0001_users.down.sql", 'move its statements into 0001_users.sql, below "-- migrate:down", and delete'),
        ("20260101000000-users-down.sql", "move its statements into 20260101000000-users.sql"),
        ("20260101000000_create_users.rb", r"\.rb files are not run: write its statements into a file <UTC time>"),
        ("1975ea83b712_create_users.py", r"\.py files are not run"),
        ("20260101000000_users/up.sql", r"folders are not read: put up\.sql into a file <UTC time>_<name>\.sql"),
        ("20260101000000_users/migration.sql", "folders are not read"),
    ],
)
def test_a_name_of_another_tool_is_refused_with_what_to_do(tmp_path: Path, name: str, remedy: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{UP}select 1")
    with pytest.raises(MigrationError, match=f"^{name.partition('/')[0]}: .*{remedy}"):
        read_all(tmp_path)


def test_two_files_of_one_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").write_text(f"{UP}select 1")
    (tmp_path / "20260101000000_b.sql").write_text("select 1")
    with pytest.raises(
        MigrationError, match=r"^20260101000000_b\.sql: 20260101000000_a\.sql has the same version number"
    ):
        read_all(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match=f"there is no folder {tmp_path}/none"):
        read_all(tmp_path / "none")


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").write_bytes(b"select 1;\nselect '\xe4';\n")
    with pytest.raises(MigrationError, match=r"^20260101000000_a\.sql:2: this line is not UTF-8"):
        read_all(tmp_path)


def test_the_fingerprint_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").write_text(f"{UP}select 1")
    one = fingerprint(tmp_path)
    (tmp_path / "20260101000000_a.sql").write_bytes(b"-- migrate:up\r\nselect 1\r\n")
    assert fingerprint(tmp_path) == one
    (tmp_path / "20260102000000_b.sql").write_text(f"{UP}select 1")
    assert fingerprint(tmp_path) != one
