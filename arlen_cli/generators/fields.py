"""The fields of a resource: `title:string`, `email:citext:unique`. One rule: a type is one row of one table.

The row says what the type is everywhere: the SQL column, the Python annotation, the HTML input, the check of what a form
sends, and a value for the tests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from arlen_cli.errors import WrongUse
from arlen_cli.generators.names import LONGEST, Names, snake_of


class Kind(NamedTuple):
    """One type of field. `imported` is the line that the annotation needs, `sample` is the text that a form would send."""

    sql: str
    python: str
    widget: str
    check: str
    sample: str
    imported: str = ""


KINDS: dict[str, Kind] = {
    "string": Kind("text", "str", "text", "string", "Example"),
    "text": Kind("text", "str", "textarea", "string", "A few words"),
    "citext": Kind("citext", "str", "text", "string", "Example"),
    "email": Kind("text", "str", "email", "email", "someone@example.com"),
    "integer": Kind("bigint", "int", "number", "integer", "42"),
    "decimal": Kind("numeric", "Decimal", "decimal", "decimal", "12.50", "from decimal import Decimal"),
    "boolean": Kind("boolean", "bool", "checkbox", "boolean", "true"),
    "date": Kind("date", "date", "date", "date", "2030-01-31", "from datetime import date"),
    "datetime": Kind(
        "timestamptz", "datetime", "datetime", "datetime", "2030-01-31T12:30:00+00:00", "from datetime import datetime"
    ),
    "uuid": Kind("uuid", "UUID", "text", "uuid", "5f0c1e0a-6d3b-4a58-9d7e-0c6f5a1b2c3d", "from uuid import UUID"),
    "references": Kind("bigint", "int", "number", "integer", "1"),
}

MODIFIERS = ("optional", "unique", "index")

PRESENT = {"id", "created_at", "updated_at"}
"""Columns that every resource has."""

# pg_get_keywords(), category R and T: no column or table can bear these names without quotes. A test asks the server.
SQL_WORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
    column concurrently constraint create cross current_catalog current_date current_role current_schema
    current_time current_timestamp current_user default deferrable desc distinct do else end except false fetch for
    foreign freeze from full grant group having ilike in initially inner intersect into is isnull join lateral
    leading left like limit localtime localtimestamp natural not notnull null offset on only or order outer overlaps
    placing primary references returning right select session_user similar some symmetric system_user table
    tablesample then to trailing true union unique user using variadic verbose when where window with
    """.split()  # noqa: SIM905 - a hundred words read better without quotes and commas
)

_SHAPE = re.compile(r"(?P<name>[^:]+):(?P<kind>[^:]+)(?P<modifiers>(?::[^:]+)*)")


class Field(NamedTuple):
    """One field. `name` is the column: `author:references` has the column author_id, and `table` authors."""

    name: str
    label: str
    kind: Kind
    required: bool
    unique: bool
    indexed: bool
    table: str

    @property
    def annotation(self) -> str:
        """The type of the value in Python."""
        return self.kind.python if self.required else f"{self.kind.python} | None"

    @property
    def sql(self) -> str:
        """The column's definition after its name."""
        parts = [
            self.kind.sql,
            "NOT NULL" if self.required else "",
            "DEFAULT false" if self.kind.python == "bool" and self.required else "",
            "UNIQUE" if self.unique else "",
            f"REFERENCES {self.table} (id)" if self.table else "",
        ]
        return " ".join(part for part in parts if part)


def parse_fields(given: Sequence[str]) -> tuple[Field, ...]:
    """Read the fields of a command line; WrongUse names the first that is wrong, why, and what there is instead."""
    fields = tuple(_parse(text) for text in given)
    names = [field.name for field in fields]
    for name in names:
        if names.count(name) > 1:
            raise WrongUse(f"the field {name!r} is given twice")
    return fields


def refuse_sql_word(name: str) -> None:
    """Raise WrongUse for a name that SQL could only spell in quotes."""
    if name in SQL_WORDS:
        raise WrongUse(f"{name!r} is a word of SQL itself: it cannot name a table or a column")


def _parse(text: str) -> Field:
    """Read one field."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise WrongUse(f"{text!r} is no field: write name:type, as in title:string; the types are {', '.join(KINDS)}")
    kind = KINDS.get(match["kind"])
    if kind is None:
        raise WrongUse(f"{text!r}: there is no type {match['kind']!r}; the types are {', '.join(KINDS)}")
    modifiers = match["modifiers"].split(":")[1:]
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            raise WrongUse(f"{text!r}: there is no modifier {modifier!r}; the modifiers are {', '.join(MODIFIERS)}")
    name = snake_of(match["name"], LONGEST)
    refers = match["kind"] == "references"
    column = f"{name}_id" if refers else name
    if column in PRESENT:
        raise WrongUse(f"{text!r}: every resource has {column} already")
    refuse_sql_word(column)
    return Field(
        name=column,
        label=name.replace("_", " ").capitalize(),
        kind=kind,
        required="optional" not in modifiers,
        unique="unique" in modifiers,
        indexed=("index" in modifiers or refers) and "unique" not in modifiers,
        table=Names.of(name).plural if refers else "",
    )
