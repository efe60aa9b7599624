"""The request line (RFC 9112 section 3): refuses everything that the grammar does not allow.

The four forms of the target are origin-form, absolute-form (its authority takes precedence over
Host), asterisk-form (OPTIONS only) and authority-form, which belongs to CONNECT and is refused with
it.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

from arlen_runtime.errors import BadRequest, NotImplementedByServer, VersionNotSupported

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""The methods that this server implements.

Any other is 501 (RFC 9110 section 9.1), whatever the path.
"""

# Visible ASCII except "#": a fragment is never sent (RFC 9112 section 3.2), and 8-bit bytes are not
# allowed in a URI.
_ORIGIN_FORM = re.compile(
    rf"""({"|".join(sorted(METHODS))})[ ](/[!"$->@-~]*+)(?:\?([!"$-~]*+))?[ ]HTTP/1\.([0-9])""", re.VERBOSE
)
_ANY_FORM = re.compile(r"""([!#$%&'*+\-.^_`|~0-9A-Za-z]++)[ ]([!"$-~]++)[ ]HTTP/([0-9])\.([0-9])""", re.VERBOSE)
_QUERY = re.compile(r"""[!"$-~]*+""")
_ABSOLUTE = re.compile(r"(https?)://([^/?]*+)(/[^?]*+)?(?:\?(.*+))?", re.IGNORECASE)

# RFC 3986 section 3.2.2, without what host names do not have in practice: sub-delims (a comma would
# make a list) and percent-encoding. An underscore is not valid in a host name either, but container
# networks use it.
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]{1,255}+|\[([0-9A-Fa-f:.]{2,45}+)\])(?::([0-9]{0,5}))?")
_LARGEST_PORT = 65535


RequestLine = tuple[str, str, str, int, tuple[str, str] | None]
"""Method, path, query, minor version (0 or 1), and (scheme, authority) for the absolute form.

The last one is None for the other forms.
"""


def read(line: bytes) -> RequestLine:
    """Read a request line; raise BadRequest, NotImplementedByServer or VersionNotSupported."""
    text = line.decode("latin-1")
    match = _ORIGIN_FORM.fullmatch(text)
    if match is None:
        return _read_any(text)
    method, path, query, minor = match.groups("")
    # A later minor version is served as the latest that we support (RFC 9110 section 2.5).
    return method, path, query, 0 if minor == "0" else 1, None


def check_method(method: str) -> str:
    """Return the method; raise NotImplementedByServer if it is not in `METHODS`."""
    if method not in METHODS:
        raise NotImplementedByServer(f"This server does not implement the method {method[:20]}.")
    return method


def check_host(host: str) -> str:
    """Return a Host value or authority; raise BadRequest if invalid (RFC 9110 section 7.2)."""
    match = _HOST.fullmatch(host)
    if match is None or int(match[2] or 0) > _LARGEST_PORT or not _is_ipv6(match[1]):
        raise BadRequest("The host is not a valid host name or address with an optional port.")
    return host


def check_query(query: str) -> str:
    """Return a query; raise BadRequest if it has a character that no request line may contain."""
    if not _QUERY.fullmatch(query):
        raise BadRequest("The query contains a character that must be percent-encoded.")
    return query


def _is_ipv6(address: str | None) -> bool:
    """Return True if the text in brackets is an address, or if there is none."""
    try:
        return address is None or bool(IPv6Address(address))
    except AddressValueError:
        return False


def _read_any(text: str) -> RequestLine:
    """Read a line that is not in origin-form, or raise the error that describes it."""
    match = _ANY_FORM.fullmatch(text)
    if match is None:
        raise BadRequest("The first line is not a request line: METHOD target HTTP/1.1.")
    method, target, major, minor = match.groups()
    if major != "1":
        raise VersionNotSupported("This server speaks HTTP/1.1 and HTTP/1.0.")
    check_method(method)
    number = 0 if minor == "0" else 1
    if target == "*":
        if method != "OPTIONS":
            raise BadRequest("Only OPTIONS may use the target * (RFC 9112 section 3.2.4).")
        return method, "*", "", number, None
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise BadRequest("The target is neither a path nor an http address.")
    scheme, authority, path, query = absolute.groups()
    if not path and not query and method == "OPTIONS":
        path = "*"  # RFC 9112 section 3.2.4: a client of a proxy asks about the server as a whole
    return method, path or "/", query or "", number, (scheme.lower(), check_host(authority))
