"""`arlen generate ...`: generates parts of an application."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from arlen_cli.generators.plan import WriteOptions
from arlen_cli.project import find_application

Pretend = Annotated[bool, typer.Option("--pretend", help="Show what would be written, write nothing.")]
Diff = Annotated[bool, typer.Option("--diff", help="Show the changes as a diff, write nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Force = Annotated[bool | None, typer.Option("--force/--skip", help="Replace files that differ, or keep them.")]

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


@generate.command()
def resource(
    name: Annotated[str, typer.Argument(help="For example: posts, BlogPost.")],
    fields: Annotated[list[str] | None, typer.Argument(help="For example: title:string email:citext:unique.")] = None,
    *,
    pretend: Pretend = False,
    diff: Diff = False,
    json: Json = False,
    force: Force = None,
) -> int:
    """Generate a migration for a table, and a controller, pages, routes and tests for its rows."""
    return _generate("resource", name, fields or [], WriteOptions(pretend, diff, json, force))


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


def _generate(generator: str, name: str, words: Sequence[str], options: WriteOptions) -> int:
    from arlen_cli.generators.run import make_plan, run_plan  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    application = find_application(Path.cwd())
    project = application.project()
    return run_plan(make_plan(generator, project, name, words), application.root, project.now, options)
