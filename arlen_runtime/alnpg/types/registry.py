"""The types of one database.

Built-in types are known in advance; the others are read with one query. A type's OID leads to its
facts, and those to the encoder of a parameter and the loaders of a column. If an OID is unknown,
the connection reads `pg_type` again: the type can be a minute old.
"""

from __future__ import annotations

import json
import math
import re
import struct
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from time import monotonic
from typing import Any, NamedTuple

import psycopg
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import AdaptersMap, Dumper, Loader, Transformer
from psycopg.pq import Format
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.json import set_json_loads
from psycopg.types.multirange import MultirangeInfo, register_multirange
from psycopg.types.range import RangeInfo, register_range

from arlen_runtime.alnpg.types.containers import array_encoder, composite_encoder, multirange_encoder, range_encoder
from arlen_runtime.alnpg.types.json_values import decode_json
from arlen_runtime.alnpg.types.scalars import AS_TEXT, BINARY, SCALARS, TEXT, Encoder, enum_label, interval_text, text

LEARN = b"""
select coalesce(json_agg(row_to_json(facts)), '[]') from (
    select t.oid::int8 as oid, format_type(t.oid, null) as name, t.typname as plain, t.typtype as kind,
           t.typarray::int8 as array, t.typdelim as delimiter, t.typbasetype::int8 as base, s.proname as send,
           case when t.typcategory = 'A' then t.typelem else 0 end::int8 as element,
           coalesce(r.rngsubtype, m.rngsubtype, 0)::int8 as bound, coalesce(m.rngtypid, 0)::int8 as range,
           (select json_agg(json_build_array(a.attname, a.atttypid::int8) order by a.attnum)
              from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) as fields
      from pg_type t
      left join pg_proc s on s.oid = t.typsend
      left join pg_range r on r.rngtypid = t.oid
      left join pg_range m on m.rngmultitypid = t.oid and t.typtype = 'm'
     where t.typtype <> 'c' or t.oid >= 16384
) as facts"""
"""Returns one value, JSON: the facts of every type of this database."""

CHAR, REAL, INTERVAL, RECORD, VOID = 18, 700, 1186, 2249, 2278
READ_AS_TEXT = frozenset({CHAR, RECORD})
"""Types that psycopg reads wrongly in binary.

An empty "char" is read as NUL, a record without its types.
"""
_SENT_AS_TEXT = frozenset({"textsend", "varcharsend", "bpcharsend", "namesend", "enum_send", "citextsend"})


class TypeFacts(NamedTuple):
    """One row of pg_type.

    `kind` is its typtype: b base, d domain, e enum, r range, m multirange, c composite.
    """

    oid: int
    name: str
    plain: str = ""
    kind: str = "b"
    array: int = 0
    delimiter: str = ","
    base: int = 0
    send: str = ""
    element: int = 0
    bound: int = 0
    range: int = 0
    fields: tuple[tuple[str, int], ...] = ()

    @property
    def parts(self) -> list[int]:
        """Return the OIDs of the types it consists of."""
        return [part for part in (self.element, self.base, self.bound, *(field for _, field in self.fields)) if part]


def _shared_types() -> dict[int, TypeFacts]:
    """Return the facts of the built-in types, as psycopg lists them."""
    facts: dict[int, TypeFacts] = {oid: TypeFacts(oid, encoder.type_name) for oid, encoder in SCALARS.items()}
    for info in psycopg.adapters.types:
        type_kind = "r" if isinstance(info, RangeInfo) else "m" if isinstance(info, MultirangeInfo) else "b"
        bound = info.subtype_oid if isinstance(info, (RangeInfo, MultirangeInfo)) else 0
        facts.setdefault(info.oid, TypeFacts(info.oid, info.name, info.name, type_kind, bound=bound))
        name = f"{facts[info.oid].name}[]"
        facts[info.array_oid] = TypeFacts(info.array_oid, name, delimiter=info.delimiter, element=info.oid)
    facts[VOID] = TypeFacts(VOID, "void", "void")
    return facts


SHARED = _shared_types()


_real = struct.Struct("!f")
# A composite in binary (rowtypes.c): the number of fields; then each field's type, its length (-1:
# NULL) and its bytes.
_FIELD_COUNT, _FIELD_HEAD = struct.Struct("!i"), struct.Struct("!Ii")
_PLAIN_INTERVAL = re.compile(rb"(?=.)(?:[+-]?\d+ (?:year|mon|day)s? ?)*(?:[+-]?\d\d+:\d\d:\d\d(?:\.\d+)?)?")


