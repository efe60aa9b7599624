"""The example of the documentation: served by propane, driven by curl and by a browser."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from playwright.sync_api import expect, sync_playwright

from arlen_runtime.testing import RunningServer
from arlen_runtime.testing.wire import PATIENCE_SECONDS

EXAMPLE = Path(__file__).parent.parent.parent / "docs" / "examples" / "notes"
MOST_LINES = 130


class Reply(NamedTuple):
    """What curl received."""

    status: int
    headers: dict[str, str]
    text: str


@pytest.fixture(scope="module")
def server(database_url: str) -> Iterator[RunningServer]:
    """Serve the example with two workers on a database with one user."""
    migrate = [sys.executable, "-m", "arlen_runtime", "migrate", "--dsn", database_url]
    subprocess.run(migrate, cwd=EXAMPLE, check=True, capture_output=True, timeout=120)
    with psycopg.connect(database_url) as connection:
        connection.execute("insert into users (name, token_hash) values ('ada', sha256('secret'::bytea))")
    variables = {"ARLEN_DATABASE_URL": database_url, "ARLEN_SETTINGS_PAGE_SIZE": "2"}
    with RunningServer(EXAMPLE, "app:create_app", "--workers", "2", environ=variables) as running:
        yield running


def curl(server: RunningServer, path: str, *arguments: str, token: str = "secret") -> Reply:  # noqa: S107 - invented
    """Send a request and return the answer."""
    user = ["-H", f"Authorization: Bearer {token}"] if token else []
    command = ["curl", "-sS", "-i", "--max-time", str(PATIENCE_SECONDS), *user, *arguments, f"{server.url}{path}"]
    done = subprocess.run(command, capture_output=True, check=True)
    head, _, body = done.stdout.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return Reply(int(first.split()[1]), {k.lower(): v.strip() for k, _, v in (x.partition(":") for x in lines)}, body)


def create(server: RunningServer, title: str, version: str = "v1") -> int:
    """Create a note by the API and return its id."""
    note = json.dumps({"title": title, "body": "text"})
    reply = curl(server, f"/api/{version}/notes", "-H", "Content-Type: application/json", "-d", note)
    assert reply.status == 201, reply
    note_id: int = json.loads(reply.text)["id"]
    assert reply.headers["location"] == f"/api/{version}/notes/{note_id}"
    return note_id


def test_the_example_is_short_typed_and_imports_public_packages_only() -> None:
    tree = ast.parse((EXAMPLE / "app.py").read_text())
    texts = {
        line
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None
        for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }
    lines = (EXAMPLE / "app.py").read_text().splitlines()
    code = [line for number, line in enumerate(lines, 1) if line.strip() and number not in texts]
    assert len(code) <= MOST_LINES
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in imported if name and name.startswith("arlen")} == {"arlen_runtime"}


def test_the_two_versions_of_the_api_answer_their_own_forms(server: RunningServer) -> None:
    newest = [create(server, f"note {number}", version) for number, version in enumerate(("v1", "v2", "v1"))][::-1]
    first = json.loads(curl(server, "/api/v1/notes").text)
    assert [note["id"] for note in first] == newest[:2]
    assert (first[0]["title"], first[0]["author"]) == ("note 2", "ada")
    second = json.loads(curl(server, "/api/v2/notes").text)
    assert (second["data"], second["next"]) == (first, f"/api/v2/notes?before={newest[1]}")
    assert next(note["id"] for note in json.loads(curl(server, second["next"]).text)["data"]) == newest[2]
    assert json.loads(curl(server, f"/api/v2/notes/{newest[0]}").text)["id"] == newest[0]


@pytest.mark.parametrize(
    ("path", "arguments", "status", "code", "version"),
    [
        ("/api/v1/notes/999999", [], 404, "not_found", "v1"),
        ("/api/v2/notes?before=x", [], 422, "validation_failed", "v2"),
        ("/api/v1/notes", ["-H", "Content-Type: application/json", "-d", "{}"], 422, "validation_failed", "v1"),
        ("/api/v1/notes", ["-H", "Content-Type: application/json", "-d", "{"], 400, "invalid_body", "v1"),
        ("/api/v1/notes", ["-X", "DELETE"], 405, "method_not_allowed", "none"),
        ("/api/v3/notes", [], 404, "not_found", "none"),
    ],
)
def test_errors_have_one_shape_and_the_header_of_the_own_middleware(
    server: RunningServer, path: str, arguments: list[str], status: int, code: str, version: str
) -> None:
    reply = curl(server, path, *arguments)
    assert (reply.status, json.loads(reply.text)["code"], reply.headers["x-api-version"]) == (status, code, version)


def test_strangers_are_refused_and_the_user_is_in_the_access_line(server: RunningServer) -> None:
    for token in ("", "wrong"):
        reply = curl(server, "/api/v1/notes", token=token)
        assert (reply.status, reply.headers["www-authenticate"], reply.headers["x-api-version"]) == (
            401,
            "Bearer",
            "v1",
        )
    request_id = curl(server, "/api/v1/notes").headers["x-request-id"]
    line = server.wait_for("request", request_id=request_id)
    assert (line["user"], line["route"], line["action"]) == (1, "/api/v1/notes", "app.list_api")


def test_a_form_shows_its_mistakes_and_a_file_comes_back(server: RunningServer, tmp_path: Path) -> None:
    reply = curl(server, "/notes", "-d", "title=&body=kept")
    assert (reply.status, 'class="error"' in reply.text, ">kept</textarea>" in reply.text) == (422, True, True)
    reply = curl(server, "/notes", "-d", "title=Form&body=text")
    place = reply.headers["location"]
    assert (reply.status, "<h1>Form</h1>" in curl(server, place).text) == (303, True)
    assert curl(server, f"{place}/file").status == 404
    (tmp_path / "note.txt").write_text("content\n" * 20_000)
    assert curl(server, f"{place}/file", "-F", f"file=@{tmp_path}/note.txt").status == 303
    reply = curl(server, f"{place}/file")
    assert (reply.text, reply.headers["content-disposition"]) == ("content\n" * 20_000, "attachment")
    assert curl(server, f"{place}/file", "-F", "other=x").status == 400


def test_the_list_is_a_page_or_csv(server: RunningServer) -> None:
    create(server, 'a "quoted" title')
    reply = curl(server, "/", "-H", "Accept: text/csv")
    assert (reply.headers["content-type"], reply.headers["vary"]) == ("text/csv; charset=utf-8", "Accept")
    assert reply.text.startswith("id,title\n")
    assert ',"a ""quoted"" title"\n' in reply.text
    assert curl(server, "/latest").headers["location"] == "/"


def test_a_note_of_one_worker_reaches_the_streams_of_all(server: RunningServer) -> None:
    command = ["curl", "-sS", "-N", "--max-time", str(PATIENCE_SECONDS), f"{server.url}/events", "-D", "-"]
    streams = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    try:
        for stream in streams:
            assert stream.stdout is not None
            while stream.stdout.readline().strip():  # its header block
                pass
        note_id = create(server, "live")
        for stream in streams:
            assert stream.stdout is not None
            lines = iter(stream.stdout.readline, "")
            assert json.loads(next(line for line in lines if "live" in line)[6:]) == {"id": note_id, "title": "live"}
    finally:
        for stream in streams:
            stream.kill()
            stream.communicate()


@pytest.mark.browser
def test_a_browser_logs_in_writes_a_note_and_sees_another_one_arrive(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "picture.txt").write_text("a file")
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(server.url.replace("127.0.0.1", "localhost"))
        page.get_by_label("Token").fill("secret")
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("link", name="New note").click()
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".error").first).to_be_visible()
        page.get_by_label("Title").fill("From a browser")
        page.get_by_label("Body").fill("text")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading")).to_have_text("From a browser")
        page.locator("input[type=file]").set_input_files(tmp_path / "picture.txt")
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_role("link", name="picture.txt")).to_be_visible()
        page.get_by_role("link", name="Notes").click()
        expect(page.locator("#notes li").first).to_contain_text("From a browser")
        create(server, "while you look")
        expect(page.locator("#notes li").first).to_have_text("while you look")
        browser.close()
