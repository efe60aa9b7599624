"""`arlen middleware`, in processes of their own because it imports an application."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

APP = """
from arlen_runtime import App, Routes
from arlen_runtime.http.application import Admission

class Timing:
    def __call__(self, endpoint):
        return self.layer if endpoint.name != "plain" else None

    def layer(self, ctx, proceed):
        return proceed(ctx)

def require_user(ctx):
    return None

def show(ctx):
    return None

def routes(r: Routes) -> None:
    r.get("/", show, name="plain")
    r.post("/notes/{id:int}", show, guard=require_user, compress=False)
    r.redirect("/old", "/")
    r.get("/", show, host="api.example.org", name="api")

def create(config):
    print("loading")
    return App(config, routes, middleware=[Timing()])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write an application with a middleware and a guard."""
    root = tmp_path_factory.mktemp("shop")
    (root / "app.py").write_text(APP)
    return root


def middleware(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    command = [sys.executable, "-m", "arlen_cli", "middleware", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_chain_of_a_route_is_listed_outermost_first_with_the_reason_of_each_gap(folder: Path) -> None:
    done = middleware(folder, "post", "/notes/3?q=1")
    assert done.returncode == 0, done.stderr
    rows = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert [row.partition(" arlen_runtime.")[0] for row in rows[1:10]] == [
        "request id",
        "security headers",
        "error boundary",
        "hosts",
        "conditions",
        "compression",
        "app.Timing app:5",
        "inner boundary",
        "guard app.require_user app:12",
    ]
    assert "absent" not in rows[4]  # in development, only loopback hosts are answered
    assert rows[5].endswith("absent: the route does not answer GET")
    assert rows[6].endswith("absent: compress=False")
    assert rows[10] == "action app.show app:15 POST /notes/{id:int}"
    assert "loading" in done.stderr


def test_without_a_route_each_layer_is_counted(folder: Path) -> None:
    rows = {row["layer"]: row["state"] for row in json.loads(middleware(folder, "--json").stdout)}
    assert rows["request id"] == "4 of 4 routes"
    assert rows["app.Timing"] == rows["inner boundary"] == rows["compression"] == "3 of 4 routes"


def test_a_request_that_no_route_answers_a_bare_one_and_a_redirect_have_their_chains_too(folder: Path) -> None:
    missing = json.loads(middleware(folder, "GET", "/nothing", "--json").stdout)
    assert missing[-1]["state"] == "* /(not found)"
    redirect = json.loads(middleware(folder, "GET", "/old", "--json").stdout)
    assert redirect[-1]["layer"] == "action redirect 308 to /"
    of_host = json.loads(middleware(folder, "GET", "api.example.org/", "--json").stdout)
    assert "app.Timing" in [row["layer"] for row in of_host if not row["state"]], "its route is not the plain one"
    health = json.loads(middleware(folder, "GET", "/livez", "--json").stdout)
    absent = [row["layer"] for row in health if "three outer layers only" in row["state"]]
    assert absent == ["hosts", "conditions", "compression", "app.Timing"]


@pytest.mark.parametrize("words", [("GET",), ("GET", "notes")])
def test_a_method_needs_a_path(folder: Path, words: tuple[str, ...]) -> None:
    done = middleware(folder, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "a PATH that begins with a slash" in done.stderr
