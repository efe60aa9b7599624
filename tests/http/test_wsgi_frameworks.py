"""WSGI frameworks on propane, driven by httpx and a browser; and an App on other servers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import sync_playwright

from arlen_runtime.testing.server import RunningServer

PAGE = """<!doctype html><meta charset=utf-8><title>page</title>
<form method=post action="/form?q=%C3%BC"><input name=name><input type=checkbox name=colour value=red checked>
<input type=checkbox name=colour value=blue checked><button id=send>send</button></form>
<form method=post action=/upload enctype=multipart/form-data><input type=file name=file><button id=upload>upload</button></form>
"""

FLASK = """
import io, sys
from flask import Flask, Response, request, send_file, jsonify

application = Flask(__name__)

@application.get("/")
def hello():
    return "<h1>hello</h1>"

@application.get("/page")
def page():
    return PAGE

@application.post("/form")
def form():
    return jsonify({"name": request.form["name"], "colours": request.form.getlist("colour"), "query": request.args["q"]})

@application.post("/upload")
def upload():
    sent = request.files["file"]
    return jsonify({"name": sent.filename, "size": len(sent.read()), "type": sent.mimetype})

@application.get("/stream")
def stream():
    return Response((f"line {number}\\n" for number in range(1000)), mimetype="text/plain")

@application.get("/file")
def own_file():
    return send_file(__file__, mimetype="text/plain")

@application.get("/facts")
def facts():
    environ = request.environ
    print("said to wsgi.errors", file=environ["wsgi.errors"], flush=True)
    names = ("REMOTE_ADDR", "SERVER_PROTOCOL", "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once",
        "wsgi.url_scheme", "SERVER_PORT")
    return jsonify({name: environ[name] for name in names})

@application.get("/cookie")
def cookie():
    answer = Response(request.cookies.get("seen", "never"))
    answer.set_cookie("seen", "before")
    return answer

@application.get("/fails")
def fails():
    raise RuntimeError("inside")

ends = []

@application.after_request
def note_its_end(answer):
    answer.call_on_close(lambda: ends.append(1))
    return answer

@application.get("/ends")
def count_ends():
    return jsonify(len(ends))
"""

DJANGO = """
import django
from django.conf import settings

