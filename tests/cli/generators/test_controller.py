"""Controllers: an action is a function, a page, a route and a test."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arlen_cli.errors import UsageError
from arlen_cli.generators.controller import plan_controller
from arlen_cli.generators.plan import Create, Import, Inject, Project


def test_each_action_is_a_function_a_page_a_route_and_a_test(project: Project) -> None:
    plan = plan_controller(project, "MonthlyReports", ["index", "by_year"])
    files = {create.path: create.content for create in plan.actions if isinstance(create, Create)}
    assert set(files) == {
        "shop/controllers/monthly_reports.py",
        "shop/templates/monthly_reports/index.html",
        "shop/templates/monthly_reports/by_year.html",
        "tests/test_monthly_reports.py",
    }
    assert "def by_year(ctx: Context)" in files["shop/controllers/monthly_reports.py"]
    assert "def test_the_page_by_year_is_shown(" in files["tests/test_monthly_reports.py"]
    assert plan.actions[-1] == Inject(
        "shop/routes.py",
        (Import("shop.controllers", "monthly_reports"),),
        (
            'r.get("/monthly-reports", monthly_reports.index, name="monthly_reports.index")',
            'r.get("/monthly-reports/by-year", monthly_reports.by_year, name="monthly_reports.by_year")',
        ),
    )


def test_the_default_action_is_index(project: Project) -> None:
    assert plan_controller(project, "users", []).actions == plan_controller(project, "users", ["index"]).actions


@pytest.mark.parametrize(
    ("actions", "why"),
    [
        (["show", "Show"], "duplicate action"),
        (["class"], "Python keyword"),
        (["a b"], "is not a valid name"),
        (["testing"], "a test"),
        (["l"], "looks like 1"),
    ],
)
def test_invalid_actions_are_refused(actions: list[str], why: str, project: Project) -> None:
    with pytest.raises(UsageError, match=why):
        plan_controller(project, "users", actions)


@pytest.mark.parametrize("name", ["routes", "layouts", "shared", "r"])
def test_a_reserved_name_is_refused(name: str, project: Project) -> None:
    with pytest.raises(UsageError, match="is reserved"):
        plan_controller(project, name, [])


def test_an_api_answers_with_json_and_has_no_pages(project: Project) -> None:
    plan = plan_controller(replace(project, api=True), "reports", [])
    files = {create.path: create.content for create in plan.actions if isinstance(create, Create)}
    assert set(files) == {"shop/controllers/reports.py", "tests/test_reports.py"}
    assert "def index(_ctx: Context) -> dict[str, str]:" in files["shop/controllers/reports.py"]
    assert "response.json()" in files["tests/test_reports.py"]
