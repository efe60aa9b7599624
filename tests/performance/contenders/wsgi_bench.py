"""The least WSGI application that can wait: what a thread server is measured with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer /wait/<ms> after that long, and everything else at once."""
    _, first, *rest = environ["PATH_INFO"].split("/")
    if first == "wait":
        time.sleep(int(rest[0]) / 1000)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"waited"]
