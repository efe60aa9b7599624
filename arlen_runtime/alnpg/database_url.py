"""Checks a database URL before it is used.

Invariant: an invalid URL is never used, and no part of it is shown.
"""

from __future__ import annotations

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict

_UNESCAPED = re.compile(r"postgres(?:ql)?://(?:[^/@]*@[^/@]*@|[^/]*/[^?]*@)")
"""A second @ before the first slash, or an @ between the first slash and the query.

The password ends at its first @ or /, so PostgreSQL would read the rest of it as the host, and show
it in an error message.
"""


def invalid_reason(url: str) -> str:
    """Return why a URL or connection string cannot be used, or "" if it can."""
    if _UNESCAPED.match(url):
        return (
            "the database URL has an unescaped @ or /: "
            "percent-encode them in the user, password and database name (%40, %2F)"
        )
    try:
        conninfo_to_dict(url)
    except (psycopg.ProgrammingError, UnicodeDecodeError):
        return "the database URL cannot be read"
    return ""
