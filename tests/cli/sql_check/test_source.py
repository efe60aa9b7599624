"""Statements in source code: literals are found, everything else is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_cli.sql_check.arguments import Argument, ArgumentRow
from arlen_cli.sql_check.row_classes import RowClass, RowField
from arlen_cli.sql_check.source import METHOD_ESCAPES, PSYCOPG_PLACEHOLDERS, Call, CheckedSource, UncheckedCall, read
from arlen_cli.sql_check.sql_literals import LiteralText, SourcePosition


def source(tmp_path: Path, text: str) -> CheckedSource:
    (tmp_path / "users.py").write_text(text)
    return read(tmp_path)


def calls(tmp_path: Path, text: str) -> tuple[Call, ...]:
    return source(tmp_path, text).calls


def test_a_statement_is_found_with_its_line_and_parameters(tmp_path: Path) -> None:
    (call,) = calls(tmp_path, "def show(ctx):\n    return ctx.pg.query_one('select 1 where $1', ctx.id)\n")
    text = LiteralText("select 1 where $1", (SourcePosition(0, "users.py", 2),))
    assert call == Call("users.py", 2, "query_one", text, arguments=(Argument(),), function="show")


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("pg.query('select 1 '\n 'from t')", "select 1 from t"),
        ("SQL = 'select 1'\npg.query(SQL)", "select 1"),
        ("def f():\n    sql: str = 'select 1'\n    pg.query(sql)", "select 1"),
        ("COLUMNS = 'id, name'\npg.query(f'select {COLUMNS} from t')", "select id, name from t"),
        ("WHERE = ' where a'\npg.query('select 1' + WHERE)", "select 1 where a"),
        ("pg.query('''\n  -- why\n  select 1\n''')", "\n  -- why\n  select 1\n"),
        ("pg.execute('INSERT INTO t VALUES (1)')", "INSERT INTO t VALUES (1)"),
        ("pg.execute_many('insert into t values ($1)', rows)", "insert into t values ($1)"),
        ("pg.prepare('one', 'select 1')", "select 1"),
        ("pg.query(sql='select 1', into=tuple)", "select 1"),
        ("pg.execute_many(rows=rows, sql='insert into t values ($1)')", "insert into t values ($1)"),
        ("pg.prepare(sql='select 1', name='one')", "select 1"),
        ("pg.query('(select 1) union (select 2)')", "(select 1) union (select 2)"),
        ("pg.query('/* why */ ((select 1))')", "/* why */ ((select 1))"),
        ("pg.query('explain select 1')", "explain select 1"),
        ("pg.query('EXPLAIN (analyze, format json) (select 1)')", "EXPLAIN (analyze, format json) (select 1)"),
        ("pg.query('explain analyze verbose delete from t')", "explain analyze verbose delete from t"),
        ("pg.copy_rows('t', ['id', 'Name'], rows)", 'insert into "t" ("id", "Name") values ($1, $2)'),
        ("pg.copy_rows(columns=('id',), rows=rows, table='s.t')", 'insert into "s"."t" ("id") values ($1)'),
        ("COLUMNS = ('id', 'n')\npg.copy_rows('t', COLUMNS, rows)", 'insert into "t" ("id", "n") values ($1, $2)'),
        ("def f(ctx):\n    ask = ctx.pg.query\n    ask('select 1')", "select 1"),
        ("ask: Ask = pg.query\nask(sql='select 1')", "select 1"),
    ],
)
def test_a_statement_can_have_parts_or_a_name(tmp_path: Path, text: str, sql: str) -> None:
    assert [call.sql for call in calls(tmp_path, text)] == [sql]


def test_a_statement_can_be_in_another_module(tmp_path: Path) -> None:
    (tmp_path / "queries.py").write_text("\nUSERS = 'select 1'\n")
    (call,) = calls(tmp_path, "import queries\n\npg.query(queries.USERS, 5)\n")
    assert (call.file, call.line, call.sql) == ("users.py", 3, "select 1")
    assert call.text.position_of(0) == SourcePosition(0, "queries.py", 2)


def test_a_prepared_statement_is_found_at_its_use(tmp_path: Path) -> None:
    text = "by_id = pg.prepare('by id', 'select 1 where $1')\npg.query(by_id, 1)\n"
    assert [(call.method, call.sql, call.arguments) for call in calls(tmp_path, text)] == [
        ("prepare", "select 1 where $1", None),
        ("query", "select 1 where $1", (Argument("int", "1"),)),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "cursor.execute('not sql at all')",
        "cursor.execute(statement)",
        "print('select 1')",
        "pg.query()",
        "pg.prepare('name')",
        "llm.query('explain the selection')",
        "sheet.copy_rows('A1', ['B'], 2)",
        "find(request.query)",
        "pg.query = fake",
        "find(pg.query)  # sql: unchecked",
        "ask('select 1')",
        "pg.query('select nonsense')  # sql: unchecked",
        "pg.query(\n  'select nonsense',  # sql: unchecked - a temporary table\n)",
    ],
)
def test_other_calls_and_unchecked_lines_are_skipped(tmp_path: Path, text: str) -> None:
    assert source(tmp_path, text) == CheckedSource(())


@pytest.mark.parametrize(
    "text",
    [
        "pg.query(f'select {x}')",
        "ctx.pg.query('select ' + x)",
        "anything.execute('select ' + x)",
        "pg.query(statement)",
        "pg.replica.query(make())",
        "for SQL in []: pg.query(SQL)",
        "SQL = 'select 1'; SQL = 'select 2'; pg.query(SQL)",
        "pg.query(*arguments)",
        "pg.query_many(params_list=[], **arguments)",
        "pg.copy_rows(table, ['id'], rows)",
        "pg.copy_rows('t', columns, rows)",
        "pg.copy_rows('t', ['id', name], rows)",
        "COLUMNS = ['id']; pg.copy_rows('t', COLUMNS, rows)",
        "pg.copy_rows(*arguments)",
    ],
)
def test_a_statement_built_at_run_time_is_reported(tmp_path: Path, text: str) -> None:
    assert source(tmp_path, text) == CheckedSource((), (UncheckedCall("users.py", 1),))


def test_psycopg_placeholders_are_reported(tmp_path: Path) -> None:
    assert source(tmp_path, "pg.execute('select %s', [1])") == CheckedSource(
        (), (UncheckedCall("users.py", 1, PSYCOPG_PLACEHOLDERS),)
    )


def test_a_method_alias_works_in_other_modules(tmp_path: Path) -> None:
    (tmp_path / "base.py").write_text("ask = pg.query_one\n")
    (call,) = calls(tmp_path, "from base import ask as asked\nasked('select 1 where $1', 7)\n")
    assert (call.file, call.line, call.method, call.arguments) == ("users.py", 2, "query_one", (Argument("int", "7"),))


@pytest.mark.parametrize(
    "text",
    [
        "pool.submit(pg.query, 'select nonsense')",
        "def f(): return ctx.pg.execute",
        "self.ask = pg.query",
        "def f(ask): ask('select nonsense'); ask = pg.query",
        "ask = pg.query; pool.map(ask, ['select nonsense'])",
    ],
)
def test_a_method_that_is_passed_on_is_reported(tmp_path: Path, text: str) -> None:
    assert source(tmp_path, text) == CheckedSource((), (UncheckedCall("users.py", 1, METHOD_ESCAPES),))


def test_the_names_of_a_copy_have_their_lines(tmp_path: Path) -> None:
    (call,) = calls(tmp_path, "pg.copy_rows(\n  't',\n  [\n    'id',\n    'n',\n  ],\n  [])\n")
    assert (call.line, call.rows) == (2, ())
    assert [call.text.position_of(call.sql.index(name)).line for name in ("insert", '"t"', '"id"', '"n"', "values")] == [
        2, 2, 4, 5, 5,
    ]  # fmt: skip


def test_literal_parameter_sets_are_read(tmp_path: Path) -> None:
    text = (
        "pg.execute_many('insert into t values ($1)', [\n (1,),\n x,\n])\npg.query_many('select 1', params_list=[()])\n"
    )
    assert [call.rows for call in calls(tmp_path, text)] == [
        (ArgumentRow(2, 1, (Argument("int", "1"),)),),
        (ArgumentRow(5, 1, ()),),
    ]


def test_arguments_are_unknown_after_unpacking(tmp_path: Path) -> None:
    text = (
        "pg.query('select $1', 'a')\npg.query('select $1', *rest)\npg.execute_many('insert into t values ($1)', rows)\n"
    )
    assert [call.arguments for call in calls(tmp_path, text)] == [(Argument("str", "'a'"),), None, None]


def test_the_row_class_is_found_in_this_or_an_imported_module(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "models.py").write_text("@dataclass\nclass User:\n    id: int\n    name: str | None = None\n")
    text = (
        "from shop import models\nfrom shop.models import User as Person\n@dataclass\nclass Own:\n    n: int\n"
        "pg.query('select 1', into=Person)\npg.query('select 1', into=models.User)\n"
        "pg.query('select 1', into=Own)\npg.query('select 1', into=tuple)\n"
    )
    user = (RowField("id", "int", required=True), RowField("name", "str | None", required=False))
    assert [(call.into, call.into_name) for call in calls(tmp_path, text) if call.file == "users.py"] == [
        (RowClass("Person", user), "Person"),
        (RowClass("User", user), "User"),
        (RowClass("Own", (RowField("n", "int", required=True),)), "Own"),
        (None, "tuple"),
    ]


def test_a_file_with_a_syntax_error_is_reported(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (")
    checked = source(tmp_path, "pg.query('select 2')")
    assert [call.sql for call in checked.calls] == ["select 2"]
    assert [(file.file, file.line) for file in checked.unreadable] == [("broken.py", 1)]
