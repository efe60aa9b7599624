"""Real clients and their kept-alive connections: curl, wrk, h2load and a browser."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from arlen_runtime.testing.server import RunningServer

PAGES = '''
from arlen_runtime import App, Config, Context, Response, Routes, html, text

FORM = """<!doctype html><title>form</title><link rel=stylesheet href=/static/a.css><img src=/static/a.svg>
<form method=post action=/sent enctype=multipart/form-data>
<input name=title><input type=file name=file><button>send</button></form><p id=out></p>
<script nonce="NONCE" src=/static/a.js></script>"""

def form(ctx: Context) -> Response:
    return html(FORM)

def sent(ctx: Context) -> Response:
    upload = ctx.params.file("file")
    return html(f"<!doctype html><title>sent</title><p>{ctx.params['title']} {upload.filename} {upload.size}</p>")

def long(ctx: Context) -> Response:
    return text("long " * 10_000)

def stream(ctx: Context) -> Response:
    return Response((b"piece " for _ in range(1000)), content_type="text/plain")

def routes(r: Routes) -> None:
    r.get("/", form)
    r.post("/sent", sent)
    r.get("/long", long)
    r.get("/stream", stream)
    r.post("/length", lambda ctx: text(str(len(ctx.request.body))))

def create(config: Config) -> App:
    return App(config, routes)
'''
SCRIPT = """
addEventListener("load", async () => {
    const long = await (await fetch("/long")).text(), stream = await (await fetch("/stream")).text();
    document.getElementById("out").textContent = `${long.length} ${stream.length}`;
});
"""


@pytest.fixture
def site(tmp_path: Path) -> RunningServer:
    """Write a site with a form, a script and streams."""
    public = tmp_path / "public"
    public.mkdir()
    (tmp_path / "app.py").write_text(PAGES)
    (public / "a.css").write_text("p { color: green }")
    (public / "a.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')
    (public / "a.js").write_text(SCRIPT)
    return RunningServer(tmp_path, "--workers", "1")


def run(*command: str) -> str:
    """Run a program and return its output."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.proxy
def test_curl_uses_one_connection_for_everything(site: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"x" * 500_000)
    with site as server:
        facts = ["-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n"]
        command = ["curl", "-s", "--compressed", *facts, f"{server.url}/", "--next", "-s"]
        command += [*facts, "--compressed", f"{server.url}/long", "--next", "-s", *facts, "-I", f"{server.url}/long"]
        upload = ["-H", "Expect: 100-continue", "--data-binary", f"@{tmp_path / 'body'}", f"{server.url}/length"]
        command += [
            "--next",
            "-s",
            *facts,
            *upload,
            "--next",
            "-s",
            "-H",
            "Transfer-Encoding: chunked",
            *facts,
            *upload,
        ]
        assert run(*command).split("\n")[:5] == ["200 1", "200 0", "200 0", "200 0", "200 0"]
        assert run("curl", "-s", "--compressed", f"{server.url}/long") == "long " * 10_000
        assert run("curl", "-s", *upload) == "500000"


@pytest.mark.proxy
def test_curl_resumes_a_download(site: RunningServer, tmp_path: Path) -> None:
    with site as server:
        (tmp_path / "part").write_text(SCRIPT[:40])
        run("curl", "-s", "-C", "-", "-o", str(tmp_path / "part"), f"{server.url}/static/a.js")
    assert (tmp_path / "part").read_text() == SCRIPT


@pytest.mark.proxy
def test_wrk_and_h2load_keep_their_connections_and_have_no_errors(site: RunningServer) -> None:
    with site as server:
        said = run("wrk", "-t1", "-c8", "-d1s", f"{server.url}/long")
        assert "Socket errors" not in said
        assert "Non-2xx" not in said
        said = run("h2load", "--h1", "-n2000", "-c8", f"{server.url}/long", f"{server.url}/stream")
        assert "2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout" in said


@pytest.mark.browser
def test_a_browser_shows_pages_sends_forms_and_keeps_its_copies(site: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "upload.txt").write_text("twelve bytes")
    with site as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        statuses: list[int] = []
        page.on("response", lambda response: statuses.append(response.status))
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(server.url)
        expect(page.locator("#out")).to_have_text("50000 6000", timeout=30_000)  # no eval: the page's policy forbids it
        assert page.evaluate("getComputedStyle(document.querySelector('p')).color") == "rgb(0, 128, 0)"
        page.fill("[name=title]", "Grüße & <b>")
        page.set_input_files("[name=file]", str(tmp_path / "upload.txt"))
        page.click("button")
        assert page.title() == "sent"
        assert re.search(r"Grüße & .*upload\.txt 12", page.inner_text("body"))
        browser.close()
    assert set(statuses) <= {200, 404}, "only the icon may be missing (404)"
    assert [complaint for complaint in complaints if "favicon" not in complaint and "404" not in complaint] == []
