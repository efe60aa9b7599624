"""Encoders: Python values to PostgreSQL's wire format.

Invariant: a value is sent exactly as it is, or refused.

A type's OID leads to an Encoder: which Python types it accepts, the format it sends, and `pack`,
which checks a value and returns its wire format. psycopg's own dumpers, called by OID, check
nothing (`2**32+5` for an int4 finds row 5); only numeric's is used, after a check.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_interface,
    ip_network,
)
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.adapt import PyFormat

from arlen_runtime.alnpg.identifier import MAX_BYTES
from arlen_runtime.alnpg.types.json_values import encode_json, encode_jsonb
from arlen_runtime.alnpg.types.refusal import DoesNotFitError, check_size

TEXT, BINARY = 0, 1


class Encoder(NamedTuple):
    """How one PostgreSQL type is sent: name, accepted types (for messages), `pack`, format.

    `literal` checks too and returns the text form, if that is not `str(value)`. `array_types` says
    which of list and tuple are a dimension of an array of this type, and not one value.
    """

    type_name: str
    accepts: str
    pack: Callable[[Any], bytes]
    format: int = BINARY
    literal: Callable[[Any], bytes] | None = None
    array_types: tuple[type[list[Any] | tuple[Any, ...]], ...] = (list, tuple)


REFUSALS = (TypeError, ValueError, OverflowError, struct.error)
"""What `pack` raises to refuse a value; anything else is a bug in this package."""

_int8 = struct.Struct("!q").pack
_int4 = struct.Struct("!i").pack
_float8 = struct.Struct("!d").pack
_float4 = struct.Struct("!f").pack
_unpack_float4 = struct.Struct("!f").unpack
_timetz = struct.Struct("!qi").pack
_interval_fields = struct.Struct("!qii").pack

_EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - timestamp without time zone counts from a naive instant
_EPOCH_UTC = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(2000, 1, 1).toordinal()
_DAY_SECONDS = 86_400
_PIECE = 250_000
_MILLION = 1_000_000

# Limits of numeric: PostgreSQL manual 8.1.2.
_NUMERIC_DIGITS_BEFORE = 131_072
_NUMERIC_DIGITS_AFTER = 16_383
# A zone of PostgreSQL is less than MAX_TZDISP_HOUR + 1 hours (timestamp.h).
_OFFSET_LIMIT = timedelta(hours=16)
_NAME_PARTS = re.compile(rb'"(?:[^"]|"")*"|[^\s."(),\[\]]+')
_OCTAL = re.compile(rb"\\[0-3][0-7]{2}")
_pack_decimal = psycopg.adapters.get_dumper(Decimal, PyFormat.BINARY)(Decimal).dump


def _bool(value: object) -> bytes:
    if value is True:
        return b"\1"
    if value is False:
        return b"\0"
    raise TypeError


def _double(value: object) -> bytes:
    if isinstance(value, float):
        return _float8(value)
    if isinstance(value, int) and float(value) == value:
        return _float8(value)
    raise DoesNotFitError if isinstance(value, int) else TypeError


def _real(value: object) -> bytes:
    """Round to four bytes, as a real does with every number but one that would become 0."""
    if not isinstance(value, (int, float)):
        raise TypeError
    data = _float4(value)
    if value and not _unpack_float4(data)[0]:
        raise DoesNotFitError("it is so small that a real would be 0")
    return data


def _real_text(value: object) -> bytes:
    """Write the rounded number: PostgreSQL would round the digits of a double another way."""
    return float.__repr__(_unpack_float4(_real(value))[0]).encode()


def _numeric(value: object) -> bytes:
    if isinstance(value, int):
        value = Decimal(value)
    if not isinstance(value, Decimal) or value.is_snan():
        raise TypeError
    if value.is_finite():
        exponent = value.as_tuple().exponent
        before, after = value.adjusted(), -int(exponent)
        if (value and before >= _NUMERIC_DIGITS_BEFORE) or after > _NUMERIC_DIGITS_AFTER:
            raise DoesNotFitError
        if not value:
            value = Decimal((0, (0,), min(0, int(exponent))))
    return bytes(_pack_decimal(value) or b"")


def _numeric_text(value: Decimal | int) -> bytes:
    """Write every digit. A NaN of PostgreSQL has no sign and no payload."""
    _numeric(value)
    number = Decimal(value)  # not str(int): Python limits its digits
    return b"NaN" if number.is_nan() else Decimal.__str__(number).encode()


def _encoded_in_pieces(value: str) -> bytes:
    """Encode a long str in pieces, so that other threads can run in between.

    20 MB at once take 30 ms, in pieces 10 ms.
    """
    check_size(len(value))
    data = bytearray()
    for start in range(0, len(value), _PIECE):
        data += str.encode(value[start : start + _PIECE])
    check_size(len(data))
    return data  # type: ignore[return-value]  # reason: libpq takes any buffer, and a copy would be the pause again


def text(value: object) -> bytes:
    """Encode a str. PostgreSQL has no NUL. A Python Enum of strings is sent as its value."""
    if not isinstance(value, str):
        raise TypeError
    try:
        data = str.encode(value) if len(value) <= _PIECE else _encoded_in_pieces(value)
    except UnicodeEncodeError:
        raise DoesNotFitError("it contains a lone surrogate, which UTF-8 cannot represent") from None
    if b"\0" in data:
        raise DoesNotFitError("it contains NUL, which PostgreSQL cannot store in text")
    return data


def enum_label(value: object) -> bytes:
    """Encode an enum's label: a str, or a Python Enum by its str value, else by its name."""
    if isinstance(value, Enum) and not isinstance(value, str):
        value = value.value if isinstance(value.value, str) else value.name
    return text(value)


