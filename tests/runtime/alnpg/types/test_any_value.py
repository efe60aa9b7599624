"""Any Python value for any type: an ALNPgError or an equal value; nothing else is sent."""

from __future__ import annotations

import math
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from arlen_runtime.alnpg import ALNPg, ALNPgError
from arlen_runtime.alnpg.errors import OutOfRange
from tests.fixtures import Same

RANGES = ("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange", "span")


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _names(column_types: set[str]) -> list[str]:
    """Return the types as SQL writes them, without the domain that exists to round."""
    catalog = ("cardinal_number", "character_data", "sql_identifier", "yes_or_no")
    names = sorted(column_types - {"time_stamp"})
    return [f"information_schema.{name}" if name in catalog else f'"{name}"' for name in names]


def _answer(pg: ALNPg, sql: str, *params: object) -> tuple[Any] | None:
    """Return what came back, or None if ALNPg raised an error."""
    try:
        return (pg.query_value(sql, *params),)
    except ALNPgError:
        return None


def _as_psql(pg: ALNPg, sql_type: str, value: object) -> tuple[Any] | None:
    """Return what the server makes of a str, for types without an encoder.

    It reads the str by the type's own input rules.
    """
    return (
        _answer(pg, f"select {_literal(value)}::{sql_type}") if isinstance(value, str) and "\0" not in value else None
    )


def _rounded(value: object) -> object:
    """Return a number as a real stores it."""
    return struct.unpack("!f", struct.pack("!f", value))[0] if isinstance(value, (int, float)) else value


def _fits(pg: ALNPg, sql_type: str, value: object, read: tuple[Any], same: Same) -> bool:
    """Return True if the value that came back is right."""
    sent = _rounded(value) if "float4" in sql_type else value
    if "json" in sql_type and value == {1: 2}:
        sent = {"1": 2}  # JSON's keys are strings
    return same(sent, read[0]) or read == _as_psql(pg, sql_type, value)


def test_a_value_is_refused_or_comes_back_equal(
    typed: ALNPg, column_types: set[str], any_values: list[Any], same: Same
) -> None:
    accepted = 0
    for sql_type in _names(column_types):
        for value in any_values:
            read = _answer(typed, f"select $1::{sql_type}", value)
            assert read is None or _fits(typed, sql_type, value, read, same), (sql_type, value, read)
            accepted += read is not None
    assert accepted > 200


def test_an_array_element_is_refused_or_comes_back_equal(
    typed: ALNPg, column_types: set[str], any_values: list[Any], same: Same
) -> None:
    """An array accepts an element exactly if the element's type does."""
    for sql_type in _names(column_types):
        if typed.query_value("select to_regtype($1) is null", f"{sql_type}[]"):
            continue
        for value in any_values:
            if isinstance(value, (list, tuple)):
                continue  # a dimension, or an array or composite as element: tested elsewhere
            read = _answer(typed, f"select $1::{sql_type}[]", [value, None])
            alone = _answer(typed, f"select $1::{sql_type}", value)
            assert (read is None) == (alone is None), (sql_type, value, read, alone)
            assert read is None or alone is None or same(alone[0], read[0][0]), (sql_type, value, read)
            assert read is None or read[0][1:] == [None]


@pytest.mark.parametrize("sql_type", RANGES)
def test_a_range_bound_is_refused_or_comes_back_equal(
    typed: ALNPg, any_values: list[Any], same: Same, sql_type: str
) -> None:
    multi = f"{sql_type.removesuffix('range')}multirange" if sql_type != "span" else "span_multirange"
    for value in any_values:
        read = _answer(typed, f"select $1::{sql_type}", Range(value, None, "[)"))
        assert read is None or same(value, read[0].lower), (sql_type, value, read)
        many = _answer(typed, f"select $1::{multi}", Multirange([Range(value, None, "[)")]))
        assert (many is None) == (read is None), (sql_type, value, many, read)
        assert many is None or read is None or same(read[0].lower, many[0][0].lower)
        assert _answer(typed, f"select $1::{sql_type}", value) is None
        assert value == [] or _answer(typed, f"select $1::{multi}", value) is None, "an empty list is a multirange"


