"""What the schema says about the parameters and columns of a statement.

PostgreSQL prepares and describes the statement; nothing is parsed here and nothing is executed. A
column can be NULL if its table allows it, or if an outer join or grouping sets make it NULL, which
the plan shows. The plan also shows which columns an INSERT leaves NULL, and which tables the SET
clauses change. If something is uncertain, the answer is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import psycopg
from psycopg import pq

from arlen_cli.sql_check.assignments import assignments
from arlen_cli.sql_check.query_plan import QueryPlan
from arlen_runtime.alnpg.protocol.server_errors import error_from_result
from arlen_runtime.alnpg.sql_text import Kind, blank
from arlen_runtime.alnpg.types.registry import LEARN, Registry
from arlen_runtime.alnpg.types.scalars import Encoder

PYTHON = {
    "bool": "bool", "int2": "int", "int4": "int", "int8": "int", "oid": "int", "float4": "float", "float8": "float",
    "numeric": "Decimal", "text": "str", "varchar": "str", "bpchar": "str", "name": "str", "citext": "str",
    "bytea": "bytes", "uuid": "UUID", "date": "date", "time": "time", "timetz": "time", "timestamp": "datetime",
    "timestamptz": "datetime", "interval": "timedelta", "json": "Any", "jsonb": "Any",
}  # fmt: skip
"""PostgreSQL type to the Python type that ALNPg returns; all others are Any."""

ANY = "Any"

_TYPES = "select oid, typname, typtype::text, typelem, typbasetype, typcategory::text from pg_type"

_LABELS = "select enumtypid, array_agg(enumlabel::text order by enumsortorder) from pg_enum group by 1"

# A NOT VALID constraint (PostgreSQL 18) says nothing about existing rows, and a constraint of a
# foreign table nothing about its server. A domain can be NOT NULL, by itself or its base domain.
_COLUMNS = """
    with recursive refusing as (
        select oid from pg_type where typnotnull
        union select d.oid from pg_type d join refusing on d.typbasetype = refusing.oid where d.typtype = 'd')
    select a.attrelid, a.attnum, a.attname, c.relkind::text, a.attgenerated <> '',
           (a.attnotnull or a.atttypid in (select oid from refusing)) and c.relkind <> 'f' and not exists (
               select from pg_constraint n where n.conrelid = a.attrelid and n.contype = 'n' and not n.convalidated
                                             and n.conkey = array[a.attnum])
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'f', 'v', 'm')
"""

# A BEFORE trigger can set a column that the statement does not set. Bits of pg_trigger.tgtype:
# 1 row, 2 before, 4 insert, 16 update.
_RELATIONS = """
    select n.nspname, c.relname, c.oid, coalesce(pg_partition_root(c.oid)::oid, c.oid),
           coalesce((select bit_or(t.tgtype) filter (where t.tgtype & 3 = 3) from pg_trigger t where
                     t.tgrelid = c.oid or pg_partition_root(t.tgrelid) = pg_partition_root(c.oid)), 0)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'f', 'm')
"""

_MAY_MAKE_NULLS = re.compile(r"\b(left|right|full|rollup|cube|grouping)\b", re.IGNORECASE)
_WRITES = re.compile(r"\binsert\s+into\b|\bupdate\b.*\bset\b", re.IGNORECASE | re.DOTALL)
_RETURNS_OLD = re.compile(r"\breturning\b.*\b(old|new)\"?\s*\.", re.IGNORECASE | re.DOTALL)
_RENAMES_OLD = re.compile(r"\breturning\b.*\bwith\s*\(", re.IGNORECASE | re.DOTALL)

_NO_CODE: tuple[Kind, ...] = ("string", "comment", "unclosed")

GENERIC_PLAN_SINCE = 160_000


class StatementParameter(NamedTuple):
    """One parameter: its Python type, its encoder, and the labels of an enum."""

    type: str
    encoder: Encoder
    labels: tuple[str, ...] = ()


class Column(NamedTuple):
    """One column of a result: name, Python type, and whether it can be NULL (None: unknown)."""

    name: str
    type: str
    nullable: bool | None


class NullInsert(NamedTuple):
    """A NOT NULL column, and what an INSERT puts there: "" for nothing, or the `$n`."""

    column: str
    parameter: str


class NullAssignment(NamedTuple):
    """A NOT NULL column, and what a SET clause puts there: "" for NULL, or the `$n`.

    `position` is that of the column in the statement (0-based).
    """

    column: str
    parameter: str
    position: int


class StatementDescription(NamedTuple):
    """How the schema describes a statement that it accepts."""

    params: tuple[StatementParameter, ...]
    columns: tuple[Column, ...]
    null_inserts: tuple[NullInsert, ...] = ()
    null_assignments: tuple[NullAssignment, ...] = ()


class _CatalogColumn(NamedTuple):
    """What the catalog says about a column.

    `generated`: computed from other columns. `required`: no row has NULL there.
    """

    name: str
    kind: str
    generated: bool
    required: bool


class _Relation(NamedTuple):
    """A table: its oid, the oid of its partition root (or its own), and its triggers' events."""

    oid: int
    root: int
    triggers: int

    def may_fill(self, event: int) -> bool:
        """Return True if a BEFORE trigger of this event can set columns."""
        return bool(self.triggers & event)


