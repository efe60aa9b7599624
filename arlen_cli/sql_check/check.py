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
from arlen_cli.sql_check.row_classes import RowClass, RowField, find_mismatch
from arlen_cli.sql_check.schema import Column, NullAssignment, Schema, StatementDescription, StatementParameter
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
        lines = [f"{self.file}:{self.line}: {self.message}", self.excerpt, self.hint and f"hint: {self.hint}"]
        return "\n".join(filter(None, lines))


class CheckReport(NamedTuple):
    """What came out: findings in the order of the source, and what the schema says of each statement that it accepts."""

    findings: tuple[Finding, ...]
    descriptions: dict[str, StatementDescription]


def check(url: str, source: CheckedSource) -> CheckReport:
    """Check the statements against the schema of the database at `url`; nothing is run there.

    Raises DatabaseCommandError when the database cannot be reached.
    """
    unreadable, remedy = source.unreadable, REMEDIES["unreadable"]
    findings = [Finding(file.file, file.line, "unreadable", file.reason, hint=remedy) for file in unreadable]
    descriptions: dict[str, StatementDescription] = {}
    with connect(url, read_only=True) as database:
        schema = Schema(database)
        for call in source.calls:
            findings += _check_call(schema, call, descriptions)
    return CheckReport(tuple(dict.fromkeys(findings)), descriptions)


def _check_call(schema: Schema, call: Call, descriptions: dict[str, StatementDescription]) -> Iterator[Finding]:
    numbered = NumberedStatement(call.sql, ())
    try:
        numbered = number_placeholders(call.sql)
        if call.sql not in descriptions:
            descriptions[call.sql] = schema.describe(numbered.text)
    except ALNPgError as error:
        yield _server_finding(call, numbered, error)
        return
    description = descriptions[call.sql]
    yield from _check_parameters(call, numbered, description)
    yield from _check_rows(call, numbered, description)
    yield from _check_constant_nulls(call, numbered, description)
    yield from _check_columns(call, description.columns)
    if call.into is not None and description.columns:
        yield from _check_row_class(call, call.into, description.columns)


def _server_finding(call: Call, numbered: NumberedStatement, error: ALNPgError) -> Finding:
    """Say what the server said, with the line of the source that the caret is on."""
    place = call.text.position_of(0)
    excerpt = ""
    if error.position:
        position = _source_position(call.sql, numbered.text, error.position - 1)
        place = call.text.position_of(position)
        excerpt = _excerpt(call.sql, position)
    message = f"{error.detail} [{error.sqlstate}]" if error.sqlstate else error.detail
    code = error.sqlstate or error.code
    return Finding(place.file, place.line, code, message, excerpt, error.hint or REMEDIES.get(code, ""))


def _excerpt(sql: str, position: int) -> str:
    """Return the line of a statement that the character at `position` (0-based) is on, and a caret below it."""
    lines_above = sql.count("\n", 0, position)
    return "\n".join(with_caret(sql, position + 1).split("\n")[lines_above : lines_above + 2])


def _source_position(source: str, text: str, position: int) -> int:
    """Return where the character at `position` of a statement stands in its source, which has `:name` where it has `$n`."""
    in_source = in_text = 0
    while in_text < position:
        name, number = _NAME.match(source, in_source), _PLACEHOLDER.match(text, in_text)
        if name and number:
            in_source, in_text = name.end(), number.end()
        else:
            in_source, in_text = in_source + 1, in_text + 1
    return in_source


def _check_parameters(call: Call, numbered: NumberedStatement, description: StatementDescription) -> Iterator[Finding]:
    """Compare the parameters of the call, in the order of `$n`, with those of the statement."""
    arguments: list[Argument] = []
    if numbered.names and call.named_arguments is not None:
        missing = [name for name in numbered.names if name not in call.named_arguments]
        if missing:
            yield _finding(call, "parameters", f"the mapping lacks {', '.join(missing)}")
        arguments = [call.named_arguments.get(name, Argument()) for name in numbered.names]
    elif numbered.names and call.arguments is not None:
        if len(call.arguments) != 1 or call.arguments[0].type in SAMPLES:
            message = f"the statement takes one mapping with {', '.join(numbered.names)}"
            yield _finding(call, "parameters", message)
    elif call.arguments is not None and len(call.arguments) != len(description.params):
        noun, subject = ("column", "copy") if call.method == "copy_rows" else ("parameter", "statement")
        expected, actual = _count(len(description.params), noun), len(call.arguments)
        yield _finding(call, "parameters", f"the {subject} takes {expected} and is given {actual or 'none'}")
    elif call.arguments is not None:
        arguments = list(call.arguments)
    for index, (parameter, argument) in enumerate(zip(description.params, arguments, strict=bool(arguments))):
        yield from _check_parameter(call, numbered, index, parameter, argument)
    yield from _check_parameter_nulls(call, numbered, description, arguments)


def _check_rows(call: Call, numbered: NumberedStatement, description: StatementDescription) -> Iterator[Finding]:
    """Check each set of parameters that is written out as one that is given to the statement alone."""
    for row in call.rows:
        row_call = call._replace(line=row.line, arguments=row.arguments, named_arguments=row.named_arguments)
        for finding in _check_parameters(row_call, numbered, description):
            yield finding._replace(hint=f"row {row.number}; {finding.hint}") if row.number else finding