@pytest.mark.parametrize("field", range(4))
def test_a_composite_field_is_refused_or_comes_back_equal(
    typed: ALNPg, any_values: list[Any], same: Same, field: int
) -> None:
    sql_type = ("text", "int", "date", "mood")[field]
    for value in any_values:
        fields = [None, None, None, None]
        fields[field] = value
        read = _answer(typed, "select $1::place", tuple(fields))
        alone = _answer(typed, f"select $1::{sql_type}", value)
        assert (read is None) == (alone is None), (sql_type, value, read, alone)
        assert read is None or alone is None or same(alone[0], read[0][field]), (sql_type, value, read)


def _zone(**offset: int) -> timezone:
    return timezone(timedelta(**offset))


BOUNDARIES: list[tuple[str, Any, Any]] = [
    ("int2", 2**15 - 1, 2**15), ("int2", -(2**15), -(2**15) - 1),
    ("int4", 2**31 - 1, 2**31), ("int4", -(2**31), -(2**31) - 1),
    ("int8", 2**63 - 1, 2**63), ("int8", -(2**63), -(2**63) - 1), ("oid", 2**32 - 1, 2**32), ("oid", 0, -1),
    ("float8", 2**53, 2**53 + 1), ("float8", int(1.7976931348623157e308), 2**1024),
    ("float4", 3.4028234663852886e38, 3.5e38),
    ("numeric", Decimal(1).scaleb(131_071), Decimal(1).scaleb(131_072)),
    ("numeric", Decimal(1).scaleb(-16_383), Decimal(1).scaleb(-16_384)),
    ("name", "x" * 63, "x" * 64), ('"char"', "x", "xy"), ("text", "\x01", "\x00"),
    ("timetz", time(1, tzinfo=_zone(hours=15, minutes=59, seconds=59)), time(1, tzinfo=_zone(hours=16))),
    ("timetz", time(1, tzinfo=UTC), time(1, tzinfo=_zone(microseconds=1))),
    ("timestamptz", datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=_zone(hours=-1))),
    ("timestamptz", datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=_zone(hours=1))),
    ("interval", timedelta.max, None), ("interval", timedelta.min, None), ("date", date.max, None), ("date", date.min, None),
    ("time", time.max, None), ("timestamp", datetime(9999, 12, 31), None), ("timestamp", datetime(1, 1, 1), None),  # noqa: DTZ001 - the type has no zone
    ("positive", 1, 0),
    ("positive", 2**31 - 1, 2**31), ("int4[]", [2**31 - 1], [2**31]), ("int4[]", [[[[[[1]]]]]], [[[[[[[1]]]]]]]),
    ("int4range", Range(-(2**31), 2**31 - 1), Range(0, 2**31)), ("int4range", Range(1, 2), Range(2, 1)),
    ("int4multirange", Multirange([Range(0, 2**31 - 1)]), Multirange([Range(0, 2**31)])),
    ("place", ("x", 2**31 - 1, None, "sad"), ("x", 2**31, None, "sad")),
    ("place", ("x", 1, None, "sad"), ("x", 1, None, "glad")),
    ("mood", "happy", "happier"), ("jsonb", {"a": 1.5}, {"a": math.inf}), ("vector", "[1]", "[]"),
]  # fmt: skip


@pytest.mark.parametrize(("sql_type", "last", "beyond"), BOUNDARIES)
def test_the_last_value_that_fits_comes_back_and_the_next_is_refused(
    typed: ALNPg, same: Same, sql_type: str, last: object, beyond: object
) -> None:
    sql = f"select $1::{sql_type}"
    assert same(last, typed.query_value(sql, last))
    if beyond is not None:
        with pytest.raises(ALNPgError) as caught:
            typed.query_value(sql, beyond)
        assert caught.value.status in {400, 409, 422, 500}
        assert typed.query_value(sql, last) is not None, "the connection and the statement still work"


