"""The fields of a resource, such as `title:string` and `email:citext:unique`.

A field is parsed into what the blueprints need: column, annotation, input, validation, sample.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from arlen_cli.errors import UsageError
from arlen_cli.generators.field_kinds import KINDS, MODIFIERS, FieldKind, nearest_kind
from arlen_cli.generators.names import Names, snake_of
from arlen_cli.generators.plan import Note

LONGEST = 30
"""Maximum length of a field name: its validation must fit on one line."""

LONGEST_IDENTIFIER = 63
"""Maximum length of an identifier in PostgreSQL, in bytes."""

RESERVED_COLUMNS = {
    **dict.fromkeys(("id", "created_at", "updated_at"), "every resource already has that column"),
    **dict.fromkeys(("cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"), "it is a system column of PostgreSQL"),
    **dict.fromkeys(("bool", "dt", "int", "str"), "the generated class uses that name for a type"),
}
"""Names that a field cannot have, with the reason."""

# pg_get_keywords(), categories R and T: not allowed as unquoted names of columns or tables. A test
# compares this list with the server.
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
    """One field. `name` is the column.

    Example: for `author:references`, `name` is author_id and `table` is authors.
    """

    name: str
    label: str
    kind: FieldKind
    required: bool
    unique: bool
    indexed: bool
    table: str

    @property
    def annotation(self) -> str:
        """The Python type of the value."""
        return self.kind.python if self.required else f"{self.kind.python} | None"

    @property
    def call(self) -> str:
        """The call on Fields `f` that reads and validates the field of a form."""
        default = "" if self.required else "default=None"
        arguments = ", ".join(part for part in (f'"{self.name}"', self.kind.check_arguments, default) if part)
        return f"f.{self.kind.check}({arguments})"

    @property
    def sample(self) -> str:
        """The text that the tests send. Empty for an optional reference: no such row exists."""
        return self.kind.sample if self.required or not self.table else ""

    @property
    def sample_shown(self) -> str:
        """The text that a page shows for the sample."""
        return "yes" if self.is_boolean else self.sample

    def display_expression(self, row: str) -> str:
        """Return the expression that prints this field of `row` on a page."""
        value = f"{row}.{self.name}"
        if self.is_boolean:
            return f'"yes" if {value} else "no"'
        return self._unless_none(value, self.kind.template.format(value))

    @property
    def input_expression(self) -> str:
        """The expression that fills in the field of a form.

        The value is either that of the column, or the text that was sent.
        """
        value = f'form["{self.name}"]'
        written = self.kind.template.format(value)
        return self._unless_none(value, value if written == value else f"{written} if {value} is number else {value}")

    @property
    def is_boolean(self) -> bool:
        """True for a checkbox, which sends nothing if it is not checked."""
        return self.kind.python == "bool"

    @property
    def sql(self) -> str:
        """The definition of the column after its name."""
        parts = [
            self.kind.sql,
            "NOT NULL" if self.required else "",
            "DEFAULT false" if self.is_boolean and self.required else "",
            "UNIQUE" if self.unique else "",
            f"REFERENCES {self.table} (id)" if self.table else "",
        ]
        return " ".join(part for part in parts if part)

    def _unless_none(self, value: str, written: str) -> str:
        """Return the expression; for an optional field, print nothing for None."""
        return written if self.required else f'"" if {value} is none else {written}'


def parse_fields(texts: Sequence[str], tables: Mapping[str, str] = MappingProxyType({})) -> tuple[Field, ...]:
    """Parse the fields of a command line. UsageError says what is wrong and what is allowed.

    `tables` maps the singulars of generated resources to their tables; for any other reference, the
    table is the plural of its name.
    """
    fields = tuple(_parse(text, tables) for text in texts)
    names = [field.name for field in fields]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"duplicate field {name!r}")
    return fields


def constraints_of(table: str, fields: Sequence[Field]) -> dict[str, str]:
    """Return constraint name to column, for the unique and foreign key constraints of the table.

    The names are those that PostgreSQL generates.
    """
    return {
        f"{table}_{field.name}_{kind}": field.name
        for kind, names_kind in (("key", _is_unique), ("fkey", _is_reference))
        for field in fields
        if names_kind(field)
    }


def refuse_long_identifiers(table: str, fields: Sequence[Field]) -> None:
    """Raise UsageError for a name in the migration that is longer than PostgreSQL allows.

    PostgreSQL would shorten it, two names possibly to the same one, and the controller would not
    recognise its constraint.
    """
    indexes = (f"{table}_{field.name}_idx" for field in fields if field.indexed)
    for name in (table, f"{table}_id_seq", *(field.name for field in fields), *constraints_of(table, fields), *indexes):
        if (size := len(name.encode())) > LONGEST_IDENTIFIER:
            raise UsageError(
                f"the migration would make {name!r}, which has {size} bytes; PostgreSQL allows {LONGEST_IDENTIFIER}: "
                "choose a shorter name for the resource or the field"
            )


def shortened_notes(texts: Sequence[str]) -> list[Note]:
    """Return a note for each reference whose `_id` was dropped: the column gets one anyway."""
    return [
        Note(f"{text}: the column is {column}, as for {column.removesuffix('_id')}:references")
        for text in texts
        for column in [_parse(text, {}).name]
        if ":references" in text and snake_of(text.partition(":")[0], LONGEST) == column
    ]


def refuse_indexed_text(fields: Sequence[Field]) -> None:
    """Raise UsageError for an index on a text field.

    PostgreSQL rejects every row whose indexed text does not fit into an index page.
    """
    for field in fields:
        if field.kind is KINDS["text"] and (field.unique or field.indexed):
            raise UsageError(
                f"{field.name}: a text can be too long for an index; make it a string, "
                f"or create an index on md5({field.name}) in a migration"
            )


def refuse_sql_word(name: str) -> None:
    """Raise UsageError for a name that SQL requires to be quoted."""
    if name in SQL_WORDS:
        raise UsageError(f"{name!r} is an SQL keyword: it cannot be the name of a table or column")


def _parse(text: str, tables: Mapping[str, str]) -> Field:
    """Parse one field."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is not a field: write name:type, for example title:string; the types are {', '.join(KINDS)}"
        )
    kind = KINDS.get(match["kind"])
    if kind is None:
        near = nearest_kind(match["kind"])
        hint = f"did you mean {match['name']}:{near}? The types are" if near else "the types are"
        raise UsageError(f"{text!r}: unknown type {match['kind']!r}; {hint} {', '.join(KINDS)}")
    modifiers = match["modifiers"].split(":")[1:]
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            raise UsageError(f"{text!r}: unknown modifier {modifier!r}; the modifiers are {', '.join(MODIFIERS)}")
    refers = match["kind"] == "references"
    name = snake_of(match["name"], LONGEST)
    if refers:
        name = name.removesuffix("_id")
    column = f"{name}_id" if refers else name
    if column in RESERVED_COLUMNS:
        raise UsageError(f"{text!r}: {RESERVED_COLUMNS[column]}")
    refuse_sql_word(column)
    return Field(
        name=column,
        label=name.replace("_", " ").capitalize(),
        kind=kind,
        required="optional" not in modifiers,
        unique="unique" in modifiers,
        indexed=("index" in modifiers or refers) and "unique" not in modifiers,
        table=(tables.get(name) or Names.of(name).plural) if refers else "",
    )


def _is_unique(field: Field) -> bool:
    return field.unique


def _is_reference(field: Field) -> bool:
    return bool(field.table)
