"""Statements: names that never stand for two texts, formats by the columns' types."""

from __future__ import annotations

import subprocess
import sys

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.protocol.statement import statement_name


def test_a_name_is_a_hash_of_the_text() -> None:
    assert statement_name("select 1") == statement_name("select 1")
    assert statement_name("select 1") != statement_name("select 2")
    assert len(statement_name("select 1")) < 64


def test_a_statement_is_fetched_in_binary_only_if_every_column_can_be(pg: ALNPg) -> None:
    pg.query("select 1 as a, now() as b")
    pg.query("select 1 as a, '(1,2)'::point as b")
    statements = pg._pool._free_list[0]._statements
    assert [int(statement.result_format) for statement in statements.values()] == [1, 0]


def test_in_text_the_other_columns_keep_their_types(pg: ALNPg) -> None:
    row = pg.query_one("select 1 as a, true as b, 1.50 as c, '(1,2)'::point as d, '\\x00'::bytea as e", into=tuple)
    assert [type(value).__name__ for value in row or ()] == ["int", "bool", "Decimal", "str", "bytes"]


MEMORY = """
import sys
from pathlib import Path
from arlen_runtime.alnpg import ALNPg
def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 // 1024
pg = ALNPg(sys.argv[1], pool_size=1)
first = "select repeat('x', 20000000)"
assert len(pg.query_value(first)) == 20_000_000
before = held()
for number in range(6):
    for read in (pg.query_value, pg.query_one, pg.query):
        assert read(f"{first} as value{number}")
print(held() - before)
pg.close()
"""


def test_a_result_is_freed_after_it_was_read(database_url: str) -> None:
    """Six statements with 20 MB each; libpq's own buffer keeps its size."""
    done = subprocess.run([sys.executable, "-c", MEMORY, database_url], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 50


def test_only_a_few_row_factories_are_kept(pg: ALNPg) -> None:
    for number in range(100):
        assert pg.query("select 1 as a", into=lambda a, number=number: a + number) == [1 + number]
    (statement,) = pg._pool._free_list[0]._statements.values()
    assert len(statement._row_factories) <= 16
