"""The list of Hosts that are answered; a request for any other Host learns nothing.

A forged Host could end up in links and caches. In development the list holds the names of loopback,
so that no external page can reach the developer's application through a name that resolves to
127.0.0.1 (DNS rebinding).
"""

from __future__ import annotations

from ipaddress import ip_address

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BadRequest
from arlen_runtime.http.request import Head

_LOOPBACK = ("localhost", ".localhost")
_MAX_CACHED = 1024


class AllowedHosts:
    """The list `[server] hosts`; in development the listen address belongs to it too."""

    def __init__(self, config: Config) -> None:
        """Build the list; `limited` is whether there is one."""
        self._development = config.environment == "development"
        own = (*_LOOPBACK, config.server.host) if self._development else ()
        self._names = frozenset(name.lower().strip("[]").removesuffix(".") for name in (*config.server.hosts, *own))
        self._cache: dict[str, bool] = {}
        self.limited = self._development or bool(config.server.hosts)

    def is_allowed(self, head: Head | None) -> bool:
        """Return True if a request may be answered in detail.

        If its head could not be read, that is so only if every Host is allowed.
        """
        return not self.limited or (head is not None and self._is_allowed_host(head.host))

    def refusal(self, head: Head) -> BadRequest | None:
        """Return the error for a request whose Host is not on the list."""
        if self.is_allowed(head):
            return None
        remedy = f" Add {host_name(head.host)!r} to [server] hosts if it is yours." if self._development else ""
        return BadRequest(f"This host is not served here.{remedy}")

    def _is_allowed_host(self, host: str) -> bool:
        allowed = self._cache.get(host)
        if allowed is None:
            allowed = self._is_listed(host_name(host))
            if len(self._cache) < _MAX_CACHED:  # any client can send new names
                self._cache[host] = allowed
        return allowed

    def _is_listed(self, name: str) -> bool:
        """Return True if a name, or a parent domain with a leading dot, is on the list."""
        if name in self._names or (self._development and _is_loopback(name)):
            return True
        return any(name.endswith(suffix) or name == suffix[1:] for suffix in self._names if suffix.startswith("."))


def host_name(host: str) -> str:
    """Return the name of an authority in lower case, without port, brackets and last dot."""
    name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
    return name.lower().removesuffix(".")


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
