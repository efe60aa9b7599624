"""Every setting of the runtime, declared once: one frozen dataclass per section.

Flags, `ARLEN_*` variables, TOML keys, the reference page and the checks are all derived from these
fields: the name, its type, its default, and its metadata `help`, `minimum`, `maximum`, `choices`,
`items` and `secret`. Names end in the unit.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from arlen_runtime.config.own_settings import read_settings, unread_settings
from arlen_runtime.config.setting import Commands, setting
from arlen_runtime.config.sources import Sources
from arlen_runtime.errors import ConfigError

OwnSettings = TypeVar("OwnSettings")

MOST_WORKERS = 128
"""Maximum of one generation; the scoreboard has rows for two of them."""


@dataclass(frozen=True, slots=True)
class AppSection:
    """[app]: what to serve."""

    target: str = setting("", "what to serve, as module:name; name is create(config) or a WSGI callable")
    name: str = setting("", "the application's name, for logs and pages; the folder's name if empty")
    live_reload: bool = setting(True, "in development, open pages load again when a file changes (arlen serve)")
    api_only: bool = setting(
        False, "an API without pages: every error prefers problem JSON, no templates folder, no static files"
    )
    url: str = setting(
        "", "scheme and host of absolute URLs, such as https://example.org, without a path", items="site"
    )


@dataclass(frozen=True, slots=True)
class RoutingSection:
    """[routing]: how paths are matched."""

    trailing_slash: str = setting(
        "redirect",
        "a path that exists only with, or only without, its final slash: redirect to it, or 404 if strict",
        choices=("redirect", "strict"),
    )


@dataclass(frozen=True, slots=True)
class ServerSection:
    """[server]: listen addresses and trusted proxies."""

    host: str = setting("127.0.0.1", "address or name to bind, or unix:/path")
    port: int = setting(3000, "TCP port to bind; 0 takes a free one", minimum=0, maximum=65535)
    bind: tuple[str, ...] = setting(
        (), "listen addresses, instead of host and port: host:port, [IPv6]:port, unix:/path"
    )
    socket_mode: str = setting("0660", "permissions of unix sockets, in octal digits")
    hosts: tuple[str, ...] = setting(
        (),
        "host names to answer, .example.org includes its subdomains; if empty all, in development only loopback",
        items="host",
    )
    trusted_proxies: tuple[str, ...] = setting(
        (), "networks (CIDR) whose X-Forwarded-* and Forwarded headers are trusted", items="network"
    )
    forwarded_host: bool = setting(
        False,
        "trust these proxies about the host too; for proxies that send a Host of their own to the application",
    )
    server_header: bool = setting(False, "send the header Server: propane")
    proxy_protocol: bool = setting(
        False, "expect a PROXY protocol header, version 1 or 2, on each connection; close connections without one"
    )
    metrics_from: tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1/128"),
        "networks (CIDR) that may read /metrics, never through a proxy; none if empty",
        items="network",
    )


@dataclass(frozen=True, slots=True)
class PropaneSection:
    """[propane_accessories]: the manager and its workers."""

    worker_count: int = setting(4, "worker processes", minimum=1, maximum=MOST_WORKERS)
    threads: int = setting(16, "pool threads per worker, for requests that wait; 0 is plain prefork", minimum=0)
    graceful_shutdown_seconds: float = setting(10.0, "how long a stop waits for requests in flight", minimum=0)
    respawn_delay_ms: int = setting(250, "first delay before restarting a worker that crashes immediately", minimum=0)
    reload_overlap_seconds: float = setting(
        1.0, "how long the old generation keeps accepting beside the new one", minimum=0
    )
    boot_timeout_seconds: float = setting(30.0, "how long a generation may take to get its workers ready", minimum=1)
    worker_timeout_seconds: float = setting(30.0, "replace a worker that sends no heartbeat for this long", minimum=1)
    listen_backlog: int = setting(1024, "connections that the kernel queues before they are accepted", minimum=1)
    connection_timeout_seconds: float = setting(
        0.0,
        "upper bound of every wait for a client, whatever the *_seconds of [limits] allow; 0 sets no bound",
        minimum=0,
    )
    handoff_ms: int = setting(5, "after how long a handler loses the reactor to a follower thread", minimum=1)
    queue_limit: int = setting(1000, "requests that may wait for a pool thread", minimum=0)
    queue_seconds: float = setting(10.0, "how long a request may wait for a pool thread", minimum=0)
    max_requests: int = setting(
        0, "replace a worker after this many requests, spread by a tenth; 0 is never", minimum=0
    )
    max_age_seconds: float = setting(0.0, "replace a worker at this age, spread by a tenth; 0 is never", minimum=0)
    max_growth_mb: int = setting(
        0, "replace a worker whose memory has grown by this many MB since its start; 0 is never", minimum=0
    )
    stuck_limit: int = setting(8, "replace a worker when this many of its handlers have exceeded their time", minimum=1)
    fd_warn_percent: int = setting(80, "share of the allowed descriptors at which a worker logs a warning", minimum=1)
    fd_retire_percent: int = setting(
        0, "share of the allowed descriptors at which a worker is replaced; 0 is never", minimum=0
    )
    check_seconds: float = setting(15.0, "how often a worker checks its memory and descriptors", minimum=0.1)
    python: str = setting(
        "",
        "interpreter (path or name) of the manager that SIGUSR2 starts and its generations; the running one if empty",
    )
    processes: Commands = setting(  # noqa: RUF009 - the default is never changed
        Commands(), "commands that run beside the workers, by name: the table [propane_accessories.processes]"
    )
    pid_file: str = setting("", "file for the manager's process id; relative to the application; none if empty")
    status_folder: str = setting(
        ".arlen/propane",
        "folder of the socket on which the manager reports its status; relative to the application; none if empty",
    )


@dataclass(frozen=True, slots=True)
class LimitsSection:
    """[limits]: what a client may send, and how long it may take. Sizes in bytes."""

    request_line_bytes: int = setting(
        8192, "longest request line (RFC 9112 section 3 recommends at least 8000)", minimum=64
    )
    header_bytes: int = setting(32768, "largest header block, request line included", minimum=256)
    header_count: int = setting(100, "maximum number of header fields", minimum=1)
    body_bytes: int = setting(1_048_576, "largest body, unless the route sets another limit", minimum=0)
    spool_bytes: int = setting(262_144, "larger bodies go to a temporary file", minimum=0)
    header_seconds: float = setting(10.0, "total time for a header block", minimum=0.1)
    body_seconds: float = setting(30.0, "time for a body before its rate is checked", minimum=0.1)
    body_bytes_per_second: int = setting(500, "minimum rate of a body after that", minimum=1)
    write_seconds: float = setting(
        30.0, "time for a response before its rate is checked, and between later checks", minimum=0.1
    )
    write_bytes_per_second: int = setting(500, "minimum rate at which a client must read in that time", minimum=1)
    keep_alive_seconds: float = setting(65.0, "how long an idle connection is kept", minimum=0.1)
    keep_alive_requests: int = setting(1_000_000, "maximum requests per connection", minimum=1)
    request_timeout_seconds: float = setting(60.0, "time in a handler before the client gets 503", minimum=0.1)
    connections: int = setting(
        12_000, "open connections per worker; further ones wait in the listen backlog", minimum=1
    )
    connections_in_all: int = setting(
        0, "open connections of all workers together, draining generations included; 0 is no limit", minimum=0
    )

    def within(self, seconds: float) -> LimitsSection:
        """Return these limits with no wait for a client above `seconds`; 0 changes nothing."""
        if not seconds:
            return self
        return replace(
            self,
            header_seconds=min(self.header_seconds, seconds),
            body_seconds=min(self.body_seconds, seconds),
            write_seconds=min(self.write_seconds, seconds),
            keep_alive_seconds=min(self.keep_alive_seconds, seconds),
        )


@dataclass(frozen=True, slots=True)
class DatabaseSection:
    """[database]: PostgreSQL."""

    url: str = setting("", "connection string; if empty, development and test start an embedded server", secret=True)
    direct_url: str = setting(
        "", "connection string that bypasses a pooler, for migrations and listen; url if empty", secret=True
    )
    replica_url: str = setting("", "connection string of a read replica, for pg.replica; url if empty", secret=True)
    pool_size: int = setting(8, "maximum connections per worker", minimum=1)
    acquire_seconds: float = setting(2.0, "how long a request waits for a connection", minimum=0)
    statement_seconds: float = setting(15.0, "time limit of a statement; 0 is no limit", minimum=0)
    slow_statement_ms: int = setting(200, "statements slower than this are logged", minimum=0)
    statement_cache: str = setting(
        "named", "kind of prepared statements; unnamed is for PgBouncer before 1.21", choices=("named", "unnamed")
    )


@dataclass(frozen=True, slots=True)
class LogSection:
    """[log]: destination and format of log lines."""

    format: str = setting(
        "", "format of lines; if empty, text in development and test, json elsewhere", choices=("", "text", "json")
    )
    level: str = setting("info", "lowest level that is written", choices=("debug", "info", "warning", "error"))
    file: str = setting("", "file to append to; standard error if empty")
    access: bool = setting(True, "log a line for each request")
    libraries: str = setting(
        "warning",
        "lowest level of libraries that use Python's logging; off leaves logging to the application",
        choices=("off", "debug", "info", "warning", "error"),
    )


@dataclass(frozen=True, slots=True)
class HealthSection:
    """[health]: the application's own checks, and who sees details."""

    check_seconds: float = setting(5.0, "how long the result of a check is kept", minimum=0)
    details_from: tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1/128"),
        "networks (CIDR) that may read details of health checks as JSON, never through a proxy; none if empty",
        items="network",
    )


