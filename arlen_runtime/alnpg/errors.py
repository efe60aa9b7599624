"""Every error of the database. One rule: an error tells the statement and the place, never a value or a DSN.

    ALNPgError                      500 database_error
    ├── ProgrammingError            500 database_misuse            a call that can never work: wrong count, wrong shape
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

from typing import ClassVar

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


class ProgrammingError(ALNPgError):
    """The call itself is wrong: too few parameters, a name that is missing, columns that do not fit the class."""

    code = "database_misuse"


class ParameterMismatch(ProgrammingError):
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


def with_caret(sql: str, position: int) -> str:
    """Return the statement with a caret under character `position` (1-based; 0: no caret)."""
    if not 0 < position <= len(sql) + 1:
        return sql
    start = sql.rfind("\n", 0, position - 1) + 1
    end = sql.find("\n", position - 1)
    end = len(sql) if end < 0 else end
    return f"{sql[:end]}\n{' ' * (position - 1 - start)}^{sql[end:]}"


class DatabaseCommandError(ArlenError):
    """A command on a whole database or its schema failed. The detail starts with `file:line:` where there is one.

    `file` is the file's name, `line` is 1-based (0: unknown), `sqlstate` is PostgreSQL's ("": not from PostgreSQL),
    `place` is `file:line`, or empty.
    """

    code = "database_command_failed"

    def __init__(self, detail: str, *, file: str = "", line: int = 0, sqlstate: str = "") -> None:
        self.place = f"{file}:{line}" if line else file
        super().__init__(f"{self.place}: {detail}" if self.place else detail)
        self.file = file
        self.line = line
        self.sqlstate = sqlstate


class MigrationError(DatabaseCommandError):
    """A migration cannot be read, planned or run.

    `applied` and `undone` name the files that the same run had applied and undone before.
    """

    code = "migration_failed"

    def __init__(self, detail: str, *, file: str = "", line: int = 0, sqlstate: str = "") -> None:
        super().__init__(detail, file=file, line=line, sqlstate=sqlstate)
        self.applied: tuple[str, ...] = ()
        self.undone: tuple[str, ...] = ()