class PlainInterval(Loader):
    """Reads an interval's text like psycopg, but refuses text that psycopg would misread.

    That is `infinity` (PostgreSQL 17), and any style other than `postgres`: behind PgBouncer the
    style may not have been set.
    """

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._load = psycopg.adapters.get_loader(INTERVAL, Format.TEXT)(oid, context).load  # type: ignore[misc]  # reason: never None

    def load(self, data: Buffer) -> Any:  # noqa: ANN401 - psycopg's own
        """Return a timedelta. Raises DataError, like other loaders for what Python cannot hold."""
        if not _PLAIN_INTERVAL.fullmatch(data):
            raise psycopg.DataError("an interval that is infinite, or in another style")
        return self._load(data)


class IntervalDumper(Dumper):
    """Writes a timedelta in psycopg's own statements and literals as ALNPg sends it."""

    oid = INTERVAL

    def dump(self, obj: timedelta) -> Buffer:
        """Return the text of an interval, with days and time of one sign."""
        return interval_text(obj).encode()


class BinaryIntervalDumper(Dumper):
    """The same in binary, for `%b`."""

    format = Format.BINARY
    oid = INTERVAL

    def dump(self, obj: timedelta) -> Buffer:
        """Return the wire format of an interval, with days and time of one sign."""
        return SCALARS[INTERVAL].pack(obj)


class ExactReal(Loader):
    """Reads a real's text as its exact four-byte value, the same as in binary.

    So the value does not depend on the format that the row's other columns require.
    """

    def load(self, data: Buffer) -> float:
        """Return the float that equals the real."""
        value: float = _real.unpack(_real.pack(float(bytes(data))))[0]
        return value


def _composite_loader(types: tuple[int, ...], make: Callable[..., Any]) -> type[Loader]:
    """Return a loader of composites in binary that also checks the types of the fields.

    psycopg's does not. The types can change (ALTER TYPE, ALTER TABLE), and the bytes of one type
    are another value in the next.
    """

    class Composite(Loader):
        format = Format.BINARY

        def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
            super().__init__(oid, context)
            self._fields = Transformer(context)
            self._fields.set_loader_types(types, Format.BINARY)

        def load(self, data: Buffer) -> Any:  # noqa: ANN401 - psycopg's own
            oids, pieces = [], []
            at = _FIELD_COUNT.size
            for _ in range(_FIELD_COUNT.unpack_from(data)[0]):
                oid, length = _FIELD_HEAD.unpack_from(data, at)
                at += _FIELD_HEAD.size
                oids.append(oid)
                pieces.append(None if length < 0 else data[at : at + length])
                at += max(0, length)
            if tuple(oids) != types:
                raise psycopg.ProgrammingError("the fields of a composite changed")
            return make(*self._fields.load_sequence(pieces))

    return Composite


