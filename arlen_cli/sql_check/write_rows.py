"""Writes row classes as Python. Invariant: the written classes pass the check.

A column that can be NULL, or whose nullability is unknown, gets `| None`; the user can remove it.
"""

from __future__ import annotations

import ast
import itertools
import keyword
from collections.abc import Iterable, Iterator

from arlen_cli.sql_check.schema import ANY, Column, StatementDescription
from arlen_cli.sql_check.source import Call

ORIGINS = {
    "Decimal": "decimal", "UUID": "uuid", "date": "datetime", "time": "datetime", "datetime": "datetime",
    "timedelta": "datetime", "Any": "typing", "Literal": "typing",
}  # fmt: skip
"""Type to the module that it must be imported from."""

WITHOUT_ROWS = frozenset({"query_value", "execute", "execute_many", "prepare"})
"""The methods whose callers get no rows."""


def render_module(calls: Iterable[Call], descriptions: dict[str, StatementDescription]) -> str:
    """Return Python text: the imports, and a class for each statement in `descriptions` with rows.

    The class is named after `into`, or else after the function; a second, different one is
    numbered.
    """
    classes: dict[str, tuple[Column, ...]] = {}
    places: dict[str, str] = {}
    for call in calls:
        columns = descriptions[call.sql].columns if call.sql in descriptions else ()
        if columns and call.method not in WITHOUT_ROWS and not call.as_tuple:
            base_name = call.into_name or _class_name(call.function)
            free = (name for name in _numbered_names(base_name) if classes.get(name, columns) == columns)
            classes[name := next(free)] = columns
            places.setdefault(name, f"{call.file}:{call.line}")
    imports = "\n".join(_imports(classes.values())) + "\n"
    return (
        "\n\n".join([imports, *(row_class(name, classes[name], places[name]) for name in classes)]) if classes else ""
    )


def row_class(name: str, columns: Iterable[Column], place: str) -> str:
    """Return the dataclass of these columns. A column that cannot be a field becomes a comment."""
    lines = ["@dataclass(frozen=True, slots=True)", f"class {name}:", f'    """A row of {place}."""', ""]
    for column in columns:
        kind = column.type if column.nullable is False or column.type == ANY else f"{column.type} | None"
        is_field_name = column.name.isidentifier() and not keyword.iskeyword(column.name)
        lines.append(
            f"    {column.name}: {kind}"
            if is_field_name
            else f"    # {column.name!r} cannot be a field: rename it with AS"
        )
    return "\n".join(lines) + "\n"


def _imports(classes: Iterable[Iterable[Column]]) -> Iterator[str]:
    yield "from dataclasses import dataclass"
    trees = [ast.parse(column.type) for columns in classes for column in columns]
    names = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    yield from sorted(f"from {ORIGINS[name]} import {name}" for name in names & ORIGINS.keys())


def _numbered_names(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}{number}" for number in itertools.count(2))


def _class_name(function: str) -> str:
    return "".join(part.capitalize() for part in function.split("_")) + "Row"
