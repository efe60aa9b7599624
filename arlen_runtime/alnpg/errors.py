"""The errors of ALNPg. They show the statement and the position, never a value or a DSN.

    ALNPgError                  500 database_error
    ├── ProgrammingError        500 database_misuse       a wrong call: count, types or columns
    │   └── ParameterMismatch   500 parameter_mismatch    $n, server's type, Python type, remedy
    │       └── OutOfRange      400 value_out_of_range    right type, but the value does not fit
    ├── ValueUnreadable         500 value_unreadable      infinity, BC; or a changed column
    ├── StatementInvalid        500 statement_invalid     42xxx: syntax, names, types, privileges
    ├── ValueRejected           422 value_rejected        22xxx, 54000; 42601 of a tsquery, jsonpath
    ├── ConstraintViolated      409 constraint_violated   23xxx
    │   ├── UniqueViolated      409 unique_violated       23505
    │   ├── ForeignKeyViolated  409 foreign_key_violated  23503
    │   ├── ExclusionViolated   409 exclusion_violated    23P01
    │   ├── CheckViolated       422 check_violated        23514
    │   └── NotNullViolated     422 not_null_violated     23502
    ├── TransactionConflict     503 transaction_conflict  40001, 40P01: `retrying` runs it again
    │   └── StatementOutdated   503 statement_outdated    0A000, 26000 in a transaction: likewise
    ├── ReadOnlyTransaction     500 read_only_transaction 25006
    ├── LockUnavailable         503 lock_unavailable      55P03
    ├── StatementTimeout        504 statement_timeout     57014, or the client's own deadline
    │   └── ClientGone          504 client_gone           client disconnected: it was cancelled
    └── DatabaseUnavailable     503 database_unavailable  no connection, with Retry-After
        ├── ConnectionLost      503 connection_lost       08xxx, 57P0x: broke during a statement
        └── PoolExhausted       503 pool_exhausted        its detail names the holders

PostgreSQL puts values into DETAIL and into messages. DETAIL is dropped. In messages, quoted text is
masked unless it occurs in the statement or is a name that the server reports. A message raised by
the application's own function (P0001) is kept unchanged.
"""

from __future__ import annotations

from typing import ClassVar

from arlen_runtime.errors import ArlenError

_SHOWN_CHARACTERS = 4_000
"""A statement of a megabyte, with its lists of placeholders, would fill the log."""


class ALNPgError(ArlenError):
    """The base class of the database's errors. Attributes are "" or 0 when unknown.

    `sqlstate`, `constraint`, `table`, `column` and `hint` are PostgreSQL's. `position` is the
    1-based character of `sql` that the error refers to. `call_site` is the application's
    `file:line`.
    """

    code = "database_error"
    title = "Database error"

    retry_after: ClassVar[int] = 0
    """Seconds after which a retry makes sense; 0: none does."""

    def __init__(self, detail: str, *, sql: str = "", sqlstate: str = "") -> None:
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
        """Format for a log: message, SQLSTATE, hint, call site, and the statement with a caret."""
        lines = [f"{self.detail} [{self.sqlstate}]" if self.sqlstate else self.detail]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        if self.call_site:
            lines.append(f"at {self.call_site}")
        if self.sql:
            lines.append(_excerpt(self.sql, self.position))
        return "\n".join(lines)


class ProgrammingError(ALNPgError):
    """The call itself is wrong: too few parameters, a missing name, unsuitable columns."""

    code = "database_misuse"


class ParameterMismatch(ProgrammingError):
    """The server's type does not accept a parameter's Python type."""

    code = "parameter_mismatch"


class OutOfRange(ParameterMismatch):
    """A parameter has the right type but does not fit: an id of 2**70 for a bigint."""

    status = 400
    code = "value_out_of_range"
    title = "Value out of range"


class ValueUnreadable(ALNPgError):
    """A value in the result has no Python counterpart: infinity, a year BC, 24:00.

    Or, outside a transaction, a column's type changed after the statement was prepared. In both
    cases the statement ran and is committed.
    """

    code = "value_unreadable"


class StatementInvalid(ALNPgError):
    """The statement cannot run with this schema (class 42)."""

    code = "statement_invalid"


class ValueRejected(ALNPgError):
    """PostgreSQL refused a value (class 22), or it exceeds a limit (54000)."""

    status = 422
    code = "value_rejected"
    title = "Value rejected"


class ConstraintViolated(ALNPgError):
    """A constraint is violated (class 23); `constraint`, `table` and `column` say which."""

    status = 409
    code = "constraint_violated"
    title = "Constraint violated"