class Registry:
    """Type OIDs to encoders and loaders, for all connections of one database.

    It is psycopg's AdaptContext too. Any request thread reads it without the lock, also while
    another thread replaces the facts in `learn` or registers loaders. The lock keeps writers apart.
    """

    connection = None

    def __init__(self) -> None:
        """Start with the built-in types."""
        self.adapters = AdaptersMap(psycopg.adapters)
        self.adapters.register_loader(INTERVAL, PlainInterval)
        self.adapters.register_loader(REAL, ExactReal)
        self.adapters.register_dumper(timedelta, IntervalDumper)
        self.adapters.register_dumper(timedelta, BinaryIntervalDumper)
        set_json_loads(decode_json, self)
        self._facts = dict(SHARED)
        self._encoders: dict[int, Encoder] = dict(SCALARS)
        self._oids_with_loaders = set(SHARED)
        self._learned_at = math.inf
        self._outdated = False
        self._lock = threading.Lock()

    def is_known(self, oid: int) -> bool:
        """Return True if the type and all its parts are known. If not, `learn` comes first."""
        if oid in SHARED:
            return True
        facts = self._facts.get(oid)
        return facts is not None and not self._outdated and all(map(self.is_known, facts.parts))

    def learn(self, answer: bytes) -> None:
        """Replace what is known of the database's own types by `answer`, the result of LEARN."""
        with self._lock:
            self._learned_at = monotonic()
            self._outdated = False
            fresh = [TypeFacts(**_complete(row)) for row in json.loads(answer)]
            # Readers take no lock: the old mappings stay intact for them and are replaced as a
            # whole.
            self._facts = {facts.oid: facts for facts in fresh} | SHARED
            self._encoders = dict(SCALARS)
            self._oids_with_loaders = set(SHARED)

    def invalidate(self) -> None:
        """Mark the database's own types as outdated: one of them was missing or had changed.

        What is known stays until `learn`: another thread can be using it to describe a statement.
        """
        self._outdated = True

    def known_since(self, oids: Iterable[int]) -> float:
        """Return when these types were read; infinity if all of them are built-in."""
        return math.inf if all(oid in SHARED for oid in oids) else self._learned_at

    def type_name(self, oid: int) -> str:
        """Return the type's name as SQL writes it."""
        facts = self._facts.get(oid)
        return facts.name if facts else f"type {oid}"

    def encoder(self, oid: int) -> Encoder:
        """Return the encoder of a type. For an unknown type, a str is sent as text."""
        encoder = self._encoders.get(oid)
        if encoder is None:
            encoder = self._encoders[oid] = self._make_encoder(oid)
        return encoder

    def _make_encoder(self, oid: int) -> Encoder:
        facts = self._facts.get(oid)
        if facts is None:
            return AS_TEXT
        if facts.element:
            encoder = array_encoder(facts.name, self.encoder(facts.element), facts.element, facts.delimiter)
        elif facts.kind == "d":
            encoder = self.encoder(facts.base)._replace(type_name=facts.name)
        elif facts.kind == "e":
            encoder = Encoder(facts.name, "str or Enum", enum_label, literal=enum_label)
        elif facts.kind == "r":
            encoder = range_encoder(facts.name, self.encoder(facts.bound))
        elif facts.kind == "m":
            encoder = multirange_encoder(facts.name, self.encoder(facts.bound))
        elif facts.kind == "c":
            encoder = composite_encoder(facts.name, [(name, self.encoder(field)) for name, field in facts.fields])
        else:
            encoder = Encoder(facts.name, "str", text, BINARY if facts.send in _SENT_AS_TEXT else TEXT)
        return encoder

    def loads_binary(self, oid: int) -> bool:
        """Return True if a column of this type can be fetched in binary.

        The type and all its parts must have binary loaders.
        """
        facts = self._facts.get(oid)
        if facts is None or oid in READ_AS_TEXT:
            return False
        # Check every part, without a short circuit: the check registers its loaders.
        loadable = [self.loads_binary(part) for part in facts.parts]
        if oid not in self._oids_with_loaders:
            with self._lock:
                self._register_loaders(facts)
                self._oids_with_loaders.add(oid)
        return all(loadable) and self.adapters.get_loader(oid, Format.BINARY) is not None

    def _register_loaders(self, facts: TypeFacts) -> None:
        """Register loaders for a type of the database's own, the first time a column needs it.

        An array uses its element's.
        """
        if facts.element:
            return
        info: dict[str, Any] = {"name": facts.plain, "oid": facts.oid, "array_oid": facts.array}
        match facts.kind:
            case "r":
                register_range(RangeInfo(**info, subtype_oid=facts.bound), self)
            case "m":
                register_multirange(MultirangeInfo(**info, subtype_oid=facts.bound, range_oid=facts.range), self)
            case "c" if facts.fields:
                names, types = zip(*facts.fields, strict=True)
                composite = CompositeInfo(**info, field_names=names, field_types=types)
                register_composite(composite, self)
                self.adapters.register_loader(facts.oid, _composite_loader(types, composite.python_type or tuple))
            case _:
                self._register_plain(facts, TypeInfo(**info, delimiter=facts.delimiter))

    def _register_plain(self, facts: TypeFacts, info: TypeInfo) -> None:
        """Register an enum, domain or base type with the loader of its base type or of text."""
        model = facts.base if facts.kind == "d" else 25 if facts.kind == "e" or facts.send in _SENT_AS_TEXT else 0
        for wire_format in (Format.TEXT, Format.BINARY):
            loader = self.adapters.get_loader(model, wire_format)
            if loader is not None and model:
                self.adapters.register_loader(facts.oid, loader)
        if facts.array:
            info.register(self)


def _complete(row: dict[str, Any]) -> dict[str, Any]:
    """Replace JSON's nulls and lists by the types of TypeFacts."""
    row["send"] = row["send"] or ""
    row["fields"] = tuple((name, oid) for name, oid in row["fields"] or ())
    return row
