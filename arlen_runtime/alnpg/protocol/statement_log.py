"""Statement log: SQL text, duration, row count, call site and error code.

Values are never logged. A record goes into the request's list, if there is one, and into the log if
the statement was slow.
"""

from __future__ import annotations

from psycopg.pq.abc import PGresult

from arlen_runtime import scope
from arlen_runtime.alnpg.errors import ALNPgError
from arlen_runtime.alnpg.protocol.call_site import call_site
from arlen_runtime.alnpg.settings import ConnectionSettings


def row_count(result: PGresult) -> int:
    """Return how many rows a result has, or how many its command affected."""
    return result.ntuples or result.command_tuples or 0


def record(
    settings: ConnectionSettings, sql: str, seconds: float, rows: int, error: BaseException | None = None
) -> None:
    """Add a statement to the request's list, and to the log if it was slow.

    `error` is what it failed with.
    """
    place, failure = call_site(), _failure_code(error)
    statements = scope.statements.get()
    if statements is not None:
        statements.append(scope.StatementRecord(sql, seconds, rows, place, failure))
    if seconds < settings.slow_seconds:
        return
    fields: dict[str, object] = {
        "sql": sql,
        "milliseconds": round(seconds * 1000, 1),
        "rows": rows,
        "call_site": place,
    }
    if failure:
        fields["error"] = failure
    if name := settings.prepared.get(sql):
        fields["name"] = name
    settings.log("slow_statement", **fields, request_id=scope.request_id.get())


def _failure_code(error: BaseException | None) -> str:
    """Return an ALNPgError's code or another error's class; "" for a stream that was closed."""
    if error is None or isinstance(error, GeneratorExit):
        return ""
    return error.code if isinstance(error, ALNPgError) else type(error).__name__
