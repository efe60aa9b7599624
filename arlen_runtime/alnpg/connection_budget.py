"""Workers times connections against what the server has. One rule: it warns, it never stops anything.

Asked once a generation. A reload doubles the need for a moment, since old and new workers serve side by side.
"""

from __future__ import annotations

from typing import NamedTuple

LIMITS = """
select current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - coalesce(nullif(current_setting('reserved_connections', true), '')::int, 0) as server,
       (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user) as role,
       (select nullif(datconnlimit, -1) from pg_database where datname = current_database()) as database"""
"""What this role may open in this database; NULL: no limit of its own. A superuser's own reserve is not for applications."""


class Limits(NamedTuple):
    """The answer to LIMITS."""

    server: int
    role: int | None
    database: int | None


def shortage_warning(limits: Limits, workers: int, pool_size: int) -> str:
    """Return the sentence that warns where the workers could ask for more connections than there are; "" where not."""
    needed = workers * pool_size
    limit_name, allowed = min(
        ((name, value) for name, value in limits._asdict().items() if value is not None), key=lambda pair: pair[1]
    )
    if needed > allowed:
        return (
            f"{workers} workers with a pool of {pool_size} can open {needed} connections, the {limit_name} allows {allowed}: "
            f"lower [database] pool_size to {max(1, allowed // workers)}, or put a bouncer between"
        )
    if needed * 2 > allowed:
        return (
            f"{workers} workers with a pool of {pool_size} can open {needed} connections, twice as many during a reload, "
            f"and the {limit_name} allows {allowed}"
        )
    return ""
