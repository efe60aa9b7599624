"""Converts result rows. A Row is a dict whose columns can be read as attributes, in C.

`row["id"]`, `row.id`, `**row` and `json.dumps(row)` all work. Each set of columns has its own Row
class with a property per column, so Jinja's `row.id`, which tries the attribute first, finds it.
Read a column named like a method of dict as `row["items"]`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import repeat, starmap
from operator import itemgetter
from typing import Any, NamedTuple

from arlen_runtime.alnpg.errors import ProgrammingError


class Row(dict[str, Any]):
    """One row: column name to value, in the statement's order."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a column holds any type
        """Raise an error that lists the columns. Existing columns are properties, found before."""
        raise AttributeError(f"this row has no column {name!r}; it has {', '.join(self)}")


_METHODS = frozenset(dir(Row))

Values = tuple[Any, ...]


class RowFactory(NamedTuple):
    """Turns result tuples into what `into` asks for: one, or all with the loops in C."""

    one: Callable[[Values], Any]
    all: Callable[[Iterable[Values]], list[Any]]


@lru_cache(maxsize=1024)
def _row_class(columns: tuple[str, ...]) -> type[Row]:
    """Return the Row class of these columns."""
    properties = {name: property(itemgetter(name)) for name in columns if name not in _METHODS}
    return type("Row", (Row,), {"__slots__": (), "__module__": __name__, **properties})


def _mappings(mapping_class: Callable[..., Any], columns: tuple[str, ...]) -> RowFactory:
    return RowFactory(
        lambda values: mapping_class(zip(columns, values)),  # noqa: B905 - libpq gives as many values as columns
        lambda tuples: list(map(mapping_class, map(zip, repeat(columns), tuples))),
    )


def _by_field(
    into: Callable[..., Any], fields: dict[str, bool], columns: tuple[str, ...], *, ordered: bool
) -> RowFactory:
    """Return a row factory for a class with named fields.

    `fields` tells for each field, in order of declaration, if it is required.
    """
    unknown = [column for column in columns if column not in fields]
    missing = [name for name, required in fields.items() if required and name not in columns]
    if unknown or missing:
        problems = [f"no field for {', '.join(unknown)}"] if unknown else []
        problems += [f"no column for {', '.join(missing)}"] if missing else []
        name = getattr(into, "__name__", "the class")
        raise ProgrammingError(f"the statement's columns do not fit {name}: {'; '.join(problems)}")
    if ordered and columns == tuple(fields)[: len(columns)]:
        return RowFactory(lambda values: into(*values), lambda tuples: list(starmap(into, tuples)))
    return _keywords(into, columns)


def _dataclass(into: Any, columns: tuple[str, ...]) -> RowFactory:  # noqa: ANN401 - dataclasses have no type of their own
    fields = [field for field in dataclasses.fields(into) if field.init]
    unset = dataclasses.MISSING
    required = {field.name: field.default is unset and field.default_factory is unset for field in fields}
    return _by_field(into, required, columns, ordered=not any(field.kw_only for field in fields))


def _named_tuple(into: Any, columns: tuple[str, ...]) -> RowFactory:  # noqa: ANN401 - nor have NamedTuples
    required = {name: name not in into._field_defaults for name in into._fields}
    return _by_field(into, required, columns, ordered=True)


def _keywords(into: Callable[..., Any], columns: tuple[str, ...]) -> RowFactory:
    def one(values: Values) -> Any:  # noqa: ANN401 - what `into` makes
        return into(**dict(zip(columns, values, strict=True)))

    return RowFactory(one, lambda tuples: list(map(one, tuples)))


def _check_names(columns: tuple[str, ...]) -> None:
    """Refuse two columns of one name: a mapping would keep only the last."""
    if len(set(columns)) != len(columns):
        duplicate = next(name for name in columns if columns.count(name) > 1)
        raise ProgrammingError(f"two columns are named {duplicate!r}: rename one with AS, or use into=tuple")


def row_factory(into: Callable[..., Any] | None, columns: tuple[str, ...]) -> RowFactory:
    """Return the factory that turns tuples of these columns into `into`.

    None means Row; `into` can be tuple, dict, a dataclass, a NamedTuple or any callable. A
    dataclass or NamedTuple is filled by name; other callables get the columns as keyword arguments.
    Raises ProgrammingError if the columns do not fit.
    """
    if into is tuple:
        return RowFactory(tuple, list)
    _check_names(columns)
    if into is None:
        return _mappings(_row_class(columns), columns)
    if dataclasses.is_dataclass(into):
        return _dataclass(into, columns)
    if isinstance(into, type) and issubclass(into, tuple) and hasattr(into, "_fields"):
        return _named_tuple(into, columns)
    return _mappings(into, columns) if into is dict else _keywords(into, columns)
