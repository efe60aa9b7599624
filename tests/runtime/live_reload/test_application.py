"""Pages of any application reload in development under `arlen serve`, and nowhere else."""

from __future__ import annotations

import gzip
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config, SecurityHeadersSection, ServerSection
from arlen_runtime.error_pages.boot_failure_app import BootFailureApp
from arlen_runtime.errors import BootError, PayloadTooLarge
from arlen_runtime.http.application import Application
from arlen_runtime.http.response import Response
from arlen_runtime.live_reload.application import LiveReload, config_for_live_reload
from arlen_runtime.live_reload.page import CHANGES_PATH, SCRIPT_PATH
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.answer import Answer
from arlen_runtime.testing.client import TestClient
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import PATIENCE_SECONDS, Wire
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import html, text
from arlen_runtime.wsgi import WSGIAdapter

expect.set_options(timeout=PATIENCE_SECONDS * 1000)
TAG = f'<script src="{SCRIPT_PATH}'
PAGE = f"<html><body>{'x' * 5000}</body></html>"
ACCEPT_HTML = {"Accept": "text/html"}


def _page(_ctx: Context) -> Response:
    response = html(PAGE)
    response.set("ETag", '"version-1"')
    return response


def _with_nonce(ctx: Context) -> Response:
    return html(f'<body><script nonce="{ctx.csp_nonce}"></script></body>')


def _with_own_policy(_ctx: Context) -> Response:
    response = html(PAGE)
    response.set("Content-Security-Policy", "default-src 'none'")
    return response


def _broken(_ctx: Context) -> Response:
    raise RuntimeError("broken")


def _precompressed(_ctx: Context) -> Response:
    response = html(PAGE)
    response.body = gzip.compress(PAGE.encode())
    response.set("Content-Encoding", "gzip")
    return response


def _routes(routes: Routes) -> None:
    routes.get("/", _page, api=False)
    routes.post("/", _page, api=False)
    routes.get("/nonce", _with_nonce, api=False)
    routes.get("/own-policy", _with_own_policy, api=False)
    routes.get("/broken", _broken, api=False)
    routes.get("/precompressed", _precompressed, api=False)
    routes.get("/text", lambda _ctx: text(PAGE))
    routes.get("/pieces", lambda _ctx: Response(iter([PAGE.encode()]), content_type="text/html"))
    routes.get("/events", lambda ctx: ctx.events("posts"))


def _client(root: Path, config: Config | None = None, host: str = "localhost") -> TestClient:
    config = config_for_live_reload(config or Config("development", root))
    return TestClient(LiveReload(App(config, _routes), config, "code", [root / "public"]), host=host)


@pytest.mark.parametrize(
    ("path", "status", "has_tag"),
    [
        ("/", 200, True),
        ("/nonce", 200, True),
        ("/broken", 500, True),
        ("/nowhere", 404, True),
        ("/%zz", 400, True),
        ("/own-policy", 200, False),
        ("/precompressed", 200, False),
        ("/text", 200, False),
        ("/pieces", 200, False),
        ("/events", 200, False),
    ],
)
def test_a_page_of_an_app_gets_the_script(tmp_path: Path, path: str, status: int, *, has_tag: bool) -> None:
    answer = _client(tmp_path).get(path, headers={**ACCEPT_HTML, "Accept-Encoding": "gzip"})
    assert (answer.status, answer.body.count(TAG.encode())) == (status, int(has_tag))


def test_the_policy_allows_the_script_by_the_nonce_of_the_page(tmp_path: Path) -> None:
    section = SecurityHeadersSection(content_security_policy="script-src 'strict-dynamic'; connect-src 'self'")
    client = _client(tmp_path, Config("development", tmp_path, security_headers=section))
    answer = client.get("/nonce")
    nonce = answer.text.partition('nonce="')[2].partition('"')[0]
    assert f"'nonce-{nonce}'" in answer.headers["content-security-policy"]
    assert answer.text.count(f'nonce="{nonce}"') == 2
    assert TAG not in client.get("/").text, "without a nonce this policy forbids every script"


