"""Every error of the database. One rule: an error tells the statement and the place, never a value or a DSN.

    ALNPgError                      500 database_error
    ├── Misuse                      500 database_misuse            a call that can never work: wrong count, wrong shape
    │   └── ParameterMismatch       500 parameter_mismatch         $n, the server's type, the Python type, the remedy
    │       └── OutOfRange          400 value_out_of_range         the type is right, the value does not fit
    ├── ValueUnreadable             500 value_unreadable           infinity, BC: Python has none; or a changed column
    ├── StatementInvalid            500 statement_invalid          42xxx: syntax, names, types, privileges
    ├── ValueRejected               422 value_rejected             22xxx, and 42601 of a tsquery, a jsonpath
    ├── ConstraintViolated          409 constraint_violated        23xxx
    │   ├── UniqueViolated          409 unique_violated            23505
    │   ├── ForeignKeyViolated      409 foreign_key_violated       23503
    │   ├── ExclusionViolated       409 exclusion_violated         23P01
    │   ├── CheckViolated           422 check_violated             23514
    │   └── NotNullViolated         422 not_null_violated          23502
    ├── TransactionConflict         503 transaction_conflict       40001, 40P01: `retrying` runs it again
    │   └── StatementOutdated       503 statement_outdated         0A000, 26000 in a transaction: likewise
    ├── ReadOnlyTransaction         500 read_only_transaction      25006
    ├── LockUnavailable             503 lock_unavailable           55P03
    ├── StatementTimeout            504 statement_timeout          57014, or the client's own deadline
    │   └── ClientGone              504 client_gone                nobody waits for the answer: it was cancelled
    └── DatabaseUnavailable         503 database_unavailable       no connection, with Retry-After
        ├── ConnectionLost          503 connection_lost            08xxx, 57P0x: it broke under a statement
        └── PoolExhausted           503 pool_exhausted             its detail names the holders

PostgreSQL puts values into DETAIL and into messages: the one is not kept, the others lose what they quote, unless it stands in
the statement or is a name that the server reports. What a function of the application's own raises (P0001) is told as it is.
"""

from __future__ import annotations

import re
from typing import ClassVar

from psycopg.pq import DiagnosticField
from psycopg.pq.abc import PGresult

from arlen_runtime.errors import ArlenError


class ALNPgError(ArlenError):
    """The root of the database's errors. Everything it knows beyond the sentence is an attribute, "" or 0 when unknown.

    `sqlstate`, `constraint`, `table`, `column`, `hint` are PostgreSQL's; `position` is the 1-based character of `sql` at
    which it stumbled; `call_site` is the application's `file:line`.
    """

    code = "database_error"
    title = "Database error"

    retry_after: ClassVar[int] = 0
    """Seconds after which a new attempt makes sense; 0: none does."""

    def __init__(self, detail: str, *, sql: str = "", sqlstate: str = "") -> None:
        """Keep the sentence and, where known, the statement and its SQLSTATE."""
        super().__init__(detail, headers=[("Retry-After", str(self.retry_after))] if self.retry_after else ())
        self.sql = sql
        self.sqlstate = sqlstate
        self.constraint = ""
        self.table = ""
        self.column = ""
        self.hint = ""
        self.position = 0
        self.call_site = ""

    def __str__(self) -> str:
        """Tell all of it for a log: sentence, SQLSTATE, hint, call site, and the statement with a caret."""
        lines = [f"{self.detail} [{self.sqlstate}]" if self.sqlstate else self.detail]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        if self.call_site:
            lines.append(f"at {self.call_site}")
        if self.sql:
            lines.append(with_caret(self.sql, self.position))
        return "\n".join(lines)


class Misuse(ALNPgError):
    """The call itself is wrong: too few parameters, a name that is missing, columns that do not fit the class."""

    code = "database_misuse"


class ParameterMismatch(Misuse):
    """A parameter's Python type is not one that the server's type takes."""

    code = "parameter_mismatch"