def _name(value: object) -> bytes:
    """Encode a name. In binary PostgreSQL refuses a longer one; in text it would cut it."""
    data = text(value)
    _check_name_length(data)
    return data


def _check_name_length(name: bytes) -> None:
    if len(name) > MAX_BYTES:
        raise DoesNotFitError(f"it has {len(name)} bytes, and a name has at most {MAX_BYTES}")


def _object_name(value: object) -> bytes:
    """Encode the name of a table, function, type and the like, which PostgreSQL would cut."""
    data = text(value)
    for part in _NAME_PARTS.findall(data):
        _check_name_length(part.strip(b'"').replace(b'""', b'"'))
    return data


def _char(value: object) -> bytes:
    """Encode the byte of a "char", or three octal digits above 127.

    PostgreSQL would drop what is longer.
    """
    data = text(value)
    if len(data) > 1 and not _OCTAL.fullmatch(data):
        raise DoesNotFitError("it is longer than one byte")
    return data


def _bytea(value: object) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        check_size(value.nbytes if isinstance(value, memoryview) else len(value))
        return bytes(value)
    raise TypeError


def _uuid(value: object) -> bytes:
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, str):
        return UUID(value).bytes
    raise TypeError


def _uuid_text(value: object) -> bytes:
    return _uuid(value).hex().encode()


def _date(value: object) -> bytes:
    if isinstance(value, date) and not isinstance(value, datetime):
        return _int4(value.toordinal() - _EPOCH_DAY)
    raise TypeError("a datetime would lose its time: pass its .date()" if isinstance(value, datetime) else "")


def _microseconds(delta: timedelta) -> int:
    return (delta.days * _DAY_SECONDS + delta.seconds) * _MILLION + delta.microseconds


def _timestamp(value: object) -> bytes:
    if not isinstance(value, datetime):
        raise TypeError
    if value.tzinfo is not None:
        raise TypeError("it has a time zone, which timestamp would drop: use timestamptz, or .replace(tzinfo=None)")
    return _int8(_microseconds(value - _EPOCH))


def _timestamptz(value: object) -> bytes:
    if not isinstance(value, datetime):
        raise TypeError
    if value.utcoffset() is None:
        raise TypeError("it has no time zone: add one, for example with datetime.now(UTC)")
    return _int8(_microseconds(value - _EPOCH_UTC))


def _timestamptz_text(value: datetime) -> bytes:
    """Write it in UTC: PostgreSQL reads no offset of 16 hours or more, and none of microseconds."""
    _timestamptz(value)
    with suppress(OverflowError):  # the first and the last day that Python has
        value = datetime.astimezone(value, UTC)
    return datetime.isoformat(value).encode()


def _time_of_day(value: time) -> int:
    return ((value.hour * 60 + value.minute) * 60 + value.second) * _MILLION + value.microsecond


def _time(value: object) -> bytes:
    if not isinstance(value, time):
        raise TypeError
    if value.tzinfo is not None:
        raise TypeError("it has a time zone, which time would drop")
    return _int8(_time_of_day(value))


def _time_with_zone(value: object) -> bytes:
    if not isinstance(value, time):
        raise TypeError
    offset = value.utcoffset()
    if offset is None:
        raise TypeError("it has no UTC offset")
    if offset.microseconds:
        raise DoesNotFitError("its UTC offset is not a whole number of seconds")
    if abs(offset) >= _OFFSET_LIMIT:
        raise DoesNotFitError("its UTC offset is 16 hours or more")
    return _timetz(_time_of_day(value), -(offset.days * _DAY_SECONDS + offset.seconds))


def _interval(value: object) -> bytes:
    """Send days and time with one sign, as PostgreSQL writes -03:00:00.

    Python's -1 day and 21 hours is equal in Python only: PostgreSQL keeps days and time apart, and
    a day at a change of clocks has 23 or 25 hours (manual 8.5.4).
    """
    if not isinstance(value, timedelta):
        raise TypeError
    sign, span = (1, value) if value.days >= 0 else (-1, -value)
    return _interval_fields(sign * (span.seconds * _MILLION + span.microseconds), sign * span.days, 0)


