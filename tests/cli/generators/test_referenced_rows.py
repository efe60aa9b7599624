"""Parents: the rows that the tests of a resource need first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arlen_cli.errors import UsageError
from arlen_cli.generators.fields import parse_fields
from arlen_cli.generators.plan import Note, Project
from arlen_cli.generators.referenced_rows import ParentRow, missing_tables, parent_notes, parents_of

RESOURCES = {
    "authors": ("name:string", "company:references", "note:text:optional"),
    "companies": ("name:string", "active:boolean"),
}


def test_parents_come_in_the_order_in_which_they_can_be_inserted() -> None:
    fields = parse_fields(["title:string", "author:references", "company:references"])
    assert parents_of("posts", fields, RESOURCES) == [
        ParentRow("companies", ("id", "name", "active"), ("1", "'Example'", "'true'"), is_generated=True),
        ParentRow("authors", ("id", "name", "company_id"), ("1", "'Example'", "'1'"), is_generated=True),
    ]


def test_for_an_unknown_table_only_the_id_is_inserted_and_a_note_is_added() -> None:
    parents = parents_of("posts", parse_fields(["editor:references"]), RESOURCES)
    assert parents == [ParentRow("editors", ("id",), ("1",), is_generated=False)]
    (note,) = parent_notes(parents, "tests/test_posts.py")
    assert isinstance(note, Note)
    assert "tests/test_posts.py inserts into editors" in note.text


def test_tables_that_nothing_creates_are_found(project: Project) -> None:
    existing = replace(project, resources=RESOURCES, files=frozenset({"db/migrations/20200101000000_create_tags.sql"}))
    fields = parse_fields([f"{name}:references:optional" for name in ("author", "tag", "editor", "post")])
    assert missing_tables("posts", fields, existing) == ["editors"]


def test_an_optional_reference_needs_no_row() -> None:
    assert parents_of("posts", parse_fields(["author:references:optional"]), RESOURCES) == []


def test_a_table_cannot_require_a_row_of_itself() -> None:
    with pytest.raises(UsageError, match="category_id must be optional"):
        parents_of("categories", parse_fields(["category:references"]), {})
    assert parents_of("categories", parse_fields(["category:references:optional"]), {}) == []
