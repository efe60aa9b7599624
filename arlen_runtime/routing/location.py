"""Where a redirect may lead. One rule: what a browser could read as another host is not local.

Browsers take a backslash for a slash, drop tabs and line ends, and read `//host` as another host (RFC 3986 section 4.2,
WHATWG URL sections 4.1 and 4.4). So a local target is one slash followed by no other, without a backslash or control character.
"""

from __future__ import annotations

import re

_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


def is_local(target: str) -> bool:
    """Say whether the target is a path on this host, whatever a browser makes of it."""
    return _LOCAL.fullmatch(target) is not None