@pytest.mark.parametrize("sql_type", ["int2", "int4", "int8", "oid", "int4[]", "int4range"])
def test_a_number_out_of_range_is_a_400(typed: ALNPg, sql_type: str) -> None:
    beyond = {"int4[]": [2**70], "int4range": Range(2**70, None)}.get(sql_type, 2**70)
    with pytest.raises(OutOfRange) as caught:
        typed.query_value(f"select $1::{sql_type}", beyond)
    assert (caught.value.status, caught.value.sqlstate) == (400, "22003")
    assert str(2**70) not in str(caught.value)


class Relay:
    """A socket in front of the server's, which keeps what clients send."""

    def __init__(self, target: str, folder: str) -> None:
        """Listen in `folder` and relay to the socket `target`."""
        self.sent = bytearray()
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{folder}/.s.PGSQL.5432")
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        """Serve one client after the other until the socket is shut down."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client, socket.socket(socket.AF_UNIX) as server:
                    server.connect(self._target)
                    self._pump(client, server)

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        """Relay bytes both ways until one side ends."""
        while True:
            ready, _, _ = select.select([client, server], [], [])
            for source in ready:
                data = source.recv(65536)
                if not data:
                    return
                if source is client:
                    self.sent += data
                (server if source is client else client).sendall(data)

    def binds(self) -> list[bytes]:
        """Return the Bind messages: the parameters as they were sent (PostgreSQL manual 55.7)."""
        messages, at = [], struct.unpack_from("!i", self.sent)[0]
        while at < len(self.sent):
            message_type, length = struct.unpack_from("!ci", self.sent, at)
            if message_type == b"B":
                messages.append(bytes(self.sent[at : at + 1 + length]))
            at += 1 + length
        return messages

    def close(self) -> None:
        """Stop listening, and wait for the last client to leave."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(30)
        self._listener.close()


@pytest.fixture
def relay(typed_url: str) -> Iterator[Callable[[], tuple[Relay, str]]]:
    """Return a function that starts a relay to the server and returns it with its URL."""
    parts = conninfo_to_dict(typed_url)
    with tempfile.TemporaryDirectory(prefix="relay-", dir="/tmp") as home:
        relays: list[Relay] = []

        def open_one() -> tuple[Relay, str]:
            folder = Path(home) / str(len(relays))
            folder.mkdir()
            relays.append(Relay(f"{parts['host']}/.s.PGSQL.{parts.get('port') or 5432}", str(folder)))
            return relays[-1], make_conninfo(typed_url, host=str(folder), port=5432)

        yield open_one
        for started in relays:
            started.close()


CALLS = """
import runpy, sys
from arlen_runtime.alnpg import ALNPg, ALNPgError
conftest, url, pattern, *sql_types = sys.argv[1:]
values = runpy.run_path(conftest)["ANY_VALUES"]
def litter():  # fills memory that is allocated again afterwards
    for size in (8, 16, 24, 32, 48, 64, 96, 128, 256, 512, 4096, 65536):
        del [bytearray((pattern * size).encode()[:size]) for _ in range(500 if size < 1024 else 20)][:]
pg = ALNPg(url, pool_size=1)
for sql_type in sql_types:
    litter()
    for sql, params in [(sql_type, value) for value in values] + [(sql_type + "[]", [value]) for value in values]:
        try:
            pg.query_value("select $1::" + sql, params)
        except ALNPgError:
            pass
"""


def test_the_bytes_sent_depend_on_the_value_only(
    relay: Callable[[], tuple[Relay, str]], column_types: set[str]
) -> None:
    """Two processes make the same calls, and send the same bytes.

    Their memories differ in addresses, hashes and leftover data.
    """
    binds = []
    conftest = str(Path(__file__).parent.with_name("conftest.py"))
    for seed, pattern in (("1", "litter"), ("2", "rubbish")):
        through, url = relay()
        command = [sys.executable, "-c", CALLS, conftest, url, pattern, *_names(column_types)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed}, timeout=120)
        binds.append(through.binds())
        assert not any(pattern.encode() in message for message in binds[-1])
    assert len(binds[0]) > 1000
    assert binds[0] == binds[1]
