"""Fields: what a type is in SQL, Python, HTML and tests, and how an invalid one is refused."""

from __future__ import annotations

from decimal import Decimal
from html.parser import HTMLParser

import psycopg
import pytest

from arlen_cli.errors import UsageError
from arlen_cli.generators import fields as fields_module
from arlen_cli.generators.field_kinds import KINDS, MODIFIERS
from arlen_cli.generators.fields import (
    LONGEST,
    RESERVED_COLUMNS,
    SQL_WORDS,
    constraints_of,
    parse_fields,
    refuse_indexed_text,
    refuse_long_identifiers,
    refuse_sql_word,
    shortened_notes,
)
from arlen_runtime.alnpg import identifier
from arlen_runtime.templates.views import Views
from arlen_runtime.web.validation import Fields


class Sent:
    """A form with one field, as Fields reads it."""

    def __init__(self, name: str, value: str) -> None:
        self._values = {name: value}

    def get(self, name: str, /) -> str | None:
        return self._values.get(name)

    def all(self, name: str, /) -> list[str]:
        return [self._values[name]] if name in self._values else []

    def source(self, _name: str, /) -> str:
        return "body"


@pytest.mark.parametrize("kind", KINDS)
def test_the_call_of_each_type_reads_its_own_sample(kind: str) -> None:
    (field,) = parse_fields([f"thing:{kind}"])
    f = Fields(Sent(field.name, field.sample))
    value = eval(field.call, {"f": f})  # noqa: S307 - the generated line
    f.check()
    assert type(value).__name__ == field.kind.python.rpartition(".")[2]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_optional_field_is_none(kind: str) -> None:
    (field,) = parse_fields([f"thing:{kind}:optional"])
    f = Fields(Sent("another", ""))
    assert eval(field.call, {"f": f}) is None  # noqa: S307 - the generated line
    f.check()
    assert field.annotation == f"{field.kind.python} | None"
    assert "NOT NULL" not in field.sql


@pytest.mark.parametrize("kind", KINDS)
def test_the_column_of_each_type_accepts_its_own_sample(kind: str, database_url: str) -> None:
    (field,) = parse_fields([f"thing:{kind}"])
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS citext")
        connection.execute("CREATE TABLE things (id bigint PRIMARY KEY)")
        connection.execute("INSERT INTO things VALUES (1)")
        connection.execute(f"CREATE TABLE made ({field.name} {field.sql})".encode())
        connection.execute(b"INSERT INTO made VALUES ('%s')" % field.sample.encode())
        connection.rollback()


class Attributes(HTMLParser):
    """Keeps the attributes of the tags it reads."""

    attributes: dict[str, str | None]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - as the library calls it
        self.attributes = dict(attrs)


@pytest.mark.parametrize("kind", KINDS)
def test_the_attributes_of_each_type_are_valid_html(kind: str) -> None:
    parser = Attributes()
    parser.feed(f"<input {KINDS[kind].attributes}>")
    assert all(parser.attributes.values())
    assert "type" in parser.attributes or kind == "text"


def test_names_may_be_as_long_as_the_runtime_allows() -> None:
    """The tool does not import psycopg for one number."""
    assert fields_module.LONGEST_IDENTIFIER == identifier.MAX_BYTES


def test_modifiers_become_constraints_and_indexes() -> None:
    unique, indexed, plain = parse_fields(["email:citext:unique", "day:date:optional:index", "title:string"])
    assert unique.sql == "citext NOT NULL UNIQUE"
    assert (indexed.sql, indexed.indexed) == ("date", True)
    assert (plain.sql, plain.indexed) == ("text NOT NULL", False)


def test_a_reference_names_the_other_table_and_is_indexed() -> None:
    (field,) = parse_fields(["author:references"])
    assert (field.name, field.label, field.table) == ("author_id", "Author", "authors")
    assert field.sql == "bigint NOT NULL REFERENCES authors (id)"
    assert field.indexed


def test_a_boolean_is_false_unless_it_is_checked() -> None:
    (field,) = parse_fields(["published:boolean"])
    assert field.sql == "boolean NOT NULL DEFAULT false"
    assert eval(field.call, {"f": Fields(Sent("another", ""))}) is False  # noqa: S307 - the generated line
    assert field.display_expression("post") == '"yes" if post.published else "no"'


