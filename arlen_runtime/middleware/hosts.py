"""Which Hosts are answered. One rule: a name that is not on the list gets nothing of the application.

A forged Host could otherwise end up in links and caches. In development the list is loopback's own names, so that no page
out there reaches the developer's application by letting its own name resolve to 127.0.0.1 (DNS rebinding).
"""

from __future__ import annotations

from ipaddress import ip_address

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BadRequest
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context

_LOOPBACK = ("localhost", ".localhost")
_MOST_KNOWN = 1024


class Hosts:
    """The factory of the layer; there is none where every Host is welcome."""

    def __init__(self, config: Config) -> None:
        """Take the list, `[server] hosts`; the address that is listened on belongs to it in development."""
        self._development = config.environment == "development"
        own = (*_LOOPBACK, config.server.host) if self._development else ()
        self._names = frozenset(name.lower().strip("[]") for name in (*config.server.hosts, *own))
        self._limited = self._development or bool(config.server.hosts)
        self._known: dict[str, bool] = {}

    def __call__(self, _endpoint: Endpoint) -> Layer | None:
        """Make the layer."""
        return self._layer if self._limited else None

    def _layer(self, context: Context, proceed: Proceed) -> Response:
        """Let the Hosts of the list pass."""
        host = context.request.head.host
        welcome = self._known.get(host)
        if welcome is None:
            welcome = self._is_welcome(_name(host))
            if len(self._known) < _MOST_KNOWN:  # anybody can send a new one each time
                self._known[host] = welcome
        if not welcome:
            remedy = f" Add {_name(host)!r} to [server] hosts if it is yours." if self._development else ""
            raise BadRequest(f"This host is not served here.{remedy}")
        return proceed(context)

    def _is_welcome(self, name: str) -> bool:
        """Say whether a name, or one that it lies below, is on the list."""
        if name in self._names or (self._development and _is_loopback(name)):
            return True
        return any(name.endswith(each) or name == each[1:] for each in self._names if each.startswith("."))


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
