"""One prepared statement of one connection.

Its encoders and loaders are chosen once, when it is described. Its parameters have the server's
types, so in `id = $1` the parameter is a bigint whatever the value. Its columns decide if the
result is fetched in binary, and which loaders read it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Any

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import Format
from psycopg.pq.abc import PGresult

from arlen_runtime.alnpg.errors import OutOfRange, ParameterMismatch, ProgrammingError
from arlen_runtime.alnpg.protocol.description import Description
from arlen_runtime.alnpg.protocol.placeholders import position_of
from arlen_runtime.alnpg.protocol.rows import RowFactory, row_factory
from arlen_runtime.alnpg.sql_text import first_word
from arlen_runtime.alnpg.types.refusal import DoesNotFitError
from arlen_runtime.alnpg.types.registry import Registry
from arlen_runtime.alnpg.types.scalars import REFUSALS, Encoder

_MAX_ROW_FACTORIES = 16

_ROWS = frozenset({tuple, list})
_NO_ROWS = (Mapping, AbstractSet, str, bytes, bytearray)
_COLUMNS_CHANGED = "the columns changed"
NO_COPY = "use copy_rows() or connection() for COPY"
_MISREAD = (ValueError, TypeError, ArithmeticError, LookupError, struct.error)
"""What loaders raise for a value of another type. The errors' text contains the value."""


def statement_name(sql: str) -> bytes:
    """Return the name of a prepared statement: a hash of its text.

    So behind PgBouncer one name never stands for two texts.
    """
    return b"alnpg_" + blake2b(sql.encode(), digest_size=12).hexdigest().encode()


def may_commit(sql: str) -> bool:
    """Return True if a statement can commit a part before it fails: never run it again."""
    return first_word(sql) in {"call", "do"}


def refuse_copy(sql: str) -> None:
    """Raise ProgrammingError on a COPY: in a pipeline it reads what follows as its data."""
    if first_word(sql) == "copy":
        raise ProgrammingError(NO_COPY, sql=sql)


def require_positional(row: Any) -> Any:  # noqa: ANN401 - what the application gives for a row
    """Return a row of positional values.

    Raises ProgrammingError on a value without order or a single value; of a mapping, the keys would
    be sent.
    """
    if type(row) in _ROWS or (isinstance(row, Collection) and not isinstance(row, _NO_ROWS)):
        return row
    raise ProgrammingError(f"a row must be a sequence of values, not a {type(row).__name__}")


