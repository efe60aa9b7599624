"""The test client writes what Chromium writes, for the same input.

`chromium_requests.json` holds what Chromium sent. The browser test compares it with a real one; to
write it again, run that test with PIN=1 in the environment.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Response, sync_playwright

from arlen_runtime.config.sections import Config
from arlen_runtime.testing import RunningServer, TestClient
from arlen_runtime.wsgi import WSGIAdapter
from tests.apps.echo import application
from tests.runtime.testing.browser_cases import CASES, DEVIATIONS, HOST, Case

PINNED = Path(__file__).with_name("chromium_requests.json")
APPS = Path(__file__).parents[2] / "apps"

LINK = """href => {
    const link = document.createElement("a");
    link.setAttribute("href", href); link.id = "go"; link.textContent = "go";
    document.body.replaceChildren(link);
}"""
FORM = """([action, method, fields, files]) => {
    const form = document.createElement("form");
    form.setAttribute("action", action); form.method = method;
    if (files && method == "POST") form.enctype = "multipart/form-data";
    for (const [name, value] of fields) {
        const input = document.createElement("input");
        input.type = "hidden"; input.name = name; input.value = value; form.append(input);
    }
    for (const [name, chosen] of Object.entries(files || {})) {
        const input = document.createElement("input"), transfer = new DataTransfer();
        input.type = "file"; input.name = name; input.multiple = true;
        for (const [name, content, type] of chosen) transfer.items.add(new File([content], name, {type}));
        input.files = transfer.files; form.append(input);
    }
    const button = document.createElement("button"); button.id = "go"; button.textContent = "go"; form.append(button);
    document.body.replaceChildren(form);
}"""
FETCH = """async ([target, method, fields, files, json]) => {
    let body, headers = {};
    if (json !== null) { body = JSON.stringify(json); headers = {"Content-Type": "application/json"}; }
    else if (files) {
        body = new FormData();
        for (const [name, value] of fields) body.append(name, value);
        for (const [name, chosen] of Object.entries(files))
            for (const [filename, content, type] of chosen) body.append(name, new File([content], filename, {type}));
    } else if (fields.length) body = new URLSearchParams(fields);
    return (await fetch(target, {method, body, headers, credentials: "include"})).headers.get("received");
}"""


def comparable(text: str, port: int = 4000) -> dict[str, str]:
    """Return an echoed request without what differs by chance: the port and the boundary."""
    received = json.loads(text.replace(f":{port}", ":4000"))
    boundary = re.search(r"boundary=(\S+)", received.get("content_type", ""))
    if boundary:
        received["content_type"] = received["content_type"].replace(boundary[1], "BOUNDARY")
        received["body"] = received["body"].replace(boundary[1], "BOUNDARY")
        del received["content_length"]
    return dict(received)


def by_client(case: Case) -> str:
    """Return the request that the test client sends."""
    client = TestClient(WSGIAdapter(application, Config("test", APPS)), host=HOST)
    for url, line in case.cookies:
        client.get(f"{url}?line={quote(line, encoding='latin-1')}")
    if case.page:
        assert client.get(case.page).status == 200
    options: dict[str, object] = {"json": case.json, "fetch": case.by == "fetch", "page": case.page or None}
    if case.by != "link" and (case.fields or case.method != "GET") and case.json is None:
        options["data"] = case.fields or ([] if case.by == "form" else None)
    if case.files is not None:
        options["files"] = {
            name: [(filename, content, *filter(None, [kind])) for filename, content, kind in files] or None
            for name, files in case.files.items()
        }
    return client.request(case.method, case.target, follow_redirects=True, **options).headers["received"]  # type: ignore[arg-type] # options of several types


def by_chromium(page: Page, case: Case, port: int) -> str:
    """Return the request that Chromium sends."""

    def here(text: str) -> str:
        return text.replace(":4000", f":{port}")

    page.context.clear_cookies()
    for url, line in case.cookies:
        page.goto(here(f"{url}?line={quote(line, encoding='latin-1')}"))
    if not case.page:
        return received_by(page.goto(here(case.target)))
    page.goto(here(case.page))
    return sent_by_page(page, case, here(case.target))


def sent_by_page(page: Page, case: Case, target: str) -> str:
    """Click a link, send a form or fetch, and return what the server received."""
    if case.by == "fetch":
        return str(page.evaluate(FETCH, [target, case.method, case.fields, case.files, case.json]))
    if case.by == "link":
        page.evaluate(LINK, target)
    else:
        page.evaluate(FORM, [target, case.method, case.fields, case.files])
    with page.expect_navigation() as navigation:
        page.click("#go")
    return received_by(navigation.value)


def received_by(response: Response | None) -> str:
    assert response is not None
    return response.headers["received"]


@pytest.mark.parametrize("name", CASES)
def test_the_client_sends_what_chromium_sent(name: str) -> None:
    sent, pinned = comparable(by_client(CASES[name])), json.loads(PINNED.read_text())[name]
    different = {field for field in {*sent, *pinned} if sent.get(field) != pinned.get(field)}
    if name in DEVIATIONS:
        assert different == {DEVIATIONS[name].partition(":")[0]}
    else:
        assert sent == pinned


@pytest.mark.browser
def test_chromium_sends_what_is_pinned() -> None:
    received: dict[str, dict[str, str]] = {}
    arguments = ["--no-sandbox", "--host-resolver-rules=MAP *.test 127.0.0.1"]
    with RunningServer(APPS, "echo:application", "--workers", "1") as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        page = browser.new_page()
        for name, case in CASES.items():
            received[name] = comparable(by_chromium(page, case, server.port), server.port)
        browser.close()
    if os.environ.get("PIN"):
        PINNED.write_text(json.dumps(received, indent=1, ensure_ascii=False) + "\n")
    assert received == json.loads(PINNED.read_text())
