"""Statements in source: found where they are written out, left alone where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.alnpg.sql_check_source import Call, Field, RowClass, from_manifest, manifest, read


def calls(tmp_path: Path, text: str) -> tuple[Call, ...]:
    (tmp_path / "users.py").write_text(text)
    return read(tmp_path).calls


def test_a_statement_is_found_with_its_line_and_parameters(tmp_path: Path) -> None:
    (call,) = calls(tmp_path, "def show(ctx):\n    return ctx.pg.query_one('select 1 where $1', ctx.id)\n")
    assert call == Call("users.py", 2, "select 1 where $1", given=1)


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("pg.query('select 1 '\n 'from t')", "select 1 from t"),
        ("SQL = 'select 1'\npg.query(SQL)", "select 1"),
        ("def f():\n    sql: str = 'select 1'\n    pg.query(sql)", "select 1"),
        ("pg.query('''\n  -- why\n  select 1\n''')", "\n  -- why\n  select 1\n"),
        ("pg.execute('INSERT INTO t VALUES (1)')", "INSERT INTO t VALUES (1)"),
    ],
)
def test_a_statement_may_be_written_in_parts_or_named(tmp_path: Path, text: str, sql: str) -> None:
    assert [each.sql for each in calls(tmp_path, text)] == [sql]


@pytest.mark.parametrize(
    "text",
    [
        "cursor.execute('not sql at all')",
        "pg.query(statement)",
        "SQL = 'select 1'\nSQL = 'select 2'\npg.query(SQL)",
        "for SQL in []: pass\nSQL = 'select 1'\npg.query(SQL)",
        "print('select 1')",
    ],
)
def test_what_is_no_statement_or_not_certain_is_left_alone(tmp_path: Path, text: str) -> None:
    assert calls(tmp_path, text) == ()


def test_statements_put_together_at_run_time_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("pg.query(f'select {x}')\npg.query('select ' + x)\npg.query('select 1')\n")
    found = read(tmp_path)
    assert (len(found.calls), found.unread) == (1, 2)


def test_parameters_are_counted_only_where_they_can_be(tmp_path: Path) -> None:
    text = (
        "pg.query('select $1', 'a')\npg.query('select $1', *rest)\npg.execute_many('insert into t values ($1)', rows)\n"
    )
    assert [(each.given, each.literals) for each in calls(tmp_path, text)] == [
        (1, ((0, "str"),)),
        (None, ()),
        (None, ()),
    ]


def test_the_keys_of_a_mapping_are_known_where_it_is_written_out(tmp_path: Path) -> None:
    text = "pg.query('select :a', {'a': 1, 'b': 2})\npg.query('select :a', {**rest})\npg.query('select :a', values)\n"
    assert [each.names for each in calls(tmp_path, text)] == [frozenset({"a", "b"}), None, None]


def test_the_class_of_rows_is_found_here_or_where_it_is_imported_from(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "models.py").write_text("class User:\n    id: int\n    name: str | None = None\n")
    text = (
        "from shop.models import User as Person\nclass Own:\n    n: int\n"
        "pg.query('select 1', into=Person)\npg.query('select 1', into=Own)\npg.query('select 1', into=tuple)\n"
    )
    assert [each.into for each in calls(tmp_path, text) if each.file == "users.py"] == [
        RowClass("User", (Field("id", "int", required=True), Field("name", "str | None", required=False))),
        RowClass("Own", (Field("n", "int", required=True),)),
        None,
    ]


def test_hidden_folders_and_broken_files_are_passed_over(tmp_path: Path) -> None:
    for folder in (".venv", "__pycache__"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("pg.query('select 1')")
    (tmp_path / "broken.py").write_text("def (")
    assert calls(tmp_path, "pg.query('select 2')")[0].sql == "select 2"
    assert len(read(tmp_path).calls) == 1


def test_a_manifest_keeps_the_statements(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("pg.query('select $1', 'é')")
    kept = from_manifest(manifest(read(tmp_path)))
    assert kept.calls == (Call("a.py", 1, "select $1"),)


@pytest.mark.parametrize("text", ["{", "[1]", '[{"file": "a"}]', "7"])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"manifest|Expecting"):
        from_manifest(text)
