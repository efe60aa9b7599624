"""What an ALNPg was told. One rule: read once, checked once, the same for all its connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from arlen_runtime.alnpg import database_url
from arlen_runtime.errors import ConfigError

Log = Callable[..., None]
"""Called as `log(event, **fields)`."""


class ReportHook:
    """Where events go, for all connections of one ALNPg: nowhere until somebody has said where."""

    __slots__ = ("target",)

    def __init__(self, target: Log | None) -> None:
        """Take the log, if there is one already."""
        self.target = target

    def __call__(self, event: str, **fields: object) -> None:
        """Tell an event."""
        if self.target is not None:
            self.target(event, **fields)


_CACHES = ("named", "unnamed")


class DatabaseSettings(NamedTuple):
    """The settings of one ALNPg. Times in seconds; `statement_seconds` 0 is no limit."""

    conninfo: str
    direct: str
    pool_size: int
    acquire_seconds: float
    statement_seconds: float
    slow_seconds: float
    named: bool
    log: ReportHook
    prepared: dict[str, str]
    """SQL to name of what `pg.prepare` was given; filled at boot."""


def connection_string(url: str, *, named: bool, read_only: bool = False) -> str:
    """Return `url` with what ALNPg relies on: UTF-8, ISO dates, UTC, floats in full.

    A bouncer refuses `options`: there the same is SET after the connect. Raises ConfigError, without the url.
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


def check_settings(  # noqa: PLR0913 - one for each setting
    url: str,
    *,
    direct_url: str,
    read_only: bool,
    pool_size: int,
    acquire_seconds: float,
    statement_seconds: float,
    slow_statement_ms: float,
    statement_cache: str,
    log: Log | None,
) -> DatabaseSettings:
    """Return the settings. Raises ConfigError that names what is wrong with them."""
    if statement_cache not in _CACHES:
        raise ConfigError(f"statement_cache is one of {', '.join(_CACHES)}, not {statement_cache!r}")
    if pool_size < 1:
        raise ConfigError("pool_size is 1 at least")
    named = statement_cache == "named"
    if read_only and not named:
        # Set after the connect it would be the setting of the bouncer's other clients as well.
        raise ConfigError('read_only needs statement_cache "named": a bouncer before 1.21 cannot be told of it')
    conninfo = connection_string(url, named=named, read_only=read_only)
    direct = connection_string(direct_url, named=True) if direct_url else conninfo
    return DatabaseSettings(
        conninfo,
        direct,
        pool_size,
        acquire_seconds,
        statement_seconds,
        slow_statement_ms / 1000,
        named,
        ReportHook(log),
        {},
    )
