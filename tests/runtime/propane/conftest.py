"""An application to serve, and real servers that serve it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from arlen_runtime.testing.server import RunningServer
from tests.fixtures import Exhaust, Rewrite, Serve

SITE = '''
import itertools, os, tempfile, time, threading
from arlen_runtime import App, Config, Context, FileBody, Response, Routes, Unauthorized, text
from arlen_runtime import scope

VERSION = "one"
runs = itertools.count(1)

def home(ctx: Context) -> Response:
    return text(VERSION)

def pid(ctx: Context) -> Response:
    return text(str(os.getpid()))

def sleep(ctx: Context) -> Response:
    """Sleep; the answer counts the requests to this action."""
    run = next(runs)
    time.sleep(ctx.params.route["ms"] / 1000)
    return text(f"slept {run}")

def wait(ctx: Context) -> Response:
    """Announce a wait, then wait."""
    scope.about_to_wait.get()()
    time.sleep(ctx.params.route["ms"] / 1000)
    return text("waited")

def echo(ctx: Context) -> Response:
    return text(str(len(ctx.request.body)))

def big(ctx: Context) -> Response:
    return Response(b"x" * ctx.params.route["size"])

def stream(ctx: Context) -> Response:
    def pieces():
        for number in range(ctx.params.route["count"]):
            yield b"%06d," % number * 1000
    return Response(pieces())

def broken_stream(ctx: Context) -> Response:
    def pieces():
        yield b"some"
        raise RuntimeError("the source dried up")
    return Response(pieces())

def own_file(ctx: Context) -> Response:
    opened = open(__file__, "rb")
    return Response(FileBody(opened, 0, os.path.getsize(__file__)))

def named(ctx: Context) -> Response:
    return Response(b"x", headers=[("Server", "own")])

def forged(ctx: Context) -> Response:
    response = text("x")
    response.body = 17
    return response

def sparse(ctx: Context) -> Response:
    """Answer with a file that is larger than a socket buffer."""
    opened = tempfile.TemporaryFile()
    opened.truncate(50 << 20)
    return Response(FileBody(opened, 0, 50 << 20))

def fast_stream(ctx: Context) -> Response:
    def pieces():
        end = time.monotonic() + 2
        while time.monotonic() < end:
            yield b"x" * 100
    return Response(pieces())

def flood(ctx: Context) -> Response:
    """Publish more than fits in a socket buffer."""
    for _ in range(300):
        ctx.topics.publish("news", "x" * 60_000)
    return text("flooded")

class Body:
    """A body whose close calls `on_close`, and records the thread it ran on."""
    closed_on = ""

    def __init__(self, on_close) -> None:
        self._pieces = iter([b"some"])
        self._on_close = on_close

    def __iter__(self):
        return self._pieces

    def close(self) -> None:
        Body.closed_on = threading.current_thread().name
        self._on_close()

def closing(ctx: Context) -> Response:
    """Answer with a body whose close raises or takes two seconds."""
    lasts = ctx.params.route["how"] == "lasts"
    return Response(Body((lambda: time.sleep(2)) if lasts else (lambda: 1 / 0)))

def not_iterable(ctx: Context) -> Response:
    class Stubborn:
        def __iter__(self):
            raise LookupError("nothing to iterate over")
    return Response(Stubborn())

def die(ctx: Context) -> Response:
    os._exit(3)

def threads(ctx: Context) -> Response:
    return text(str(threading.active_count()))

def upload(ctx: Context) -> Response:
    """Read the stream; answer with its size and its number of pieces, at most 2."""
    sizes = [len(piece) for piece in ctx.request.stream]
    return text(f"{sum(sizes)} {min(len(sizes), 2)}")

def form(ctx: Context) -> Response:
    """Read a form; answer with its field, its file's size, the rest of the body, and the descriptors it took."""
    before = len(os.listdir("/dev/fd"))
    file = ctx.params.file("f")
    size = len(file.file.read()) if file else -1
    after = len(os.listdir("/dev/fd"))
    return text(f"{ctx.params['t']} {size} {len(ctx.request.stream.read())} {after - before}")

def first_bytes(ctx: Context) -> Response:
    return text(ctx.request.stream.read(4).decode())

def members_only(ctx: Context) -> None:
    raise Unauthorized("Say who you are first.")

def publish(ctx: Context) -> Response:
    return text(str(ctx.topics.publish("news", ctx.params.query["data"])))

def routes(r: Routes) -> None:
    r.post("/upload", upload, body="stream", limit=50_000_000)
    r.post("/form", form, body="stream", limit=50_000_000)
    r.post("/first-bytes", first_bytes, body="stream", limit=50_000_000)
    r.post("/guarded", upload, body="stream", guard=members_only)
    r.get("/events", lambda ctx: ctx.events("news"))
    r.get("/publish", publish)
    r.get("/listeners", lambda ctx: text(str(ctx.topics.count("news"))))
    r.get("/", home)
    r.get("/pid", pid)
    r.get("/sleep/{ms:int}", sleep)
    r.get("/wait/{ms:int}", wait)
    r.post("/echo", echo, limit=5_000_000)
    r.get("/length", echo)
    r.get("/big/{size:int}", big)
    r.get("/stream/{count:int}", stream)
    r.get("/broken-stream", broken_stream)
    r.get("/file", own_file)
    r.get("/sparse", sparse)
    r.get("/fast-stream", fast_stream)
    r.get("/flood", flood)
    r.get("/named", named)
    r.get("/forged", forged)
    r.get("/closing/{how}", closing)
    r.get("/closed-on", lambda ctx: text(Body.closed_on))
    r.get("/not-iterable", not_iterable)
    r.get("/die", die)
    r.get("/threads", threads)

def create(config: Config) -> App:
    return App(config, routes)
'''

NO_PROCESS = """
import errno, os, sys

fork = os.fork

def limited() -> int:
    program = "worker" if "arlen_runtime.boot" in sys.orig_argv else "program"
    if os.path.exists("no-process") and open("no-process").read() == program:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return fork()

os.fork = limited
"""
"""Runs at an interpreter's start. It cannot fork while the file no-process names its kind."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Write the application into a folder of its own."""
    (tmp_path / "app.py").write_text(SITE)
    return tmp_path


@pytest.fixture
def rewrite(site: Path) -> Rewrite:
    """Write another version of the application; `more` is put at its end."""

    def write(version: str = "one", *, more: str = "", folder: Path = site) -> None:
        (folder / "app.py").write_text(SITE.replace('VERSION = "one"', f'VERSION = "{version}"') + more)

    return write


@pytest.fixture
def exhaust(site: Path, monkeypatch: pytest.MonkeyPatch) -> Exhaust:
    """Stop servers from forking a "worker" or a "program"; "" allows it again."""
    (site / "sitecustomize.py").write_text(NO_PROCESS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])))

    def forbid(program: str) -> None:
        (site / "next").write_text(program)
        (site / "next").rename(site / "no-process")

    return forbid


@pytest.fixture
def serve(site: Path) -> Iterator[Serve]:
    """Start servers of the application with these flags; all end with the test."""
    with ExitStack() as stack:

        def start(*arguments: str, workers: int | None = 1, root: Path = site, **environ: str) -> RunningServer:
            count = () if workers is None else ("--workers", str(workers))
            return stack.enter_context(RunningServer(root, *count, *arguments, environ=environ))

        yield start