def interval_text(value: timedelta) -> str:
    """Write an interval in fields of one sign, which every interval style reads alike."""
    sign, span = (1, value) if value.days >= 0 else (-1, -value)
    return f"{sign * span.days} days {sign * span.seconds} seconds {sign * span.microseconds} microseconds"


def _jsonb(value: object) -> bytes:
    return b"\1" + encode_jsonb(value)


# Wire format of the network types: family (2 is IPv4, 3 IPv6), prefix length, 1 for a cidr, address
# length, address.
_FAMILY = {4: 2, 6: 3}


def _network_address(address: IPv4Address | IPv6Address, prefix: int, cidr: int) -> bytes:
    packed = address.packed
    return bytes((_FAMILY[address.version], prefix, cidr, len(packed))) + packed


def _refuse_scope(address: object) -> None:
    """Refuse a scope (RFC 4007 section 11): the wire format would lose it in `fe80::1%eth0`."""
    if isinstance(address, IPv6Address) and address.scope_id:
        raise DoesNotFitError("it has a scope, which inet and cidr cannot store")


def _inet(value: object) -> bytes:
    if isinstance(value, str):
        value = ip_interface(value)
    _refuse_scope(value)
    if isinstance(value, (IPv4Interface, IPv6Interface)):
        return _network_address(value.ip, value.network.prefixlen, 0)
    if isinstance(value, (IPv4Address, IPv6Address)):
        return _network_address(value, value.max_prefixlen, 0)
    raise TypeError


def _inet_text(value: object) -> bytes:
    _inet(value)
    return str(ip_interface(value)).encode()  # type: ignore[arg-type]  # reason: _inet accepted it


def _cidr(value: object) -> bytes:
    if isinstance(value, str):
        value = ip_network(value)
    if isinstance(value, (IPv4Network, IPv6Network)):
        _refuse_scope(value.network_address)
        return _network_address(value.network_address, value.prefixlen, 1)
    raise TypeError


def _cidr_text(value: object) -> bytes:
    _cidr(value)
    return str(ip_network(value)).encode()  # type: ignore[arg-type]  # reason: _cidr accepted it


AS_TEXT = Encoder("text", "str", text, TEXT)
"""For types without an encoder: PostgreSQL reads a str by the type's own input rules."""

_INTEGER = "int"
_OBJECT_NAMES = {
    24: "regproc",
    2202: "regprocedure",
    2203: "regoper",
    2204: "regoperator",
    2205: "regclass",
    2206: "regtype",
    3734: "regconfig",
    3769: "regdictionary",
    4089: "regnamespace",
    4096: "regrole",
    4191: "regcollation",
}
_DAY_TIME = "datetime"

SCALARS: dict[int, Encoder] = {
    16: Encoder("boolean", "bool", _bool),
    17: Encoder("bytea", "bytes, bytearray or memoryview", _bytea),
    18: Encoder('"char"', "str of one byte", _char, TEXT),
    19: Encoder("name", "str", _name, BINARY, _name),
    20: Encoder("bigint", _INTEGER, _int8),
    21: Encoder("smallint", _INTEGER, struct.Struct("!h").pack),
    23: Encoder("integer", _INTEGER, _int4),
    25: Encoder("text", "str", text),
    26: Encoder("oid", _INTEGER, struct.Struct("!I").pack),
    114: Encoder("json", "any JSON value", encode_json, BINARY, encode_json),
    650: Encoder("cidr", "IPv4Network, IPv6Network or str", _cidr, BINARY, _cidr_text),
    700: Encoder("real", "float or int", _real, BINARY, _real_text),
    701: Encoder("double precision", "float, or an int that it represents exactly", _double),
    705: Encoder("unknown", "str", text),
    869: Encoder("inet", "IPv4Address, IPv6Address, IPv4Interface, IPv6Interface or str", _inet, BINARY, _inet_text),
    1042: Encoder("character", "str", text),
    1043: Encoder("character varying", "str", text),
    1082: Encoder("date", "date", _date),
    1083: Encoder("time", "time without time zone", _time),
    1114: Encoder("timestamp", f"{_DAY_TIME} without time zone", _timestamp),
    1184: Encoder("timestamptz", f"{_DAY_TIME} with time zone", _timestamptz, BINARY, _timestamptz_text),
    1186: Encoder("interval", "timedelta", _interval),
    1266: Encoder("timetz", "time with a UTC offset", _time_with_zone),
    1700: Encoder("numeric", "Decimal or int", _numeric, BINARY, _numeric_text),
    2950: Encoder("uuid", "UUID or str", _uuid, BINARY, _uuid_text),
    3802: Encoder("jsonb", "any JSON value", _jsonb, BINARY, encode_jsonb),
    **{oid: Encoder(name, "str", _object_name, TEXT) for oid, name in _OBJECT_NAMES.items()},
}
"""The built-in types, whose OIDs are the same in every PostgreSQL."""
