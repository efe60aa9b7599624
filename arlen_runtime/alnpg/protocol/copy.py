"""COPY into a table, as one stream of values that are checked like parameters.

It uses COPY's binary format if every column has a binary encoder, else its text format.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Any

from arlen_runtime.alnpg import identifier
from arlen_runtime.alnpg.errors import ALNPgError, ProgrammingError
from arlen_runtime.alnpg.protocol.connection import PgConnection
from arlen_runtime.alnpg.protocol.statement import Statement, require_positional
from arlen_runtime.alnpg.types.containers import literal_of
from arlen_runtime.alnpg.types.scalars import BINARY, REFUSALS

_CHUNK_BYTES = 65_536
# PostgreSQL manual, COPY, binary format: signature, flags, extension; a 16-bit field count for each
# row, -1 at the end.
_HEAD = b"PGCOPY\n\xff\r\n\x00" + struct.pack("!ii", 0, 0)
_END = struct.pack("!h", -1)
_count = struct.Struct("!h").pack
_length = struct.Struct("!i").pack
_NULL = _length(-1)
_ESCAPES = {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t"}
_TO_ESCAPE = re.compile(rb"[\\\n\r\t]")

RowFormat = Callable[[Sequence[Any]], bytes]


def quoted(name: str) -> str:
    """Return a quoted SQL identifier; `schema.table` becomes two of them."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def copy_rows(connection: PgConnection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write `rows` into `columns` of `table`; return how many. All or none.

    If a value is refused, the error names its row and column.
    """
    _check_names(table, columns)
    names = ", ".join(map(quoted, columns))
    placeholders = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    insert = f"insert into {quoted(table)} ({names}) values ({placeholders})"  # noqa: S608 - quoted names, numbered placeholders
    target = f"copy {quoted(table)} ({names}) from stdin"
    with connection.exchange(target) as deadline:
        statement = connection.describe_uncached(insert, deadline)
        binary = all(wire_format == BINARY for wire_format in statement.formats)
        sql = target + (" (format binary)" if binary else "")
        connection.libpq.send(sql.encode())
        connection.libpq.await_copy(deadline, lambda result: connection.check_result(result, sql))
        try:
            _feed(connection, statement, columns, rows, binary=binary)
        except BaseException as error:
            _abort(connection, error)
            raise
        connection.pgconn.put_copy_end()
        result = connection.check_result(connection.libpq.read_result(connection.deadline(monotonic())), sql)
        connection.row_count = result.command_tuples or 0
        return connection.row_count


def _check_names(table: str, columns: Sequence[str]) -> None:
    """Raise ProgrammingError on a name that PostgreSQL would cut."""
    *schemas, name = table.split(".")
    names = [*(("the schema", schema) for schema in schemas), ("the table", name)]
    names += [("the column", column) for column in columns]
    for kind, text in names:
        reason = identifier.invalid_reason(kind, text)
        if reason:
            raise ProgrammingError(reason)


def _feed(
    connection: PgConnection,
    statement: Statement,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    binary: bool,
) -> None:
    pack_row = _binary_row_format(statement) if binary else _text_row_format(statement)
    buffer = bytearray(_HEAD if binary else b"")
    for number, row in enumerate(rows, 1):
        if len(require_positional(row)) != len(columns):
            raise ProgrammingError(f"row {number} has {len(row)} values for {len(columns)} columns")
        try:
            buffer += pack_row(row)
        except REFUSALS:
            raise _refusal_in_row(statement, row, number) from None
        if len(buffer) >= _CHUNK_BYTES:
            connection.libpq.send_copy_data(buffer, connection.deadline(monotonic()))
            buffer.clear()
    if binary:
        buffer += _END
    connection.libpq.send_copy_data(buffer, connection.deadline(monotonic()))


def _binary_row_format(statement: Statement) -> RowFormat:
    packs = [encoder.pack for encoder in statement.parameters]
    head = _count(len(packs))

    def pack_row(row: Sequence[Any]) -> bytes:
        pieces = [head]
        for pack, value in zip(packs, row, strict=True):
            if value is None:
                pieces.append(_NULL)
            else:
                data = pack(value)
                pieces += _length(len(data)), data
        return b"".join(pieces)

    return pack_row


def _text_row_format(statement: Statement) -> RowFormat:
    literals = [literal_of(encoder) for encoder in statement.parameters]

    def field(literal: Callable[[Any], bytes], value: object) -> bytes:
        return b"\\N" if value is None else _TO_ESCAPE.sub(lambda match: _ESCAPES[match.group()], literal(value))

    def pack_row(row: Sequence[Any]) -> bytes:
        return b"\t".join(map(field, literals, row)) + b"\n"

    return pack_row


def _refusal_in_row(statement: Statement, row: Sequence[Any], number: int) -> ALNPgError:
    """Return the error for the first refused value in a row, with the row's number."""
    error = statement.refusal(row)
    error.hint = f"row {number}; {error.hint}".rstrip("; ")
    return error


def _abort(connection: PgConnection, error: BaseException) -> None:
    """End the COPY with an error, which rolls it back, and read the answer.

    An interrupt of the program (KeyboardInterrupt) does not wait for the answer: the connection is
    closed.
    """
    if not isinstance(error, Exception):
        connection.broken = True
        return
    try:
        connection.pgconn.put_copy_end(type(error).__name__.encode())
        connection.libpq.read_result(connection.deadline(monotonic()))
    except ALNPgError:
        connection.broken = True
