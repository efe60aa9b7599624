"""`arlen generate resource NAME FIELD:TYPE…`. One rule: what it writes is the whole thing, in explicit SQL, for its owner.

A migration, a controller with seven actions, its pages, its routes and its tests.
"""

from __future__ import annotations

from collections.abc import Sequence

from arlen_cli.errors import UsageError
from arlen_cli.generators import blueprint
from arlen_cli.generators.fields import constraints_of, parse_fields, refuse_indexed_text, refuse_sql_word
from arlen_cli.generators.migration import stamp_for
from arlen_cli.generators.names import Names, refuse_keyword, refuse_reserved
from arlen_cli.generators.plan import Import, Inject, Note, Plan, Project
from arlen_cli.generators.referenced_rows import missing_tables, parent_notes, parents_of

# method, path below the collection, action. New stands before {id}, as it is read; the router would find it anyway.
ROUTES = (
    ("get", "", "index"),
    ("get", "/new", "new"),
    ("post", "", "create"),
    ("get", "/{id:int}", "show"),
    ("get", "/{id:int}/edit", "edit"),
    ("post", "/{id:int}", "update"),
    ("post", "/{id:int}/delete", "destroy"),
)


RESERVED_NAMES = frozenset(
    """
    asset csp_nonce csrf_field loop self super url_for
    constraint_violated context ctx decimal f form invalid l new_id not_found o response u_u_i_d unique_violated
    validation_failed
    """.split()  # noqa: SIM905 - words read better without quotes and commas
)
"""Singulars that its pages (the first line) or its controller need for something else, or that are taken for 0 and 1."""


def plan_resource(project: Project, raw_name: str, raw_fields: Sequence[str]) -> Plan:
    """Plan a resource; its names are taken from `given` in singular or plural, its table and address are the plural."""
    if not raw_fields:
        raise UsageError(f"a resource wants fields, as in `arlen generate resource {raw_name} title:string body:text`")
    names = Names.of(raw_name)
    refuse_reserved(names.plural)
    refuse_sql_word(names.plural)
    if names.singular in RESERVED_NAMES:
        raise UsageError(f"{names.singular!r} is a name that the generated code needs for something else")
    refuse_keyword(names.class_name)
    fields = parse_fields(raw_fields)
    refuse_indexed_text(fields)
    parents = parents_of(names.plural, fields, project.resources)
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
    routes = Inject(
        f"{project.package}/routes.py",
        (Import(f"{project.package}.controllers", names.plural),),
        tuple(
            f'r.{method}("/{names.plural_segment}{below}", {names.plural}.{action}, name="{names.plural}.{action}")'
            for method, below, action in ROUTES
        ),
    )
    notes = [
        *parent_notes(parents, f"tests/test_{names.plural}.py"),
        *_next_steps(names.plural, missing_tables(names.plural, fields, project)),
    ]
    return Plan("resource", (raw_name, *raw_fields), (*blueprint.render("resource", values), routes, *notes))


def _next_steps(table: str, missing: Sequence[str]) -> list[Note]:
    """Say what the user does next; a table that is referred to must be there first."""
    warnings = [
        Note(
            f"{table} refers to the table {other}, and no migration is known to make it: "
            f"`arlen migrate` fails unless one before create_{table} does"
        )
        for other in missing
    ]
    when = f"when there is a table {' and a table '.join(missing)}, " if missing else ""
    return [*warnings, Note(f"{when}run `arlen migrate`, then `arlen serve`")]
