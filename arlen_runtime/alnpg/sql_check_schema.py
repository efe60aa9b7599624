"""What the schema says of a statement's parameters and columns. One rule: where it is not certain, it is not claimed.

PostgreSQL itself prepares and describes the statement; nothing is parsed here and nothing is run. A column can be NULL
where its table allows it, or where an outer join or grouping sets can make it so, which the plan tells.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import psycopg
from psycopg import pq

from arlen_runtime.alnpg import failures

PYTHON = {
    "bool": "bool", "int2": "int", "int4": "int", "int8": "int", "oid": "int", "float4": "float", "float8": "float",
    "numeric": "Decimal", "text": "str", "varchar": "str", "bpchar": "str", "name": "str", "citext": "str",
    "bytea": "bytes", "uuid": "UUID", "date": "date", "time": "time", "timetz": "time", "timestamp": "datetime",
    "timestamptz": "datetime", "interval": "timedelta", "json": "Any", "jsonb": "Any",
}  # fmt: skip
"""PostgreSQL's types and what ALNPg makes of them; of any other nothing is claimed."""

ANY = "Any"

_TYPES = "select oid, typname, typtype::text, typelem, typbasetype, typcategory::text from pg_type"

_COLUMNS = """
    select a.attrelid, a.attnum, a.attnotnull, c.relkind::text
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'f', 'v', 'm')
"""

_RELATIONS = """
    select n.nspname, c.relname, coalesce(pg_partition_root(c.oid)::oid, c.oid)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'f', 'm')
"""

_MAY_MAKE_NULLS = re.compile(r"\b(left|right|full|rollup|cube|grouping)\b", re.IGNORECASE)

NULLABLE_SIDE = {"Left": (1,), "Anti": (1,), "Right": (0,), "Right Anti": (0,), "Full": (0, 1)}
"""Kinds of join in a plan, and which of the two inputs can come out as NULLs."""

GENERIC_PLAN_SINCE = 160_000


class Column(NamedTuple):
    """One column of a result: its name, its Python type, and whether it can be NULL (None: not known)."""

    name: str
    type: str
    nullable: bool | None


class Described(NamedTuple):
    """A statement that the schema accepts: the Python types of its parameters, and its columns."""

    params: tuple[str, ...]
    columns: tuple[Column, ...]


class Schema:
    """A database's schema as it is now."""

    def __init__(self, connection: psycopg.Connection) -> None:
        """Read the catalog once. The connection must be in autocommit."""
        self._connection = connection
        self._types: dict[int, tuple[Any, ...]] = {row[0]: row[1:] for row in connection.execute(_TYPES)}
        self._columns = {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(_COLUMNS)}
        self._relations = {(row[0], row[1]): row[2] for row in connection.execute(_RELATIONS)}

    def describe(self, sql: str) -> Described:
        """Return what the statement, with `$n` for its parameters, takes and gives. Raises ALNPgError when it cannot run."""
        pgconn = self._connection.pgconn
        for result in (pgconn.prepare(b"", sql.encode()), described := pgconn.describe_prepared(b"")):
            if result.status != pq.ExecStatus.COMMAND_OK:
                raise failures.failure(result, sql)
        nulls = self._nulls(sql)
        params = tuple(self.python(described.param_type(i)) for i in range(described.nparams))
        columns = []
        for index in range(described.nfields):
            table, number = described.ftable(index), described.ftablecol(index)
            name = (described.fname(index) or b"").decode()
            nullable = self._nullable(table, number, nulls)
            columns.append(Column(name, self.python(described.ftype(index)), nullable))
        return Described(params, tuple(columns))

    def python(self, oid: int) -> str:
        """Return the name of the Python type that stands for a type of the server."""
        name, kind, element, base, category = self._types.get(oid, ("", "", 0, 0, ""))
        if kind == "d":
            return self.python(base)
        if kind == "e":
            return "str"
        if category == "A" and element:
            return f"list[{self.python(element)}]"
        return PYTHON.get(name, ANY)

    def _nullable(self, table: int, number: int, nulls: set[int] | None) -> bool | None:
        """Say whether a column can be NULL: a view's, and what is computed, is not known."""
        required, kind = self._columns.get((table, number), (False, ""))
        if kind not in {"r", "p", "f"}:
            return None
        if not required:
            return True
        return None if nulls is None else table in nulls

    def _nulls(self, sql: str) -> set[int] | None:
        """Return the tables whose columns the statement can make NULL; None where no plan can be had.

        A table that the plan leaves out was proved away, often because its columns are always NULL.
        """
        if not _MAY_MAKE_NULLS.search(sql):
            return set()
        if self._connection.info.server_version < GENERIC_PLAN_SINCE:
            return None
        try:
            row = self._connection.execute(b"explain (generic_plan, verbose, format json) " + sql.encode()).fetchone()
        except psycopg.Error:
            return None
        plan = row[0][0]["Plan"] if row else {}
        tables = set(self._relations.values())
        if _has_grouping_sets(plan):
            return tables
        left_out = tables - self._tables(plan)
        return self._below_outer_joins(plan) | left_out

    def _below_outer_joins(self, plan: dict[str, Any]) -> set[int]:
        inputs = plan.get("Plans", [])
        found: set[int] = set()
        for side in NULLABLE_SIDE.get(plan.get("Join Type", ""), ()):
            found |= self._tables(inputs[side]) if side < len(inputs) else set()
        return found.union(*map(self._below_outer_joins, inputs))

    def _tables(self, plan: dict[str, Any]) -> set[int]:
        own = self._relations.get((plan.get("Schema", ""), plan.get("Relation Name", "")))
        return {own} - {None} | set().union(*map(self._tables, plan.get("Plans", [])))  # type: ignore[return-value] # None is taken out


def _has_grouping_sets(plan: dict[str, Any]) -> bool:
    return "Grouping Sets" in plan or any(map(_has_grouping_sets, plan.get("Plans", [])))
