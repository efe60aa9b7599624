"""Header fields by their CGI names, in both directions (RFC 3875 section 4.1.18).

Invariant: no field can be taken for another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from arlen_runtime.http.headers import Headers

Environ = dict[str, Any]
WSGICallable = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_PLAIN_NAMES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_DROPPED = frozenset({"host", "proxy", "transfer-encoding"})
"""Fields that are not passed on as the client sent them.

HTTP_PROXY would be taken for the variable of that name, the body is no longer chunked (RFC 9112
section 7.1.3), and another source may have determined the host.
"""
_AMBIGUOUS = frozenset({"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"})
"""What a server makes of a field with an underscore.

The true fields have names of their own (RFC 3875 section 4.1).
"""


def to_environ(headers: Headers) -> Environ:
    """Return the header fields under their CGI names, except Host and Transfer-Encoding.

    A field with an underscore is left out, because it could be taken for another one.
    """
    environ: Environ = {}
    for name, value in headers:
        if "_" in name or name in _DROPPED:
            continue
        key = _PLAIN_NAMES.get(name) or f"HTTP_{name.replace('-', '_').upper()}"
        separator = "; " if name == "cookie" else ","
        environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
    return environ


def to_headers(environ: Environ) -> Headers:
    """Return the header fields of an environ."""
    pairs = [
        (name[5:].replace("_", "-").lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_") and name not in _AMBIGUOUS
    ]
    pairs += [
        (plain.encode(), str(environ[name]).encode("latin-1"))
        for plain, name in _PLAIN_NAMES.items()
        if environ.get(name)
    ]
    return Headers(pairs)
