"""CPU µs of admitting a request and running its chain, with all defaults on.

Prints JSON.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

from contenders import arlen_bench
from stages.clock import cpu_us
from stages.wire import FIELDS, Peer

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config
from arlen_runtime.http.request import Request

PATHS = {"plaintext": "/plaintext", "json": "/json", "route parameter": "/users/42"}


def main() -> None:
    app = App(Config("production", Path(__file__).parent), arlen_bench.routes)
    figures = {}
    for name, path in PATHS.items():
        head = Peer().parse(b"GET %b HTTP/1.1\r\n" % path.encode() + b"\r\n".join(FIELDS) % 1 + b"\r\n\r\n")
        admission, request = app.admit(head), Request(head)
        figures[f"admit, {name}"] = cpu_us(partial(app.admit, head))
        figures[f"run, {name}"] = cpu_us(partial(app.run, admission, request))
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
