"""Verifying the route table: lines that would not work are not added, nothing else breaks."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_cli.errors import ToolError
from arlen_cli.generators import verify_routes
from arlen_cli.generators.apply import apply
from arlen_cli.generators.journal import digest
from arlen_cli.generators.plan import Change, Import, Plan, Remove, RemoveLines
from arlen_cli.generators.resolve import resolve
from arlen_cli.generators.run import make_plan
from arlen_cli.generators.verify_routes import verify
from arlen_cli.project import find_application


def verified(shop: Path, plan: Plan) -> list[Change]:
    """Resolve and verify the plan."""
    return verify(plan, resolve(plan, shop), shop)


def generated(shop: Path) -> dict[str, str]:
    """Verify a new controller; return path to status, and the note under ""."""
    changes = verified(shop, make_plan("controller", find_application(shop).project(), "zoo", []))
    return {change.path: change.status if change.path else change.text for change in changes}


def add(shop: Path, line: str) -> None:
    """Add a line at the end of the function routes."""
    routes = shop / "shop" / "routes.py"
    routes.write_text(f"{routes.read_text()}    {line}\n")


def ends(pid: int) -> bool:
    """Return True if the process has ended, or ends within 10 s."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(process):
        return bool(select.select([process], [], [], 10)[0])


def test_verified_changes_are_unchanged(shop: Path, tree: Callable[[Path], object]) -> None:
    before = tree(shop)
    assert generated(shop)["shop/routes.py"] == "inject"
    assert tree(shop) == before


def test_lines_that_would_not_work_are_left_to_paste_with_the_reason(shop: Path) -> None:
    add(shop, "del r")
    statuses = generated(shop)
    assert statuses["shop/routes.py"] == "manual"
    assert "UnboundLocalError" in statuses[""]
    assert statuses["shop/controllers/zoo.py"] == "create"


def test_a_name_of_a_route_in_a_group_is_refused(shop: Path) -> None:
    add(shop, 'with r.group("", name="zoo."): r.get("/other", home.index, name="index")')
    with pytest.raises(ToolError, match=r"another route is already named zoo\.index"):
        generated(shop)


def test_existing_lines_are_not_duplicates(shop: Path) -> None:
    apply(verified(shop, make_plan("controller", find_application(shop).project(), "zoo", ["index"])), shop)
    more = make_plan("controller", find_application(shop).project(), "zoo", ["index", "show"])
    changes = verify(more, resolve(more, shop, force=False), shop)  # zoo.py is skipped, so it has no show
    assert {change.path: change.status for change in changes}["shop/routes.py"] == "manual"


def test_lines_that_are_never_reached_are_left_to_paste(shop: Path) -> None:
    routes = shop / "shop" / "routes.py"
    routes.write_text(f"{routes.read_text()}\n\nroutes = lambda r: None\n")
    statuses = generated(shop)
    assert statuses["shop/routes.py"] == "manual"
    assert "does not reach zoo.index" in statuses[""]


def test_an_address_of_another_route_is_refused_with_its_place(shop: Path) -> None:
    add(shop, "g = r.get")
    add(shop, 'g("/zoo", home.index)')
    with pytest.raises(ToolError, match=r"GET /zoo is already handled by .*routes\.py:\d+"):
        generated(shop)


@pytest.mark.parametrize("name", ["healthz", "livez", "metrics", "readyz"])
def test_an_address_of_a_built_in_route_is_refused(name: str, shop: Path) -> None:
    with pytest.raises(ToolError, match=f"GET /{name} is already handled by Arlen itself"):
        verified(shop, make_plan("controller", find_application(shop).project(), name, []))


def test_the_path_metrics_is_free_if_the_server_shows_none(shop: Path) -> None:
    path = shop / "config" / "app.toml"
    path.write_text(path.read_text().replace("[server]\n", "[server]\nmetrics_from = []\n"))
    assert verified(shop, make_plan("controller", find_application(shop).project(), "metrics", []))


def test_an_application_that_cannot_be_loaded_is_reported_and_does_not_stop_the_run(shop: Path) -> None:
    (shop / "shop" / "controllers" / "home.py").write_text("import missing_thing\n")
    statuses = generated(shop)
    assert statuses["shop/routes.py"] == "inject"
    assert "home.py:1: ModuleNotFoundError" in statuses[""]


def test_an_application_that_ends_the_process_is_reported(shop: Path) -> None:
    (shop / "shop" / "controllers" / "home.py").write_text("import os\nos._exit(7)\n")
    assert "ended the process with status 7" in generated(shop)[""]


def test_output_of_the_application_is_not_read_as_the_report(shop: Path) -> None:
    home = shop / "shop" / "controllers" / "home.py"
    home.write_text(f'{home.read_text()}\nprint("{{}}")\n')
    assert generated(shop)["shop/routes.py"] == "inject"


