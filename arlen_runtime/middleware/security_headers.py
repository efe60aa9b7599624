"""Adds security headers to every response, including errors.

The lines are one block of bytes, built at boot. A response that sets one of these headers keeps
its own. Strict-Transport-Security is sent only if the request came over TLS (RFC 6797 section
7.2). If a page asked for a nonce, the policy of that response allows it. Never raises.
"""

from __future__ import annotations

from dataclasses import fields

from arlen_runtime.config.sections import SecurityHeadersSection
from arlen_runtime.http.response import Response, check_field
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context

_NAMES = {
    "content_security_policy": "Content-Security-Policy",
    "strict_transport_security": "Strict-Transport-Security",
    "frame_options": "X-Frame-Options",
    "referrer_policy": "Referrer-Policy",
    "permissions_policy": "Permissions-Policy",
    "cross_origin_opener_policy": "Cross-Origin-Opener-Policy",
    "cross_origin_resource_policy": "Cross-Origin-Resource-Policy",
}
_TLS_ONLY = "strict-transport-security"


class SecurityHeaders:
    """Middleware; also has the lines for responses without a chain."""

    def __init__(self, section: SecurityHeadersSection) -> None:
        """Build the blocks. Raise ValueError if a setting cannot be sent."""
        values = {_NAMES[field.name]: getattr(section, field.name) for field in fields(section)}
        self._values = {"X-Content-Type-Options": "nosniff"} | {name: value for name, value in values.items() if value}
        for name, value in self._values.items():
            check_field(name, value)
        self._names = frozenset(name.lower() for name in self._values)
        self._blocks = {scheme: self._block(scheme, self._values) for scheme in ("http", "https")}

    def __call__(self, _endpoint: Endpoint) -> Layer:
        """Return the layer."""
        return self._layer

    def lines(self, response: Response, scheme: str, nonce: str | None = None) -> bytes:
        """Return the lines for a response.

        That is the prepared block, unless the response sets one of the headers or there is a nonce.
        """
        for name, _ in response.headers:
            if name.lower() in self._names:
                break
        else:
            if nonce is None:
                return self._blocks[scheme]
        own = {name.lower() for name, _ in response.headers}
        values = {name: value for name, value in self._values.items() if name.lower() not in own}
        if nonce is not None and "Content-Security-Policy" in values:
            values["Content-Security-Policy"] = with_nonce(values["Content-Security-Policy"], nonce)
        return self._block(scheme, values)

    def _layer(self, context: Context, proceed: Proceed) -> Response:
        response = proceed(context)
        response.prepared += self.lines(response, context.request.head.scheme, context.nonce)
        return response

    def _block(self, scheme: str, values: dict[str, str]) -> bytes:
        return b"".join(
            f"{name}: {value}\r\n".encode("latin-1")
            for name, value in values.items()
            if scheme == "https" or name.lower() != _TLS_ONLY
        )


def with_nonce(policy: str, nonce: str) -> str:
    """Allow the nonce in script-src and style-src of a policy.

    If the policy lacks one of them, it is made from default-src (CSP 3, section 6.8.3).
    """
    directives = {
        name: sources for name, _, sources in (part.strip().partition(" ") for part in policy.split(";")) if name
    }
    fallback = directives.get("default-src", "'self'")
    for name in ("script-src", "style-src"):
        sources = directives.get(name, fallback)
        directives[name] = f"'nonce-{nonce}'" if sources == "'none'" else f"{sources} 'nonce-{nonce}'"
    return "; ".join(f"{name} {sources}".rstrip() for name, sources in directives.items())
