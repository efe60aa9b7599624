"""Encoders of arrays, ranges, multiranges and composites.

They combine the encoders of the elements. If the elements are sent in binary, so is the container;
otherwise it is the text literal of the manual (8.15.6, 8.17.5, 8.16.6). Composites are always text,
since a field can have no encoder.
"""

from __future__ import annotations

import operator
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from arlen_runtime.alnpg.types.refusal import DoesNotFitError, check_size
from arlen_runtime.alnpg.types.scalars import BINARY, TEXT, Encoder, interval_text

_int4 = struct.Struct("!i").pack
_array_head = struct.Struct("!iiI").pack
_dimension = struct.Struct("!ii").pack
_NULL = _int4(-1)
_MAX_DIMENSIONS = 6
_SPECIAL = re.compile(rb'(["\\])')

Literal = Callable[[Any], bytes]


def _quoted(data: bytes) -> bytes:
    return b'"' + _SPECIAL.sub(rb"\\\1", data) + b'"'


_TEXT_FORMS: tuple[tuple[type[Any] | tuple[type[Any], ...], Callable[[Any], str]], ...] = (
    (bool, "ft".__getitem__),
    (str, str.__str__),
    (int, int.__repr__),
    (float, float.__repr__),
    (datetime, datetime.isoformat),
    (date, date.isoformat),
    (time, time.isoformat),
    (timedelta, interval_text),
    ((bytes, bytearray, memoryview), lambda value: "\\x" + bytes(value).hex()),
)
"""The text form of a value of each Python type.

str() is not used: a subclass (an Enum of strings) can override it.
"""


def _integer_text(value: Any) -> str:  # noqa: ANN401 - an object with __index__, which integers accept
    return int.__repr__(operator.index(value))


def plain_literal(value: object) -> bytes:
    """Return the text form of a value that its encoder has accepted."""
    to_text = next((to_text for python_type, to_text in _TEXT_FORMS if isinstance(value, python_type)), _integer_text)
    return to_text(value).encode()


def literal_of(encoder: Encoder) -> Literal:
    """Return a function that checks a value and returns its text form, for any wire format."""
    if encoder.format == TEXT:
        return encoder.pack
    if encoder.literal is not None:
        return encoder.literal

    def literal(value: object) -> bytes:
        encoder.pack(value)
        # As in binary, True is accepted as 1, except by boolean.
        return plain_literal(int(value) if isinstance(value, bool) and encoder.accepts != "bool" else value)

    return literal


def _dimensions(value: object, nested: tuple[type[Any], ...] = (list, tuple)) -> list[int]:
    """Return the lengths of lists in lists, outermost first; the inner ones are `nested`."""
    lengths: list[int] = []
    while isinstance(value, nested if lengths else (list, tuple)):
        lengths.append(len(value))
        if len(lengths) > _MAX_DIMENSIONS:
            raise DoesNotFitError(f"an array can have at most {_MAX_DIMENSIONS} dimensions")
        value = value[0] if value else None
    if len(lengths) > 1 and not lengths[-1]:
        raise DoesNotFitError("PostgreSQL has no array of empty arrays: it would become an empty array")
    return lengths


def _leaves(value: Sequence[object], lengths: Sequence[int]) -> Iterator[object]:
    """Yield the elements row by row. Raise if inner lists differ in length or depth."""
    if len(value) != lengths[0]:
        raise DoesNotFitError("its inner lists differ in length")
    if len(lengths) == 1:
        if any(isinstance(item, list) for item in value):
            raise DoesNotFitError("its inner lists differ in depth")
        yield from value
        return
    for item in value:
        if not isinstance(item, (list, tuple)):
            raise DoesNotFitError("its inner lists differ in depth")
        yield from _leaves(item, lengths[1:])


def _binary_array(element: Encoder, oid: int) -> Callable[[Any], bytes]:
    pack_element = element.pack

    def pack(value: object) -> bytes:
        if not isinstance(value, (list, tuple)):
            raise TypeError
        lengths = _dimensions(value)
        leaves = list(_leaves(value, lengths))
        if not leaves:
            return _array_head(0, 0, oid)
        body: list[bytes] = []
        nulls = size = 0
        for leaf in leaves:
            if leaf is None:
                nulls = 1
                body.append(_NULL)
            else:
                data = pack_element(leaf)
                size += len(data)
                body += _int4(len(data)), data
        check_size(size)
        sizes = b"".join(_dimension(length, 1) for length in lengths)
        return _array_head(len(lengths), nulls, oid) + sizes + b"".join(body)

    return pack