class OutOfRange(ParameterMismatch):
    """A parameter has the right type and does not fit: an id of 2**70 for a bigint."""

    status = 400
    code = "value_out_of_range"
    title = "Value out of range"


class ValueUnreadable(ALNPgError):
    """A value in the result has no Python counterpart: infinity, a year BC, 24:00.

    Or, outside a transaction, a column's type changed under the statement. Either way the statement ran, and is committed.
    """

    code = "value_unreadable"


class StatementInvalid(ALNPgError):
    """The statement cannot run against this schema (class 42)."""

    code = "statement_invalid"


class ValueRejected(ALNPgError):
    """PostgreSQL refused a value (class 22)."""

    status = 422
    code = "value_rejected"
    title = "Value rejected"


class ConstraintViolated(ALNPgError):
    """A constraint forbids it (class 23); `constraint`, `table` and `column` say which."""

    status = 409
    code = "constraint_violated"
    title = "Constraint violated"


class UniqueViolated(ConstraintViolated):
    """Such a row exists already."""

    code = "unique_violated"
    title = "Already exists"


class ForeignKeyViolated(ConstraintViolated):
    """The row refers to one that is missing, or is still referred to."""

    code = "foreign_key_violated"
    title = "Reference violated"


class ExclusionViolated(ConstraintViolated):
    """The row conflicts with another under an exclusion constraint."""

    code = "exclusion_violated"
    title = "Conflicting entry"


class CheckViolated(ConstraintViolated):
    """A check constraint says no."""

    status = 422
    code = "check_violated"
    title = "Check violated"


class NotNullViolated(ConstraintViolated):
    """A value is missing."""

    status = 422
    code = "not_null_violated"
    title = "Value missing"


class TransactionConflict(ALNPgError):
    """Serialization failure or deadlock: the same transaction may succeed when run again."""

    status = 503
    code = "transaction_conflict"
    title = "Transaction conflict"
    retry_after = 1


class StatementOutdated(TransactionConflict):
    """The schema changed under a prepared statement inside a transaction; run again, it is prepared anew."""

    code = "statement_outdated"


class ReadOnlyTransaction(ALNPgError):
    """The statement writes, the transaction or server may not."""

    code = "read_only_transaction"


class LockUnavailable(ALNPgError):
    """A lock was not to be had in time."""

    status = 503
    code = "lock_unavailable"
    title = "Lock unavailable"
    retry_after = 1


class StatementTimeout(ALNPgError):
    """The statement took longer than it may; it was cancelled."""

    status = 504
    code = "statement_timeout"
    title = "Database timeout"


class ClientGone(StatementTimeout):
    """Nobody waits for the answer any more; the statement was cancelled."""

    code = "client_gone"


class DatabaseUnavailable(ALNPgError):
    """There is no connection to be had now."""

    status = 503
    code = "database_unavailable"
    title = "Database unavailable"
    retry_after = 1


class ConnectionLost(DatabaseUnavailable):
    """The connection broke under the statement: whether it took effect is unknown."""

    code = "connection_lost"


class PoolExhausted(DatabaseUnavailable):
    """All connections stayed in use for the whole wait."""

    code = "pool_exhausted"


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

_WRITES_OUT = frozenset({"42", "0A"})
"""Classes whose messages write a name out after a colon, without quotes: one in a value has too many dots."""

