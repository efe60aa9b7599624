"""`arlen routes`, in processes of their own because it imports an application."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def routes(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    command = [sys.executable, "-m", "arlen_cli", "routes", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_every_route_is_listed_with_its_action(shop: Path) -> None:
    done = routes(shop)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["METHOD", "PATH", "NAME", "ACTION"]
    assert ["GET", "/", "home", "shop.controllers.home.index"] in lines


def test_the_routes_of_arlen_are_listed_last_and_on_demand(shop: Path) -> None:
    own = routes(shop).stdout.splitlines()
    every = [line.split() for line in routes(shop, "--all").stdout.splitlines()]
    assert not any("arlen." in line for line in own)
    assert every[: len(own)] == [line.split() for line in own]
    assert every[len(own) :] == [
        ["GET", "/healthz", "arlen.healthz", "built", "in"],
        ["GET", "/livez", "arlen.livez", "built", "in"],
        ["GET", "/readyz", "arlen.readyz", "built", "in"],
        ["GET", "/metrics", "arlen.metrics", "built", "in"],
        ["GET", "/static/{path:path}", "arlen.static", "built", "in"],
    ]


def test_an_application_without_routes_says_so(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from arlen_runtime import App\n\ndef create(config):\n    return App(config, lambda r: None)\n"
    )
    assert routes(tmp_path).stdout == "The application has no routes of its own; --all lists those of Arlen.\n"
    assert routes(tmp_path, "--json").stdout == "[]\n"


def test_it_works_in_a_folder_of_the_application(shop: Path) -> None:
    assert routes(shop / "shop" / "controllers").stdout == routes(shop).stdout


def test_no_database_is_started(shop: Path) -> None:
    routes(shop)
    assert not (shop / ".arlen" / "pg").exists()


def test_it_can_print_json(shop: Path) -> None:
    rows = json.loads(routes(shop, "--json").stdout)
    home = {"methods": "GET", "path": "/", "name": "home", "action": "shop.controllers.home.index"}
    assert home in rows


def test_a_broken_application_is_reported_with_file_and_line(shop: Path) -> None:
    (shop / "shop" / "controllers" / "home.py").write_text("import missing_thing\n")
    done = routes(shop)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "home.py:1: ModuleNotFoundError" in done.stderr


def test_output_of_the_application_is_not_part_of_the_result(shop: Path) -> None:
    path = shop / "shop" / "controllers" / "home.py"
    path.write_text(f'{path.read_text()}\nprint("loading")\n')
    done = routes(shop, "--json")
    assert json.loads(done.stdout)
    assert "loading" in done.stderr


def test_an_application_that_exits_is_reported_with_file_and_line(shop: Path) -> None:
    (shop / "shop" / "controllers" / "home.py").write_text("raise SystemExit(0)\n")
    done = routes(shop)
    assert (done.returncode, done.stdout) == (1, "")
    assert "home.py:1: SystemExit: 0" in done.stderr


def test_a_duplicate_route_name_is_reported(shop: Path) -> None:
    path = shop / "shop" / "routes.py"
    path.write_text(path.read_text() + '    r.get("/again", home.index, name="home")\n')
    done = routes(shop)
    assert done.returncode == 1
    assert "'home' is taken" in done.stderr


def test_the_routes_of_a_wsgi_application_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def create(environ, start_response):\n    return []\n")
    done = routes(tmp_path)
    assert done.returncode == 1
    assert "WSGI" in done.stderr


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("x = 1\ndef y(:\n", "shop/late.py:2: invalid syntax"),
        ("x = 1\n\0\n", "shop/late.py:2: it contains a NUL byte"),
        ("x = 1\ny\n", "shop/late.py:2: NameError: name 'y' is not defined"),
    ],
)
def test_an_application_that_does_not_load_is_reported_at_its_own_line(content: str, place: str, shop: Path) -> None:
    (shop / "shop" / "late.py").write_text(content)
    path = shop / "shop" / "routes.py"
    path.write_text(f"import shop.late\n{path.read_text()}")
    done = routes(shop)
    assert (done.returncode, done.stderr) == (1, f"arlen routes: the application does not load: {place}\n")
