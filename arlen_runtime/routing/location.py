"""Redirects: their statuses, and where they may lead, which is only to a path on this host.

Browsers read a backslash as a slash, drop tabs and line ends, and read `//host` as another host
(RFC 3986 section 4.2, WHATWG URL sections 4.1 and 4.4). So a local target starts with one slash
that no other slash follows, and has no backslash and no control character.
"""

from __future__ import annotations

import re

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""The statuses that send a client to Location (RFC 9110 section 15.4)."""

_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


def is_local(target: str) -> bool:
    """Return True if every browser reads the target as a path on this host."""
    return _LOCAL.fullmatch(target) is not None
