"""The lock that lets one migrator at a time work on a database.

It is an advisory lock, held by an idle transaction of a second connection; this also works behind a
pooling PgBouncer. It is polled: a session that waits for a lock inside a statement holds a
snapshot, and `create index concurrently` waits for every snapshot, so two migrators would wait for
each other. The idle transaction holds no snapshot.

A connection can be lost (a failover, a firewall, an administrator), and the lock with it. So the
connection is checked before each file and before anything is recorded.

Invariant: a migrator that is not certain to hold the lock does not go on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import psycopg

from arlen_runtime.alnpg.admin.connect import ReportLine, connect
from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations.lock_retry import LockRetry
from arlen_runtime.alnpg.migrations.runner import Check

LOCK = 4_702_394_921_427_289_928
"""The advisory lock of migrators: the same number everywhere."""


@contextmanager
def exclusive(url: str, retry: LockRetry, report: ReportLine) -> Iterator[Check]:
    """Hold the lock during the block; yield a function that checks that it is held.

    That function raises MigrationError if the lock is lost. Raises MigrationError if the lock is
    not free within `retry.queue_timeout` seconds.
    """
    with connect(url) as lock_connection:
        deadline = time.monotonic() + retry.queue_timeout
        reported = False
        while not _try_lock(lock_connection):
            holder = _describe_holder(lock_connection)
            if time.monotonic() > deadline:
                raise MigrationError(f"another migration has been running for too long{holder}")
            if not reported:
                report(f"waiting for another migration to end{holder}")
                reported = True
            time.sleep(retry.poll)
        yield partial(_check_connection, lock_connection)
        with suppress(psycopg.Error):  # the work that needed the lock is done
            lock_connection.execute("rollback")


def _check_connection(lock_connection: psycopg.Connection) -> None:
    """Query the lock's connection, without parameters: no snapshot must stay."""
    try:
        lock_connection.execute("select")
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise MigrationError(f"the lock against other migrations is lost, so this one stops: {reason}") from error


def _try_lock(lock_connection: psycopg.Connection) -> bool:
    """Try to take the lock in a transaction that stays open and idle.

    If the lock is not free, end the transaction. No parameters: a statement with parameters leaves
    a portal open, which holds a snapshot.
    """
    lock_connection.execute("begin isolation level read committed")
    lock_connection.execute(
        "select set_config(name, '0', true) from pg_settings "
        "where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')"  # the last one exists since 17
    )
    row = lock_connection.execute(f"select pg_try_advisory_xact_lock({LOCK})".encode()).fetchone()
    if row and row[0]:
        return True
    lock_connection.execute("rollback")
    return False


def _describe_holder(lock_connection: psycopg.Connection) -> str:
    """Return which process holds the lock, as far as the server shows it.

    For sessions of another role the server hides the address and the start time.
    """
    row = lock_connection.execute(
        "select a.pid, a.usename, coalesce(a.client_addr::text, 'a local socket'), a.xact_start "
        "from pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory' and l.granted "
        "and l.database = (select oid from pg_database where datname = current_database()) "
        "and (l.classid::bigint << 32) + l.objid::bigint = %s limit 1",
        [LOCK],
    ).fetchone()
    if row is None:
        return ""
    more = f" from {row[2]} since {row[3]:%H:%M:%S}" if row[3] else ""
    return f" (process {row[0]} of {row[1]}{more})"
