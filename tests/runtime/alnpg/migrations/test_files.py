"""Reading migrations: every mistake in a file is found, with its line, before any runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations.files import checksum, fingerprint, parse, read_all

BOTH = "-- migrate:up\ncreate table a ();\ncreate table b ();\n\n-- migrate:down\ndrop table b;\ndrop table a;\n"


def test_a_file_has_an_up_and_a_down() -> None:
    migration = parse("20260101000000_a.sql", BOTH)
    assert migration.version == "20260101000000_a"
    assert [statement.text for statement in migration.up.statements] == ["create table a ()", "create table b ()"]
    assert migration.up.in_transaction
    assert migration.down is not None
    assert [statement.line for statement in migration.down.statements] == [6, 7]


def test_a_file_without_directives_is_all_up() -> None:
    migration = parse("20260101000000_a.sql", "create table a ();")
    assert len(migration.up.statements) == 1
    assert migration.down is None


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
        ("", "", "it has no statement to run"),
        ("-- only a remark\n", "", "it has no statement to run"),
        ("-- migrate:up\n;\n-- migrate:down\ndrop table a", "", "it has no statement to run"),
        ("-- migrate:up\nselect 1;\nBEGIN;\n", ":3", "BEGIN at the top"),
        ("create table a ();\ncommit work;", ":2", "COMMIT WORK at the top"),
        ("start transaction;", ":1", "START TRANSACTION at the top"),
        ("select 1; rollback", ":1", "ROLLBACK at the top"),
        ("prepare transaction 'x'", ":1", "PREPARE TRANSACTION at the top"),
        ("-- migrate:no-transaction\nend;", ":2", "END at the top"),
        ("-- migrate:down\nselect 1;\n-- migrate:up\nselect 1", ":3", "migrate:up must come before all statements"),
        ("select 1;\n-- migrate:up\nselect 1", ":2", "migrate:up must come before all statements"),
        ("-- migrate:up\nselect 1;\n-- migrate:up\n", ":3", "migrate:up is already on line 1"),
        ("-- migrate:upp\nselect 1", ":1", "migrate:upp is not a directive; there are migrate:up, migrate:down"),
        ("-- migrate:up transaction:false\nselect 1", ":1", "migrate:up transaction:false is not a directive"),
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
    assert [statement.text for statement in parse("20260101000000_a.sql", text).up.statements] == [text]


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
        (tmp_path / name).write_text("select 1")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "20250101000000_z.sql").write_text("select 1")
    assert [migration.file for migration in read_all(tmp_path)] == ["20260101000000_a.sql", "20260102000000_b.sql"]


@pytest.mark.parametrize(
    "name", ["create.sql", "12_a.sql", "20260101000000-a.sql", "20260101000000.sql", "20260101000000_a.SQL"]
)
def test_a_name_that_is_not_a_version_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("select 1")
    with pytest.raises(MigrationError, match=f"^{name}: the name is not a version"):
        read_all(tmp_path)


def test_two_files_of_one_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").write_text("select 1")
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
    (tmp_path / "20260101000000_a.sql").write_text("select 1")
    one = fingerprint(tmp_path)
    (tmp_path / "20260101000000_a.sql").write_bytes(b"select 1\r\n")
    assert fingerprint(tmp_path) == one
    (tmp_path / "20260102000000_b.sql").write_text("select 1")
    assert fingerprint(tmp_path) != one
