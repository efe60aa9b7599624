"""A minimal WSGI application that can wait and compute, to measure thread servers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any


def _burn(milliseconds: int) -> None:
    end = time.thread_time() + milliseconds / 1000
    while time.thread_time() < end:
        pass


SLOW: dict[str, Callable[[int], None]] = {
    "wait": lambda milliseconds: time.sleep(milliseconds / 1000),
    "wait-briefly": lambda microseconds: time.sleep(microseconds / 1e6),
    "burn": _burn,
}
"""First word of a path, and the function called with the number after it."""


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer /wait/<ms>, /wait-briefly/<us> and /burn/<ms> after that time.

    Answer everything else at once.
    """
    _, first, *rest = environ["PATH_INFO"].split("/")
    if first in SLOW:
        SLOW[first](int(rest[0]))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"waited"]
