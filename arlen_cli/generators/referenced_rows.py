"""Rows that the tests of a resource need first: those that its references point to.

Each parent row has the id 1. If the parent table was generated too, its required columns are known.
Otherwise only the id is known, and a note asks the user to add the other columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from arlen_cli.errors import UsageError
from arlen_cli.generators.fields import Field, parse_fields
from arlen_cli.generators.plan import Note, Project


class ParentRow(NamedTuple):
    """A row to insert before a test: its table, its columns and their values as SQL.

    `is_generated` is True if a generator made the table, so all required columns are known.
    """

    table: str
    columns: tuple[str, ...]
    values: tuple[str, ...]
    is_generated: bool


def parents_of(
    table: str,
    fields: Sequence[Field],
    resources: Mapping[str, tuple[str, ...]],
    tables: Mapping[str, str] = MappingProxyType({}),
) -> list[ParentRow]:
    """Return the rows that a row of `table` needs, in insertion order.

    `resources` and `tables` are those of the Project.

    Raises UsageError for a table that requires a row of itself: its first row could not be
    inserted.
    """
    parents: dict[str, ParentRow] = {}
    own_fields = {other: parse_fields(texts, tables) for other, texts in resources.items()}
    _collect(fields, own_fields, parents, (table,))
    return list(parents.values())


def parent_notes(parents: Sequence[ParentRow], test: str) -> list[Note]:
    """Return a note for each parent whose other columns are unknown."""
    return [
        Note(f"{test} inserts into {parent.table}, which was not generated: add its required columns to the test")
        for parent in parents
        if not parent.is_generated
    ]


def missing_tables(own_table: str, fields: Sequence[Field], project: Project) -> list[str]:
    """Return the referenced tables that neither a generator nor a migration creates.

    A migration counts if its name is create_<table>.
    """
    tables = dict.fromkeys(field.table for field in fields if field.table not in {"", own_table})
    made = {PurePosixPath(file).stem.partition("_")[2] for file in project.files}
    return [table for table in tables if table not in project.resources and f"create_{table}" not in made]


def _collect(
    fields: Sequence[Field],
    resources: Mapping[str, Sequence[Field]],
    parents: dict[str, ParentRow],
    path: tuple[str, ...],
) -> None:
    """Add the parents of these fields, and before each one its own parents."""
    for field in fields:
        if not field.table or not field.required or field.table in parents:
            continue
        if field.table in path:
            raise UsageError(
                f"{field.name} must be optional: otherwise the first row of {field.table} cannot be inserted"
            )
        own_fields = resources.get(field.table, ())
        _collect(own_fields, resources, parents, (*path, field.table))
        required = [parent_field for parent_field in own_fields if parent_field.required]
        parents[field.table] = ParentRow(
            table=field.table,
            columns=("id", *(parent_field.name for parent_field in required)),
            values=("1", *(f"'{parent_field.sample}'" for parent_field in required)),
            is_generated=field.table in resources,
        )
