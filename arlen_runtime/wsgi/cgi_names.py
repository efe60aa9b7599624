"""What CGI calls the fields of a head, both ways (RFC 3875 section 4.1.18). One rule: no field can pose as another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from arlen_runtime.http.headers import Headers

Environ = dict[str, Any]
WSGICallable = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_PLAIN_NAMES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_DROPPED = frozenset({"host", "proxy", "transfer-encoding"})
"""What must not be told in the words of the client: HTTP_PROXY would be taken for the variable of that name, the chunks
are no longer there (RFC 9112 section 7.1.3), and for the host another field may have won."""
_AMBIGUOUS = frozenset({"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"})
"""What a server makes of a field with an underscore: the true ones have names of their own (RFC 3875 section 4.1)."""


def to_environ(headers: Headers) -> Environ:
    """Return the header fields as CGI names them, but for Host and Transfer-Encoding.

    One with an underscore, which could pose as another, is left out.
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
