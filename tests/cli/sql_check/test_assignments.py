"""SET clauses: plain assignments are read, and nothing else."""

from __future__ import annotations

import pytest

from arlen_cli.sql_check.assignments import Assignment, assignments


def columns_set(sql: str) -> list[tuple[str, str]]:
    """Return the columns with plain assignments, with their tables, and the parameters."""
    return [
        (f"{assignment.schema}.{assignment.table}.{assignment.column}".lstrip("."), assignment.parameter)
        for assignment in assignments(sql)
    ]


@pytest.mark.parametrize(
    ("sql", "set_to"),
    [
        ("update t set a = null", [("t.a", "")]),
        ("UPDATE ONLY s.T AS x SET A=NULL, b = $12 WHERE c = $1", [("s.t.a", ""), ("s.t.b", "$12")]),
        ('update "T" * set "a""b" = $1::varchar(9)[], c = (select 1, 2), d = null;', [('T.a"b', "$1"), ("T.d", "")]),
        ("update t set (a, b, c) = row ($1, f(x, 2), null), d = $2", [("t.a", "$1"), ("t.c", ""), ("t.d", "$2")]),
        ("insert into s.t (a) values ($1) on conflict (a) do update set b = $2 returning a", [("s.t.b", "$2")]),
        (
            "with x as (insert into u values (1) returning a) insert into t select 1 from x on conflict do update set a = null",
            [("t.a", "")],
        ),
        ("with x as (update t set a = null) update u set b = $1 from x", [("t.a", ""), ("u.b", "$1")]),
        (
            "merge into t using u on a = b when matched then update set a = $1 when not matched then do nothing",
            [("t.a", "$1")],
        ),
        ("update t set a = case when b then null else 1 end, c = null", [("t.c", "")]),
        ("update t set /* a = null, */ b = null -- , c = null", [("t.b", "")]),
    ],
)
def test_plain_assignments_are_read(sql: str, set_to: list[tuple[str, str]]) -> None:
    assert columns_set(sql) == set_to


@pytest.mark.parametrize(
    "sql",
    [
        "update t set a = $1 + 1, b = -$2, c = f($3), d = null or true, e = coalesce(null, 1), g = nullif(a, null)",
        "update t set a[1] = null, b.c = null, d = default",
        "update t set (a, b) = (select null, 1)",
        "select 'update t set a = null'",
        'select $$ update t set a = null $$, "update t set a = null"',
        "select a from t for update",
        "update set a = null",
        "update t set",
        "update t set (a",
        "update t set (a) = (",
        "update",
        "",
    ],
)
def test_other_assignments_are_not_read(sql: str) -> None:
    assert columns_set(sql) == []


def test_the_position_of_the_column_is_returned() -> None:
    sql = "update t set a = 'x', b = null"
    assert list(assignments(sql)) == [Assignment("", "t", "b", "", sql.index("b = null"))]
