"""The first rows of a database: all of a file's or none; mistakes with their line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from arlen_runtime.alnpg.errors import DatabaseCommandError
from arlen_runtime.alnpg.migrations import seeds
from arlen_runtime.testing.database import Databases


@pytest.fixture
def url(database_server: Databases) -> Iterator[str]:
    with database_server.database() as made:
        with psycopg.connect(made) as connection:
            connection.execute("create table t (n int primary key, ref int references t deferrable initially deferred)")
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "db").mkdir()
    return tmp_path


def numbers(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [n for (n,) in connection.execute("select n from t order by n")]


def test_which_file_is_run(root: Path) -> None:
    assert seeds.find(root) is None
    (root / seeds.SQL).write_text("")
    assert seeds.find(root) == seeds.SQL
    (root / seeds.PYTHON).write_text("")
    with pytest.raises(DatabaseCommandError, match=r"there is db/seeds\.sql and db/seeds\.py: keep one of them"):
        seeds.find(root)
    (root / seeds.SQL).unlink()
    assert seeds.find(root) == seeds.PYTHON


def test_sql_that_allows_it_runs_again(url: str, root: Path) -> None:
    (root / seeds.SQL).write_text(
        "-- first rows\r\ninsert into t values (1);\ninsert into t values (2) on conflict do nothing;"
    )
    assert seeds.run(url, root, seeds.SQL) == 2
    (root / seeds.SQL).write_text("insert into t values (2) on conflict do nothing")
    assert seeds.run(url, root, seeds.SQL) == 1
    (root / seeds.SQL).write_text("-- nothing yet\n")
    assert seeds.run(url, root, seeds.SQL) == 0
    assert numbers(url) == [1, 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("insert into t values (1);\n\ninsert into u values (1);", 'seeds.sql:3: relation "u" does not exist [42P01]'),
        ("insert into t values (1, 9);", "seeds.sql: at its commit: insert or update on table"),
        ("insert into t values (1);\ncommit;", "seeds.sql:2: COMMIT: remove it"),
        ("insert into t values (1);\n\\copy t from x", r"seeds.sql:2: \copy is a command of psql"),
        ("insert into t values ('1);", "seeds.sql:1:"),
        ("-- migrate:up\ninsert into t values (1);", 'seeds.sql:1: "-- migrate:" lines are for migrations: remove it'),
    ],
)
def test_sql_that_fails_is_reported_with_its_line_and_leaves_nothing(
    url: str, root: Path, text: str, expected: str
) -> None:
    (root / seeds.SQL).write_text(text)
    with pytest.raises(DatabaseCommandError) as refused:
        seeds.run(url, root, seeds.SQL)
    assert refused.value.detail.startswith(expected)
    assert numbers(url) == []


def test_python_may_use_the_application(url: str, root: Path) -> None:
    (root / "shop_of_seeds").mkdir()
    (root / "shop_of_seeds" / "__init__.py").write_text("N = 7\n")
    (root / seeds.PYTHON).write_text(
        "from shop_of_seeds import N\n\ndef seed(pg):\n    pg.execute('insert into t (n) values ($1)', N)\n"
    )
    assert seeds.run(url, root, seeds.PYTHON) is None
    assert numbers(url) == [7]


INSERT = "    pg.execute('insert into t (n) values (1)')\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def seed(pg):\n" + INSERT + "    1 / 0\n", "seeds.py:3: ZeroDivisionError: division by zero"),
        ("def seed(pg):\n" + INSERT + INSERT, "seeds.py:3: duplicate key value violates unique constraint"),
        ("def sow(pg):\n" + INSERT, "seeds.py: there is no function seed(pg)"),
        ("def seed(:\n", "seeds.py:1: SyntaxError: "),
        ("import nothing_of_that_name\n", "seeds.py:1: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
    ],
)
def test_python_that_fails_is_reported_with_its_line_and_leaves_nothing(
    url: str, root: Path, text: str, expected: str
) -> None:
    (root / seeds.PYTHON).write_text(text)
    with pytest.raises(DatabaseCommandError) as refused:
        seeds.run(url, root, seeds.PYTHON)
    assert refused.value.detail.startswith(expected)
    assert numbers(url) == []
