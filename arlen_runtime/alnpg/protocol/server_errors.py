"""The server's error reports as ALNPgErrors: which class, and a message without values."""

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
from arlen_runtime.alnpg.protocol.placeholders import position_of

BY_STATE: dict[str, type[ALNPgError]] = {
    "23505": UniqueViolated,
    "23503": ForeignKeyViolated,
    "23P01": ExclusionViolated,
    "23514": CheckViolated,
    "23502": NotNullViolated,
    "40001": TransactionConflict,
    "40P01": TransactionConflict,
    "25006": ReadOnlyTransaction,
    "55P03": LockUnavailable,
    "57014": StatementTimeout,
    "57P01": ConnectionLost,
    "57P02": ConnectionLost,
    "57P03": DatabaseUnavailable,
    "57P05": ConnectionLost,
    "25P03": ConnectionLost,
    "25P04": ConnectionLost,
}
"""SQLSTATE to error; where it is silent the class, its first two characters, decides."""


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
"""What a warm statement may answer after the schema changed under it."""


UNTYPED = frozenset({"42P18", "42P08", "42725"})
"""What PostgreSQL answers where it cannot infer the type of a parameter."""


POLYMORPHIC = "42804"
"""The same where the function would take any type; only with a parameter of no type, see `_explain`."""


_VALUE_PARSERS = ("tsquery", "tsvector", "jsonpath", "ltree", "ltxtquery", "seg", "_int_bool")
"""The source files, by their beginnings, whose 42601 is a value's syntax error and not the statement's. No language in them."""


_NAMES_ONLY = frozenset({"23", "P0"})
"""Classes whose messages hold names alone (their values stand in DETAIL), or the application's own words."""


_VALUES = frozenset({"22", "54"})
"""Classes whose messages are about a value: what they quote is one, and so are their numbers."""


_UNQUOTED_NAMES = frozenset({"42", "0A"})
"""Classes whose messages write a name out after a colon, without quotes: one in a value has too many dots."""


_STATIC_CONTEXTS = (
    " at SQL statement",
    " at PERFORM",
    " at assignment",
    " at IF",
    " at RETURN",
    " at FOR over SELECT rows",
)
"""How the context of a PL/pgSQL statement ends that is never built from values. RETURN QUERY and OPEN may have EXECUTE."""


_NAMES = (
    DiagnosticField.SCHEMA_NAME,
    DiagnosticField.TABLE_NAME,
    DiagnosticField.COLUMN_NAME,
    DiagnosticField.DATATYPE_NAME,
    DiagnosticField.CONSTRAINT_NAME,
)


# As servers quote that speak another language, too.
_QUOTE = re.compile(r'["«»„“”]')


_QUOTED = re.compile(r'["«»„“”].*["«»„“”]', re.DOTALL)


_MASK = '"…"'


# Not the 8 of UTF8, and not those of varchar(3) and numeric(5,2), which are the type's.
_NUMBER = re.compile(r"(?<![\w(,.])[-+]?\d[\w.:+/-]*")


_PARAMETER = re.compile(r"\$\d+")


def _explain_untyped(error: ALNPgError, message: str) -> None:
    """Say of which parameter the type is unknown, where it stands, and what to write."""
    match = _PARAMETER.search(message) or _PARAMETER.search(error.sql, max(0, error.position - 1))
    parameter = match.group() if match else "$1"
    error.position = error.position or position_of(error.sql, parameter)
    error.hint = (
        f"PostgreSQL cannot tell the type of {parameter} here: "
        f"write {parameter}::type with the type that you mean, as in {parameter}::text"
    )


def _field(result: PGresult, field: DiagnosticField) -> str:
    """Return one field of the server's error report, "" when it is not there."""
    return (result.error_field(field) or b"").decode("utf-8", "replace")


def _program_text(result: PGresult, sql: str) -> str:
    """Return all that is code and no value: the statement, names, and the statement of a function that did not build it."""
    context = _field(result, DiagnosticField.CONTEXT).partition("\n")[0]
    is_static = "PL/pgSQL" in context and context.endswith(_STATIC_CONTEXTS)
    inner = _field(result, DiagnosticField.INTERNAL_QUERY) if is_static else ""
    return "\n".join([sql, inner, *(_field(result, name) for name in _NAMES)]).replace('"', "")


def _mask_values(result: PGresult, state: str, message: str, sql: str) -> str:
    """Return the server's sentence with a … for each value in it."""
    state_class = state[:2]
    if state_class in _NAMES_ONLY:
        return message
    if state_class in _VALUES:
        return _NUMBER.sub("…", _QUOTED.sub(_MASK, message))
    # What has a place in the statement speaks of that and of the schema; a syntax error may be that of a type's name.
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
    """Say whether it is whole words of the program: its first and last character stand at a word's edge, or are none of one."""
    return re.search(rf"(?!\B\w){re.escape(piece.strip())}(?<!\w\B)", program, re.IGNORECASE) is not None


def error_from_result(result: PGresult, sql: str) -> ALNPgError:
    """Return the error that stands for a failed result of `sql`."""
    state = _field(result, DiagnosticField.SQLSTATE)
    message = _field(result, DiagnosticField.MESSAGE_PRIMARY)
    if not message:
        message = result.get_error_message() or "PostgreSQL answered nothing"
    error_class = BY_STATE.get(state) or BY_CLASS.get(state[:2], ALNPgError)
    if state == "42601" and _field(result, DiagnosticField.SOURCE_FILE).startswith(_VALUE_PARSERS):
        error_class = ValueRejected
    error = error_class(_mask_values(result, state, message, sql), sql=sql, sqlstate=state)
    error.constraint = _field(result, DiagnosticField.CONSTRAINT_NAME)
    error.table = _field(result, DiagnosticField.TABLE_NAME)
    error.column = _field(result, DiagnosticField.COLUMN_NAME)
    error.hint = _field(result, DiagnosticField.MESSAGE_HINT)
    error.position = int(_field(result, DiagnosticField.STATEMENT_POSITION) or 0)
    if state in UNTYPED or (state == POLYMORPHIC and "unknown" in message):
        _explain_untyped(error, message)
    return error
