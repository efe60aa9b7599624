"""The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt).

A load balancer that does not speak HTTP sends the client's address before the first byte of a
connection. Whether it does is configured, never guessed: otherwise a client could send such a
header itself. If configured, the header must come first and be complete, or the connection is
refused.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

from arlen_runtime.errors import BadRequest

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED = 16  # bytes of version 2 before the addresses: signature, version and command, family, length
_LARGEST = 4096  # bytes of addresses and extensions that follow; real headers have some hundreds

_TEXT_START = b"PROXY "
_TEXT_LARGEST = 107  # section 2.1, CR LF included
_NUMBER = r"(0|[1-9][0-9]{0,4})"
_TEXT = re.compile(rf"PROXY (?:UNKNOWN(?: [ -~]*)?|(TCP[46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) {_NUMBER} {_NUMBER})")
_LARGEST_PORT = 65535

_VERSION_2 = 0x20
_LOCAL, _PROXY = 0, 1
_UNSPECIFIED, _TCP4, _TCP6, _UNIX = 0x00, 0x11, 0x21, 0x31
_ADDRESS_BYTES = {_UNSPECIFIED: 0, _TCP4: 12, _TCP6: 36, _UNIX: 216}
_EXTENSION_TLS = 0x20
_CLIENT_TLS = 0x01


class ProxyHeader(NamedTuple):
    """Client address (None if the balancer speaks for itself) and whether it came by TLS.

    `used` is the size of the header in bytes: what follows belongs to the connection.
    """

    client: str | None
    tls: bool
    used: int


def read(buffer: bytes) -> ProxyHeader | None:
    """Read the header at the start of a connection; None if more bytes are needed.

    Raises BadRequest for anything else: close the connection without a response, because the
    peer is unknown.
    """
    if _SIGNATURE.startswith(buffer[: len(_SIGNATURE)]):
        return _read_binary(buffer)
    if _TEXT_START.startswith(buffer[: len(_TEXT_START)]):
        return _read_text(buffer)
    raise BadRequest("The connection does not start with a PROXY header.")


def _read_text(buffer: bytes) -> ProxyHeader | None:
    """Read version 1: one line of text."""
    end = buffer.find(b"\r\n", 0, _TEXT_LARGEST)
    if end < 0:
        if len(buffer) >= _TEXT_LARGEST or b"\n" in buffer:
            raise BadRequest("The PROXY header has no end.")
        return None
    match = _TEXT.fullmatch(buffer[:end].decode("latin-1"))
    if match is None:
        raise BadRequest("The PROXY header is malformed.")
    family, source, destination, *ports = match.groups()
    if family is None:
        return ProxyHeader(None, tls=False, used=end + 2)
    address_type = IPv4Address if family == "TCP4" else IPv6Address
    try:
        client, _ = str(address_type(source)), address_type(destination)
    except AddressValueError:
        raise BadRequest("The PROXY header contains an invalid address.") from None
    if any(int(port) > _LARGEST_PORT for port in ports):
        raise BadRequest("The PROXY header contains an invalid port.")
    return ProxyHeader(client, tls=False, used=end + 2)


def _read_binary(buffer: bytes) -> ProxyHeader | None:
    """Read version 2: a fixed part, addresses, extensions."""
    if len(buffer) < _FIXED:
        return None
    command, family, length = buffer[12] ^ _VERSION_2, buffer[13], int.from_bytes(buffer[14:16], "big")
    if command not in (_LOCAL, _PROXY) or length > _LARGEST:
        raise BadRequest("The PROXY header has an unknown version or command, or is too large.")
    used = _FIXED + length
    if len(buffer) < used:
        return None
    if command == _LOCAL:
        return ProxyHeader(None, tls=False, used=used)  # the balancer's health check; the rest is ignored
    size = _ADDRESS_BYTES.get(family)
    if size is None or length < size:
        raise BadRequest("The PROXY header has an unknown family, or is too short for its addresses.")
    body = buffer[_FIXED:used]
    return ProxyHeader(_client(family, body), _came_by_tls(body[size:]), used)


def _client(family: int, addresses: bytes) -> str | None:
    """Return the source address, None if the family has none."""
    if family == _TCP4:
        return str(IPv4Address(addresses[:4]))
    if family == _TCP6:
        return str(IPv6Address(addresses[:16]))
    return None


def _came_by_tls(extensions: bytes) -> bool:
    """Search the extensions (type, length, value) for the one about TLS (section 2.2.6)."""
    tls = False
    while extensions:
        extension, end = extensions[0], 3 + int.from_bytes(extensions[1:3], "big")
        if len(extensions) < end:
            raise BadRequest("An extension of the PROXY header is cut short.")
        value, extensions = extensions[3:end], extensions[end:]
        if extension == _EXTENSION_TLS and value:
            tls = bool(value[0] & _CLIENT_TLS)
    return tls
