"""`arlen routes`, in processes of their own because it imports an application."""

from __future__ import annotations

import json
import re
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
    assert lines[0] == ["METHOD", "PATH", "NAME", "ACTION", "DEFINED"]
    assert ["GET", "/", "home", "shop.controllers.home.index"] in [line[:4] for line in lines]
    assert any(re.fullmatch(r"shop/routes\.py:\d+", line[-1]) for line in lines)


def test_the_routes_of_arlen_are_listed_last_and_on_demand(shop: Path) -> None:
    own = routes(shop).stdout.splitlines()
    every = [line.split() for line in routes(shop, "--all").stdout.splitlines()]
    assert not any("arlen." in line for line in own)
    assert every[: len(own)] == [line.split() for line in own]
    assert every[len(own) :] == [
        ["GET", "/healthz", "arlen.healthz", "built", "in", "built", "in"],
        ["GET", "/livez", "arlen.livez", "built", "in", "built", "in"],
        ["GET", "/readyz", "arlen.readyz", "built", "in", "built", "in"],
        ["GET", "/metrics", "arlen.metrics", "built", "in", "built", "in"],
        ["GET", "/static/{path:path}", "arlen.static", "built", "in", "built", "in"],
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
    (home,) = [row for row in rows if row["name"] == "home"]
    assert home.pop("site").startswith("shop/routes.py:")
    assert home == {
        "methods": "GET",
        "path": "/",
        "name": "home",
        "action": "shop.controllers.home.index",
        "guards": [],
        "host": None,
        "formats": [],
        "body": "none",
        "limit": None,
    }


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


RICH = """
import functools
from arlen_runtime import App

def act(ctx, more=1):
    return {}

def guard(ctx):
    return None

class Upload:
    def __call__(self, ctx):
        return {}

def routes(r):
    r.get("/about", functools.partial(act, more=2))
    with r.group("/users", guard=guard, name="users."):
        r.get("/{id:int}", act, name="show", host="{tenant}.example.org", formats=("html", "json"))
        r.post("/", Upload(), limit=1000)
    r.redirect("/old/{id:int}", "users.show")
    if environment == "production":
        r.get("/live", lambda ctx: {})

def create(config):
    global environment
    environment = config.environment
    return App(config, routes)
"""


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """Write an application whose routes have everything."""
    (tmp_path / "app.py").write_text(RICH)
    return tmp_path


def test_the_columns_say_what_a_route_asks_for(rich: Path) -> None:
    lines = [re.split(r"  +", line) for line in routes(rich).stdout.splitlines()]
    assert lines == [
        ["METHOD", "PATH", "NAME", "ACTION", "GUARDS", "CONDITIONS", "BODY", "DEFINED"],
        ["GET", "/about", "app.act", "app.py:16"],
        [
            *("GET", "/users/{id:int}", "users.show", "app.act", "app.guard"),
            *("{tenant}.example.org html json", "app.py:18"),
        ],
        ["POST", "/users", "app.Upload", "app.guard", "buffer 1000", "app.py:19"],
        ["GET POST PUT PATCH DELETE", "/old/{id:int}", "redirect 308 to users.show", "app.py:20"],
    ]
    matching = routes(rich, "--grep", "UPLOAD", "--json").stdout
    assert [(row["action"], row["limit"]) for row in json.loads(matching)] == [("app.Upload", 1000)]
    assert routes(rich, "--grep", "nowhere").stdout == "No route contains 'nowhere'.\n"
    assert "/live" in routes(rich, "--env", "production").stdout


def test_the_route_of_a_request_is_printed_with_its_values(rich: Path) -> None:
    done = routes(rich, "--match", "get acme.example.org:80/users/3?page=2")
    assert (done.returncode, done.stdout.splitlines()[-2:]) == (0, ["id = '3'", "tenant = 'acme'"])
    done = routes(rich, "--match", "GET acme.example.org/users/3", "--json")
    document = json.loads(done.stdout)
    assert (document["route"]["name"], document["values"]) == ("users.show", {"id": "3", "tenant": "acme"})


def test_a_request_without_a_route_is_explained(rich: Path) -> None:
    done = routes(rich, "--match", "GET /abuot")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[0] == "No route matches GET /abuot."
    assert done.stdout.splitlines()[1].endswith("'abuot' is not 'about'")
    done = routes(rich, "--match", "GET /old/abc", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["nearest"][0]["reason"] == "the converter int of id refuses 'abc'"
    done = routes(rich, "--match", "users/3")
    assert (done.returncode, "a method and a path" in done.stderr) == (2, True)
