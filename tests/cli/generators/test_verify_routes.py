"""Proof by the route table: lines that would not work are not put in, and nothing that still works is broken."""

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
from arlen_cli.generators.plan import Change, Plan, Remove, RemoveLines
from arlen_cli.generators.resolve import resolve
from arlen_cli.generators.run import make_plan
from arlen_cli.generators.verify_routes import verify
from arlen_cli.project import find_application


def verified(shop: Path, plan: Plan) -> list[Change]:
    """Survey the plan, and prove it."""
    return verify(plan, resolve(plan, shop), shop)


def generated(shop: Path) -> dict[str, str]:
    """Prove a new controller; return the status of each file, and the notes under ""."""
    changes = verified(shop, make_plan("controller", find_application(shop).project(), "zoo", []))
    return {change.path: change.status if change.path else change.text for change in changes}


def add(shop: Path, line: str) -> None:
    """Put a line at the end of the function of the routes."""
    routes = shop / "shop" / "routes.py"
    routes.write_text(f"{routes.read_text()}    {line}\n")


def ends(pid: int) -> bool:
    """Say whether the process is at its end, or comes to it when it was told to."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(process):
        return bool(select.select([process], [], [], 10)[0])


def test_what_the_table_proves_stays_as_it_was_decided(shop: Path, tree: Callable[[Path], object]) -> None:
    before = tree(shop)
    assert generated(shop)["shop/routes.py"] == "inject"
    assert tree(shop) == before


def test_lines_that_would_not_work_are_left_to_their_owner_with_the_reason(shop: Path) -> None:
    add(shop, "del r")
    statuses = generated(shop)
    assert statuses["shop/routes.py"] == "manual"
    assert "UnboundLocalError" in statuses[""]
    assert statuses["shop/controllers/zoo.py"] == "create"


def test_a_name_that_a_route_in_a_group_has_is_refused(shop: Path) -> None:
    add(shop, 'with r.group("", name="zoo."): r.get("/other", home.index, name="index")')
    with pytest.raises(ToolError, match=r"another route has the name zoo\.index already"):
        generated(shop)


def test_lines_that_are_there_already_are_no_other_routes(shop: Path) -> None:
    apply(verified(shop, make_plan("controller", find_application(shop).project(), "zoo", ["index"])), shop)
    more = make_plan("controller", find_application(shop).project(), "zoo", ["index", "show"])
    changes = verify(more, resolve(more, shop, force=False), shop)  # zoo.py is skipped, so it has no show
    assert {change.path: change.status for change in changes}["shop/routes.py"] == "manual"


def test_lines_that_no_call_comes_to_are_left_to_their_owner(shop: Path) -> None:
    routes = shop / "shop" / "routes.py"
    routes.write_text(f"{routes.read_text()}\n\nroutes = lambda r: None\n")
    statuses = generated(shop)
    assert statuses["shop/routes.py"] == "manual"
    assert "comes to zoo.index" in statuses[""]


def test_an_address_that_leads_elsewhere_is_refused_with_its_place(shop: Path) -> None:
    add(shop, "g = r.get")
    add(shop, 'g("/zoo", home.index)')
    with pytest.raises(ToolError, match=r"GET /zoo leads to .*routes\.py:\d+ already"):
        generated(shop)


@pytest.mark.parametrize("name", ["healthz", "livez", "metrics", "readyz"])
def test_an_address_that_arlen_answers_itself_is_refused(name: str, shop: Path) -> None:
    with pytest.raises(ToolError, match=f"GET /{name} leads to Arlen itself already"):
        verified(shop, make_plan("controller", find_application(shop).project(), name, []))


def test_metrics_are_the_applications_where_the_server_shows_none(shop: Path) -> None:
    path = shop / "config" / "app.toml"
    path.write_text(path.read_text().replace("[server]\n", "[server]\nmetrics_from = []\n"))
    assert verified(shop, make_plan("controller", find_application(shop).project(), "metrics", []))


def test_an_application_that_does_not_load_as_it_stands_is_named_and_no_obstacle(shop: Path) -> None:
    (shop / "shop" / "controllers" / "home.py").write_text("import missing_thing\n")
    statuses = generated(shop)
    assert statuses["shop/routes.py"] == "inject"
    assert "home.py:1: ModuleNotFoundError" in statuses[""]


def test_an_application_that_ends_the_process_is_named(shop: Path) -> None:
    (shop / "shop" / "controllers" / "home.py").write_text("import os\nos._exit(7)\n")
    assert "ended the process with 7" in generated(shop)[""]


def test_what_it_prints_is_not_taken_for_an_answer(shop: Path) -> None:
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
def test_the_proof_holds_beside(extra: str, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_routes, "TIMEOUT", 20)  # never reached: a wait for the thread or the child would be
    home = shop / "shop" / "controllers" / "home.py"
    home.write_text(f"{EXTRAS[extra]}{home.read_text()}")
    add(shop, "g = r.get")
    add(shop, 'g("/zoo", home.index)')
    with pytest.raises(ToolError, match="GET /zoo leads to"):
        generated(shop)


def test_a_child_of_the_application_ends_with_the_proof(shop: Path) -> None:
    home = shop / "shop" / "controllers" / "home.py"
    started = 'import subprocess\nopen("pid", "w").write(str(subprocess.Popen(["sleep", "1000"]).pid))\n'
    home.write_text(f"{started}{home.read_text()}")
    generated(shop)
    assert ends(int((shop / "pid").read_text()))


@pytest.mark.parametrize("end", ["raise RuntimeError(URL)", "import os, sys\nsys.stderr.write(URL)\nos._exit(7)"])
def test_a_password_in_what_keeps_it_from_loading_is_not_shown(end: str, shop: Path) -> None:
    home = shop / "shop" / "controllers" / "home.py"
    home.write_text(f'import sys\nURL = "postgresql://u:s3cretpw@db/x"\n{end}\n')
    output = generated(shop)[""]
    assert "@db/x" in output
    assert "s3cretpw" not in output


def test_a_controller_that_another_one_imports_does_not_go(shop: Path) -> None:
    application = find_application(shop)
    apply(verified(shop, make_plan("controller", application.project(), "zoo", [])), shop)
    home = shop / "shop" / "controllers" / "home.py"
    home.write_text(f"from shop.controllers import zoo  # noqa: F401\n{home.read_text()}")
    gone = Remove("shop/controllers/zoo.py", digest((shop / "shop" / "controllers" / "zoo.py").read_bytes()))
    lines = RemoveLines("shop/routes.py", (), ('r.get("/zoo", zoo.index, name="zoo.index")',))
    with pytest.raises(ToolError, match=r"home\.py:1: ImportError"):
        verified(shop, Plan("undo", ("zoo",), (gone, lines)))