def test_a_missing_optional_value_is_shown_as_nothing() -> None:
    (field,) = parse_fields(["note:text:optional"])
    assert field.display_expression("post") == '"" if post.note is none else post.note'


@pytest.mark.parametrize("modifier", ["", ":optional"])
@pytest.mark.parametrize("value", ["0.00000001", "-0.00000000000001", "1000000000000000000000000", "12.50", "NaN"])
def test_a_decimal_is_printed_in_a_form_that_the_form_accepts(value: str, modifier: str) -> None:
    (field,) = parse_fields([f"price:decimal{modifier}"])
    views = Views(
        {"page": f"{{{{ {field.display_expression('post')} }}}} {{{{ {field.input_expression} }}}}"}, {}, reload=False
    )
    row = {"price": Decimal(value)}
    assert views.render("page", {"post": row, "form": row}) == f"{value} {value}"


@pytest.mark.parametrize("modifier", ["", ":optional"])
def test_a_form_shows_what_was_sent_as_it_was_sent(modifier: str) -> None:
    (field,) = parse_fields([f"price:decimal{modifier}"])
    views = Views({"page": f"{{{{ {field.input_expression} }}}}"}, {}, reload=False)
    assert views.render("page", {"form": {"price": "1e-8 €"}}) == "1e-8 €"
    assert views.render("page", {"form": {"price": ""}}) == ""


@pytest.mark.parametrize("modifier", ["unique", "index", "optional:unique"])
def test_an_index_on_a_text_of_any_length_is_refused_with_what_to_do(modifier: str) -> None:
    with pytest.raises(UsageError, match=r"body: .* make it a string, or .* md5\(body\)"):
        refuse_indexed_text(parse_fields(["title:string:unique", f"body:text:{modifier}"]))
    refuse_indexed_text(parse_fields(["title:string:unique", "body:text:optional"]))


@pytest.mark.parametrize("text", ["title", "", ":", "title:", ":string", "a:b:", "title string"])
def test_an_invalid_field_is_refused_and_the_types_are_listed(text: str) -> None:
    with pytest.raises(UsageError, match="string, text"):
        parse_fields([text])


def test_an_unknown_type_or_modifier_is_refused_and_the_valid_ones_are_listed() -> None:
    with pytest.raises(UsageError, match="unknown type 'point'; the types are string, text"):
        parse_fields(["title:point"])
    with pytest.raises(UsageError, match=f"unknown modifier 'big'; the modifiers are {', '.join(MODIFIERS)}"):
        parse_fields(["title:string:big"])


@pytest.mark.parametrize("name", RESERVED_COLUMNS)
def test_a_reserved_column_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=RESERVED_COLUMNS[name]):
        parse_fields([f"{name}:string"])


