"""Turns the server's error reports into ALNPgErrors, without the values."""

from __future__ import annotations

import re

from psycopg.pq import DiagnosticField
from psycopg.pq.abc import PGresult

from arlen_runtime.alnpg.errors import (
    ALNPgError,
    CheckViolated,
    ConnectionLost,
    ConstraintViolated,
    DatabaseUnavailable,
    ExclusionViolated,
    ForeignKeyViolated,
    LockUnavailable,
    NotNullViolated,
    ReadOnlyTransaction,
    StatementInvalid,
    StatementTimeout,
    TransactionConflict,
    UniqueViolated,
    ValueRejected,
)
from arlen_runtime.alnpg.protocol.limits import limit_hint
from arlen_runtime.alnpg.protocol.placeholders import next_parameter, position_of

BY_STATE: dict[str, type[ALNPgError]] = {
    "23505": UniqueViolated,
    "23503": ForeignKeyViolated,
    "23P01": ExclusionViolated,
    "23514": CheckViolated,
    "23502": NotNullViolated,
    "40001": TransactionConflict,
    "40P01": TransactionConflict,
    "25006": ReadOnlyTransaction,
    "54000": ValueRejected,
    "55P03": LockUnavailable,
    "57014": StatementTimeout,
    "57P01": ConnectionLost,
    "57P02": ConnectionLost,
    "57P03": DatabaseUnavailable,
    "57P05": ConnectionLost,
    "25P03": ConnectionLost,
    "25P04": ConnectionLost,
}
"""SQLSTATE to error. For other states the class, the first two characters, decides."""


BY_CLASS: dict[str, type[ALNPgError]] = {
    "08": ConnectionLost,
    "22": ValueRejected,
    "23": ConstraintViolated,
    "28": DatabaseUnavailable,
    "3D": DatabaseUnavailable,
    "42": StatementInvalid,
    "53": DatabaseUnavailable,
}


OUTDATED = frozenset({"0A000", "26000", "XX000", "42804", "42883"})
"""The errors of a prepared statement after the schema changed."""


UNTYPED = frozenset({"42P18", "42P08", "42725"})
"""The errors if PostgreSQL cannot infer the type of a parameter."""


POLYMORPHIC = "42804"
"""The same for a function of any type if the parameter has none, see `_explain_untyped`."""


_VALUE_PARSERS = ("tsquery", "tsvector", "jsonpath", "ltree", "ltxtquery", "seg", "_int_bool")
"""Source files (prefixes) whose 42601 is a syntax error in a value.

File names, unlike messages, are not translated.
"""


_NAMES_ONLY = frozenset({"23", "P0"})
"""Classes whose messages contain only names, or the application's text.

The values are in DETAIL.
"""


_VALUES = frozenset({"22", "54"})
"""Classes whose messages are about a value: quoted parts and numbers in them are values."""


_UNQUOTED_NAMES = frozenset({"42", "0A"})
"""Classes whose messages can put a name after a colon, unquoted.

If that name comes from a value, it has too many dots.
"""


_STATIC_CONTEXTS = (
    " at SQL statement",
    " at PERFORM",
    " at assignment",
    " at IF",
    " at RETURN",
    " at FOR over SELECT rows",
)
"""Endings of the context of a PL/pgSQL statement that is never built from values.

RETURN QUERY and OPEN are not in it: they can have EXECUTE.
"""


_NAMES = (
    DiagnosticField.SCHEMA_NAME,
    DiagnosticField.TABLE_NAME,
    DiagnosticField.COLUMN_NAME,
    DiagnosticField.DATATYPE_NAME,
    DiagnosticField.CONSTRAINT_NAME,
)


# Includes the quotation marks of translated messages.
_QUOTE = re.compile(r'["«»„“”]')


_QUOTED = re.compile(r'["«»„“”].*["«»„“”]', re.DOTALL)


_MASK = '"…"'


