"""`arlen generate controller NAME [ACTION...]`: a function, page, route and test per action."""

from __future__ import annotations

from collections.abc import Sequence

from arlen_cli.errors import UsageError
from arlen_cli.generators import blueprint
from arlen_cli.generators.names import LONGEST, Names, refuse_reserved, snake_of
from arlen_cli.generators.plan import Create, Import, Inject, Plan, Project


def plan_controller(project: Project, raw_name: str, raw_actions: Sequence[str]) -> Plan:
    """Plan a controller with its actions (default: `index`), routes, tests, and pages if any."""
    names = Names.of(raw_name)
    refuse_reserved(names.snake)
    actions = tuple(snake_of(action, LONGEST) for action in raw_actions or ("index",))
    for action in actions:
        if actions.count(action) > 1:
            raise UsageError(f"duplicate action {action!r}")
        if action == "l":
            raise UsageError("'l' looks like 1: give the action a longer name")
        if action.startswith("test"):
            raise UsageError(f"{action!r} looks like a test: action names cannot start with 'test'")
    paths = {action: f"/{names.segment}" + ("" if action == "index" else f"/{_segment(action)}") for action in actions}
    values = {"package": project.package, "names": names, "actions": actions, "paths": paths, "api": project.api}
    with_pages = () if project.api else actions
    pages = [page for action in with_pages for page in blueprint.render("action", {**values, "action": action})]
    creates: tuple[Create, ...] = (*blueprint.render("controller", values), *pages)
    routes = Inject(
        f"{project.package}/routes.py",
        (Import(f"{project.package}.controllers", names.snake),),
        tuple(f'r.get("{paths[action]}", {names.snake}.{action}, name="{names.snake}.{action}")' for action in actions),
    )
    return Plan("controller", (raw_name, *raw_actions), (*creates, routes))


def _segment(action: str) -> str:
    """Return an action as a path segment."""
    return action.replace("_", "-")
