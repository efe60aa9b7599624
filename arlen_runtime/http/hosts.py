"""Which Hosts are answered. One rule: whoever is asked by another name tells nothing of the application.

A forged Host could otherwise end up in links and caches. In development the list is loopback's own names, so that no page
out there reaches the developer's application by letting its own name resolve to 127.0.0.1 (DNS rebinding).
"""

from __future__ import annotations

from ipaddress import ip_address

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BadRequest
from arlen_runtime.http.request import Head

_LOOPBACK = ("localhost", ".localhost")
_MAX_CACHED = 1024


class AllowedHosts:
    """The list, `[server] hosts`; the address that is listened on belongs to it in development."""

    def __init__(self, config: Config) -> None:
        """Take the list; `limited` says whether there is one."""
        self._development = config.environment == "development"
        own = (*_LOOPBACK, config.server.host) if self._development else ()
        self._names = frozenset(name.lower().strip("[]").removesuffix(".") for name in (*config.server.hosts, *own))
        self._cache: dict[str, bool] = {}
        self.limited = self._development or bool(config.server.hosts)

    def is_allowed(self, head: Head | None) -> bool:
        """Say whether a request may be told anything; one whose head could not be read may where every Host may."""
        return not self.limited or (head is not None and self._is_allowed_host(head.host))

    def refusal(self, head: Head) -> BadRequest | None:
        """Return the error for a request whose Host is not on the list."""
        if self.is_allowed(head):
            return None
        remedy = f" Add {_name(head.host)!r} to [server] hosts if it is yours." if self._development else ""
        return BadRequest(f"This host is not served here.{remedy}")

    def _is_allowed_host(self, host: str) -> bool:
        """Look up an authority, and remember it."""
        allowed = self._cache.get(host)
        if allowed is None:
            allowed = self._is_listed(_name(host))
            if len(self._cache) < _MAX_CACHED:  # anybody can send a new one each time
                self._cache[host] = allowed
        return allowed

    def _is_listed(self, name: str) -> bool:
        """Say whether a name, or one that it lies below, is on the list."""
        if name in self._names or (self._development and _is_loopback(name)):
            return True
        return any(name.endswith(suffix) or name == suffix[1:] for suffix in self._names if suffix.startswith("."))


def _name(host: str) -> str:
    """Return the name of an authority: without its port, brackets and last dot, in lower case."""
    name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
    return name.lower().removesuffix(".")


def _is_loopback(name: str) -> bool:
    """Say whether a name is an address of this machine's own."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