def _check_parameter(
    call: Call, numbered: NumberedStatement, index: int, parameter: StatementParameter, argument: Argument
) -> Iterator[Finding]:
    """Send the literal, or values that stand for the type, through the parameter's own packer."""
    values = (ast.literal_eval(argument.literal),) if argument.literal else SAMPLES.get(argument.type, ())
    statement = Statement(call.sql, numbered.text, numbered.names, b"")
    mismatches: list[ParameterMismatch] = []
    for value in values:
        try:
            if value is not None:
                parameter.encoder.pack(value)
        except REFUSALS as error:
            mismatches.append(statement.mismatch(index, parameter.encoder, value, error))
    mismatch = mismatches[0] if mismatches and len(mismatches) == len(values) else None
    if mismatch is not None and (argument.literal or not isinstance(mismatch, OutOfRange)):
        excerpt = _excerpt(call.sql, mismatch.position - 1) if mismatch.position else ""
        yield _finding(call, "parameter_type", mismatch.detail, mismatch.hint)._replace(excerpt=excerpt)
    elif parameter.labels and argument.type == "str" and argument.literal and values[0] not in parameter.labels:
        labels = ", ".join(map(repr, parameter.labels))
        message = f"${index + 1} is {parameter.encoder.type_name}: it has only {labels}"
        yield _finding(call, "parameter_type", message, "give one of them, or let a migration add the label")


def _check_constant_nulls(
    call: Call, numbered: NumberedStatement, description: StatementDescription
) -> Iterator[Finding]:
    """Report the columns that the statement itself makes NULL and that must not be."""
    for column, parameter in description.null_inserts:
        if not parameter:
            yield _finding(call, "null_in_column", f"{column} must not be NULL and is given no value")
    for assignment in description.null_assignments:
        if not assignment.parameter:
            yield _null_assignment_finding(
                call, numbered, assignment, f"{assignment.column} must not be NULL and is set to NULL"
            )


def _check_parameter_nulls(
    call: Call, numbered: NumberedStatement, description: StatementDescription, arguments: list[Argument]
) -> Iterator[Finding]:
    """Report the columns that must not be NULL and that a parameter makes so."""
    nones = {f"${number}" for number, argument in enumerate(arguments, start=1) if argument.literal == "None"}
    for column, parameter in description.null_inserts:
        if parameter in nones:
            yield _finding(call, "null_in_column", f"{column} must not be NULL and {parameter} is None")
    for assignment in description.null_assignments:
        if assignment.parameter in nones:
            message = f"{assignment.column} must not be NULL and {assignment.parameter} is None"
            yield _null_assignment_finding(call, numbered, assignment, message)


def _null_assignment_finding(
    call: Call, numbered: NumberedStatement, assignment: NullAssignment, message: str
) -> Finding:
    """Show the place in the SET clause; the line is the parameters' where they are to blame."""
    position = _source_position(call.sql, numbered.text, assignment.position)
    place = call.text.position_of(position)
    file, line = (call.file, call.line) if assignment.parameter else (place.file, place.line)
    excerpt = _excerpt(call.sql, position)
    return _finding(call, "null_in_column", message)._replace(file=file, line=line, excerpt=excerpt)


def _check_columns(call: Call, columns: tuple[Column, ...]) -> Iterator[Finding]:
    if not columns:
        if call.method in ONE_ROW:
            message = f"{call.method} is None for ever: the statement gives no rows"
            yield _finding(call, "no_rows", message, "add RETURNING, or call execute")
    elif call.method == "query_value" and len(columns) > 1:
        yield _finding(call, "column_count", f"query_value reads one column and the statement gives {len(columns)}")
    elif call.method not in {"execute", "execute_many", "prepare"} and not call.as_tuple:
        duplicates = [name for name, count in Counter(column.name for column in columns).items() if count > 1]
        if duplicates:
            message = f"several columns are called {', '.join(duplicates)}, so that a row cannot tell them apart"
            yield _finding(call, "ambiguous_column", message, "name them by AS, or ask for into=tuple")


def _check_row_class(call: Call, into: RowClass, columns: tuple[Column, ...]) -> Iterator[Finding]:
    columns_by_name: Mapping[str, Column] = {column.name: column for column in columns}
    fields = {field.name: field for field in into.fields}
    for name in columns_by_name:
        if name not in fields:
            message = f"{into.name} has no field for the column {name}"
            yield _finding(call, "row_class", message, "add the field, or leave the column out")
    for name, field in fields.items():
        if name in columns_by_name:
            yield from _check_field(call, into, field, columns_by_name[name])
        elif field.required:
            message = f"the statement gives no column for {into.name}.{name}"
            yield _finding(call, "row_class", message, "select it, or give the field a default")


def _check_field(call: Call, into: RowClass, field: RowField, column: Column) -> Iterator[Finding]:
    mismatch = find_mismatch(field.annotation, column.type, nullable=column.nullable)
    prefix = f"{into.name}.{field.name} is {field.annotation} and the column"
    if mismatch == "null":
        yield _finding(call, "null_in_field", f"{prefix} can be NULL")
    elif mismatch:
        yield _finding(call, "field_type", f"{prefix} is {column.type}")


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _finding(call: Call, code: str, message: str, hint: str = "") -> Finding:
    return Finding(call.file, call.line, code, message, hint=hint or REMEDIES.get(code, ""))