def _literal_array(element: Encoder, delimiter: bytes) -> Literal:
    literal, array_types = literal_of(element), element.array_types

    def braces(value: object) -> bytes:
        if value is None:
            return b"NULL"
        if isinstance(value, array_types):
            return b"{" + delimiter.join(map(braces, value)) + b"}"
        return _quoted(literal(value))

    def pack(value: object) -> bytes:
        if not isinstance(value, (list, tuple)):
            raise TypeError
        _dimensions(value, array_types)
        return b"{" + delimiter.join(map(braces, value)) + b"}"

    return pack


def array_encoder(name: str, element: Encoder, oid: int, delimiter: str) -> Encoder:
    """Return the encoder of an array whose elements have the type `oid`."""
    accepts = f"list of {element.accepts}"
    literal = _literal_array(element, delimiter.encode())
    if element.format == BINARY and element.array_types:
        return Encoder(name, accepts, _binary_array(element, oid), BINARY, literal, array_types=())
    return Encoder(name, accepts, literal, TEXT, array_types=())


# Wire format of a range: one byte of flags (rangetypes.h), then each finite bound with its length.
_EMPTY, _LOWER_INCLUDED, _UPPER_INCLUDED, _LOWER_INFINITE, _UPPER_INFINITE = 0x01, 0x02, 0x04, 0x08, 0x10


def _binary_range(bound: Encoder) -> Callable[[Any], bytes]:
    def pack(value: object) -> bytes:
        if not isinstance(value, Range):
            raise TypeError
        if value.isempty:
            return bytes((_EMPTY,))
        flags = _LOWER_INFINITE if value.lower is None else _LOWER_INCLUDED * value.lower_inc
        flags |= _UPPER_INFINITE if value.upper is None else _UPPER_INCLUDED * value.upper_inc
        body = b""
        for bound_value in (value.lower, value.upper):
            if bound_value is not None:
                data = bound.pack(bound_value)
                body += _int4(len(data)) + data
        return bytes((flags,)) + body

    return pack


def _literal_range(bound: Encoder) -> Literal:
    literal = literal_of(bound)

    def bound_text(value: object) -> bytes:
        return b"" if value is None else _quoted(literal(value))

    def pack(value: object) -> bytes:
        if not isinstance(value, Range):
            raise TypeError
        if value.isempty:
            return b"empty"
        bounds = (value.bounds or "[)").encode()
        return bounds[:1] + bound_text(value.lower) + b"," + bound_text(value.upper) + bounds[1:]

    return pack


def range_encoder(name: str, bound: Encoder) -> Encoder:
    """Return the encoder of a range over the type of `bound`."""
    accepts = f"Range of {bound.accepts}"
    if bound.format == BINARY:
        return Encoder(name, accepts, _binary_range(bound), BINARY, _literal_range(bound))
    return Encoder(name, accepts, _literal_range(bound), TEXT)


def multirange_encoder(name: str, bound: Encoder) -> Encoder:
    """Return the encoder of a multirange over the type of `bound`."""
    one_binary, one_literal = _binary_range(bound), _literal_range(bound)

    def ranges(value: object) -> Sequence[Any]:
        if isinstance(value, Multirange) or (isinstance(value, list) and all(isinstance(r, Range) for r in value)):
            return value
        raise TypeError

    def binary(value: object) -> bytes:
        packed = [one_binary(item) for item in ranges(value)]
        return _int4(len(packed)) + b"".join(_int4(len(data)) + data for data in packed)

    def literal(value: object) -> bytes:
        return b"{" + b",".join(one_literal(item) for item in ranges(value)) + b"}"

    accepts = f"Multirange of {bound.accepts}"
    if bound.format == BINARY:
        return Encoder(name, accepts, binary, BINARY, literal)
    return Encoder(name, accepts, literal, TEXT)


def composite_encoder(name: str, fields: Sequence[tuple[str, Encoder]]) -> Encoder:
    """Return the encoder of a composite, which accepts a tuple or a mapping of its fields."""
    literals = [(field, literal_of(encoder)) for field, encoder in fields]
    names = [field for field, _ in fields]

    def pack(value: object) -> bytes:
        if isinstance(value, Mapping):
            if set(value) != set(names):
                raise DoesNotFitError(f"its keys must be {', '.join(names)}")
            value = tuple(value[field] for field in names)
        if not isinstance(value, tuple):
            raise TypeError
        if len(value) != len(literals):
            raise DoesNotFitError(f"it has {len(value)} values for {len(literals)} fields")
        pairs = zip(value, literals, strict=True)
        return b"(" + b",".join(b"" if v is None else _quoted(literal(v)) for v, (_, literal) in pairs) + b")"

    return Encoder(name, f"tuple or mapping of {', '.join(names)}", pack, TEXT, array_types=(list,))
