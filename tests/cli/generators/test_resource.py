"""Resources: the plan for a table and its pages."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from arlen_cli.errors import UsageError
from arlen_cli.generators.plan import Create, Inject, Note, Project
from arlen_cli.generators.resource import RESERVED_NAMES, ROUTES, plan_resource
from arlen_runtime.templates.views import Views

RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent)) or "ruff"


def files(project: Project, name: str, *fields: str) -> dict[str, str]:
    """Plan a resource and return the files that it creates."""
    plan = plan_resource(project, name, fields)
    return {create.path: create.content for create in plan.actions if isinstance(create, Create)}


def test_a_resource_is_a_migration_a_controller_its_pages_and_its_tests(project: Project) -> None:
    assert set(files(project, "Post", "title:string")) == {
        "db/migrations/20300131123000_create_posts.sql",
        "shop/controllers/posts.py",
        "shop/templates/posts/_fields.html",
        "shop/templates/posts/edit.html",
        "shop/templates/posts/index.html",
        "shop/templates/posts/new.html",
        "shop/templates/posts/show.html",
        "tests/test_posts.py",
    }


def test_singular_and_plural_are_the_same_resource(project: Project) -> None:
    assert files(project, "post", "title:string") == files(project, "Posts", "title:string")


def test_every_route_has_its_action(project: Project) -> None:
    plan = plan_resource(project, "post", ["title:string"])
    (inject,) = (action for action in plan.actions if isinstance(action, Inject))
    controller = files(project, "post", "title:string")["shop/controllers/posts.py"]
    assert len(inject.statements) == len(ROUTES)
    for statement, (_, _, action) in zip(inject.statements, ROUTES, strict=True):
        assert f"posts.{action}," in statement
        assert f"def {action}(ctx: Context) -> Response:" in controller


def test_values_are_parameters_and_never_part_of_the_sql(project: Project) -> None:
    controller = files(project, "post", "title:string", "body:text")["shop/controllers/posts.py"]
    assert "VALUES ($1, $2)" in controller
    assert "WHERE id = $3" in controller
    assert 'f"' not in controller
    assert "%s" not in controller


def test_every_form_contains_the_csrf_field(project: Project) -> None:
    pages = {path: text for path, text in files(project, "post", "title:string").items() if path.endswith(".html")}
    forms = [text for text in pages.values() if "<form" in text]
    assert len(forms) == 3
    assert all(text.count("<form") == text.count("{{ csrf_field() }}") for text in forms)


def test_pages_contain_no_inline_scripts_or_styles(project: Project) -> None:
    for path, text in files(project, "post", "title:string", "done:boolean").items():
        if path.endswith(".html"):
            assert "<script" not in text
            assert "style=" not in text
            assert " on" not in text.replace(" one", "").replace(" or", "")


def test_the_table_has_the_columns_of_the_fields(project: Project) -> None:
    migration = files(project, "post", "title:citext:unique", "author:references", "day:date:index")
    sql = migration["db/migrations/20300131123000_create_posts.sql"]
    assert "CREATE EXTENSION IF NOT EXISTS citext;" in sql
    assert "title citext NOT NULL UNIQUE," in sql
    assert "CREATE INDEX ON posts (author_id);" in sql
    assert "CREATE INDEX ON posts (day);" in sql
    assert sql.endswith("-- migrate:down\nDROP TABLE posts;\n")


def test_an_index_on_a_text_is_refused(project: Project) -> None:
    with pytest.raises(UsageError, match="too long for an index"):
        plan_resource(project, "post", ["body:text:unique"])


def test_a_form_writes_a_small_decimal_without_an_exponent(project: Project) -> None:
    form = files(project, "item", "price:decimal")["shop/templates/items/_fields.html"]
    page = Views({"_fields.html": form}, {}, reload=False).render(
        "_fields.html", {"form": {"price": Decimal("1E-8")}, "errors": {}}
    )
    assert 'name="price" value="0.00000001"' in page


def test_an_existing_migration_keeps_its_name(project: Project) -> None:
    existing = replace(project, files=frozenset({"db/migrations/20200101000000_create_posts.sql"}))
    assert "db/migrations/20200101000000_create_posts.sql" in files(existing, "post", "title:string")


def test_a_note_says_what_comes_next(project: Project) -> None:
    assert plan_resource(project, "post", ["title:string"]).actions[-1] == Note(
        "run `arlen migrate`, then `arlen serve`"
    )


@pytest.mark.parametrize("modifier", ["", ":optional"])
def test_a_missing_referenced_table_is_reported(modifier: str, project: Project) -> None:
    actions = plan_resource(project, "comment", [f"author:references{modifier}"]).actions
    *_, refers, last = (action.text for action in actions if isinstance(action, Note))
    assert "no migration creates it: `arlen migrate` fails" in refers
    assert last == "when the table authors exists, run `arlen migrate`, then `arlen serve`"


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_a_reserved_name_is_refused(name: str, project: Project) -> None:
    with pytest.raises(UsageError, match="is reserved: the generated code uses that name"):
        plan_resource(project, name, ["title:string"])


@pytest.mark.parametrize("name", ["None", "none", "true", "False"])
def test_a_class_cannot_have_the_name_of_a_python_keyword(name: str, project: Project) -> None:
    with pytest.raises(UsageError, match="Python keyword"):
        plan_resource(project, name, ["title:string"])


def test_a_resource_without_fields_is_refused_with_an_example(project: Project) -> None:
    with pytest.raises(UsageError, match="title:string body:text"):
        plan_resource(project, "post", [])


def test_a_unique_optional_reference_is_not_sent_twice(project: Project) -> None:
    """No row exists to send, so the field stays empty; unique allows that many times."""
    fields = ("author:references:optional:unique", "code:string:unique")
    test = files(project, "notes", *fields)["tests/test_notes.py"]
    assert "def test_the_same_code_twice_is_refused" in test
    assert "def test_the_same_author_id_twice_is_refused" not in test


FIELDS: dict[str, Sequence[str]] = {
    "one field": ["title:string"],
    "a box": ["done:boolean", "title:string:unique"],
    "fields of every length": [f"{'f' * length}:string" for length in range(2, 31)],
    **{
        f"a line of {length} characters": [f"{'f' * (length - 21)}:string", f"{'g' * 20}:string", f"{'h' * 30}:string"]
        for length in range(45, 52)
    },
}


@pytest.mark.parametrize("name", ["a" * 40, f"{'a' * 34}_child"])  # child -> children is three letters longer
@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_python_of_the_longest_names_passes_the_checks_of_the_project(
    name: str, fields: Sequence[str], project: Project, shop: Path
) -> None:
    for path, content in files(project, name, *fields).items():
        if path.endswith(".py"):
            (shop / path).write_text(content)
    for command in (["check"], ["format", "--check", "--diff"]):
        done = subprocess.run([RUFF, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_resource_of_an_api_is_json_without_pages(project: Project) -> None:
    plan = plan_resource(replace(project, api=True), "post", ["title:string:unique", "born:date:optional"])
    files = {create.path: create.content for create in plan.actions if isinstance(create, Create)}
    assert set(files) == {
        "db/migrations/20300131123000_create_posts.sql",
        "shop/controllers/posts.py",
        "tests/test_posts.py",
    }
    (inject,) = (action for action in plan.actions if isinstance(action, Inject))
    assert [statement.partition(",")[0] for statement in inject.statements] == [
        *('r.get("/posts"', 'r.post("/posts"', 'r.get("/posts/{id:int}"', 'r.put("/posts/{id:int}"'),
        'r.delete("/posts/{id:int}"',
    ]
    assert "ctx.render" not in files["shop/controllers/posts.py"]
    for path, content in files.items():
        if path.endswith(".py"):
            compile(content, path, "exec")