def test_head_has_the_length_of_get_and_a_condition_still_applies(tmp_path: Path) -> None:
    client = _client(tmp_path)
    answer = client.get("/")
    head = client.head("/")
    assert answer.headers["content-length"] == head.headers["content-length"] == str(len(answer.body))
    assert (head.body, answer.headers["etag"], head.headers["etag"]) == (b"", '"version-1"', '"version-1"')
    unchanged = client.get("/", headers={"If-None-Match": '"version-1"'})
    assert (unchanged.status, unchanged.body) == (304, b"")
    part = client.get("/", headers={"Range": "bytes=4990-"})
    assert (part.status, part.body) == (206, PAGE.encode()[4990:])


def test_the_answer_to_a_form_does_not_listen(tmp_path: Path) -> None:
    """To load it again would send the form again."""
    client = _client(tmp_path)
    assert TAG not in client.post("/", headers=ACCEPT_HTML).text
    assert TAG not in client.post("/broken", headers=ACCEPT_HTML).text


def test_a_foreign_host_learns_nothing(tmp_path: Path) -> None:
    client = _client(tmp_path, host="evil.example")
    for path in ("/", CHANGES_PATH, SCRIPT_PATH):
        answer = client.get(path, headers=ACCEPT_HTML)
        assert answer.status in {400, 404}
        assert "_arlen" not in answer.text.replace(path, "")


def test_a_host_of_the_configuration_may_listen(tmp_path: Path) -> None:
    config = Config("development", tmp_path, server=ServerSection(hosts=("dev.example",)))
    client = _client(tmp_path, config, host="dev.example")
    assert TAG in client.get("/").text
    assert client.get(SCRIPT_PATH).status == 200


def test_the_script_is_cached_for_good_and_the_stream_not_at_all(tmp_path: Path) -> None:
    client = _client(tmp_path)
    address = client.get("/").text.partition('src="')[2].partition('"')[0]
    script = client.get(address)
    assert (script.status, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert "immutable" in script.headers["cache-control"]
    assert f'"{CHANGES_PATH}"' in script.text
    stream = client.get(CHANGES_PATH)
    assert (stream.headers["content-type"], stream.headers["cache-control"]) == ("text/event-stream", "no-store")
    assert stream.text.startswith("data: code ")
    assert client.post(CHANGES_PATH).status == 404, "the application answers other methods"


def _wsgi(_environ: object, start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(PAGE)))])
    return [PAGE.encode()]


def test_pages_of_a_wsgi_callable_and_of_a_failed_boot_listen_too(tmp_path: Path) -> None:
    config = Config("development", tmp_path)
    failure = BootFailureApp(BootError("no such converter"), config, refreshes=False)
    applications: list[tuple[Application, int]] = [(WSGIAdapter(_wsgi, config), 200), (failure, 500)]
    for application, status in applications:
        answer = TestClient(LiveReload(application, config, "code", [])).get("/", headers=ACCEPT_HTML)
        assert (answer.status, answer.text.count(TAG)) == (status, 1)
        assert 'http-equiv="refresh"' not in answer.text


def test_a_refusal_of_the_server_is_a_page_that_listens(tmp_path: Path) -> None:
    client = _client(tmp_path)
    answer = client.get("/" + "x" * 10_000, headers=ACCEPT_HTML)
    assert answer.status == 414
    response = client.app.refuse(PayloadTooLarge("too large"), None)
    assert isinstance(response.body, bytes)
    assert TAG.encode() not in response.body, "a request without a head names no Host"


@pytest.mark.parametrize("environment", ["production", "test", "development"])
def test_an_app_alone_has_no_byte_of_it(tmp_path: Path, environment: str) -> None:
    client = TestClient(App(Config(environment, tmp_path), _routes))
    answers: list[Answer] = [client.get(path, headers=ACCEPT_HTML) for path in ("/", "/nonce", "/broken")]
    assert all(b"_arlen" not in answer.body for answer in answers)
    assert [client.get(path).status for path in (CHANGES_PATH, SCRIPT_PATH)] == [404, 404]


# --- a real server

