"""Statements in source: found where they are written out, left alone where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.alnpg.sql_check_classes import Field, RowClass
from arlen_runtime.alnpg.sql_check_source import Call, Given, Source, read
from arlen_runtime.alnpg.sql_check_text import Mark, Text


def source(tmp_path: Path, text: str) -> Source:
    (tmp_path / "users.py").write_text(text)
    return read(tmp_path)


def calls(tmp_path: Path, text: str) -> tuple[Call, ...]:
    return source(tmp_path, text).calls


def test_a_statement_is_found_with_its_line_and_parameters(tmp_path: Path) -> None:
    (call,) = calls(tmp_path, "def show(ctx):\n    return ctx.pg.query_one('select 1 where $1', ctx.id)\n")
    text = Text("select 1 where $1", (Mark(0, "users.py", 2),))
    assert call == Call("users.py", 2, "query_one", text, given=(Given(),), within="show")


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
    ],
)
def test_a_statement_may_be_written_in_parts_or_named(tmp_path: Path, text: str, sql: str) -> None:
    assert [each.sql for each in calls(tmp_path, text)] == [sql]


def test_a_statement_may_stand_in_another_module(tmp_path: Path) -> None:
    (tmp_path / "queries.py").write_text("\nUSERS = 'select 1'\n")
    (call,) = calls(tmp_path, "import queries\n\npg.query(queries.USERS, 5)\n")
    assert (call.file, call.line, call.sql) == ("users.py", 3, "select 1")
    assert call.text.place(0) == Mark(0, "queries.py", 2)


def test_a_prepared_statement_is_known_where_it_is_used(tmp_path: Path) -> None:
    text = "by_id = pg.prepare('by id', 'select 1 where $1')\npg.query(by_id, 1)\n"
    assert [(each.method, each.sql, each.given) for each in calls(tmp_path, text)] == [
        ("prepare", "select 1 where $1", None),
        ("query", "select 1 where $1", (Given("int", "1"),)),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "cursor.execute('not sql at all')",
        "cursor.execute(statement)",
        "print('select 1')",
        "pg.query()",
        "pg.prepare('name')",
        "pg.query('select nonsense')  # sql: unchecked",
        "pg.query(\n  'select nonsense',  # sql: unchecked - a temporary table\n)",
    ],
)
def test_what_is_no_statement_or_meant_so_is_left_alone(tmp_path: Path, text: str) -> None:
    assert source(tmp_path, text) == Source(())


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
        "pg.execute('select %s', [1])",
    ],
)
def test_what_is_put_together_at_run_time_is_told(tmp_path: Path, text: str) -> None:
    assert source(tmp_path, text) == Source((), (Mark(0, "users.py", 1),))


def test_parameters_are_counted_only_where_they_can_be(tmp_path: Path) -> None:
    text = (
        "pg.query('select $1', 'a')\npg.query('select $1', *rest)\npg.execute_many('insert into t values ($1)', rows)\n"
    )
    assert [each.given for each in calls(tmp_path, text)] == [(Given("str", "'a'"),), None, None]


@pytest.mark.parametrize(
    ("expression", "given"),
    [
        ("7", Given("int", "7")),
        ("-1.5", Given("float", "-1.5")),
        ("None", Given("NoneType", "None")),
        ("[1, 'a']", Given("list", "[1, 'a']")),
        ("[x]", Given("list")),
        ("[x for x in y]", Given("list")),
        ("f'{x}'", Given("str")),
        ("str(x)", Given("str")),
        ("uuid.UUID(x)", Given("UUID")),
        ("{'a': x}", Given("dict")),
        ("own(x)", Given()),
        ("number", Given("int")),
        ("maybe", Given("date")),
        ("names", Given("list")),
        ("again", Given()),
        ("shadowed", Given()),
        ("thing", Given()),
        ("unknown.id", Given()),
    ],
)
def test_of_a_parameter_is_known_what_its_expression_says(tmp_path: Path, expression: str, given: Given) -> None:
    text = (
        "def f(number: int, maybe: datetime.date | None, names: list[str], again: int, shadowed: int, thing: Thing):\n"
        "    again = 'a'\n"
        "    key = lambda shadowed: 1\n"
        f"    pg.query('select $1', {expression})\n"
    )
    assert [each.given for each in calls(tmp_path, text)] == [(given,)]


def test_the_parameters_of_a_mapping_are_known_where_it_is_written_out(tmp_path: Path) -> None:
    text = "pg.query('select :a', {'a': 1, 'b': x})\npg.query('select :a', {**rest})\npg.query('select :a', values)\n"
    names = [each.names for each in calls(tmp_path, text)]
    assert names == [{"a": Given("int", "1"), "b": Given()}, None, None]


def test_the_class_of_rows_is_found_here_or_where_it_is_imported_from(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "models.py").write_text("@dataclass\nclass User:\n    id: int\n    name: str | None = None\n")
    text = (
        "from shop import models\nfrom shop.models import User as Person\n@dataclass\nclass Own:\n    n: int\n"
        "pg.query('select 1', into=Person)\npg.query('select 1', into=models.User)\n"
        "pg.query('select 1', into=Own)\npg.query('select 1', into=tuple)\n"
    )
    user = (Field("id", "int", required=True), Field("name", "str | None", required=False))
    assert [(each.into, each.named) for each in calls(tmp_path, text) if each.file == "users.py"] == [
        (RowClass("Person", user), "Person"),
        (RowClass("User", user), "User"),
        (RowClass("Own", (Field("n", "int", required=True),)), "Own"),
        (None, "tuple"),
    ]


def test_a_file_that_is_no_python_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (")
    found = source(tmp_path, "pg.query('select 2')")
    assert [each.sql for each in found.calls] == ["select 2"]
    assert [(each.file, each.line) for each in found.unreadable] == [("broken.py", 1)]