@dataclass(frozen=True, slots=True)
class SecurityHeadersSection:
    """[security_headers]: sent with every response; an empty value omits the header."""

    content_security_policy: str = setting(
        "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'; object-src 'none'",
        "Content-Security-Policy",
    )
    strict_transport_security: str = setting(
        "max-age=31536000", "Strict-Transport-Security, sent if the request came by TLS"
    )
    frame_options: str = setting("SAMEORIGIN", "X-Frame-Options")
    referrer_policy: str = setting("strict-origin-when-cross-origin", "Referrer-Policy")
    permissions_policy: str = setting("camera=(), geolocation=(), microphone=()", "Permissions-Policy")
    cross_origin_opener_policy: str = setting("same-origin", "Cross-Origin-Opener-Policy")
    cross_origin_resource_policy: str = setting("same-origin", "Cross-Origin-Resource-Policy")


@dataclass(frozen=True, slots=True)
class CompressionSection:
    """[compression]: compressed responses."""

    enabled: bool = setting(True, "compress responses for clients that accept it")
    minimum_bytes: int = setting(1024, "shorter responses are not compressed", minimum=0)
    level: int = setting(5, "gzip level: 1 is fastest, 9 smallest", minimum=1, maximum=9)


@dataclass(frozen=True, slots=True)
class StaticSection:
    """[static]: files under public/."""

    enabled: bool = setting(True, "serve files under public/")
    prefix: str = setting("/static/", "path prefix of these files")
    folder: str = setting("public", "folder of these files, relative to the application")
    max_age_seconds: int = setting(
        3600, "Cache-Control max-age; files with fingerprinted names are immutable", minimum=0
    )


