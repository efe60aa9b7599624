"""Every statement of an application against its schema. One rule: what is reported is wrong; what is doubtful is not.

`check(url, source)` prepares each statement on the migrated database and compares what the server says with what the call
says: the number of parameters, what is known of them, and what the rows become.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from arlen_cli.sql_check.arguments import Argument
from arlen_cli.sql_check.row_classes import RowClass, RowField, misfit
from arlen_cli.sql_check.schema import Column, Described, Emptied, Schema, StatementParameter
from arlen_cli.sql_check.source import Call, CheckedSource
from arlen_runtime.alnpg.admin.connect import connect
from arlen_runtime.alnpg.errors import ALNPgError, OutOfRange, ParameterMismatch, with_caret
from arlen_runtime.alnpg.protocol.placeholders import NumberedStatement, number_placeholders
from arlen_runtime.alnpg.protocol.statement import Statement
from arlen_runtime.alnpg.types.scalars import REFUSALS

SAMPLES: dict[str, tuple[object, ...]] = {
    "str": ("a",),
    "int": (0,),
    "float": (0.5,),
    "bool": (True,),
    "bytes": (b"",),
    "list": ([],),
    "Decimal": (Decimal("0.5"),),
    "UUID": (UUID(int=0),),
    "date": (date.min,),
    "time": (time.min, time(tzinfo=UTC)),
    "datetime": (datetime(2000, 1, 1), datetime(2000, 1, 1, tzinfo=UTC)),  # noqa: DTZ001 - both kinds are meant
    "timedelta": (timedelta(),),
}
"""Values that stand for all of a type: a parameter that refuses each of them takes none."""

ONE_ROW = frozenset({"query_one", "query_value"})
"""The methods that are None for ever where a statement gives no rows."""

REMEDIES = {
    "unreadable": "mend the file, or keep it outside of the application's folder",
    "parameters": "give one value for each $n, or the one mapping that has every :name",
    "parameter_type": "give a value that the type holds",
    "null_in_column": "give it a value, or let a migration give the column a DEFAULT or DROP NOT NULL",
    "null_in_field": "annotate the field with | None, or leave such rows out and say so by coalesce(…)",
    "field_type": "annotate the field with the column's type, or cast the column",
    "column_count": "select one column, or call query_one",
    "42P01": "if only the running program makes it, as a temporary table, write # sql: unchecked on the line",
}
"""What to do about a finding where nothing better is known of it, by its code."""

_PLACEHOLDER = re.compile(r"\$\d+")
_NAME = re.compile(r":\w+")


class Finding(NamedTuple):
    """One thing that is wrong: where, a stable code (an SQLSTATE where it is PostgreSQL's), a sentence.

    `excerpt` shows the place in the statement by a caret, `hint` says what to do; both may be "" (what PostgreSQL says has
    a remedy only where PostgreSQL knows one, or REMEDIES does).
    """

    file: str
    line: int
    code: str
    message: str
    excerpt: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """Tell it as compilers do."""
        told = [f"{self.file}:{self.line}: {self.message}", self.excerpt, self.hint and f"hint: {self.hint}"]
        return "\n".join(filter(None, told))


class CheckReport(NamedTuple):
    """What came out: findings in the order of the source, and what the schema says of each statement that it accepts."""

    findings: tuple[Finding, ...]
    described: dict[str, Described]


def check(url: str, source: CheckedSource) -> CheckReport:
    """Check the statements against the schema of the database at `url`; nothing is run there.

    Raises DatabaseCommandError when the database cannot be reached.
    """
    unreadable, remedy = source.unreadable, REMEDIES["unreadable"]
    found = [Finding(each.file, each.line, "unreadable", each.reason, hint=remedy) for each in unreadable]
    described: dict[str, Described] = {}
    with connect(url, read_only=True) as opened:
        schema = Schema(opened)
        for call in source.calls:
            found += _check_call(schema, call, described)
    return CheckReport(tuple(dict.fromkeys(found)), described)


def _check_call(schema: Schema, call: Call, described: dict[str, Described]) -> Iterator[Finding]:
    numbered = NumberedStatement(call.sql, ())
    try:
        numbered = number_placeholders(call.sql)
        if call.sql not in described:
            described[call.sql] = schema.describe(numbered.text)
    except ALNPgError as error:
        yield _refused(call, numbered, error)
        return
    says = described[call.sql]
    yield from _check_parameters(call, numbered, says)
    yield from _check_rows(call, numbered, says)
    yield from _check_unfilled(call, numbered, says)
    yield from _check_columns(call, says.columns)
    if call.into is not None and says.columns:
        yield from _check_class(call, call.into, says.columns)


def _refused(call: Call, numbered: NumberedStatement, error: ALNPgError) -> Finding:
    """Say what the server said, with the line of the source that the caret is on."""
    place = call.text.place(0)
    excerpt = ""
    if error.position:
        position = _in_source(call.sql, numbered.text, error.position - 1)
        place = call.text.place(position)
        excerpt = _excerpt(call.sql, position)
    message = f"{error.detail} [{error.sqlstate}]" if error.sqlstate else error.detail
    code = error.sqlstate or error.code
    return Finding(place.file, place.line, code, message, excerpt, error.hint or REMEDIES.get(code, ""))


def _excerpt(sql: str, position: int) -> str:
    """Return the line of a statement that the character at `position` (0-based) is on, and a caret below it."""
    above = sql.count("\n", 0, position)
    return "\n".join(with_caret(sql, position + 1).split("\n")[above : above + 2])


def _in_source(source: str, text: str, position: int) -> int:
    """Return where the character at `position` of a statement stands in its source, which has `:name` where it has `$n`."""
    here = there = 0
    while there < position:
        name, number = _NAME.match(source, here), _PLACEHOLDER.match(text, there)
        if name and number:
            here, there = name.end(), number.end()
        else:
            here, there = here + 1, there + 1
    return here


def _check_parameters(call: Call, numbered: NumberedStatement, says: Described) -> Iterator[Finding]:
    """Compare the parameters of the call, in the order of `$n`, with those of the statement."""
    given: list[Argument] = []
    if numbered.names and call.names is not None:
        missing = [name for name in numbered.names if name not in call.names]
        if missing:
            yield _finding(call, "parameters", f"the mapping lacks {', '.join(missing)}")
        given = [call.names.get(name, Argument()) for name in numbered.names]
    elif numbered.names and call.given is not None:
        if len(call.given) != 1 or call.given[0].type in SAMPLES:
            told = f"the statement takes one mapping with {', '.join(numbered.names)}"
            yield _finding(call, "parameters", told)
    elif call.given is not None and len(call.given) != len(says.params):
        thing, of = ("column", "copy") if call.method == "copy_rows" else ("parameter", "statement")
        takes, has = _counted(len(says.params), thing), len(call.given)
        yield _finding(call, "parameters", f"the {of} takes {takes} and is given {has or 'none'}")
    elif call.given is not None:
        given = list(call.given)
    for index, (parameter, known) in enumerate(zip(says.params, given, strict=bool(given))):
        yield from _check_parameter(call, numbered, index, parameter, known)
    yield from _check_nones(call, numbered, says, given)


def _check_rows(call: Call, numbered: NumberedStatement, says: Described) -> Iterator[Finding]:
    """Check each set of parameters that is written out as one that is given to the statement alone."""
    for row in call.rows:
        alone = call._replace(line=row.line, given=row.given, names=row.names)
        for found in _check_parameters(alone, numbered, says):
            yield found._replace(hint=f"row {row.number}; {found.hint}") if row.number else found


def _check_parameter(
    call: Call, numbered: NumberedStatement, index: int, parameter: StatementParameter, known: Argument
) -> Iterator[Finding]:
    """Send the literal, or values that stand for the type, through the parameter's own packer."""
    values = (ast.literal_eval(known.literal),) if known.literal else SAMPLES.get(known.type, ())
    statement = Statement(call.sql, numbered.text, numbered.names, b"")
    refusals: list[ParameterMismatch] = []
    for value in values:
        try:
            if value is not None:
                parameter.packer.pack(value)
        except REFUSALS as error:
            refusals.append(statement.mismatch(index, parameter.packer, value, error))
    told = refusals[0] if refusals and len(refusals) == len(values) else None
    if told is not None and (known.literal or not isinstance(told, OutOfRange)):
        excerpt = _excerpt(call.sql, told.position - 1) if told.position else ""
        yield _finding(call, "parameter_type", told.detail, told.hint)._replace(excerpt=excerpt)
    elif parameter.labels and known.type == "str" and known.literal and values[0] not in parameter.labels:
        labels = ", ".join(map(repr, parameter.labels))
        only = f"${index + 1} is {parameter.packer.type_name}: it has only {labels}"
        yield _finding(call, "parameter_type", only, "give one of them, or let a migration add the label")


def _check_unfilled(call: Call, numbered: NumberedStatement, says: Described) -> Iterator[Finding]:
    """Report the columns that the statement itself makes NULL and that must not be."""
    for column, parameter in says.unfilled:
        if not parameter:
            yield _finding(call, "null_in_column", f"{column} must not be NULL and is given no value")
    for emptied in says.emptied:
        if not emptied.parameter:
            yield _emptied(call, numbered, emptied, f"{emptied.column} must not be NULL and is set to NULL")


def _check_nones(call: Call, numbered: NumberedStatement, says: Described, given: list[Argument]) -> Iterator[Finding]:
    """Report the columns that must not be NULL and that a parameter makes so."""
    nones = {f"${number}" for number, each in enumerate(given, start=1) if each.literal == "None"}
    for column, parameter in says.unfilled:
        if parameter in nones:
            yield _finding(call, "null_in_column", f"{column} must not be NULL and {parameter} is None")
    for emptied in says.emptied:
        if emptied.parameter in nones:
            told = f"{emptied.column} must not be NULL and {emptied.parameter} is None"
            yield _emptied(call, numbered, emptied, told)


def _emptied(call: Call, numbered: NumberedStatement, emptied: Emptied, message: str) -> Finding:
    """Show the place in the SET clause; the line is the parameters' where they are to blame."""
    position = _in_source(call.sql, numbered.text, emptied.position)
    place = call.text.place(position)
    file, line = (call.file, call.line) if emptied.parameter else (place.file, place.line)
    excerpt = _excerpt(call.sql, position)
    return _finding(call, "null_in_column", message)._replace(file=file, line=line, excerpt=excerpt)


def _check_columns(call: Call, columns: tuple[Column, ...]) -> Iterator[Finding]:
    if not columns:
        if call.method in ONE_ROW:
            told = f"{call.method} is None for ever: the statement gives no rows"
            yield _finding(call, "no_rows", told, "add RETURNING, or call execute")
    elif call.method == "query_value" and len(columns) > 1:
        yield _finding(call, "column_count", f"query_value reads one column and the statement gives {len(columns)}")
    elif call.method not in {"execute", "execute_many", "prepare"} and not call.as_tuple:
        twice = [name for name, count in Counter(column.name for column in columns).items() if count > 1]
        if twice:
            told = f"several columns are called {', '.join(twice)}, so that a row cannot tell them apart"
            yield _finding(call, "ambiguous_column", told, "name them by AS, or ask for into=tuple")


def _check_class(call: Call, into: RowClass, columns: tuple[Column, ...]) -> Iterator[Finding]:
    given: Mapping[str, Column] = {column.name: column for column in columns}
    fields = {each.name: each for each in into.fields}
    for name in given:
        if name not in fields:
            told = f"{into.name} has no field for the column {name}"
            yield _finding(call, "row_class", told, "add the field, or leave the column out")
    for name, field in fields.items():
        if name in given:
            yield from _check_field(call, into, field, given[name])
        elif field.required:
            told = f"the statement gives no column for {into.name}.{name}"
            yield _finding(call, "row_class", told, "select it, or give the field a default")


def _check_field(call: Call, into: RowClass, field: RowField, column: Column) -> Iterator[Finding]:
    wrong = misfit(field.annotation, column.type, nullable=column.nullable)
    told = f"{into.name}.{field.name} is {field.annotation} and the column"
    if wrong == "null":
        yield _finding(call, "null_in_field", f"{told} can be NULL")
    elif wrong:
        yield _finding(call, "field_type", f"{told} is {column.type}")


def _counted(number: int, thing: str) -> str:
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"


def _finding(call: Call, code: str, message: str, hint: str = "") -> Finding:
    return Finding(call.file, call.line, code, message, hint=hint or REMEDIES.get(code, ""))
