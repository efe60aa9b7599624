"""Compares workers times pool_size with the connections that the server allows.

It warns and never prevents a start. A generation asks once. During a reload, old and new workers
run at the same time, so the need doubles for a moment.
"""

from __future__ import annotations

from typing import NamedTuple

LIMITS = """
select current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - coalesce(nullif(current_setting('reserved_connections', true), '')::int, 0) as server,
       (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user) as role,
       (select nullif(datconnlimit, -1) from pg_database where datname = current_database()) as database"""
"""How many connections this role can open in this database; NULL: no limit of its own.

The connections reserved for superusers are not available to applications.
"""


class Limits(NamedTuple):
    """The row that LIMITS returns."""

    server: int
    role: int | None
    database: int | None


def shortage_warning(limits: Limits, workers: int, pool_size: int) -> str:
    """Return a warning if the workers can need more connections than allowed, else ""."""
    needed = workers * pool_size
    limit_name, allowed = min(
        ((name, value) for name, value in limits._asdict().items() if value is not None), key=lambda pair: pair[1]
    )
    if needed > allowed:
        return (
            f"{workers} workers with a pool of {pool_size} can open {needed} connections, the {limit_name} allows {allowed}: "
            f"lower [database] pool_size to {max(1, allowed // workers)}, or put PgBouncer in between"
        )
    if needed * 2 > allowed:
        return (
            f"{workers} workers with a pool of {pool_size} can open {needed} connections, twice as many during a reload, "
            f"and the {limit_name} allows {allowed}"
        )
    return ""