class UniqueViolated(ConstraintViolated):
    """A row with this value already exists."""

    code = "unique_violated"
    title = "Already exists"


class ForeignKeyViolated(ConstraintViolated):
    """The row references a missing row, or is still referenced."""

    code = "foreign_key_violated"
    title = "Reference violated"


class ExclusionViolated(ConstraintViolated):
    """The row conflicts with another row under an exclusion constraint."""

    code = "exclusion_violated"
    title = "Conflicting entry"


class CheckViolated(ConstraintViolated):
    """A check constraint is violated."""

    status = 422
    code = "check_violated"
    title = "Check violated"


class NotNullViolated(ConstraintViolated):
    """A required value is missing."""

    status = 422
    code = "not_null_violated"
    title = "Value missing"


class TransactionConflict(ALNPgError):
    """Serialization failure or deadlock: run again, the same transaction can succeed."""

    status = 503
    code = "transaction_conflict"
    title = "Transaction conflict"
    retry_after = 1


class StatementOutdated(TransactionConflict):
    """The schema changed during a transaction, after the statement was prepared.

    When the transaction is run again, the statement is prepared again.
    """

    code = "statement_outdated"


class ReadOnlyTransaction(ALNPgError):
    """The statement writes, but the transaction or the server is read-only."""

    code = "read_only_transaction"


class LockUnavailable(ALNPgError):
    """A lock could not be acquired before lock_timeout."""

    status = 503
    code = "lock_unavailable"
    title = "Lock unavailable"
    retry_after = 1


class StatementTimeout(ALNPgError):
    """The statement exceeded its time limit and was cancelled."""

    status = 504
    code = "statement_timeout"
    title = "Database timeout"


class ClientGone(StatementTimeout):
    """The client disconnected while the statement ran; the statement was cancelled."""

    code = "client_gone"


class DatabaseUnavailable(ALNPgError):
    """No connection is available."""

    status = 503
    code = "database_unavailable"
    title = "Database unavailable"
    retry_after = 1


class ConnectionLost(DatabaseUnavailable):
    """The connection broke during the statement, which may or may not have taken effect."""

    code = "connection_lost"


class PoolExhausted(DatabaseUnavailable):
    """All connections stayed in use for the whole wait."""

    code = "pool_exhausted"


def _excerpt(sql: str, position: int) -> str:
    """Return the statement with its caret; of a long one, what is around the position."""
    if len(sql) <= _SHOWN_CHARACTERS:
        return with_caret(sql, position)
    start = max(0, min(position, len(sql)) - _SHOWN_CHARACTERS // 2)
    part = with_caret(sql[start : start + _SHOWN_CHARACTERS], max(0, position - start))
    return f"{part}\n(a part of the statement's {len(sql)} characters)"


def with_caret(sql: str, position: int) -> str:
    """Return the statement with a caret under character `position` (1-based; 0: no caret)."""
    if not 0 < position <= len(sql) + 1:
        return sql
    start = sql.rfind("\n", 0, position - 1) + 1
    end = sql.find("\n", position - 1)
    end = len(sql) if end < 0 else end
    return f"{sql[:end]}\n{' ' * (position - 1 - start)}^{sql[end:]}"


class DatabaseCommandError(ArlenError):
    """A command on a whole database or its schema failed.

    The detail begins with `file:line:` if they are known. `file` is the file's name, `line` is
    1-based (0: unknown), `sqlstate` is PostgreSQL's ("": not from PostgreSQL), `place` is
    `file:line` or "".
    """

    code = "database_command_failed"

    def __init__(self, detail: str, *, file: str = "", line: int = 0, sqlstate: str = "") -> None:
        self.place = f"{file}:{line}" if line else file
        super().__init__(f"{self.place}: {detail}" if self.place else detail)
        self.file = file
        self.line = line
        self.sqlstate = sqlstate


class DatabaseUnreachable(DatabaseCommandError):
    """A command cannot connect to the database."""


class MigrationError(DatabaseCommandError):
    """A migration cannot be read, planned or run.

    `applied` and `undone` name the files that the same run applied and undid before.
    """

    code = "migration_failed"

    def __init__(self, detail: str, *, file: str = "", line: int = 0, sqlstate: str = "") -> None:
        super().__init__(detail, file=file, line=line, sqlstate=sqlstate)
        self.applied: tuple[str, ...] = ()
        self.undone: tuple[str, ...] = ()