_WRITTEN = (" at SQL statement", " at PERFORM", " at assignment", " at IF", " at RETURN", " at FOR over SELECT rows")
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
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|--[^\n]*|::|(?P<parameter>\$\d+|:[^\W\d]\w*)""")


def with_caret(sql: str, position: int) -> str:
    """Return the statement with a caret under character `position` (1-based; 0: no caret)."""
    if not 0 < position <= len(sql) + 1:
        return sql
    start = sql.rfind("\n", 0, position - 1) + 1
    end = sql.find("\n", position - 1)
    end = len(sql) if end < 0 else end
    return f"{sql[:end]}\n{' ' * (position - 1 - start)}^{sql[end:]}"


def place_of(sql: str, parameter: str) -> int:
    """Return the position of `$n` or `:name` in a statement, 1-based; 0 where it is not found."""
    places = (token.start() + 1 for token in _TOKEN.finditer(sql) if token["parameter"] == parameter)
    return next(places, 0)


def _explain(error: ALNPgError, message: str) -> None:
    """Say of which parameter the type is unknown, where it stands, and what to write."""
    named = _PARAMETER.search(message) or _PARAMETER.search(error.sql, max(0, error.position - 1))
    parameter = named.group() if named else "$1"
    error.position = error.position or place_of(error.sql, parameter)
    error.hint = (
        f"PostgreSQL cannot tell the type of {parameter} here: "
        f"write {parameter}::type with the type that you mean, as in {parameter}::text"
    )


def _field(result: PGresult, field: DiagnosticField) -> str:
    """Return one field of the server's error report, "" when it is not there."""
    return (result.error_field(field) or b"").decode("utf-8", "replace")


def _program(result: PGresult, sql: str) -> str:
    """Return all that is code and no value: the statement, names, and the statement of a function that did not build it."""
    context = _field(result, DiagnosticField.CONTEXT).partition("\n")[0]
    written = "PL/pgSQL" in context and context.endswith(_WRITTEN)
    inner = _field(result, DiagnosticField.INTERNAL_QUERY) if written else ""
    return "\n".join([sql, inner, *(_field(result, name) for name in _NAMES)]).replace('"', "")


def _without_values(result: PGresult, state: str, message: str, sql: str) -> str:
    """Return the server's sentence with a … for each value in it."""
    kind = state[:2]
    if kind in _NAMES_ONLY:
        return message
    if kind in _VALUES:
        return _NUMBER.sub("…", _QUOTED.sub(_MASK, message))
    # What has a place in the statement speaks of that and of the schema; a syntax error may be that of a type's name.
    if state != "42601" and _field(result, DiagnosticField.STATEMENT_POSITION):
        return message
    pieces = _QUOTE.split(message)
    program = _program(result, sql)
    known = len(pieces) % 2 and all(_stands_in(program, piece) for piece in pieces[1::2])
    told = message if known else _QUOTED.sub(_MASK, message)
    head, colon, tail = told.partition(": ")
    unknown = kind in _WRITES_OUT and colon and tail != _MASK and not _stands_in(program, _QUOTE.sub("", tail))
    return f"{head}: …" if unknown else told


def _stands_in(program: str, piece: str) -> bool:
    """Say whether it is whole words of the program: its first and last character stand at a word's edge, or are none of one."""
    return re.search(rf"(?!\B\w){re.escape(piece.strip())}(?<!\w\B)", program, re.IGNORECASE) is not None


def failure(result: PGresult, sql: str) -> ALNPgError:
    """Return the error that stands for a failed result of `sql`."""
    state = _field(result, DiagnosticField.SQLSTATE)
    message = _field(result, DiagnosticField.MESSAGE_PRIMARY)
    if not message:
        message = result.get_error_message() or "PostgreSQL answered nothing"
    kind = BY_STATE.get(state) or BY_CLASS.get(state[:2], ALNPgError)
    if state == "42601" and _field(result, DiagnosticField.SOURCE_FILE).startswith(_VALUE_PARSERS):
        kind = ValueRejected
    error = kind(_without_values(result, state, message, sql), sql=sql, sqlstate=state)
    error.constraint = _field(result, DiagnosticField.CONSTRAINT_NAME)
    error.table = _field(result, DiagnosticField.TABLE_NAME)
    error.column = _field(result, DiagnosticField.COLUMN_NAME)
    error.hint = _field(result, DiagnosticField.MESSAGE_HINT)
    error.position = int(_field(result, DiagnosticField.STATEMENT_POSITION) or 0)
    if state in UNTYPED or (state == POLYMORPHIC and "unknown" in message):
        _explain(error, message)
    return error