@dataclass(frozen=True, slots=True)
class TemplatesSection:
    """[templates]: the folder of templates."""

    folder: str = setting("templates", "folder, relative to the application's package")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration of one environment; `root` is the application's folder."""

    environment: str
    root: Path
    app: AppSection = field(default_factory=AppSection)
    routing: RoutingSection = field(default_factory=RoutingSection)
    server: ServerSection = field(default_factory=ServerSection)
    propane_accessories: PropaneSection = field(default_factory=PropaneSection)
    limits: LimitsSection = field(default_factory=LimitsSection)
    database: DatabaseSection = field(default_factory=DatabaseSection)
    log: LogSection = field(default_factory=LogSection)
    health: HealthSection = field(default_factory=HealthSection)
    security_headers: SecurityHeadersSection = field(default_factory=SecurityHeadersSection)
    compression: CompressionSection = field(default_factory=CompressionSection)
    static: StaticSection = field(default_factory=StaticSection)
    templates: TemplatesSection = field(default_factory=TemplatesSection)
    settings: dict[str, Any] = field(default_factory=dict)
    """[settings]: the application's own keys, unchecked; `read` checks them."""
    sources: Sources = field(default_factory=Sources, repr=False, compare=False)
    """Where the values come from."""

    def read(self, kind: type[OwnSettings], table: str = "") -> OwnSettings:
        """Return [settings], or its table [settings.<table>], as an instance of `kind`.

        `kind` is a frozen dataclass whose fields are declared with `setting`. Files and variables
        are checked as those of Arlen's own sections. Raises ConfigError with one line for each
        mistake, BootError for a class that cannot be read.
        """
        return read_settings(kind, table, self.settings, self.sources)

    def check_settings(self) -> None:
        """Raise ConfigError for variables and tables of [settings] that no `read` asked for.

        Call it when the application has read its settings.
        """
        if errors := unread_settings(self.sources):
            raise ConfigError("\n".join(errors))

    @property
    def name(self) -> str:
        """The application's name: the setting, else the name of its folder."""
        return self.app.name or self.root.resolve().name

    @property
    def production(self) -> bool:
        """Whether internals are hidden and checks are strict: all but development and test."""
        return self.environment not in {"development", "test"}