INSERT, UPDATE = 4, 16
"""Events, as bits of pg_trigger.tgtype."""


class _Nullability(NamedTuple):
    """Which columns of the result can be NULL, by table (by the root of a partitioned table).

    `by_table` has one value for each use of the table in the plan; if these differ, the answer is
    unknown. `default` is for tables that the plan leaves out. `returned` has the answer for each
    column of a RETURNING with old and new rows.
    """

    by_table: Mapping[int, set[bool | None]] = MappingProxyType({})
    default: bool | None = None
    returned: Sequence[bool | None] = ()

    def is_nullable(self, root: int, index: int) -> bool | None:
        """Return whether a result column of the table can be NULL; None if unknown."""
        if index < len(self.returned):
            return self.returned[index]
        values = self.by_table.get(root, {self.default})
        return next(iter(values)) if len(values) == 1 else None


class Schema:
    """The schema of a database, as it is now."""

    def __init__(self, connection: psycopg.Connection) -> None:
        """Read the catalog once. The connection must be in autocommit mode."""
        self._connection = connection
        self._types: dict[int, tuple[Any, ...]] = {row[0]: row[1:] for row in connection.execute(_TYPES)}
        self._labels: dict[int, tuple[str, ...]] = {row[0]: tuple(row[1]) for row in connection.execute(_LABELS)}
        self._columns = {
            (table, number): _CatalogColumn(*facts) for table, number, *facts in connection.execute(_COLUMNS)
        }
        self._required: dict[int, set[str]] = {}
        for (table, _), facts in self._columns.items():
            if facts.required:
                self._required.setdefault(table, set()).add(facts.name)
        self._relations = {(row[0], row[1]): _Relation(*row[2:]) for row in connection.execute(_RELATIONS)}
        self._roots = {relation.oid: relation.root for relation in self._relations.values()}
        self._registry = Registry()
        self._registry.learn(connection.pgconn.exec_(LEARN).get_value(0, 0) or b"[]")

    def describe(self, sql: str) -> StatementDescription:
        """Describe a statement that has `$n` for its parameters.

        Raises ALNPgError if the server rejects it.
        """
        pgconn = self._connection.pgconn
        for result in (pgconn.prepare(b"", sql.encode()), described := pgconn.describe_prepared(b"")):
            if result.status != pq.ExecStatus.COMMAND_OK:
                raise error_from_result(result, sql)
        code = blank(sql, *_NO_CODE)
        plan = self._explain(sql, code)
        nulls = self._nullability(code, plan)
        params = tuple(self._parameter(described.param_type(index)) for index in range(described.nparams))
        columns = []
        for index in range(described.nfields):
            name = (described.fname(index) or b"").decode()
            source = described.ftable(index), described.ftablecol(index)
            columns.append(
                Column(name, self.python_type(described.ftype(index)), self._is_nullable(source, index, nulls))
            )
        return StatementDescription(
            params, tuple(columns), tuple(self._null_inserts(plan)), tuple(self._null_assignments(sql, plan))
        )

    def python_type(self, oid: int) -> str:
        """Return the Python annotation for a type of the server."""
        name, kind, element, base, category = self._types.get(oid, ("", "", 0, 0, ""))
        if kind == "d":
            return self.python_type(base)
        if kind == "e":
            return f"Literal[{', '.join(map(repr, self._labels.get(oid, ())))}]"
        if category == "A" and element:
            return f"list[{self.python_type(element)}]"
        return PYTHON.get(name, ANY)

    def _parameter(self, oid: int) -> StatementParameter:
        return StatementParameter(self.python_type(oid), self._registry.encoder(oid), self._labels.get(oid, ()))

    def _is_nullable(self, source: tuple[int, int], index: int, nulls: _Nullability) -> bool | None:
        """Return whether a column can be NULL.

        None (unknown) for views, foreign tables and computed columns.
        """
        facts = self._columns.get(source)
        if facts is None or facts.kind not in {"r", "p"}:
            return None
        return nulls.is_nullable(self._roots[source[0]], index) if facts.required else True

    def _explain(self, sql: str, code: str) -> QueryPlan | None:
        """Return the plan if it can show something; None if not, or if there is none.

        `code` is the statement with its strings and comments blanked.
        """
        if not any(pattern.search(code) for pattern in (_MAY_MAKE_NULLS, _WRITES, _RETURNS_OLD)):
            return None
        if self._connection.info.server_version < GENERIC_PLAN_SINCE:
            return None
        try:
            row = self._connection.execute(b"explain (generic_plan, verbose, format json) " + sql.encode()).fetchone()
        except psycopg.Error:
            return None
        return QueryPlan(row[0][0]["Plan"]) if row else None

    def _nullability(self, code: str, plan: QueryPlan | None) -> _Nullability:
        """Return which tables' columns the statement can make NULL.

        The row before an INSERT and the row after a DELETE are all NULL. If the plan leaves out a
        table of an outer join, the planner proved it empty, and its nullability is unknown.
        """
        if _RENAMES_OLD.search(code):
            return _Nullability()
        if _RETURNS_OLD.search(code):
            return _Nullability(returned=plan.returning_nullability() if plan else ())
        if not _MAY_MAKE_NULLS.search(code):
            return _Nullability(default=False)
        if plan is None:
            return _Nullability()
        if plan.has_grouping_sets():
            return _Nullability(default=True if plan.has_grand_total() else None)
        by_table: dict[int, set[bool | None]] = {}
        unknown: set[bool | None] = {None} if plan.has_empty_side() else set()
        for name, nullable in plan.tables():
            if name in self._relations:
                by_table.setdefault(self._relations[name].root, set(unknown)).add(nullable)
        return _Nullability(by_table)

    def _null_inserts(self, plan: QueryPlan | None) -> list[NullInsert]:
        """Return the NOT NULL columns that an INSERT leaves NULL or sets to a bare parameter."""
        null_inserts = []
        for schema, table, outputs in plan.inserts() if plan else ():
            relation = self._relations.get((schema, table))
            if relation is None or relation.may_fill(INSERT):
                continue
            for number, output in enumerate(outputs, start=1):
                facts = self._columns.get((relation.oid, number))
                if facts is None or facts.generated or not facts.required:
                    continue
                if output.startswith("NULL::") or re.fullmatch(r"\$\d+", output):
                    null_inserts.append(NullInsert(f"{table}.{facts.name}", output if output[0] == "$" else ""))
        return null_inserts

    def _null_assignments(self, sql: str, plan: QueryPlan | None) -> Iterator[NullAssignment]:
        """Yield the NOT NULL columns that a SET clause sets to NULL or to a bare parameter."""
        updated = plan.updated_tables() if plan else set()
        for assignment in assignments(sql) if updated else ():
            tables = [name for name in updated if name[1] == assignment.table and assignment.schema in {"", name[0]}]
            relation = self._relations.get(tables[0]) if len(tables) == 1 else None
            if relation is None or relation.may_fill(UPDATE):
                continue
            if assignment.column in self._required.get(relation.oid, ()):
                yield NullAssignment(
                    f"{assignment.table}.{assignment.column}", assignment.parameter, assignment.position
                )
