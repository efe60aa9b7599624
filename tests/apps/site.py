"""The application that the tests of propane serve: quick, slow, large, broken and streamed.

A test writes it to a folder of its own, with another VERSION or with more code at its end.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from arlen_runtime import App, Config, Context, FileBody, Response, Routes, Unauthorized, scope, text

VERSION = "one"
runs = itertools.count(1)


def home(_ctx: Context) -> Response:
    return text(VERSION)


def pid(_ctx: Context) -> Response:
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
    def pieces() -> Iterator[bytes]:
        for number in range(ctx.params.route["count"]):
            yield b"%06d," % number * 1000

    return Response(pieces())


def broken_stream(ctx: Context) -> Response:
    def pieces() -> Iterator[bytes]:
        yield b"some"
        raise RuntimeError("the source dried up")

    return Response(pieces())


def own_file(ctx: Context) -> Response:
    opened = Path(__file__).open("rb")
    return Response(FileBody(opened, 0, Path(__file__).stat().st_size))


def named(_ctx: Context) -> Response:
    return Response(b"x", headers=[("Server", "own")])


def forged(ctx: Context) -> Response:
    response = text("x")
    response.body = 17  # type: ignore[assignment] # the test is what propane does then
    return response


def sparse(ctx: Context) -> Response:
    """Answer with a file that is larger than a socket buffer."""
    opened = tempfile.TemporaryFile()
    opened.truncate(50 << 20)
    return Response(FileBody(opened, 0, 50 << 20))


def fast_stream(ctx: Context) -> Response:
    def pieces() -> Iterator[bytes]:
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

    def __init__(self, on_close: Callable[[], object]) -> None:
        self._pieces = iter([b"some"])
        self._on_close = on_close

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        Body.closed_on = threading.current_thread().name
        self._on_close()


def closing(ctx: Context) -> Response:
    """Answer with a body whose close raises or takes two seconds."""
    lasts = ctx.params.route["how"] == "lasts"
    body = Body((lambda: time.sleep(2)) if lasts else (lambda: 1 / 0))
    return Response(body)  # type: ignore[arg-type] # an iterable, as applications return it


def not_iterable(ctx: Context) -> Response:
    class Stubborn:
        def __iter__(self) -> Iterator[bytes]:
            raise LookupError("nothing to iterate over")

    return Response(Stubborn())  # type: ignore[arg-type] # the test is what propane does then


def die(_ctx: Context) -> Response:
    os._exit(3)


def threads(_ctx: Context) -> Response:
    return text(str(threading.active_count()))


def upload(ctx: Context) -> Response:
    """Read the stream; answer with its size and its number of pieces, at most 2."""
    sizes = [len(piece) for piece in ctx.request.stream]
    return text(f"{sum(sizes)} {min(len(sizes), 2)}")


def form(ctx: Context) -> Response:
    """Read a form; answer with field, size of the file, rest of the body, and descriptors taken."""
    before = len(os.listdir("/dev/fd"))
    file = ctx.params.file("f")
    size = len(file.file.read()) if file else -1
    after = len(os.listdir("/dev/fd"))
    return text(f"{ctx.params['t']} {size} {len(ctx.request.stream.read())} {after - before}")


def first_bytes(ctx: Context) -> Response:
    return text(ctx.request.stream.read(4).decode())


def members_only(_ctx: Context) -> None:
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