EXTRAS = {
    "output at exit": 'import atexit\natexit.register(print, "bye")\n',
    "a thread that goes on": "import threading\nthreading.Thread(target=threading.Event().wait).start()\n",
    "a child that goes on": 'import subprocess\nsubprocess.Popen(["sleep", "1000"])\n',
    "output by a child": 'import os\nos.system("echo {}")\n',
}


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_routes_are_verified_in_spite_of(extra: str, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_routes, "TIMEOUT", 20)  # not reached, unless it waits for the thread or the child
    home = shop / "shop" / "controllers" / "home.py"
    home.write_text(f"{EXTRAS[extra]}{home.read_text()}")
    add(shop, "g = r.get")
    add(shop, 'g("/zoo", home.index)')
    with pytest.raises(ToolError, match="GET /zoo is already handled by"):
        generated(shop)


def test_children_of_the_application_are_killed(shop: Path) -> None:
    home = shop / "shop" / "controllers" / "home.py"
    started = 'import subprocess\nopen("pid", "w").write(str(subprocess.Popen(["sleep", "1000"]).pid))\n'
    home.write_text(f"{started}{home.read_text()}")
    generated(shop)
    assert ends(int((shop / "pid").read_text()))


@pytest.mark.parametrize("end", ["raise RuntimeError(URL)", "import os, sys\nsys.stderr.write(URL)\nos._exit(7)"])
def test_a_password_in_the_error_is_masked(end: str, shop: Path) -> None:
    home = shop / "shop" / "controllers" / "home.py"
    home.write_text(f'import sys\nURL = "postgresql://u:s3cretpw@db/x"\n{end}\n')
    output = generated(shop)[""]
    assert "@db/x" in output
    assert "s3cretpw" not in output


def test_a_controller_that_another_one_imports_by_a_computed_name_is_not_removed(shop: Path) -> None:
    application = find_application(shop)
    apply(verified(shop, make_plan("controller", application.project(), "zoo", [])), shop)
    home = shop / "shop" / "controllers" / "home.py"
    home.write_text(f'import importlib\nimportlib.import_module("shop.controllers." + "zoo")\n{home.read_text()}')
    gone = Remove("shop/controllers/zoo.py", digest((shop / "shop" / "controllers" / "zoo.py").read_bytes()))
    lines = RemoveLines(
        "shop/routes.py", (Import("shop.controllers", "zoo"),), ('r.get("/zoo", zoo.index, name="zoo.index")',)
    )
    with pytest.raises(ToolError, match=r"home\.py:2: ModuleNotFoundError"):
        verified(shop, Plan("undo", ("zoo",), (gone, lines)))


BROKEN = {
    "a mistake": (b"x = 1\ndef y(:\n", r"shop/late\.py:2: invalid syntax"),
    "a merge conflict": (b"<<<<<<< HEAD\nx = 1\n", r"shop/late\.py:1: it contains an unresolved merge conflict"),
    "a byte of another encoding": (b"x = 1\ny = '\xe9'\n", r"shop/late\.py:2: byte 0xe9 is not valid utf-8"),
    "a NUL": (b"x = 1\n\0\n", r"shop/late\.py:2: it contains a NUL byte"),
    "tabs among spaces": (b"if 1:\n\tx = 1\n        y = 2\n", r"shop/late\.py:3: inconsistent use of tabs"),
}


@pytest.mark.parametrize("why", BROKEN)
def test_a_module_that_is_not_valid_python_stops_the_run_with_its_own_line(why: str, shop: Path) -> None:
    content, place = BROKEN[why]
    (shop / "shop" / "late.py").write_bytes(content)
    home = shop / "shop" / "controllers" / "home.py"
    home.write_text(f"from shop import late\n{home.read_text()}")
    with pytest.raises(ToolError, match=f"^{place}.*; nothing was written$"):
        generated(shop)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("undefined_name", "NameError: name 'undefined_name' is not defined"),
        ("from shop import nothing", "ImportError: cannot import name 'nothing'"),
        ("import json; json.loads('{')", "json.decoder.JSONDecodeError"),
        ("import ast; ast.parse('x = (')", "SyntaxError: '(' was never closed"),
    ],
)
def test_an_import_that_fails_is_reported_at_its_line_in_the_application(line: str, reason: str, shop: Path) -> None:
    (shop / "shop" / "late.py").write_text(f"x = 1\n{line}\n")
    home = shop / "shop" / "controllers" / "home.py"
    home.write_text(f"from shop import late\n{home.read_text()}")
    assert f"not verified: shop/late.py:2: {reason}" in generated(shop)[""]
