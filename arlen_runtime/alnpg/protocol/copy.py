"""COPY into a table. One rule: the values pass the same checks as parameters, then travel as one stream.

In COPY's binary form where every column has a binary packer, else in its text form.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Any

from arlen_runtime.alnpg.errors import ALNPgError, ProgrammingError
from arlen_runtime.alnpg.protocol.connection import PgConnection
from arlen_runtime.alnpg.protocol.statement import Statement, in_order
from arlen_runtime.alnpg.types.containers import literal_of
from arlen_runtime.alnpg.types.scalars import BINARY, REFUSALS

_PIECE_BYTES = 65_536
# PostgreSQL manual, COPY, binary format: signature, flags, extension; fields counted in 16 bits; -1 ends.
_HEAD = b"PGCOPY\n\xff\r\n\x00" + struct.pack("!ii", 0, 0)
_END = struct.pack("!h", -1)
_count = struct.Struct("!h").pack
_length = struct.Struct("!i").pack
_NULL = _length(-1)
_ESCAPES = {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t"}
_TO_ESCAPE = re.compile(rb"[\\\n\r\t]")

Form = Callable[[Sequence[Any]], bytes]


def quoted(name: str) -> str:
    """Return an identifier as SQL writes it; `schema.table` is two of them."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def copy_rows(connection: PgConnection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write `rows` into `columns` of `table`; return how many. All or none; a refused value names its row and column."""
    names = ", ".join(map(quoted, columns))
    places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    description = f"insert into {quoted(table)} ({names}) values ({places})"  # noqa: S608 - quoted names, numbered places
    target = f"copy {quoted(table)} ({names}) from stdin"
    with connection.exchange(target) as limit:
        statement = connection.described_now(description, limit)
        binary = all(form == BINARY for form in statement.formats)
        sql = target + (" (format binary)" if binary else "")
        connection.libpq.send(sql.encode())
        connection.libpq.await_copy(limit, lambda result: connection.checked(result, sql))
        try:
            _feed(connection, statement, columns, rows, binary=binary)
        except BaseException as error:
            _abort(connection, error)
            raise
        connection.pgconn.put_copy_end()
        result = connection.checked(connection.libpq.read_result(connection.deadline(monotonic())), sql)
        connection.rows = result.command_tuples or 0
        return connection.rows


def _feed(
    connection: PgConnection,
    statement: Statement,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    binary: bool,
) -> None:
    form = _binary_form(statement) if binary else _text_form(statement)
    buffer = bytearray(_HEAD if binary else b"")
    for number, row in enumerate(rows, 1):
        if len(in_order(row)) != len(columns):
            raise ProgrammingError(f"row {number} has {len(row)} values for {len(columns)} columns")
        try:
            buffer += form(row)
        except REFUSALS:
            raise _named(statement, row, number) from None
        if len(buffer) >= _PIECE_BYTES:
            connection.libpq.put(buffer, connection.deadline(monotonic()))
            buffer.clear()
    if binary:
        buffer += _END
    connection.libpq.put(buffer, connection.deadline(monotonic()))


def _binary_form(statement: Statement) -> Form:
    encoders = [encoder.pack for encoder in statement.parameters]
    head = _count(len(encoders))

    def form(row: Sequence[Any]) -> bytes:
        pieces = [head]
        for pack, value in zip(encoders, row, strict=True):
            if value is None:
                pieces.append(_NULL)
            else:
                data = pack(value)
                pieces += _length(len(data)), data
        return b"".join(pieces)

    return form


def _text_form(statement: Statement) -> Form:
    literals = [literal_of(encoder) for encoder in statement.parameters]

    def field(literal: Callable[[Any], bytes], value: object) -> bytes:
        return b"\\N" if value is None else _TO_ESCAPE.sub(lambda found: _ESCAPES[found.group()], literal(value))

    def form(row: Sequence[Any]) -> bytes:
        return b"\t".join(map(field, literals, row)) + b"\n"

    return form


def _named(statement: Statement, row: Sequence[Any], number: int) -> ALNPgError:
    """Return the refusal of a row's first bad value, with the row's number."""
    error = statement.refusal(row)
    error.hint = f"row {number}; {error.hint}".rstrip("; ")
    return error


def _abort(connection: PgConnection, error: BaseException) -> None:
    """Tell the server that the copy is off, which rolls it back, and read its answer.

    What interrupts the program (a KeyboardInterrupt) does not wait for that: the connection is given up.
    """
    if not isinstance(error, Exception):
        connection.broken = True
        return
    try:
        connection.pgconn.put_copy_end(type(error).__name__.encode())
        connection.libpq.read_result(connection.deadline(monotonic()))
    except ALNPgError:
        connection.broken = True
