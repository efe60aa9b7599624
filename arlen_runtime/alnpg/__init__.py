"""ALNPg, a PostgreSQL client for explicit SQL. Knows nothing of HTTP.

Exports the database, its rows and all errors that an application may catch. `embedded` and
`migrations` are packages of their own: `from arlen_runtime.alnpg import embedded`.
"""

from __future__ import annotations

from arlen_runtime.alnpg.database import ALNPg
from arlen_runtime.alnpg.errors import (
    ALNPgError,
    CheckViolated,
    ClientGone,
    ConnectionLost,
    ConstraintViolated,
    DatabaseCommandError,
    DatabaseUnavailable,
    ExclusionViolated,
    ForeignKeyViolated,
    LockUnavailable,
    MigrationError,
    NotNullViolated,
    OutOfRange,
    ParameterMismatch,
    PoolExhausted,
    ProgrammingError,
    ReadOnlyTransaction,
    StatementInvalid,
    StatementOutdated,
    StatementTimeout,
    TransactionConflict,
    UniqueViolated,
    ValueRejected,
    ValueUnreadable,
)
from arlen_runtime.alnpg.protocol.rows import Row

__all__ = [
    "ALNPg",
    "ALNPgError",
    "CheckViolated",
    "ClientGone",
    "ConnectionLost",
    "ConstraintViolated",
    "DatabaseCommandError",
    "DatabaseUnavailable",
    "ExclusionViolated",
    "ForeignKeyViolated",
    "LockUnavailable",
    "MigrationError",
    "NotNullViolated",
    "OutOfRange",
    "ParameterMismatch",
    "PoolExhausted",
    "ProgrammingError",
    "ReadOnlyTransaction",
    "Row",
    "StatementInvalid",
    "StatementOutdated",
    "StatementTimeout",
    "TransactionConflict",
    "UniqueViolated",
    "ValueRejected",
    "ValueUnreadable",
]
