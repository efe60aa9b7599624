"""Checks the names of databases, roles, schemas, tables, columns, channels and the like.

PostgreSQL cuts a name after 63 bytes and goes on with a notice (manual 4.1.1). Two names that begin
alike are then one object: dropping a test database drops another one.

Invariant: a name that PostgreSQL would cut is refused before anything runs.
"""

from __future__ import annotations

MAX_BYTES = 63
"""The longest name, in bytes of UTF-8: NAMEDATALEN - 1 of a usual PostgreSQL."""


def invalid_reason(kind: str, name: str) -> str:
    """Return why PostgreSQL cannot use the name as it is, or "" if it can.

    `kind` begins the message, for example "the table".
    """
    if not name:
        return f"{kind} has an empty name"
    try:
        data = name.encode()
    except UnicodeEncodeError:
        return f"{kind} {name!r} has a name with a lone surrogate, which UTF-8 cannot represent"
    if b"\0" in data:
        return f"{kind} {name!r} has a name with a NUL, where PostgreSQL would end it"
    if len(data) > MAX_BYTES:
        kept = data[:MAX_BYTES].decode(errors="ignore")
        return (
            f"{kind} {name!r} has a name of {len(data)} bytes, and PostgreSQL cuts names after {MAX_BYTES}: "
            f"it would be {kept!r}; use a shorter name"
        )
    return ""
