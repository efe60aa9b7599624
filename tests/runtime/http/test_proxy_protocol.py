"""The PROXY protocol: complete and first, or refused, however it is cut."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arlen_runtime.errors import BadRequest
from arlen_runtime.http.proxy_protocol import ProxyHeader, read

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
REQUEST = b"GET / HTTP/1.1\r\n"


def _binary(family: int, body: bytes, command: int = 0x21) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


TCP4 = ip_address("192.0.2.1").packed + ip_address("192.0.2.2").packed + struct.pack("!HH", 4711, 80)
TCP6 = ip_address("2001:db8::1").packed + ip_address("2001:db8::2").packed + struct.pack("!HH", 4711, 80)
TLS = b"\x20" + struct.pack("!H", 5) + b"\x01\x00\x00\x00\x00"
NOT_TLS = b"\x20" + struct.pack("!H", 5) + b"\x00\x00\x00\x00\x00"
OTHER = b"\x02" + struct.pack("!H", 3) + b"a.b"


@pytest.mark.parametrize(
    ("header", "client", "tls"),
    [
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n", "192.0.2.1", False),
        (b"PROXY TCP6 2001:DB8:0::1 2001:db8::2 65535 0\r\n", "2001:db8::1", False),
        (b"PROXY UNKNOWN\r\n", None, False),
        (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None, False),
        (_binary(0x11, TCP4), "192.0.2.1", False),
        (_binary(0x21, TCP6), "2001:db8::1", False),
        (_binary(0x11, TCP4 + OTHER + TLS), "192.0.2.1", True),
        (_binary(0x11, TCP4 + NOT_TLS + OTHER), "192.0.2.1", False),
        (_binary(0x31, b"\x00" * 216), None, False),
        (_binary(0x00, b""), None, False),
        (_binary(0x00, OTHER), None, False),
        (_binary(0x00, b"", command=0x20), None, False),
        (_binary(0x11, TCP4, command=0x20), None, False),
        (_binary(0xFF, b"anything", command=0x20), None, False),
    ],
)
def test_a_header_says_who_the_client_is_however_it_is_cut(header: bytes, client: str | None, tls: bool) -> None:  # noqa: FBT001 - a column
    for end in range(len(header)):
        assert read(header[:end]) is None
    for more in (b"", REQUEST):
        assert read(header + more) == ProxyHeader(client, tls, len(header))


@pytest.mark.parametrize(
    "header",
    [
        REQUEST,
        b"PROXY\r\n",
        b"PROXY \r\n",
        b"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
        b"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        b"PROXY UNKNOWN \x01\r\n",
        b"PROXY UNKNOWN " + b"a" * 100,
        SIGNATURE[:-1] + b"\r",
        _binary(0x11, TCP4, command=0x11),
        _binary(0x11, TCP4, command=0x22),
        _binary(0x12, TCP4),
        _binary(0x22, TCP6),
        _binary(0x11, TCP4[:-1]),
        _binary(0x21, TCP4),
        _binary(0x11, TCP4 + OTHER[:-1]),
        _binary(0x11, TCP4 + b"\x02"),
        _binary(0x11, TCP4 + b"\x00" * 5000),
    ],
)
def test_anything_else_is_refused(header: bytes) -> None:
    with pytest.raises(BadRequest):
        read(header)


@given(st.binary(max_size=80), st.sampled_from([b"", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\x00\x20"]))
def test_random_bytes_wait_or_are_refused_or_read(data: bytes, start: bytes) -> None:
    try:
        header = read(start + data)
    except BadRequest:
        return
    assert header is None or 0 < header.used <= len(start + data)
