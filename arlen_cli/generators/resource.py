"""`arlen generate resource NAME FIELD:TYPE...`: everything to manage the rows of one table.

It writes a migration, a controller with seven actions and explicit SQL, pages, routes and tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arlen_cli.errors import UsageError
from arlen_cli.generators import blueprint
from arlen_cli.generators.fields import (
    constraints_of,
    parse_fields,
    refuse_indexed_text,
    refuse_long_identifiers,
    refuse_sql_word,
    shortened_notes,
)
from arlen_cli.generators.migration import stamp_for
from arlen_cli.generators.names import Names, refuse_keyword, refuse_reserved
from arlen_cli.generators.plan import Create, Import, Inject, Note, Plan, Project
from arlen_cli.generators.referenced_rows import missing_tables, parent_notes, parents_of

# Method, path below the collection, action. The order is for the reader only: the router
# prefers /new to /{id} in any order.
ROUTES = (
    ("get", "", "index"),
    ("get", "/new", "new"),
    ("post", "", "create"),
    ("get", "/{id:int}", "show"),
    ("get", "/{id:int}/edit", "edit"),
    ("post", "/{id:int}", "update"),
    ("post", "/{id:int}/delete", "destroy"),
)

# Of an API: PUT replaces all fields of a row.
API_ROUTES = (
    ("get", "", "index"),
    ("post", "", "create"),
    ("get", "/{id:int}", "show"),
    ("put", "/{id:int}", "update"),
    ("delete", "/{id:int}", "destroy"),
)


RESERVED_NAMES = frozenset(
    """
    asset csp_nonce csrf_field loop self super url_for
    constraint_violated context ctx decimal f form invalid json l new_id not_found o response row_id u_u_i_d unique_violated
    validation_failed
    """.split()  # noqa: SIM905 - words read better without quotes and commas
)
"""Singulars that the generated pages (first line) or the controller use otherwise, or that look
like 0 or 1.
"""


def plan_resource(
    project: Project, raw_name: str, raw_fields: Sequence[str], singular: str = "", plural: str = ""
) -> Plan:
    """Plan a resource. `raw_name` is singular or plural; table and path are the plural."""
    if not raw_fields:
        raise UsageError(
            f"a resource needs at least one field, for example: arlen generate resource {raw_name} title:string body:text"
        )
    names = Names.of(raw_name, singular=singular, plural=plural)
    _refuse_names(names)
    tables = {**project.tables, names.singular: names.plural}
    fields = parse_fields(raw_fields, tables)
    refuse_indexed_text(fields)
    refuse_long_identifiers(names.plural, fields)
    parents = parents_of(names.plural, fields, project.resources, tables)
    values = {
        "package": project.package,
        "names": names,
        "fields": fields,
        "imports": sorted({field.kind.import_line for field in fields} - {""}),
        "columns": [field.name for field in fields],
        "constraints": constraints_of(names.plural, fields),
        "boxes": [field.name for field in fields if field.is_boolean],
        "parents": parents,
        "text": next((field for field in fields if field.kind.check == "string"), None),
        "demanded": next((field for field in fields if field.required and not field.is_boolean), None),
        "placeholders": [f"${number}" for number, _ in enumerate(fields, 1)],
        "stamp": stamp_for(project, f"create_{names.plural}"),
    }
    notes = [
        *shortened_notes(raw_fields),
        *parent_notes(parents, f"tests/test_{names.plural}.py"),
        *_next_steps(names.plural, missing_tables(names.plural, fields, project)),
    ]
    return Plan(
        "resource",
        (raw_name, *raw_fields),
        (*_files(values, api=project.api), _routes(project, names), *notes),
        (("singular", names.singular), ("plural", names.plural)),
    )


def _refuse_names(names: Names) -> None:
    """Raise UsageError for names that cannot be those of a table, a module and a class."""
    refuse_reserved(names.plural)
    refuse_sql_word(names.plural)
    if names.singular in RESERVED_NAMES:
        raise UsageError(f"{names.singular!r} is reserved: the generated code uses that name")
    refuse_keyword(names.class_name)


def _files(values: Mapping[str, object], *, api: bool) -> list[Create]:
    """Render the resource. An API has its own controller and tests, and no pages."""
    pages = blueprint.render("resource", values)
    if not api:
        return list(pages)
    return [*(file for file in pages if file.path.startswith("db/")), *blueprint.render("api_resource", values)]


def _routes(project: Project, names: Names) -> Inject:
    return Inject(
        f"{project.package}/routes.py",
        (Import(f"{project.package}.controllers", names.plural),),
        tuple(
            f'r.{method}("/{names.plural_segment}{below}", {names.plural}.{action}, name="{names.plural}.{action}")'
            for method, below, action in (API_ROUTES if project.api else ROUTES)
        ),
    )


def _next_steps(table: str, missing: Sequence[str]) -> list[Note]:
    """Return what the user must do next. Referenced tables must be created first."""
    warnings = [
        Note(
            f"{table} references the table {other}, but no migration creates it: "
            f"`arlen migrate` fails unless a migration before create_{table} does"
        )
        for other in missing
    ]
    when = f"when the table {' and the table '.join(missing)} exists, " if missing else ""
    return [*warnings, Note(f"{when}run `arlen migrate`, then `arlen serve`")]