# Not the 8 of UTF8, nor the numbers in varchar(3) and numeric(5,2), which belong to the type.
_NUMBER = re.compile(r"(?<![\w(,.])[-+]?\d[\w.:+/-]*")


_PARAMETER = re.compile(r"\$\d+")


def _explain_untyped(error: ALNPgError, message: str) -> None:
    """Explain which parameter has no known type, where it is, and what to write."""
    match = _PARAMETER.search(message)
    parameter = match[0] if match else next_parameter(error.sql, error.position)
    error.position = error.position or position_of(error.sql, parameter)
    error.hint = (
        f"PostgreSQL cannot infer the type of {parameter} here: "
        f"write {parameter}::type with the type that you mean, as in {parameter}::text"
    )


def _field(result: PGresult, field: DiagnosticField) -> str:
    """Return one field of the server's error report, or ""."""
    return (result.error_field(field) or b"").decode("utf-8", "replace")


def _program_text(result: PGresult, sql: str) -> str:
    """Return all text that is code: the statement, names, and a static function statement."""
    context = _field(result, DiagnosticField.CONTEXT).partition("\n")[0]
    is_static = "PL/pgSQL" in context and context.endswith(_STATIC_CONTEXTS)
    inner = _field(result, DiagnosticField.INTERNAL_QUERY) if is_static else ""
    return "\n".join([sql, inner, *(_field(result, name) for name in _NAMES)]).replace('"', "")


def _mask_values(result: PGresult, state: str, message: str, sql: str) -> str:
    """Return the server's message with a … for each value in it."""
    state_class = state[:2]
    if state_class in _NAMES_ONLY:
        return message
    if state_class in _VALUES:
        return _NUMBER.sub("…", _QUOTED.sub(_MASK, message))
    # An error with a position is about the statement and the schema. A syntax error is excepted: it
    # can be in a value that is parsed as a type name.
    if state != "42601" and _field(result, DiagnosticField.STATEMENT_POSITION):
        return message
    pieces = _QUOTE.split(message)
    program = _program_text(result, sql)
    only_names = len(pieces) % 2 and all(_contains_words(program, piece) for piece in pieces[1::2])
    masked = message if only_names else _QUOTED.sub(_MASK, message)
    head, colon, tail = masked.partition(": ")
    holds_value = (
        state_class in _UNQUOTED_NAMES
        and colon
        and tail != _MASK
        and not _contains_words(program, _QUOTE.sub("", tail))
    )
    return f"{head}: …" if holds_value else masked


def _contains_words(program: str, piece: str) -> bool:
    """Return True if `piece` occurs in the program as whole words.

    The first and last character of `piece` must be at a word boundary, or not word characters.
    """
    return re.search(rf"(?!\B\w){re.escape(piece.strip())}(?<!\w\B)", program, re.IGNORECASE) is not None


def error_from_result(result: PGresult, sql: str) -> ALNPgError:
    """Return the error for a failed result of `sql`."""
    state = _field(result, DiagnosticField.SQLSTATE)
    message = _field(result, DiagnosticField.MESSAGE_PRIMARY)
    if not message:
        message = result.get_error_message() or "PostgreSQL sent no message"
    error_class = BY_STATE.get(state) or BY_CLASS.get(state[:2], ALNPgError)
    source = _field(result, DiagnosticField.SOURCE_FILE)
    if state == "42601" and source.startswith(_VALUE_PARSERS):
        error_class = ValueRejected
    error = error_class(_mask_values(result, state, message, sql), sql=sql, sqlstate=state)
    error.constraint = _field(result, DiagnosticField.CONSTRAINT_NAME)
    error.table = _field(result, DiagnosticField.TABLE_NAME)
    error.column = _field(result, DiagnosticField.COLUMN_NAME)
    error.hint = limit_hint(state, source) or _field(result, DiagnosticField.MESSAGE_HINT)
    error.position = int(_field(result, DiagnosticField.STATEMENT_POSITION) or 0)
    if state in UNTYPED or (state == POLYMORPHIC and "unknown" in message):
        _explain_untyped(error, message)
    return error