def test_the_system_columns_are_those_of_the_server(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE made ()")
        rows = connection.execute("SELECT attname FROM pg_attribute WHERE attrelid = 'made'::regclass").fetchall()
    assert rows
    assert {name for (name,) in rows} <= RESERVED_COLUMNS.keys()


def test_a_duplicate_field_is_refused_also_as_a_reference() -> None:
    with pytest.raises(UsageError, match="duplicate field 'author_id'"):
        parse_fields(["author:references", "author_id:integer"])


def test_a_name_that_is_too_long_for_its_line_is_refused() -> None:
    with pytest.raises(UsageError, match="longer than"):
        parse_fields([f"{'a' * (LONGEST + 1)}:string"])


def test_sql_keywords_are_refused() -> None:
    with pytest.raises(UsageError, match="SQL keyword"):
        parse_fields(["order:integer"])
    refuse_sql_word("orders")


def test_the_sql_keywords_are_those_of_the_server(database_url: str) -> None:
    """A new version of PostgreSQL can reserve more keywords, but never fewer than this list."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')").fetchall()
    assert {word for (word,) in rows} == SQL_WORDS


@pytest.mark.parametrize("table", ["posts", "a_table_of_24_letters_xx"])
def test_constraint_names_are_those_of_the_server(table: str, database_url: str) -> None:
    long = "a_column_of_just_thirty_letter"
    texts = ["email:string:unique", f"{long}:string:unique", f"{long[:-1]}s:string:unique", "title:string"]
    fields = parse_fields([*texts, "thing:references:unique", f"{long}:references"])
    refuse_long_identifiers(table, fields)
    columns = ", ".join(f"{field.name} {field.sql}" for field in fields)
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE things (id bigint PRIMARY KEY)")
        connection.execute(f"CREATE TABLE {long}s (id bigint PRIMARY KEY)".encode())
        connection.execute(f"CREATE TABLE {table} ({columns})".encode())
        rows = connection.execute(
            "SELECT c.conname, a.attname FROM pg_constraint c JOIN pg_attribute a"
            " ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
            " WHERE c.conrelid = %s::regclass AND c.contype IN ('u', 'f')",
            [table],
        ).fetchall()
        connection.rollback()
    assert constraints_of(table, fields) == dict(rows)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_integers_are_accepted_up_to_the_range_of_the_column(number: int) -> None:
    (field,) = parse_fields(["stars:integer"])
    for sent, refused in ((number, 0), (number + 1 if number > 0 else number - 1, 1)):
        f = Fields(Sent("stars", str(sent)))
        eval(field.call, {"f": f})  # noqa: S307 - the generated line
        assert len(f.errors) == refused


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:str", "a:string"),
        ("a:varchar", "a:string"),
        ("a:varchar(20)", "a:string"),
        ("a:CharField", "a:string"),
        ("a:slug", "a:string"),
        ("a:strng", "a:string"),
        ("a:String", "a:string"),
        ("a:rich_text", "a:text"),
        ("a:int", "a:integer"),
        ("a:bigint", "a:integer"),
        ("p:decimal{10,2}", "p:decimal"),
        ("p:decimal10", "p:decimal"),
        ("p:float", "p:decimal"),
        ("p:money", "p:decimal"),
        ("a:bool", "a:boolean"),
        ("a:timestamp", "a:datetime"),
        ("a:utc_datetime", "a:datetime"),
        ("a:guid", "a:uuid"),
        ("post:belongs_to", "post:references"),
        ("post:foreignId", "post:references"),
        ("post:ForeignKey", "post:references"),
    ],
)
def test_the_type_that_was_probably_meant_is_named(text: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {hint}\\? The types are string"):
        parse_fields([text])


@pytest.mark.parametrize("kind", ["point", "json", "2", "[]"])
def test_a_type_without_a_like_here_is_refused_without_a_guess(kind: str) -> None:
    with pytest.raises(UsageError, match=r"unknown type '.*'; the types are string"):
        parse_fields([f"a:{kind}"])


@pytest.mark.parametrize("name", ["author_id", "authorId", "author-id", "author"])
def test_a_reference_has_one_id_in_its_name(name: str) -> None:
    (field,) = parse_fields([f"{name}:references"])
    assert (field.name, field.label, field.table) == ("author_id", "Author", "authors")
    notes = [note.text for note in shortened_notes([f"{name}:references:optional", "other_id:integer"])]
    expected = (
        [] if name == "author" else [f"{name}:references:optional: the column is author_id, as for author:references"]
    )
    assert notes == expected


def test_a_reference_to_a_generated_resource_uses_its_table() -> None:
    fields = parse_fields(["gas:references", "post:references"], {"gas": "gasses"})
    assert [field.table for field in fields] == ["gasses", "posts"]


def test_a_name_that_postgresql_would_shorten_is_refused() -> None:
    table = "t" * 40
    fits, long = "c" * 14, "c" * 20
    for modifier, kind in (("string:unique", "key"), ("references", "fkey"), ("string:index", "idx")):
        refuse_long_identifiers(table, parse_fields([f"{fits}:{modifier}"]))
        name = f"{long}_id" if modifier == "references" else long
        with pytest.raises(UsageError, match=f"'{table}_{name}_{kind}', which has 6[4-9] bytes; PostgreSQL allows 63"):
            refuse_long_identifiers(table, parse_fields([f"{long}:{modifier}"]))
    refuse_long_identifiers(table, parse_fields([f"{long}:string"]))
    with pytest.raises(UsageError, match="has 64 bytes"):
        refuse_long_identifiers("ä" * 32, ())
