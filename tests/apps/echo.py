"""A WSGI application that returns each request as it arrived, for comparisons of clients.

The request is in a header field, which the answers to all methods have.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

_FIELDS = (
    "HOST",
    "ORIGIN",
    "REFERER",
    "COOKIE",
    "SEC_FETCH_SITE",
    "SEC_FETCH_MODE",
    "SEC_FETCH_DEST",
    "SEC_FETCH_USER",
)
_CORS = [
    ("Access-Control-Allow-Credentials", "true"),
    ("Access-Control-Allow-Methods", "PUT, PATCH, DELETE"),
    ("Access-Control-Allow-Headers", "content-type"),
    ("Access-Control-Expose-Headers", "received"),
]


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Set cookies (/set), redirect (/go/STATUS), else return an empty page."""
    query = parse_qs(environ["QUERY_STRING"])
    path = environ["PATH_INFO"]
    status, headers, body = (
        "200 OK",
        [("Content-Type", "text/html; charset=utf-8")],
        b"<!doctype html><title>page</title>",
    )
    if path == "/set":
        headers += [("Set-Cookie", line) for line in query["line"]]
    elif path.startswith("/go/") and "to" in query:
        status = f"{path[4:7]} Elsewhere"
        headers.append(("Location", query["to"][0].encode().decode("latin-1")))  # bytes of UTF-8
    elif "HTTP_ACCESS_CONTROL_REQUEST_METHOD" not in environ:
        headers.append(("Received", json.dumps(_received(environ))))
    headers += [("Referrer-Policy", policy) for policy in query.get("policy", ())]
    if "HTTP_ORIGIN" in environ:
        headers += [("Access-Control-Allow-Origin", environ["HTTP_ORIGIN"]), *_CORS]
    start_response(status, headers)
    return [body]


def _received(environ: dict[str, Any]) -> dict[str, str]:
    """Return what an application could decide on."""
    facts = {"method": environ["REQUEST_METHOD"], "target": environ["REQUEST_URI"]}
    facts |= {name.lower(): environ[f"HTTP_{name}"] for name in _FIELDS if f"HTTP_{name}" in environ}
    facts |= {name.lower(): environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
    return {**facts, "body": environ["wsgi.input"].read().decode("latin-1")}
