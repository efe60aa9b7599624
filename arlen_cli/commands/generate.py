"""`arlen generate ...`: generates parts of an application."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from arlen_cli.generators.field_kinds import KINDS, MODIFIERS
from arlen_cli.generators.plan import WriteOptions
from arlen_cli.project import find_application

Pretend = Annotated[bool, typer.Option("--pretend", help="Show what would be written, write nothing.")]
Diff = Annotated[bool, typer.Option("--diff", help="Show the changes as a diff, write nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Force = Annotated[bool | None, typer.Option("--force/--skip", help="Replace files that differ, or keep them.")]

Plural = Annotated[str, typer.Option("--plural", metavar="WORD", help="The plural of NAME: table, module, address.")]
Singular = Annotated[str, typer.Option("--singular", metavar="WORD", help="The singular of NAME: class, variables.")]


def _columns(rows: Mapping[str, str]) -> str:
    return "\n".join(f"  {word:<12}{meaning}" for word, meaning in rows.items()).replace("`", "")


FIELDS_HELP = f"""\b
A field is NAME:TYPE, with modifiers after further colons.
\b
Types:
{_columns({name: kind.meaning for name, kind in KINDS.items()})}
\b
Modifiers:
{_columns(MODIFIERS)}
\b
Examples:
  arlen generate resource posts title:string body:text author:references
  arlen generate resource users email:citext:unique born:date:optional
""".replace("\n\b", "\n\n\b")
"""The end of `arlen generate resource --help`; \\b keeps the lines of a paragraph."""

generate = typer.Typer(help="Generate a part of the application.", rich_markup_mode=None, no_args_is_help=True)


@generate.command()
def controller(
    name: Annotated[str, typer.Argument(help="For example: users, BlogPosts.")],
    actions: Annotated[list[str] | None, typer.Argument(help="The actions. Default: index.")] = None,
    *,
    pretend: Pretend = False,
    diff: Diff = False,
    json: Json = False,
    force: Force = None,
) -> int:
    """Generate a controller with a page, a route and a test for each action."""
    return _generate("controller", name, actions or [], WriteOptions(pretend, diff, json, force))


@generate.command(epilog=FIELDS_HELP)
def resource(  # noqa: PLR0913 - one parameter for each option
    name: Annotated[str, typer.Argument(help="For example: posts, BlogPost.")],
    fields: Annotated[list[str] | None, typer.Argument(help="NAME:TYPE, for example: title:string.")] = None,
    *,
    singular: Singular = "",
    plural: Plural = "",
    pretend: Pretend = False,
    diff: Diff = False,
    json: Json = False,
    force: Force = None,
) -> int:
    """Generate a migration for a table, and a controller, pages, routes and tests for its rows."""
    answers = {"singular": singular, "plural": plural}
    return _generate("resource", name, fields or [], WriteOptions(pretend, diff, json, force), answers)


@generate.command()
def migration(
    name: Annotated[str, typer.Argument(help="What it does, for example: add_author_to_posts.")],
    *,
    pretend: Pretend = False,
    diff: Diff = False,
    json: Json = False,
    force: Force = None,
) -> int:
    """Generate a migration to fill in."""
    return _generate("migration", name, [], WriteOptions(pretend, diff, json, force))


def _generate(
    generator: str, name: str, words: Sequence[str], options: WriteOptions, answers: Mapping[str, str] | None = None
) -> int:
    from arlen_cli.generators.run import make_plan, run_plan  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    application = find_application(Path.cwd())
    project = application.project()
    return run_plan(make_plan(generator, project, name, words, answers or {}), application.root, project.now, options)
