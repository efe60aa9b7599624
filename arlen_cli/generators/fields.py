"""The fields of a resource, such as `title:string` and `email:citext:unique`.

One table, KINDS, says everything about each type: SQL column, Python annotation, HTML input,
validation of the form, and a sample value for the tests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

from arlen_cli.errors import UsageError
from arlen_cli.generators.names import Names, snake_of


class FieldKind(NamedTuple):
    """One type of field.

    `attributes` are those of its `<input>` (empty: a text area), `check` is the method of Fields
    that reads it and `check_arguments` its arguments, `import_line` is the import for the
    annotation, `sample` the text that a form would send, `template` the expression by which a page
    prints a value.
    """

    sql: str
    python: str
    attributes: str
    check: str
    check_arguments: str
    sample: str
    import_line: str = ""
    template: str = "{0}"


KINDS: dict[str, FieldKind] = {
    "string": FieldKind("text", "str", 'type="text" maxlength="200"', "string", "max=200", "Example"),
    "text": FieldKind("text", "str", "", "string", "", "A few words"),
    "citext": FieldKind("citext", "str", 'type="text" maxlength="200"', "string", "max=200", "Example"),
    "email": FieldKind("text", "str", 'type="email" maxlength="254"', "email", "", "someone@example.com"),
    "integer": FieldKind("bigint", "int", 'type="number" step="1"', "integer", "min=-(2**63), max=2**63 - 1", "42"),
    "decimal": FieldKind(
        "numeric",
        "Decimal",
        'type="number" step="any"',
        "decimal",
        "",
        "12.50",
        "from decimal import Decimal",
        '"{{:f}}".format({0})',  # str() of a small one is 1E-8, which Fields.decimal rejects
    ),
    "boolean": FieldKind("boolean", "bool", 'type="checkbox" value="true"', "boolean", "", "true"),
    "date": FieldKind("date", "dt.date", 'type="date"', "date", "", "2030-01-31", "import datetime as dt"),
    "datetime": FieldKind(
        "timestamptz",
        "dt.datetime",
        'type="text" placeholder="2030-01-31T18:30:00Z"',  # datetime-local sends no time zone
        "datetime",
        "zone=True",
        "2030-01-31 18:30:00+00:00",
        "import datetime as dt",
    ),
    "uuid": FieldKind(
        "uuid", "UUID", 'type="text"', "uuid", "", "5f0c1e0a-6d3b-4a58-9d7e-0c6f5a1b2c3d", "from uuid import UUID"
    ),
    "references": FieldKind("bigint", "int", 'type="number" min="1" step="1"', "integer", "min=1, max=2**63 - 1", "1"),
}

LONGEST = 30
"""Maximum length of a field name: its validation must fit on one line."""

LONGEST_IDENTIFIER = 63
"""Maximum length of an identifier in PostgreSQL, in bytes."""

MODIFIERS = ("optional", "unique", "index")

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


def parse_fields(texts: Sequence[str]) -> tuple[Field, ...]:
    """Parse the fields of a command line. UsageError says what is wrong and what is allowed."""
    fields = tuple(_parse(text) for text in texts)
    names = [field.name for field in fields]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"duplicate field {name!r}")
    return fields


def constraints_of(table: str, fields: Sequence[Field]) -> dict[str, str]:
    """Return constraint name to column, for the unique and foreign key constraints of the table.

    The names are those that PostgreSQL generates.
    """
    constraints: dict[str, str] = {}
    for kind, columns in (
        ("key", [field.name for field in fields if field.unique]),
        ("fkey", [field.name for field in fields if field.table]),
    ):
        for column in columns:
            names = (
                _constraint_name(table, column, f"{kind}{number or ''}") for number in count()
            )  # like ChooseConstraintName in PostgreSQL
            constraints[next(name for name in names if name not in constraints)] = column
    return constraints


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


def _parse(text: str) -> Field:
    """Parse one field."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is not a field: write name:type, for example title:string; the types are {', '.join(KINDS)}"
        )
    kind = KINDS.get(match["kind"])
    if kind is None:
        raise UsageError(f"{text!r}: unknown type {match['kind']!r}; the types are {', '.join(KINDS)}")
    modifiers = match["modifiers"].split(":")[1:]
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            raise UsageError(f"{text!r}: unknown modifier {modifier!r}; the modifiers are {', '.join(MODIFIERS)}")
    name = snake_of(match["name"], LONGEST)
    refers = match["kind"] == "references"
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
        table=Names.of(name).plural if refers else "",
    )


def _constraint_name(table: str, column: str, kind: str) -> str:
    """Return the name that makeObjectName in PostgreSQL makes.

    If the name is too long, the longer one of table and column is shortened.
    """
    while len(f"{table}_{column}_{kind}") > LONGEST_IDENTIFIER:
        if len(table) > len(column):
            table = table[:-1]
        else:
            column = column[:-1]
    return f"{table}_{column}_{kind}"
