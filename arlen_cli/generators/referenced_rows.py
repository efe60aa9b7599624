"""Rows that a resource's tests need first: what its references point to. One rule: each parent is the row with the id 1.

Which columns a parent needs is known when its own resource was generated too. Of a table that somebody wrote by hand only
the id is known: then the user is told where to add the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from arlen_cli.errors import UsageError
from arlen_cli.generators.fields import Field, parse_fields
from arlen_cli.generators.plan import Note, Project


class ParentRow(NamedTuple):
    """One row to insert before a test: its table, each column and value as SQL; whether its columns are `known`."""

    table: str
    columns: tuple[str, ...]
    values: tuple[str, ...]
    is_generated: bool


def parents_of(table: str, fields: Sequence[Field], resources: Mapping[str, tuple[str, ...]]) -> list[ParentRow]:
    """Return the rows that a row of `table` needs, in the order in which they can be inserted.

    Raises WrongUse for a table that needs itself: its first row could never be there.
    """
    parents: dict[str, ParentRow] = {}
    _collect(fields, resources, parents, (table,))
    return list(parents.values())


def parent_notes(parents: Sequence[ParentRow], test: str) -> list[Note]:
    """Say of which parents only the id is known."""
    return [
        Note(f"{test} inserts into {parent.table}, which is not from a generator: add the columns it needs")
        for parent in parents
        if not parent.is_generated
    ]


def missing_tables(own_table: str, fields: Sequence[Field], project: Project) -> list[str]:
    """Return the tables that these fields refer to and that neither a generator nor a migration by its name makes."""
    tables = dict.fromkeys(field.table for field in fields if field.table not in {"", own_table})
    made = {PurePosixPath(file).stem.partition("_")[2] for file in project.files}
    return [table for table in tables if table not in project.resources and f"create_{table}" not in made]


def _collect(
    fields: Sequence[Field],
    resources: Mapping[str, tuple[str, ...]],
    parents: dict[str, ParentRow],
    path: tuple[str, ...],
) -> None:
    """Add the parents of these fields, and before each one its own."""
    for field in fields:
        if not field.table or not field.required or field.table in parents:
            continue
        if field.table in path:
            raise UsageError(f"{field.name} must be optional: no first row of {field.table} could be made otherwise")
        own_fields = parse_fields(resources.get(field.table, ()))
        _collect(own_fields, resources, parents, (*path, field.table))
        required = [parent_field for parent_field in own_fields if parent_field.required]
        parents[field.table] = ParentRow(
            table=field.table,
            columns=("id", *(parent_field.name for parent_field in required)),
            values=("1", *(f"'{parent_field.sample}'" for parent_field in required)),
            is_generated=field.table in resources,
        )
