"""The URL of a database, before it is used. One rule: a URL that is wrong goes nowhere, and no piece of it is shown."""

from __future__ import annotations

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict

_UNESCAPED = re.compile(r"postgres(?:ql)?://(?:[^/@]*@[^/@]*@|[^/]*/[^?]*@)")
"""A second @ before the first slash, or one between that and the query.

The password ends at its first @ or /, so that PostgreSQL would take what is left of it for the host, and say so.
"""


def invalid_reason(url: str) -> str:
    """Say why a URL, or another connection string, cannot be used; nothing where it can."""
    if _UNESCAPED.match(url):
        return "the database URL has an @ or / too many: percent-encode those of the user, password and name (%40, %2F)"
    try:
        conninfo_to_dict(url)
    except (psycopg.ProgrammingError, UnicodeDecodeError):
        return "the database URL cannot be read"
    return ""
