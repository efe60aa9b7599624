"""Runs: the output is what was decided, written or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_cli.generators.plan import Plan, WriteOptions
from arlen_cli.generators.run import make_plan, run_plan
from arlen_cli.project import find_application

WRITE = WriteOptions(pretend=False, diff=False, json=False, force=None)
RESOURCE = ("resource", "posts", ["title:string", "body:text"])


def planned(root: Path) -> Plan:
    """Plan the resource for the application as it is."""
    generator, name, words = RESOURCE
    return make_plan(generator, find_application(root).project(), name, words)


def run(root: Path, options: WriteOptions = WRITE) -> int:
    """Plan the resource and run the plan."""
    project = find_application(root).project()
    return run_plan(planned(root), root, project.now, options)


def test_pretend_prints_exactly_what_is_done_later(
    shop: Path, capsys: pytest.CaptureFixture[str], tree: Callable[[Path], object]
) -> None:
    before = tree(shop)
    project = find_application(shop).project()
    plan = planned(shop)
    assert run_plan(plan, shop, project.now, WRITE._replace(pretend=True)) == 0
    pretended = capsys.readouterr().out
    assert tree(shop) == before
    assert run_plan(plan, shop, project.now, WRITE) == 0
    assert capsys.readouterr().out == pretended
    assert tree(shop) != before


def test_a_second_run_changes_nothing(
    shop: Path, capsys: pytest.CaptureFixture[str], tree: Callable[[Path], object]
) -> None:
    assert run(shop) == 0
    before = tree(shop)
    capsys.readouterr()
    assert run(shop) == 0
    assert tree(shop) == before
    statuses = {line.split()[0] for line in capsys.readouterr().out.splitlines()[:9]}
    assert statuses == {"identical"}


def test_a_conflict_ends_with_status_3_and_writes_nothing(
    shop: Path, capsys: pytest.CaptureFixture[str], tree: Callable[[Path], object]
) -> None:
    (shop / "shop" / "templates" / "posts").mkdir()
    (shop / "shop" / "templates" / "posts" / "show.html").write_text("mine")
    before = tree(shop)
    assert run(shop) == 3
    assert tree(shop) == before
    captured = capsys.readouterr()
    assert "conflict  shop/templates/posts/show.html" in captured.out
    assert "--force replaces, --skip keeps" in captured.err


def test_force_replaces_and_skip_keeps(shop: Path) -> None:
    page = shop / "shop" / "templates" / "posts" / "show.html"
    page.parent.mkdir()
    page.write_text("mine")
    assert run(shop, WRITE._replace(force=False)) == 0
    assert page.read_text() == "mine"
    assert (shop / "shop" / "controllers" / "posts.py").exists()
    assert run(shop, WRITE._replace(force=True)) == 0
    assert "{% extends" in page.read_text()


def test_a_diff_shows_every_line_and_writes_nothing(
    shop: Path, capsys: pytest.CaptureFixture[str], tree: Callable[[Path], object]
) -> None:
    before = tree(shop)
    assert run(shop, WRITE._replace(diff=True)) == 0
    assert tree(shop) == before
    output = capsys.readouterr().out
    assert "--- /dev/null\n+++ b/shop/controllers/posts.py\n" in output
    assert '+    r.get("/posts", posts.index, name="posts.index")\n' in output
    assert "--- a/shop/routes.py\n+++ b/shop/routes.py\n" in output


def test_json_contains_the_same(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shop, WRITE._replace(json=True)) == 0
    output = json.loads(capsys.readouterr().out)
    assert output["written"] is True
    assert {"status": "inject", "path": "shop/routes.py"} in output["files"]
    assert output["notes"] == ["run `arlen migrate`, then `arlen serve`"]


def test_every_run_that_writes_is_in_the_journal(shop: Path) -> None:
    before = set((shop / ".arlen" / "runs").iterdir())
    run(shop)
    (new,) = set((shop / ".arlen" / "runs").iterdir()) - before
    assert json.loads(new.read_text())["arguments"] == ["posts", "title:string", "body:text"]


def test_a_routes_file_without_the_function_is_left_alone(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "shop" / "routes.py").write_text("routes = []\n")
    assert run(shop) == 0
    assert (shop / "shop" / "routes.py").read_text() == "routes = []\n"
    output = capsys.readouterr().out
    assert "manual  shop/routes.py" in output
    assert 'r.get("/posts", posts.index, name="posts.index")' in output
