"""Checks every statement of an application against its schema.

`check(url, source)` prepares each statement on the migrated database and compares the server's
description with the call: the number of parameters, what is known of them, and the row class.
Invariant: only what is certainly wrong is reported.
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
    "datetime": (datetime(2000, 1, 1), datetime(2000, 1, 1, tzinfo=UTC)),  # noqa: DTZ001 - naive and aware
    "timedelta": (timedelta(),),
}
"""Sample values of each type: a parameter that rejects all of them accepts no value of the type."""

ONE_ROW = frozenset({"query_one", "query_value"})
"""The methods that always return None if the statement returns no rows."""

REMEDIES = {
    "unreadable": "fix the file, or move it out of the application's folder",
    "parameters": "pass one value for each $n, or one mapping with every :name",
    "parameter_type": "pass a value that fits the type",
    "null_in_column": "set a value, or add a migration that gives the column a DEFAULT or drops NOT NULL",
    "null_in_field": "annotate the field with | None, or use coalesce(...) in the statement",
    "field_type": "annotate the field with the column's type, or cast the column",
    "column_count": "select one column, or call query_one",
    "42P01": "if the program creates it at run time, such as a temporary table, add # sql: unchecked to the line",
}
"""Code to default hint, for findings without a more specific one."""

_PLACEHOLDER = re.compile(r"\$\d+")
_NAME = re.compile(r":\w+")


class Finding(NamedTuple):
    """One error: its place, a stable code (an SQLSTATE for PostgreSQL's errors), and a sentence.

    `excerpt` shows the place in the statement with a caret, `hint` says what to do. Both can be "":
    PostgreSQL's errors have a hint only if PostgreSQL gives one, or REMEDIES has one.
    """

    file: str
    line: int
    code: str
    message: str
    excerpt: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """Format it like a compiler error."""
        lines = [f"{self.file}:{self.line}: {self.message}", self.excerpt, self.hint and f"hint: {self.hint}"]
        return "\n".join(filter(None, lines))


class CheckReport(NamedTuple):
    """The findings in source order, and the descriptions of the accepted statements."""

    findings: tuple[Finding, ...]
    descriptions: dict[str, StatementDescription]


def check(url: str, source: CheckedSource) -> CheckReport:
    """Check the statements against the schema of the database at `url`. Nothing is executed there.

    Raises DatabaseCommandError if the database cannot be reached.
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
    """Report the server's error, with the source line that the caret is on."""
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
    """Return the line of the statement with the character at `position` (0-based), and a caret."""
    lines_above = sql.count("\n", 0, position)
    return "\n".join(with_caret(sql, position + 1).split("\n")[lines_above : lines_above + 2])


def _source_position(source: str, text: str, position: int) -> int:
    """Map a 0-based position in the numbered statement to its source.

    The source has `:name` where the statement has `$n`.
    """
    in_source = in_text = 0
    while in_text < position:
        name, number = _NAME.match(source, in_source), _PLACEHOLDER.match(text, in_text)
        if name and number:
            in_source, in_text = name.end(), number.end()
        else:
            in_source, in_text = in_source + 1, in_text + 1
    return in_source


def _check_parameters(call: Call, numbered: NumberedStatement, description: StatementDescription) -> Iterator[Finding]:
    """Compare the arguments of the call, in the order of `$n`, with the parameters."""
    arguments: list[Argument] = []
    if numbered.names and call.named_arguments is not None:
        missing = [name for name in numbered.names if name not in call.named_arguments]
        if missing:
            yield _finding(call, "parameters", f"missing keys in the mapping: {', '.join(missing)}")
        arguments = [call.named_arguments.get(name, Argument()) for name in numbered.names]
    elif numbered.names and call.arguments is not None:
        if len(call.arguments) != 1 or call.arguments[0].type in SAMPLES:
            message = f"the statement requires one mapping with the keys {', '.join(numbered.names)}"
            yield _finding(call, "parameters", message)
    elif call.arguments is not None and len(call.arguments) != len(description.params):
        noun, subject = ("column", "copy") if call.method == "copy_rows" else ("parameter", "statement")
        expected, actual = _count(len(description.params), noun), len(call.arguments)
        yield _finding(
            call, "parameters", f"the {subject} has {expected}, but {actual} {'was' if actual == 1 else 'were'} passed"
        )
    elif call.arguments is not None:
        arguments = list(call.arguments)
    for index, (parameter, argument) in enumerate(zip(description.params, arguments, strict=bool(arguments))):
        yield from _check_parameter(call, numbered, index, parameter, argument)
    yield from _check_parameter_nulls(call, numbered, description, arguments)


def _check_rows(call: Call, numbered: NumberedStatement, description: StatementDescription) -> Iterator[Finding]:
    """Check each literal parameter set like the arguments of a single call."""
    for row in call.rows:
        row_call = call._replace(line=row.line, arguments=row.arguments, named_arguments=row.named_arguments)
        for finding in _check_parameters(row_call, numbered, description):
            yield finding._replace(hint=f"row {row.number}; {finding.hint}") if row.number else finding


def _check_parameter(
    call: Call, numbered: NumberedStatement, index: int, parameter: StatementParameter, argument: Argument
) -> Iterator[Finding]:
    """Pass the literal, or sample values of the type, through the parameter's encoder."""
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
        message = f"${index + 1} is {parameter.encoder.type_name}: the only labels are {labels}"
        yield _finding(call, "parameter_type", message, "use one of them, or add a migration with the new label")


def _check_constant_nulls(
    call: Call, numbered: NumberedStatement, description: StatementDescription
) -> Iterator[Finding]:
    """Report NOT NULL columns that the statement itself sets to NULL."""
    for column, parameter in description.null_inserts:
        if not parameter:
            yield _finding(call, "null_in_column", f"{column} is NOT NULL, but gets no value")
    for assignment in description.null_assignments:
        if not assignment.parameter:
            yield _null_assignment_finding(
                call, numbered, assignment, f"{assignment.column} is NOT NULL, but is set to NULL"
            )


def _check_parameter_nulls(
    call: Call, numbered: NumberedStatement, description: StatementDescription, arguments: list[Argument]
) -> Iterator[Finding]:
    """Report NOT NULL columns that a parameter sets to NULL."""
    nones = {f"${number}" for number, argument in enumerate(arguments, start=1) if argument.literal == "None"}
    for column, parameter in description.null_inserts:
        if parameter in nones:
            yield _finding(call, "null_in_column", f"{column} is NOT NULL, but {parameter} is None")
    for assignment in description.null_assignments:
        if assignment.parameter in nones:
            message = f"{assignment.column} is NOT NULL, but {assignment.parameter} is None"
            yield _null_assignment_finding(call, numbered, assignment, message)


def _null_assignment_finding(
    call: Call, numbered: NumberedStatement, assignment: NullAssignment, message: str
) -> Finding:
    """Show the place in the SET clause.

    If a parameter is the cause, the line is that of the call.
    """
    position = _source_position(call.sql, numbered.text, assignment.position)
    place = call.text.position_of(position)
    file, line = (call.file, call.line) if assignment.parameter else (place.file, place.line)
    excerpt = _excerpt(call.sql, position)
    return _finding(call, "null_in_column", message)._replace(file=file, line=line, excerpt=excerpt)


def _check_columns(call: Call, columns: tuple[Column, ...]) -> Iterator[Finding]:
    if not columns:
        if call.method in ONE_ROW:
            message = f"{call.method} always returns None: the statement returns no rows"
            yield _finding(call, "no_rows", message, "add RETURNING, or call execute")
    elif call.method == "query_value" and len(columns) > 1:
        yield _finding(call, "column_count", f"query_value reads one column, but the statement returns {len(columns)}")
    elif call.method not in {"execute", "execute_many", "prepare"} and not call.as_tuple:
        duplicates = [name for name, count in Counter(column.name for column in columns).items() if count > 1]
        if duplicates:
            message = f"duplicate column names: {', '.join(duplicates)}"
            yield _finding(call, "ambiguous_column", message, "rename them with AS, or use into=tuple")


def _check_row_class(call: Call, into: RowClass, columns: tuple[Column, ...]) -> Iterator[Finding]:
    columns_by_name: Mapping[str, Column] = {column.name: column for column in columns}
    fields = {field.name: field for field in into.fields}
    for name in columns_by_name:
        if name not in fields:
            message = f"{into.name} has no field for the column {name}"
            yield _finding(call, "row_class", message, "add the field, or remove the column from the statement")
    for name, field in fields.items():
        if name in columns_by_name:
            yield from _check_field(call, into, field, columns_by_name[name])
        elif field.required:
            message = f"the statement returns no column for {into.name}.{name}"
            yield _finding(call, "row_class", message, "select the column, or give the field a default")


def _check_field(call: Call, into: RowClass, field: RowField, column: Column) -> Iterator[Finding]:
    mismatch = find_mismatch(field.annotation, column.type, nullable=column.nullable)
    prefix = f"{into.name}.{field.name} is {field.annotation}, but the column"
    if mismatch == "null":
        yield _finding(call, "null_in_field", f"{prefix} can be NULL")
    elif mismatch:
        yield _finding(call, "field_type", f"{prefix} is {column.type}")


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _finding(call: Call, code: str, message: str, hint: str = "") -> Finding:
    return Finding(call.file, call.line, code, message, hint=hint or REMEDIES.get(code, ""))
