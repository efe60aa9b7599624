"""Plans: values that equal inputs make again, without side effects."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from arlen_cli.errors import UsageError
from arlen_cli.generators.plan import WRITES, Change, Create, Import, Inject, Note, Plan, Project
from arlen_cli.generators.run import make_plan

CALLS: list[tuple[str, str, Sequence[str]]] = [
    ("controller", "users", ["index", "show"]),
    ("resource", "posts", ["title:string", "author:references"]),
    ("migration", "add_title_to_posts", []),
]


@pytest.mark.parametrize(("generator", "name", "words"), CALLS)
def test_the_same_inputs_make_the_same_plan(generator: str, name: str, words: list[str], project: Project) -> None:
    assert make_plan(generator, project, name, words) == make_plan(generator, project, name, words)


@pytest.mark.parametrize(("generator", "name", "words"), CALLS)
def test_planning_writes_nothing_and_reads_only_blueprints(
    generator: str, name: str, words: list[str], project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    opened: list[str] = []
    real: Callable[..., Any] = io.open

    def watched(file: object, *rest: object, **named: object) -> object:
        opened.append(str(file))
        return real(file, *rest, **named)

    monkeypatch.setattr(io, "open", watched)  # pathlib calls this
    for change in ("mkdir", "rename", "replace", "unlink"):
        monkeypatch.setattr(os, change, lambda *_raw_names, **_named: pytest.fail("a planner changed something"))
    make_plan(generator, project, name, words)
    assert not list(tmp_path.iterdir())
    assert opened
    assert all("blueprints" in path for path in opened)


def test_an_import_is_one_line() -> None:
    assert str(Import("shop.controllers", "posts")) == "from shop.controllers import posts"


def test_plans_are_values() -> None:
    one, other = (Plan("x", ("y",), (Create("a", "b"), Inject("c", (), ("d()",)), Note("e"))) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)


def test_the_status_says_which_changes_write() -> None:
    assert {"create", "inject", "replace", "remove", "withdraw"} == WRITES
    assert Change("identical", "x").after is None


def test_an_application_of_one_file_has_no_package(project: Project) -> None:
    assert project.package == "shop"
    with pytest.raises(UsageError, match="is one file"):
        _ = Project("app:create", frozenset(), project.now).package


def test_a_nested_package_is_refused_with_its_target(project: Project) -> None:
    with pytest.raises(UsageError, match=r"'shop\.web\.app:create': .* as shop is for shop\.app:create"):
        _ = Project("shop.web.app:create", frozenset(), project.now).package
