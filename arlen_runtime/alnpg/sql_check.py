"""Every statement of an application against its schema. One rule: what is reported is wrong; what is doubtful is not.

`check(url, source)` prepares each statement on the migrated database and compares what the server says with what the call
says: the number of parameters, literals among them, and the class that rows become. `row_class` writes such a class.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from arlen_runtime.alnpg import migrations_apply
from arlen_runtime.alnpg.failures import ALNPgError, with_caret
from arlen_runtime.alnpg.scanner import scan
from arlen_runtime.alnpg.sql_check_schema import ANY, Column, Described, Schema
from arlen_runtime.alnpg.sql_check_source import Call, Field, RowClass, Source

LITERALS = {
    "str": {"int", "float", "Decimal", "bool", "bytes"},
    "int": {"str", "bool", "bytes", "UUID", "date", "time", "datetime", "timedelta"},
    "float": {"int", "str", "bool", "bytes", "UUID", "date", "time", "datetime", "timedelta"},
    "bool": {"int", "float", "Decimal", "str", "bytes", "UUID", "date", "time", "datetime", "timedelta"},
    "bytes": {"int", "float", "Decimal", "bool", "str", "UUID", "date", "time", "datetime", "timedelta"},
}
"""The type of a literal, and the parameters that it cannot fill."""

FITTING = {"int": {"float", "complex"}, "bool": {"int", "float"}, "datetime": {"date"}}
"""What a value of a type may be called besides its own name (PEP 484, and subclasses)."""

PLAIN = frozenset(
    {"int", "float", "complex", "Decimal", "bool", "str", "bytes", "UUID", "date", "time", "datetime", "timedelta"}
)


class Finding(NamedTuple):
    """One thing that is wrong: where, a stable code, and a sentence; `excerpt` shows the place in the statement."""

    file: str
    line: int
    code: str
    message: str
    excerpt: str = ""

    def __str__(self) -> str:
        """Tell it as compilers do."""
        return f"{self.file}:{self.line}: {self.message}" + (f"\n{self.excerpt}" if self.excerpt else "")


class Report(NamedTuple):
    """What came out: findings in the order of the source, statements checked, statements that could not be read."""

    findings: tuple[Finding, ...]
    checked: int
    unread: int


def check(url: str, source: Source) -> Report:
    """Check the statements against the schema of the database at `url`; nothing is run there.

    Raises MigrationError when the database cannot be reached.
    """
    findings: list[Finding] = []
    with migrations_apply.connection(url, read_only=True) as opened:
        schema = Schema(opened)
        for call in source.calls:
            findings += _check_call(schema, call)
    return Report(tuple(findings), len(source.calls), source.unread)


def row_class(name: str, described: Described) -> str:
    """Write the dataclass that the rows of a statement fit; a column that may be NULL, or is not known, is `| None`."""
    fields = [
        f"    {each.name}: {each.type}{'' if each.nullable is False or each.type == ANY else ' | None'}"
        for each in described.columns
    ]
    return "\n".join(["@dataclass(frozen=True, slots=True)", f"class {name}:", *(fields or ["    pass"])]) + "\n"


def _check_call(schema: Schema, call: Call) -> Iterator[Finding]:
    try:
        scanned = scan(call.sql)
        described = schema.describe(scanned.text)
    except ALNPgError as error:
        yield _refused(call, error)
        return
    yield from _check_parameters(call, scanned.names, described)
    yield from _check_columns(call, described.columns)
    if call.into is not None and described.columns:
        yield from _check_class(call, call.into, described.columns)


def _refused(call: Call, error: ALNPgError) -> Finding:
    """Say what the server said, with the line of the source that the caret is on."""
    below = error.sql.count("\n", 0, max(error.position - 1, 0)) if error.position else 0
    message = f"{error.detail} [{error.sqlstate}]" if error.sqlstate else error.detail
    message += f" ({error.hint})" if error.hint else ""
    excerpt = ""
    if error.position:
        lines = with_caret(error.sql, error.position).split("\n")
        excerpt = "\n".join(lines[below : below + 2])
    return Finding(call.file, call.line + below, error.sqlstate or error.code, message, excerpt)


def _check_parameters(call: Call, names: tuple[str, ...], described: Described) -> Iterator[Finding]:
    wanted = len(described.params)
    if names:
        missing = sorted(set(names) - call.names) if call.names is not None else []
        if missing:
            yield Finding(call.file, call.line, "parameters", f"the mapping lacks {', '.join(missing)}")
    elif call.given is not None and call.given != wanted:
        yield Finding(
            call.file, call.line, "parameters", f"the statement takes {wanted} parameters and is given {call.given}"
        )
    else:
        for index, kind in call.literals:
            if index < wanted and described.params[index] in LITERALS.get(kind, ()):
                told = f"${index + 1} is {described.params[index]} and is given a literal {kind}"
                yield Finding(call.file, call.line, "parameter_type", told)


def _check_columns(call: Call, columns: tuple[Column, ...]) -> Iterator[Finding]:
    twice = sorted(name for name, count in Counter(each.name for each in columns).items() if count > 1)
    if twice:
        told = f"several columns are called {', '.join(twice)}: a row keeps only the last; name them by `as`"
        yield Finding(call.file, call.line, "ambiguous_column", told)


def _check_class(call: Call, into: RowClass, columns: tuple[Column, ...]) -> Iterator[Finding]:
    given = {each.name: each for each in columns}
    fields = {each.name: each for each in into.fields}
    for name in given.keys() - fields.keys():
        yield Finding(call.file, call.line, "row_class", f"{into.name} has no field for the column {name}")
    for name, field in fields.items():
        if name not in given and field.required:
            yield Finding(call.file, call.line, "row_class", f"the statement gives no column for {into.name}.{name}")
        elif name in given:
            yield from _check_field(call, into, field, given[name])


def _check_field(call: Call, into: RowClass, field: Field, column: Column) -> Iterator[Finding]:
    """Compare a field's annotation with its column, where every part of the annotation is known."""
    parts = _parts(field.annotation)
    base = column.type.partition("[")[0]
    if column.nullable and "None" not in parts and parts <= PLAIN | {"list"}:
        told = f"{into.name}.{field.name} is {field.annotation} and the column can be NULL"
        yield Finding(call.file, call.line, "null_in_field", told)
    known = parts - {"None"}
    if base in PLAIN | {"list"} and known <= PLAIN | {"list"} and not known & {base, *FITTING.get(base, ())}:
        told = f"{into.name}.{field.name} is {field.annotation} and the column is {column.type}"
        yield Finding(call.file, call.line, "field_type", told)


def _parts(annotation: str) -> set[str]:
    """Return the alternatives of an annotation, each without its module and its brackets."""
    optional = re.fullmatch(r"(?:typing\.)?Optional\[(.*)\]", annotation)
    alternatives = [*optional[1].split("|"), "None"] if optional else annotation.strip("'\"").split("|")
    return {each.strip().partition("[")[0].rpartition(".")[2] for each in alternatives}
