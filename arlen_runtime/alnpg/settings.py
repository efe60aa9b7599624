"""The settings of one ALNPg: parsed and checked once, the same for all connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from arlen_runtime.alnpg import database_url
from arlen_runtime.alnpg.errors import DatabaseUnavailable
from arlen_runtime.config.sections import DatabaseSection
from arlen_runtime.errors import ConfigError

Log = Callable[..., None]
"""Called as `log(event, **fields)`."""


class ReportHook:
    """Sends events to a log, which may be set later; until then events are dropped."""

    __slots__ = ("target",)

    def __init__(self, target: Log | None) -> None:
        self.target = target

    def __call__(self, event: str, **fields: object) -> None:
        """Send an event."""
        if self.target is not None:
            self.target(event, **fields)


_CACHES = ("named", "unnamed")


class ConnectionSettings(NamedTuple):
    """What connections need of the settings of one ALNPg.

    Times are in seconds; `statement_seconds` 0 means no limit. `conninfo` and `direct` are "" if
    there is no URL: an application can be built without one, to list its routes for example.
    """

    conninfo: str
    direct: str
    pool_size: int
    acquire_seconds: float
    statement_seconds: float
    slow_seconds: float
    named: bool
    log: ReportHook
    prepared: dict[str, str]
    """SQL to name, for statements registered with `pg.prepare`. Filled at boot."""

    def require_url(self) -> None:
        """Return if there is a URL to connect to, else raise DatabaseUnavailable."""
        if not self.conninfo:
            raise DatabaseUnavailable(database_url.NO_URL)


def connection_string(url: str, *, named: bool, read_only: bool = False) -> str:
    """Return `url` with the options that ALNPg needs: UTF-8, ISO dates, UTC, exact floats.

    PgBouncer refuses `options`, so without `named` the same settings are SET after the connect.
    Raises ConfigError, which does not show the URL.
    """
    reason = database_url.invalid_reason(url)
    if reason:
        raise ConfigError(reason)
    parts = conninfo_to_dict(url)
    defaults: dict[str, Any] = {"application_name": "arlen", "connect_timeout": 5}
    if named:
        options = parts.pop("options", None) or ""
        flags = "-c default_transaction_read_only=on " if read_only else ""
        flags += "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c extra_float_digits=1"
        defaults["options"] = f"{flags} {options}".strip()
    return make_conninfo("", **{**defaults, **parts, "client_encoding": "UTF8"})


def check_settings(section: DatabaseSection, *, read_only: bool, log: Log | None) -> ConnectionSettings:
    """Return the settings of connections. Raises ConfigError, which names the invalid setting."""
    if section.statement_cache not in _CACHES:
        raise ConfigError(f"statement_cache must be one of {', '.join(_CACHES)}, not {section.statement_cache!r}")
    if section.pool_size < 1:
        raise ConfigError("pool_size must be at least 1")
    named = section.statement_cache == "named"
    if read_only and not named:
        # SET after the connect, it would apply to PgBouncer's other clients too.
        raise ConfigError(
            'read_only needs statement_cache "named": behind PgBouncer before 1.21 it would apply to other clients too'
        )
    url, direct_url = section.url.strip(), section.direct_url.strip()
    conninfo = connection_string(url, named=named, read_only=read_only) if url else ""
    return ConnectionSettings(
        conninfo,
        connection_string(direct_url, named=True) if direct_url else conninfo,
        section.pool_size,
        section.acquire_seconds,
        section.statement_seconds,
        section.slow_statement_ms / 1000,
        named,
        ReportHook(log),
        {},
    )