settings.configure(SECRET_KEY="of-a-test", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, DEBUG=False, USE_TZ=True,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"], FILE_UPLOAD_MAX_MEMORY_SIZE=1000)
django.setup()

from django.core.signals import request_finished
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

def hello(request):
    return HttpResponse("<h1>hello</h1>")

def page(request):
    return HttpResponse(PAGE)

def form(request):
    return JsonResponse({"name": request.POST["name"], "colours": request.POST.getlist("colour"), "query": request.GET["q"]})

def upload(request):
    sent = request.FILES["file"]
    return JsonResponse({"name": sent.name, "size": len(sent.read()), "type": sent.content_type})

def stream(request):
    return StreamingHttpResponse((f"line {number}\\n" for number in range(1000)), content_type="text/plain")

def own_file(request):
    return FileResponse(open(__file__, "rb"), content_type="text/plain")

def facts(request):
    print("said to wsgi.errors", file=request.environ["wsgi.errors"], flush=True)
    names = ("REMOTE_ADDR", "SERVER_PROTOCOL", "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once",
        "wsgi.url_scheme", "SERVER_PORT")
    return JsonResponse({name: request.environ[name] for name in names})

def cookie(request):
    answer = HttpResponse(request.COOKIES.get("seen", "never"))
    answer.set_cookie("seen", "before")
    return answer

def fails(request):
    raise RuntimeError("inside")

ends = []
request_finished.connect(lambda **_: ends.append(1), weak=False)

def count_ends(request):
    return JsonResponse(len(ends), safe=False)

views = {"": hello, "page": page, "form": form, "upload": upload, "stream": stream, "file": own_file, "facts": facts,
    "cookie": cookie, "fails": fails, "ends": count_ends}
urlpatterns = [path(name, view) for name, view in views.items()]
application = get_wsgi_application()
"""

VALIDATED = '''
from wsgiref.validate import validator

@validator
def application(environ, start_response):
    """Read the body in every way that PEP 3333 names; the validator watches both sides."""
    stream = environ["wsgi.input"]
    size = len(stream.read(2)) + len(stream.readline(3)) + len(stream.read(1)) + sum(map(len, stream))
    environ["wsgi.errors"].write("noted\\n")
    environ["wsgi.errors"].flush()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (piece for piece in (b"size ", str(size).encode()))
'''


@pytest.fixture(scope="module", params=["flask", "django"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningServer, Path]]:
    """Serve the same application, written for each framework."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "site_module.py").write_text(f"PAGE = {PAGE!r}\n" + {"flask": FLASK, "django": DJANGO}[request.param])
    with RunningServer(folder, "site_module:application", "--workers", "2") as server:
        yield server, folder


@pytest.fixture
def client(site: tuple[RunningServer, Path]) -> Iterator[httpx.Client]:
    """Return a client with one kept-alive connection."""
    with httpx.Client(base_url=site[0].url) as client:
        yield client


def test_a_page_comes_over_a_connection_that_is_kept(client: httpx.Client) -> None:
    ports = set()
    for _ in range(5):
        answer = client.get("/")
        assert (answer.status_code, answer.text) == (200, "<h1>hello</h1>")
        ports.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
    assert len(ports) == 1
    assert client.head("/").headers["content-length"] == "14"


def test_a_form_arrives_with_its_repeated_fields(client: httpx.Client) -> None:
    answer = client.post("/form?q=%C3%BC", data={"name": "Zoë & co", "colour": ["red", "blue"]})
    assert answer.json() == {"name": "Zoë & co", "colours": ["red", "blue"], "query": "ü"}


@pytest.mark.parametrize("size", [10, 900_000])
def test_an_upload_arrives_whole_from_memory_and_from_disk(client: httpx.Client, size: int) -> None:
    answer = client.post("/upload", files={"file": ("a.bin", b"x" * size, "application/x-own")})
    assert answer.json() == {"name": "a.bin", "size": size, "type": "application/x-own"}


def test_an_upload_in_chunks_arrives_whole(client: httpx.Client) -> None:
    head = b'--B\r\nContent-Disposition: form-data; name="file"; filename="c"\r\nContent-Type: text/x\r\n\r\n'
    answer = client.post(
        "/upload",
        content=iter([head, *[b"y" * 1000] * 50, b"\r\n--B--\r\n"]),
        headers={"Content-Type": "multipart/form-data; boundary=B"},
    )
    assert answer.json() == {"name": "c", "size": 50_000, "type": "text/x"}


def test_a_stream_is_chunked_and_whole(client: httpx.Client) -> None:
    answer = client.get("/stream")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.text.splitlines() == [f"line {number}" for number in range(1000)]


def test_a_file_is_sent_through_the_wrapper(client: httpx.Client, site: tuple[RunningServer, Path]) -> None:
    content = (site[1] / "site_module.py").read_bytes()
    answer = client.get("/file")
    assert (answer.content, answer.headers["content-length"]) == (content, str(len(content)))


def test_each_request_ends_once(client: httpx.Client) -> None:
    before = client.get("/ends").json()
    for path in ("/", "/stream", "/fails"):
        client.get(path)
    after = client.get("/ends").json()
    assert after - before == 4  # the first question among them
    client.get("/file")
    assert client.get("/ends").json() - after in {1, 2}  # Flask does not tell an answer that its file has been sent


def test_the_environ_describes_the_request_and_the_server(
    client: httpx.Client, site: tuple[RunningServer, Path]
) -> None:
    assert client.get("/facts").json() == {
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.url_scheme": "http",
        "SERVER_PORT": str(site[0].port),
    }
    site[0].wait_for("", line="said to wsgi.errors")


def test_cookies_go_both_ways(client: httpx.Client) -> None:
    assert [client.get("/cookie").text, client.get("/cookie").text] == ["never", "before"]


def test_a_request_that_fails_is_500_and_the_connection_stays_open(client: httpx.Client) -> None:
    answer = client.get("/fails")
    assert (answer.status_code, "inside" in answer.text) == (500, False)
    assert client.get("/").status_code == 200


READ_AS_IT_COMES = """
async () => {
    const reader = (await fetch("/stream")).body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "", pieces = 0;
    for (let step = await reader.read(); !step.done; step = await reader.read()) { text += step.value; pieces += 1; }
    return [text.split("\\n").length - 1, text.endsWith("line 999\\n"), pieces > 0];
}
"""


@pytest.mark.browser
def test_a_browser_reads_the_page_sends_the_forms_and_takes_the_stream(
    site: tuple[RunningServer, Path], tmp_path: Path
) -> None:
    (tmp_path / "a.bin").write_bytes(b"x" * 900_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        failed: list[str] = []
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.goto(site[0].url)
        assert page.inner_text("h1") == "hello"
        page.goto(f"{site[0].url}/page")
        page.fill("[name=name]", "Zoë & co")
        page.click("#send")
        assert json.loads(page.inner_text("body")) == {
            "name": "Zoë & co",
            "colours": ["red", "blue"],
            "query": "ü",
        }
        page.go_back()
        page.set_input_files("[name=file]", str(tmp_path / "a.bin"))
        page.click("#upload")
        assert json.loads(page.inner_text("body")) == {
            "name": "a.bin",
            "size": 900_000,
            "type": "application/octet-stream",
        }
        assert page.evaluate(READ_AS_IT_COMES) == [1000, True, True]
        browser.close()
    assert failed == []


def test_without_threads_multithread_is_false(tmp_path: Path) -> None:
    (tmp_path / "site_module.py").write_text(FLASK)
    with RunningServer(tmp_path, "site_module:application", "--workers", "1", "--threads", "0") as server:
        assert httpx.get(f"{server.url}/facts").json()["wsgi.multithread"] is False


@pytest.mark.parametrize("size", [0, 7, 300_000])
def test_the_validator_of_the_standard_library_finds_no_fault_on_a_real_port(tmp_path: Path, size: int) -> None:
    (tmp_path / "site_module.py").write_text(VALIDATED)
    with RunningServer(tmp_path, "site_module:application", "--workers", "1") as server:
        for ask in (httpx.post, httpx.put):
            answer = ask(server.url, content=b"line\n" * (size // 5) + b"x" * (size % 5))
            assert (answer.status_code, answer.text) == (200, f"size {size}")
        assert httpx.head(server.url).status_code == 200
        assert not [event for event in server.events if event["event"] == "request_failed"]


APP = """
from pathlib import Path
from wsgiref.util import shift_path_info
from arlen_runtime import App, Config, Context, Response, Routes, file, text
from arlen_runtime.wsgi import AppCallable

def length(ctx: Context) -> Response:
    return text(str(len(ctx.request.body)))

def routes(r: Routes) -> None:
    r.get("/", lambda ctx: text("hello"))
    r.get("/{name}", lambda ctx: text(ctx.params["name"]))
    r.post("/length", length)
    r.get("/stream/3", lambda ctx: Response(iter([b"a", b"b", b"c"]), content_type="text/plain"))
    r.get("/file/own", lambda ctx: file(Path(__file__)))

site = AppCallable(App(Config("production", Path(__file__).parent), routes))

def application(environ, start_response):
    if environ["PATH_INFO"].startswith("/below/"):
        shift_path_info(environ)
    return site(environ, start_response)

if __name__ == "__main__":
    from wsgiref.simple_server import make_server
    with make_server("127.0.0.1", 0, application) as server:
        print(f"Listening at: http://127.0.0.1:{server.server_port} ", flush=True)
        server.serve_forever()
"""
SERVERS = {
    "wsgiref": ["site_module.py"],
    "gunicorn": ["-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", "2", "site_module:application"],
}


@contextmanager
def other_server(folder: Path, arguments: list[str]) -> Iterator[str]:
    """Run another WSGI server; yield its address."""
    (folder / "site_module.py").write_text(APP)
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if match := re.search(r"Listening at: (http://\S+)", line):
                    yield match[1]
                    break
        finally:
            process.terminate()


@pytest.mark.parametrize("name", SERVERS)
def test_an_app_is_served_by_other_servers(tmp_path: Path, name: str) -> None:
    with other_server(tmp_path, SERVERS[name]) as url, httpx.Client(base_url=url) as client:
        answer = client.get("/")
        assert (answer.text, answer.headers["x-content-type-options"]) == ("hello", "nosniff")
        assert client.get("/a%20%C3%BC").text == client.get("/below/a%20%C3%BC").text == "a ü"
        assert client.post("/length", content=b"x" * 100_000).text == "100000"
        if name != "wsgiref":  # which knows no chunks
            assert client.post("/length", content=iter([b"x" * 1000] * 7)).text == "7000"
        assert client.get("/stream/3").text == "abc"
        assert client.get("/file/own").text == APP
        assert client.get("/missing/it", headers={"Accept": "application/json"}).json()["status"] == 404
        assert client.post("/").status_code == 405
