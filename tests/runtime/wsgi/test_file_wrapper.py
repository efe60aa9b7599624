"""`wsgi.file_wrapper`: the kernel sends what reading would."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from arlen_runtime.config.sections import Config
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import FileBody
from arlen_runtime.testing.client import TestClient
from arlen_runtime.wsgi import WSGIDoor
from arlen_runtime.wsgi.cgi_names import Environ

Start = Callable[..., Any]
HEAD = Head("GET", "/", "", 1, Headers([]), "x", True, None, False, False, "id-1", "::1", "::1", "http")


def test_a_file_is_left_to_the_kernel(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")

    def application(environ: Environ, start: Start) -> Iterable[bytes]:
        opened = path.open("rb")
        opened.seek(3)
        start("200 OK", [])
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](opened)
        return wrapped

    door = WSGIDoor(application, config)
    assert TestClient(door).get("/").body == b"3456789"
    body = door(Request(HEAD)).body
    assert isinstance(body, FileBody)
    body.file.close()
    memory = WSGIDoor(lambda e, s: (s("200 OK", []), e["wsgi.file_wrapper"](io.BytesIO(b"memory")))[1], config)
    assert TestClient(memory).get("/").body == b"memory"