SERVE = ("-c", "import sys; from arlen_runtime.propane.__main__ import main; sys.exit(main(development=True))")
APP = """
from arlen_runtime import App
WORD = "one"

def home(ctx):
    return ctx.render("home.html", word=WORD)

def create(config):
    return App(config, lambda r: r.get("/", home, api=False))
"""
HOME = '<html><head><link rel="stylesheet" href="/static/app.css"></head><body><p>{{ word }} old</p></body></html>'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name, content in (("app.py", APP), ("templates/home.html", HOME), ("public/app.css", "p { color: red }")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def _read_event(wire: Wire) -> list[str]:
    """Return the versions of the page and of its styles in the next event."""
    data = wire._read_exactly(int(wire._read_until(b"\r\n"), 16) + 2).decode()
    assert data.startswith("data: ")
    code, files, styles = data.removeprefix("data: ").split()
    return [code + files, styles]


def _listen(wire: Wire) -> list[str]:
    wire.send(f"GET {CHANGES_PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert b"text/event-stream" in wire._read_until(b"\r\n\r\n")
    return _read_event(wire)


def test_changes_of_files_are_events_and_new_code_ends_the_stream(site: Path) -> None:
    with RunningServer(site, environment="development", command=SERVE) as server, Wire(server.port) as wire:
        page, styles = _listen(wire)
        (site / "public" / "logo.svg").write_text("<svg/>")  # no restart: it is no source
        second_page, second_styles = _read_event(wire)
        assert (second_page != page, second_styles) == (True, styles)

        (site / "public" / "app.css").write_text("p { color: green }")
        server.wait_for("generation_ended", generation=1)
        # An event may come before the end: that depends on how fast the next generation starts.
        assert wire._read_until(b"0\r\n\r\n").rpartition(b"retry: ")[1]
        third_page, third_styles = _listen(wire)
        assert (third_page, third_styles != styles) == (second_page, True), "a style sheet is no code"

        (site / "app.py").write_text("def create(:\n")
        server.wait_for("generation_ended", generation=2)
        assert wire._read_until(b"0\r\n\r\n")
        failed_page, failed_styles = _listen(wire)
        assert (failed_page != third_page, failed_styles) == (True, third_styles)
        with Wire(server.port) as other:
            answer = other.get("/", "Accept: text/html")
        assert (answer.status, answer.body.count(TAG.encode())) == (500, 1)
        assert b'http-equiv="refresh"' not in answer.body

        assert server.stop(signal.SIGINT) == 0
        assert wire.ends()


@pytest.mark.parametrize(
    ("environment", "command", "arguments"),
    [
        ("production", ("-m", "arlen_runtime.propane"), ()),
        ("test", SERVE, ()),
        ("development", SERVE, ("--no-live-reload",)),
    ],
)
def test_only_arlen_serve_in_development_reloads_pages(
    site: Path, environment: str, command: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    workers = ("--workers", "1") if command != SERVE else ()
    with (
        RunningServer(site, *arguments, *workers, environment=environment, command=command) as server,
        Wire(server.port) as wire,
    ):
        answer = wire.get("/", "Accept: text/html")
        assert (answer.status, b"_arlen" in answer.body) == (200, False)
        assert wire.get(CHANGES_PATH).status == 404


@pytest.mark.browser
def test_a_browser_shows_each_change_by_itself(site: Path) -> None:
    with (
        RunningServer(site, environment="development", command=SERVE) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        _open(page, server.url)
        paragraph = page.locator("p")
        expect(paragraph).to_have_text("one old")

        def save(name: str, content: str) -> None:
            (site / name).write_text(content)

        with page.expect_request(f"{server.url}/"):
            save("templates/home.html", HOME.replace("old", "new"))
        expect(paragraph).to_have_text("one new")
        _wait_until_it_listens(page)
        save("app.py", APP.replace("one", "two"))
        expect(paragraph).to_have_text("two new")
        _wait_until_it_listens(page)

        page.evaluate("window.kept = true")
        save("public/app.css", "p { color: green }")
        expect(paragraph).to_have_css("color", "rgb(0, 128, 0)")
        assert page.evaluate("window.kept"), "a style sheet is replaced in the page"
        server.wait_for("generation_ended", generation=3)

        save("app.py", APP.replace("return ctx", "raise RuntimeError(ctx)"))
        expect(page.locator("body")).to_contain_text("RuntimeError")
        _wait_until_it_listens(page)
        save("app.py", "def create(:\n")
        expect(page.locator("body")).to_contain_text("SyntaxError")
        _wait_until_it_listens(page)
        save("app.py", APP.replace("one", "three"))
        expect(paragraph).to_have_text("three new")
        browser.close()
    assert [complaint for complaint in complaints if "Security" in complaint] == []


def _open(page: Page, address: str) -> None:
    page.goto(address)
    _wait_until_it_listens(page)


def _wait_until_it_listens(page: Page) -> None:
    page.wait_for_function("window.arlenChanges")
