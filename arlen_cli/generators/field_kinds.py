"""The types and modifiers of fields.

One table, KINDS, says everything about each type: SQL column, Python annotation, HTML input,
validation of the form, a sample value for the tests, and the sentence for the help and the guide.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from arlen_runtime.nearest_words import nearest_words


class FieldKind(NamedTuple):
    """One type of field.

    `attributes` are those of its `<input>` (empty: a text area), `check` is the method of Fields
    that reads it and `check_arguments` its arguments, `import_line` is the import for the
    annotation, `sample` the text that a form would send, `template` the expression by which a page
    prints a value, `meaning` is what the help and the guide say about the value.
    """

    meaning: str
    sql: str
    python: str
    attributes: str
    check: str
    check_arguments: str
    sample: str
    import_line: str = ""
    template: str = "{0}"


KINDS: dict[str, FieldKind] = {
    "string": FieldKind(
        "one line, 200 characters at most", "text", "str", 'type="text" maxlength="200"', "string", "max=200", "Example"
    ),
    "text": FieldKind("several lines", "text", "str", "", "string", "", "A few words"),
    "citext": FieldKind(
        "one line; case does not matter in comparisons",
        "citext",
        "str",
        'type="text" maxlength="200"',
        "string",
        "max=200",
        "Example",
    ),
    "email": FieldKind(
        "an email address", "text", "str", 'type="email" maxlength="254"', "email", "", "someone@example.com"
    ),
    "integer": FieldKind(
        "a whole number of 64 bits",
        "bigint",
        "int",
        'type="number" step="1"',
        "integer",
        "min=-(2**63), max=2**63 - 1",
        "42",
    ),
    "decimal": FieldKind(
        "a number, exact, written without an exponent",
        "numeric",
        "Decimal",
        'type="number" step="any"',
        "decimal",
        "",
        "12.50",
        "from decimal import Decimal",
        '"{{:f}}".format({0})',  # str() of a small one is 1E-8, which Fields.decimal rejects
    ),
    "boolean": FieldKind("a checkbox", "boolean", "bool", 'type="checkbox" value="true"', "boolean", "", "true"),
    "date": FieldKind("a date", "date", "dt.date", 'type="date"', "date", "", "2030-01-31", "import datetime as dt"),
    "datetime": FieldKind(
        "a date and time with its offset from UTC, such as `2030-01-31T18:30:00Z`",
        "timestamptz",
        "dt.datetime",
        'type="text" placeholder="2030-01-31T18:30:00Z"',  # datetime-local sends no time zone
        "datetime",
        "zone=True",
        "2030-01-31 18:30:00+00:00",
        "import datetime as dt",
    ),
    "uuid": FieldKind(
        "a UUID",
        "uuid",
        "UUID",
        'type="text"',
        "uuid",
        "",
        "5f0c1e0a-6d3b-4a58-9d7e-0c6f5a1b2c3d",
        "from uuid import UUID",
    ),
    "references": FieldKind(
        "the id of the other row",
        "bigint",
        "int",
        'type="number" min="1" step="1"',
        "integer",
        "min=1, max=2**63 - 1",
        "1",
    ),
}

MODIFIERS = {
    "optional": "the value may be missing: the column may be NULL, the value `None`",
    "unique": "no two rows have the same value",
    "index": "the column gets an index",
}
"""The modifiers, and what the help and the guide say about them."""

_OTHER_NAMES = {
    other: kind
    for kind, others in {
        "integer": "bigint biginteger bigserial int int4 int8 integerfield long number serial smallint",
        "string": "char charfield character slug slugfield str varchar",
        "text": "longtext markdown mediumtext richtext rich_text textfield textarea",
        "citext": "ci_string",
        "email": "emailfield mail",
        "decimal": "currency decimalfield double float floatfield money numeric real",
        "boolean": "bool booleanfield checkbox flag",
        "date": "datefield day",
        "datetime": "datetimefield naive_datetime timestamp timestamps timestamptz utc_datetime",
        "uuid": "guid uniqueidentifier uuidfield",
        "references": "belongs_to belongsto fk foreign foreign_key foreignid foreignkey has_one ref reference",
    }.items()
    for other in others.split()
}
"""Types of other tools and of SQL, and the type here that is meant."""


def nearest_kind(raw_kind: str) -> str:
    """Return the type that was probably meant, or "".

    What follows the word is ignored: `decimal{10,2}`, `decimal10` (bash expands the braces), and
    `varchar(20)`.
    """
    word = re.match(r"[a-z_]*", raw_kind.lower().replace("-", "_"))
    kind = word[0] if word else ""
    if kind in KINDS:
        return kind
    return _OTHER_NAMES.get(kind) or next(iter(nearest_words(kind, KINDS, cutoff=0.75)), "")
