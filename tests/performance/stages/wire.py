"""CPU µs of parsing a head with eleven fields and of serializing its response.

Prints JSON. `bench_stages.py` runs it with the measured tree on the path, so it may use only what
the oldest measured commit has.
"""

from __future__ import annotations

import itertools
import json
import sys

from stages.clock import cpu_us

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.http.request import Head
from arlen_runtime.http.response import Response
from arlen_runtime.http.serializer import serialize

FIELDS = (
    b"Host: localhost:3000",
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    b"Accept-Encoding: gzip, deflate, br",
    b"Accept-Language: en-GB,en;q=0.7,de;q=0.3",
    b"Cache-Control: max-age=0",
    b"Referer: http://localhost/",
    b"Sec-Fetch-Dest: document",
    b"Sec-Fetch-Mode: navigate",
    b"Sec-Fetch-Site: same-origin",
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    b"Cookie: theme=dark; session=%d",
)
DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
REQUESTS = [
    b"GET /posts/7?page=2 HTTP/1.1\r\n" + b"\r\n".join(FIELDS) % number + b"\r\n\r\n" for number in range(1000, 1512)
]


class Peer:
    """One connection: its parser, and the last head."""

    def __init__(self) -> None:
        self.parser = RequestParser(LimitsSection(), Origin("127.0.0.1", "http", TrustedProxies(), IdSource()))

    def parse(self, request: bytes) -> Head:
        """Parse a request as it arrives from the socket."""
        self.parser.feed(request)
        head = self.parser.next_head()
        assert head is not None
        return head


def main() -> None:
    peer = Peer()
    changing, same = itertools.cycle(REQUESTS), REQUESTS[0]
    head = peer.parse(same)
    answer = Response(b"x" * 200, 200, [("ETag", '"1"'), ("Cache-Control", "no-cache")], "text/html; charset=utf-8")
    figures = {
        "parse, one line new each time": cpu_us(lambda: peer.parse(next(changing))),
        "parse, the block repeated": cpu_us(lambda: peer.parse(same)),
        "serialise": cpu_us(lambda: serialize(head, answer, DATE, False)),
    }
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
