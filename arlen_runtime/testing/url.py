"""URLs of http and https as a browser reads and writes them (WHATWG URL Standard).

A browser repairs much of what RFC 3986 forbids: it encodes letters beyond ASCII, drops tabs and
line ends, takes a backslash for a slash, and resolves dot segments. The section names below are
those of the standard.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

_PORTS = {"http": "80", "https": "443"}

# "Percent-encoded bytes": each set holds C0 controls and all that is not ASCII, and these.
_PRINTABLE = frozenset(range(0x20, 0x7F))
FRAGMENT = frozenset(b' "<>`')
QUERY = frozenset(b" \"#<>'")  # the special-query set, which http and https have
PATH = frozenset(b' "#<>?^`{}')  # Chromium also encodes |

_CONTROL_OR_SPACE = "".join(map(chr, range(0x21)))
_DROPPED = str.maketrans("", "", "\t\r\n")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_SLASHES = re.compile(r"[/\\]*")
_AUTHORITY = re.compile(r"[^/\\]*")
_HERE = re.compile(r"\.|%2e", re.IGNORECASE)
_UP = re.compile(r"(?:\.|%2e){2}", re.IGNORECASE)
_PORT = re.compile(r":([0-9]*)\Z")
_LARGEST_PORT = 65535
_NOT_IN_HOSTS = re.compile(r"[\x00-\x20\x7f#/:<>?@\[\\\]^|%]")  # "Host miscellaneous": forbidden domain code points
_NUMBER = re.compile(r"0[Xx][0-9A-Fa-f]*|[0-9]+")
_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")  # all of them separate labels (UTS 46)


class URL(NamedTuple):
    """An http or https URL. `host` has its port unless that is the default of the scheme.

    `query` and `fragment` are None if there is none, which differs from an empty one.
    """

    scheme: str
    host: str
    path: str
    query: str | None = None
    fragment: str | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port: what decides whether two URLs are of the same origin."""
        return f"{self.scheme}://{self.host}"

    @property
    def hostname(self) -> str:
        """The host without its port."""
        return _PORT.sub("", self.host)

    @property
    def target(self) -> str:
        """What the request line holds: the path and the query; a fragment is never sent."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    def __str__(self) -> str:
        """Return the URL as text."""
        return f"{self.origin}{self.target}" + ("" if self.fragment is None else f"#{self.fragment}")


def percent_encode(text: str, characters: frozenset[int]) -> str:
    """Return text with %XX for these bytes, for controls and for all that is not ASCII."""
    return "".join(
        chr(byte) if byte in _PRINTABLE and byte not in characters else f"%{byte:02X}" for byte in to_utf8(text)
    )


def to_utf8(text: str) -> bytes:
    """Encode text as UTF-8. A lone surrogate becomes U+FFFD (WebIDL, USVString)."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def parse(text: str, base: URL) -> URL:
    """Return the URL that a link with this text leads to from `base` ("Basic URL parser").

    Raises ValueError if it is not a valid http or https URL.
    """
    rest = text.strip(_CONTROL_OR_SPACE).translate(_DROPPED)
    scheme = base.scheme
    absolute = False
    if match := _SCHEME.match(rest):
        scheme = match[1].lower()
        if scheme not in _PORTS:
            raise ValueError(f"{text!r} is not an http or https URL")
        rest = rest[match.end() :]
        absolute = scheme != base.scheme  # `http:a` is relative to an http page
    rest, fragment = _cut(rest, "#", FRAGMENT)
    rest, query = _cut(rest, "?", QUERY)
    slashes = _SLASHES.match(rest)[0]  # type: ignore[index] # it matches the empty text
    if absolute or len(slashes) > 1:
        authority = _AUTHORITY.match(rest, len(slashes))[0]  # type: ignore[index] # it matches the empty text
        host = _read_authority(authority, scheme, text)
        return URL(scheme, host, _path([], rest[len(slashes) + len(authority) :]), query, fragment)
    if slashes:
        return base._replace(path=_path([], rest), query=query, fragment=fragment)
    if rest:
        return base._replace(path=_path(base.path.split("/")[1:-1], f"/{rest}"), query=query, fragment=fragment)
    return base._replace(query=base.query if query is None else query, fragment=fragment)


def _cut(text: str, separator: str, characters: frozenset[int]) -> tuple[str, str | None]:
    """Split off what follows the separator, encoded; None if there is no separator."""
    rest, has_tail, tail = text.partition(separator)
    return rest, percent_encode(tail, characters) if has_tail else None


def _path(segments: list[str], text: str) -> str:
    """Append the segments of a path that begins with a slash ("Path state")."""
    segments = list(segments)
    added = text[1:].replace("\\", "/").split("/")
    for remaining, segment in zip(reversed(range(len(added))), added, strict=True):
        is_up = _UP.fullmatch(segment)
        if is_up:
            del segments[-1:]
        if not is_up and not _HERE.fullmatch(segment):
            segments.append(percent_encode(segment, PATH))
        elif not remaining:
            segments.append("")
    return "/" + "/".join(segments)


def _read_authority(authority: str, scheme: str, text: str) -> str:
    """Return host and port; user and password are dropped, as they are not part of a request."""
    host = authority.rpartition("@")[2]
    port = ""
    if match := _PORT.search(host):
        host, port = host[: match.start()], match[1]
    try:
        name, port = _read_host(host), _read_port(port)
    except ValueError:
        raise ValueError(f"{text!r} has no valid host and port") from None
    return name if port in {"", _PORTS[scheme]} else f"{name}:{port}"


def _read_port(digits: str) -> str:
    if digits and int(digits) > _LARGEST_PORT:
        raise ValueError(digits)
    return digits and str(int(digits))


def _read_host(host: str) -> str:
    """Return a host in its only spelling ("Host parsing"); raise ValueError for an invalid one."""
    if host.startswith("["):
        if not host.endswith("]"):
            raise ValueError(host)
        try:
            return f"[{IPv6Address(host[1:-1])}]"
        except AddressValueError as error:
            raise ValueError(host) from error
    name = unquote_to_bytes(host).decode("utf-8").translate(_DOTS).lower()
    if not name.isascii():
        name = name.encode("idna").decode()
    if not name or _NOT_IN_HOSTS.search(name):
        raise ValueError(host)
    labels = name.removesuffix(".").split(".")
    return _ipv4(labels) if labels[-1].isdigit() or _NUMBER.fullmatch(labels[-1]) else name


def _ipv4(labels: list[str]) -> str:
    """Read the numbers of an IPv4 address: decimal, octal or hexadecimal, the last one the rest."""
    *first, last = [_number(label) for label in labels]
    if len(first) > 3 or any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):  # noqa: PLR2004 - four bytes
        raise ValueError(labels)
    value = last + sum(number << 8 * (3 - position) for position, number in enumerate(first))
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    if text[:2].lower() == "0x":
        return int(text[2:] or "0", 16)
    return int(text, 8 if len(text) > 1 and text[0] == "0" else 10)