class Statement:
    """SQL text, parameter encoders, column loaders; `names` are the `:name`s in `$n` order."""

    __slots__ = (
        "_encoders",
        "_loaders",
        "_row_factories",
        "_signature",
        "columns",
        "described_at",
        "formats",
        "name",
        "names",
        "parameters",
        "result_format",
        "sql",
        "text",
        "types",
        "used_at",
    )

    def __init__(self, sql: str, text: str, names: tuple[str, ...], name: bytes) -> None:
        """Store the application's text and the numbered text; `describe` adds the rest."""
        self.sql = sql
        self.text = text
        self.names = names
        self.name = name
        self.used_at = 0.0
        self._row_factories: dict[Callable[..., Any] | None, RowFactory] = {}

    def describe(self, description: Description, registry: Registry) -> None:
        """Choose encoders, formats and loaders by the server's description."""
        self.described_at = min(description.described_at, registry.known_since(description.types))
        self.types = description.types
        self.parameters = [registry.encoder(oid) for oid in self.types]
        self._encoders: list[Callable[[Any], bytes]] = [encoder.pack for encoder in self.parameters]
        self.formats = [encoder.format for encoder in self.parameters]
        self._describe_columns(description, registry)

    def _describe_columns(self, description: Description, registry: Registry) -> None:
        """Choose the format and the loaders of the columns."""
        oids = description.oids
        self.columns = description.columns
        self._signature = (oids, [name.encode() for name in self.columns])
        self._row_factories.clear()
        self._loaders = Transformer(registry)
        self._set_format(Format.BINARY if oids and all(map(registry.loads_binary, oids)) else Format.TEXT)

    def _set_format(self, wire_format: Format) -> None:
        self.result_format = wire_format
        self._loaders.set_loader_types(self._signature[0], wire_format)

    def matches(self, result: PGresult) -> bool:
        """Return True if a result has the described columns.

        Those of an unnamed statement can change: the server plans it again each time.
        """
        columns = range(result.nfields)
        return self._signature == (list(map(result.ftype, columns)), list(map(result.fname, columns)))

    def update_from(self, description: Description, registry: Registry) -> bool:
        """Use the columns of a result as the description.

        Returns False if the result did not arrive in the format that these columns are read in.
        """
        received = self.result_format
        self._describe_columns(description, registry)
        if received == Format.TEXT:  # every type can be read as text
            self._set_format(received)
        return received == self.result_format

    def pack(self, params: Sequence[Any]) -> list[bytes | None]:
        """Return the parameters in wire format.

        Raises ProgrammingError, ParameterMismatch or OutOfRange, which name `$n`.
        """
        if self.names:
            params = self._by_name(params)
        encoders = self._encoders
        if len(params) != len(encoders):
            raise ProgrammingError(
                f"the statement takes {len(encoders)} parameters, {len(params)} were given", sql=self.sql
            )
        values: list[bytes | None] = []
        try:
            for pack, value in zip(encoders, params):  # noqa: B905 - counted above; a comprehension would cost a call
                values.append(None if value is None else pack(value))
        except REFUSALS:
            raise self.refusal(params) from None
        return values

    def _by_name(self, params: Sequence[Any]) -> Sequence[Any]:
        """Return the values of the one mapping in `$n` order."""
        if len(params) != 1 or not isinstance(params[0], Mapping):
            raise ProgrammingError(
                f"the statement takes one mapping with the keys {', '.join(self.names)}", sql=self.sql
            )
        try:
            return [params[0][name] for name in self.names]
        except KeyError:
            missing = ", ".join(name for name in self.names if name not in params[0])
            raise ProgrammingError(f"the mapping has no value for {missing}", sql=self.sql) from None

    def refusal(self, params: Sequence[Any]) -> ParameterMismatch:
        """Return the error for the first parameter that its encoder refuses."""
        for index, (encoder, value) in enumerate(zip(self.parameters, params, strict=True)):
            if value is None:
                continue
            try:
                encoder.pack(value)
            except REFUSALS as error:
                return self.mismatch(index, encoder, value, error)
        raise ProgrammingError("a parameter changed while it was sent", sql=self.sql)

    def mismatch(self, index: int, encoder: Encoder, value: object, error: Exception) -> ParameterMismatch:
        """Return the error that names `$n`, both types and the remedy, but not the value.

        `error` is what the encoder raised.
        """
        number = f"${index + 1}"
        placeholder = f":{self.names[index]}" if self.names else number
        place = f"{number} ({placeholder})" if self.names else number
        value_type = type(value).__name__
        reason = f" ({error})" if _has_own_text(error) else ""
        if _is_out_of_range(error):
            detail = f"{place} is {encoder.type_name}: the {value_type} that was given does not fit{reason}"
            return OutOfRange(detail, sql=self.sql, sqlstate="22003")
        mismatch = ParameterMismatch(
            f"{place} is {encoder.type_name} and takes {encoder.accepts}, but a {value_type} was given{reason}",
            sql=self.sql,
        )
        mismatch.position = position_of(self.sql, placeholder)
        mismatch.hint = f"convert the value, or write {placeholder}::type with the type that you mean"
        if isinstance(value, (list, tuple)) and isinstance(value, encoder.array_types):
            mismatch.hint = f"a list is one value, an array: compare with = any({placeholder})"
        return mismatch

    def load(self, result: PGresult, into: Callable[..., Any] | None) -> list[Any]:
        """Return all rows of a result, each as `into`.

        Raises psycopg.ProgrammingError if they are not as described.
        """
        if not self.name:
            self._check_columns(result)
        # `load_first` repeats this instead of sharing a helper: one call less in each statement,
        # measured.
        factory = self._row_factories.get(into) or self._row_factory(into)
        count = result.ntuples
        loaders = self._loaders
        loaders.set_pgresult(result, set_loaders=False)
        try:
            rows = [loaders.load_row(0, tuple)] if count == 1 else loaders.load_rows(0, count, tuple)
        except _MISREAD:
            raise psycopg.ProgrammingError(_COLUMNS_CHANGED) from None
        finally:
            loaders.set_pgresult(None, set_loaders=False)
        return [factory.one(rows[0])] if count == 1 else factory.all(rows)

    def load_first(self, result: PGresult, into: Callable[..., Any] | None) -> Any:  # noqa: ANN401 - what `into` makes
        """Return the first row of a result as `into`, or None. Raises like `load`."""
        if not self.name:
            self._check_columns(result)
        factory = self._row_factories.get(into) or self._row_factory(into)  # as in `load`, see there
        if not result.ntuples:
            return None
        loaders = self._loaders
        loaders.set_pgresult(result, set_loaders=False)
        try:
            values = loaders.load_row(0, tuple)
        except _MISREAD:
            raise psycopg.ProgrammingError(_COLUMNS_CHANGED) from None
        finally:
            loaders.set_pgresult(None, set_loaders=False)
        return factory.one(values)

    def _check_columns(self, result: PGresult) -> None:
        """Refuse a result with other columns. For named statements PostgreSQL raises 0A000."""
        if not self.matches(result):
            raise psycopg.ProgrammingError(_COLUMNS_CHANGED)

    def _row_factory(self, into: Callable[..., Any] | None) -> RowFactory:
        """Create and keep the factory for `into`. A lambda is a new object each time."""
        if len(self._row_factories) >= _MAX_ROW_FACTORIES:
            self._row_factories.clear()
        factory = self._row_factories[into] = row_factory(into, self.columns)
        return factory


def _has_own_text(error: Exception) -> bool:
    """Return True if the text is ALNPg's. Texts of struct, UUID, ipaddress show the value."""
    return bool(str(error)) and isinstance(error, (TypeError, DoesNotFitError))


def _is_out_of_range(error: Exception) -> bool:
    """Return True if the type is right but the value does not fit.

    struct raises the same class for both.
    """
    if isinstance(error, struct.error):
        return not str(error).startswith("required argument is not")
    return isinstance(error, (ValueError, OverflowError))
