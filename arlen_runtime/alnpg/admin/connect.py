"""Connections for commands that work on a whole database or its schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from arlen_runtime.alnpg import database_url
from arlen_runtime.alnpg.admin import remedies
from arlen_runtime.alnpg.errors import DatabaseCommandError, DatabaseUnreachable

ReportLine = Callable[[str], None]


def silent(_line: str) -> None:
    """Discard the line."""


@contextmanager
def connect(url: str, *, read_only: bool = False) -> Iterator[psycopg.Connection]:
    """Open a connection. Raises DatabaseCommandError, without the URL's secrets.

    With `read_only` each transaction on it is read-only. That is not set on the session: behind a
    pooling PgBouncer the application has that session a moment later.
    """
    wrong = database_url.invalid_reason(url)
    if wrong:
        raise DatabaseCommandError(wrong)
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=10,
            client_encoding="utf8",
            prepare_threshold=None,
            fallback_application_name="arlen migrate",
        )
    except psycopg.OperationalError as error:
        message = " ".join(str(error).split())
        remedy = remedies.for_connection(message)
        raise DatabaseUnreachable(f"no connection to the database: {message}{remedy and f'; {remedy}'}") from None
    try:
        with connection:
            if read_only:
                connection.read_only = True
            yield connection
    except psycopg.Error as error:
        message, remedy = " ".join(str(error).split()), remedies.for_statement(error.sqlstate)
        text = f"{message}\nhint: {remedy}" if remedy else message
        raise DatabaseCommandError(text, sqlstate=error.sqlstate or "") from error
