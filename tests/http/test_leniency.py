"""What a MUST, or a clear SHOULD, obliges receivers to take is taken.

The last table holds what stays refused although the RFC allows or asks for more: there two readers
of the same bytes could disagree about where a message ends, which is how requests are smuggled.
"""

from __future__ import annotations

from json import loads
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime import App, Config, Context, Response, Routes, json
from arlen_runtime.testing import TestClient
from arlen_runtime.testing.exchange import Exchange

NOW = "Sun, 06 Nov 1994 08:49:37 GMT"


def form(ctx: Context) -> Response:
    """Return what the form holds."""
    files = {
        name: [[upload.filename, upload.content_type, upload.size] for upload in uploads]
        for name, uploads in ctx.params.files.items()
    }
    return json({"fields": dict(ctx.params.body), "files": files})


def facts(ctx: Context) -> Response:
    """Return what the head of the request says."""
    head = ctx.request.head
    return json({"target": head.target, "host": head.host, "cookies": ctx.cookies, "body": ctx.request.body.decode()})


def routes(r: Routes) -> None:
    """Show forms and heads; answer with a tag, a date, and in two formats."""
    r.post("/form", form)
    r.any("/", facts)
    r.get("/tagged", lambda _ctx: Response(b"0123456789", headers=[("ETag", '"a"'), ("Last-Modified", NOW)]))
    r.get("/format", lambda ctx: json(ctx.prefers("text/plain; charset=utf-8", "text/html", "application/json")))
    r.get("/coded", lambda _ctx: Response(b"x" * 5000, content_type="text/plain"))


APP = App(Config("test", Path()), routes)
NAMED = 'Content-Disposition: form-data; name="a"'


def multipart(*lines: str, before: str = "", padding: str = "", after: str = "") -> str:
    """Write a form of one part that has these header lines."""
    return f"{before}--b{padding}\r\n" + "\r\n".join(lines) + f"\r\n\r\n1\r\n--b--{padding}{after}"


TEXT = {"fields": {"a": "1"}, "files": {}}
FORMS: list[tuple[str, str, str, Any]] = [
    # RFC and section, Content-Type, body, what is read
    ("2046 5.1.1 preamble", "multipart/form-data; boundary=b", multipart(NAMED, before="preamble\r\n"), TEXT),
    ("2046 5.1.1 epilogue", "multipart/form-data; boundary=b", multipart(NAMED, after="\r\n--b\r\nepilogue"), TEXT),
    ("2046 5.1.1 padding", "multipart/form-data; boundary=b", multipart(NAMED, padding=" \t"), TEXT),
    ("2046 5.1.1 quoted boundary", 'multipart/form-data; boundary="b"', multipart(NAMED), TEXT),
    (
        "2046 5.1.1 no content",
        "multipart/form-data; boundary=b",
        f"--b\r\n{NAMED}\r\n\r\n--b--",
        {"fields": {"a": ""}, "files": {}},
    ),
    (
        "5322 2.2.3 folding",
        "multipart/form-data; boundary=b",
        multipart('Content-Disposition: form-data;\r\n\tname="a"'),
        TEXT,
    ),
    ("7578 4.2 case", "multipart/form-data; boundary=b", multipart('content-DISPOSITION: Form-Data; NAME="a"'), TEXT),
    (
        "7578 4.4 no type",
        "multipart/form-data; boundary=b",
        multipart(f"{NAMED}; filename=x"),
        {"fields": {}, "files": {"a": [["x", "application/octet-stream", 1]]}},
    ),
    (
        "7578 4.8 other fields",
        "multipart/form-data; boundary=b",
        multipart("X-Other: 1", "Content-Length: 7", NAMED),
        TEXT,
    ),
    (
        "6266 4.1 filename* alone",
        "multipart/form-data; boundary=b",
        multipart(f"{NAMED}; filename*=utf-8''%C3%BC.png"),
        {"fields": {}, "files": {"a": [["ü.png", "application/octet-stream", 1]]}},
    ),
    (
        "6266 4.3 filename* first",
        "multipart/form-data; boundary=b",
        multipart(f"{NAMED}; filename=u; filename*=UTF-8'en'%C3%BC"),
        {"fields": {}, "files": {"a": [["ü", "application/octet-stream", 1]]}},
    ),
    (
        "8187 3.2 charset",
        "multipart/form-data; boundary=b",
        multipart(f"{NAMED}; filename=u; filename*=koi8-r''%C3"),
        {"fields": {}, "files": {"a": [["u", "application/octet-stream", 1]]}},
    ),
    ("9110 5.6.6 OWS", "Multipart/Form-Data \t;\tx=1 ;; BOUNDARY=b ;", multipart(NAMED), TEXT),
    ("9110 5.6.4 quoted-pair", 'multipart/form-data; x="\\";boundary=c"; boundary="\\b"', multipart(NAMED), TEXT),
    ("9110 8.3.1 type", 'APPLICATION/x-www-form-urlencoded ;charset="UTF-8"', "a=1", TEXT),
    (
        "7578 4.6 _charset_",
        "application/x-www-form-urlencoded",
        "_charset_=UTF-8&a=1",
        {"fields": {"_charset_": "UTF-8", "a": "1"}, "files": {}},
    ),
]


@pytest.mark.parametrize(
    ("content_type", "body", "expected"), [row[1:] for row in FORMS], ids=[row[0] for row in FORMS]
)
def test_a_form_is_read_as_receivers_must(content_type: str, body: str, expected: object) -> None:
    answer = TestClient(APP).post("/form", body=body.encode(), headers={"Content-Type": content_type})
    assert (answer.status, answer.json()) == (200, expected)


FIELDS: list[tuple[str, str, dict[str, Any], int, Any]] = [
    # RFC and section, path, fields, status, body or length
    ("9110 5.6.1 empty elements of If-None-Match", "/tagged", {"If-None-Match": ' , "x",,\t"a" ,'}, 304, b""),
    ("9110 5.3 lines of If-None-Match", "/tagged", {"If-None-Match": ['"x"', 'W/"a"']}, 304, b""),
    ("9110 8.8.3 a comma in a tag", "/tagged", {"If-None-Match": '"x,y", "a"'}, 304, b""),
    ("9110 13.1.1 If-Match in a list", "/tagged", {"If-Match": ',"x","a"'}, 200, b"0123456789"),
    ("9110 13.1.1 If-Match is strong", "/tagged", {"If-Match": 'W/"a"'}, 412, None),
    ("9110 5.6.7 rfc850-date", "/tagged", {"If-Modified-Since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 304, b""),
    ("9110 5.6.7 asctime-date", "/tagged", {"If-Modified-Since": "Sun Nov  6 08:49:37 1994"}, 304, b""),
    ("9110 13.1.3 a date that is none", "/tagged", {"If-Modified-Since": "yesterday"}, 200, b"0123456789"),
    ("9110 13.1.5 If-Range by a tag", "/tagged", {"Range": "bytes=1-2", "If-Range": '"a"'}, 206, b"12"),
    (
        "9110 13.1.5 If-Range by an obsolete date",
        "/tagged",
        {"Range": "bytes=1-2", "If-Range": "Sun Nov  6 08:49:37 1994"},
        200,
        b"0123456789",
    ),
    ("9110 14.1.2 OWS and empty elements of a range set", "/tagged", {"Range": "bytes=, 1-2\t,"}, 206, b"12"),
    ("9110 14.1.2 numbers of any size", "/tagged", {"Range": "bytes=8-" + "9" * 200}, 206, b"89"),
    ("9110 14.2 a range unit that is not known", "/tagged", {"Range": "lines=1-2"}, 200, b"0123456789"),
    (
        "9110 12.5.1 OWS and empty elements of Accept",
        "/format",
        {"Accept": ", text/html\t;\tq=0.5 ,,application/json;Q=1.000,"},
        200,
        b'"application/json"',
    ),
    (
        "9110 5.3 lines of Accept",
        "/format",
        {"Accept": ["text/html;q=0.1", "application/json"]},
        200,
        b'"application/json"',
    ),
    (
        "9110 5.6.6 a quoted parameter of Accept",
        "/format",
        {"Accept": 'text/html, text/plain;CHARSET="utf\\-8"'},
        200,
        b'"text/plain; charset=utf-8"',
    ),
    (
        "9110 5.6.4 separators in quotes",
        "/format",
        {"Accept": 'text/html;x=",;q=0", application/json;q=0.5'},
        200,
        b'"application/json"',
    ),
    (
        "9110 12.4.2 weights with a point alone",
        "/format",
        {"Accept": "text/html;q=0., application/json;q=1."},
        200,
        b'"application/json"',
    ),
    ("9110 8.4.1.3 x-gzip is gzip", "/coded", {"Accept-Encoding": "X-GZip"}, 200, None),
    ("9110 5.6.1 empty elements of Accept-Encoding", "/coded", {"Accept-Encoding": ",GZIP ; q=0.5,"}, 200, None),
]


@pytest.mark.parametrize(
    ("path", "fields", "status", "body"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS]
)
def test_a_field_is_read_as_receivers_must(path: str, fields: dict[str, Any], status: int, body: bytes | None) -> None:
    answer = TestClient(APP).get(path, headers=fields)
    assert answer.status == status
    if path == "/coded":
        assert answer.headers["content-encoding"] == "gzip"
    elif body is not None:
        assert answer.body == body


@pytest.mark.parametrize("coding", ["identity", ",identity,\tIDENTITY", ""])
def test_a_body_without_a_coding_may_say_so(coding: str) -> None:
    fields = {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": coding}
    assert TestClient(APP).post("/form", body=b"a=1", headers=fields).json() == TEXT


HEADS = [
    # RFC and section, the request, what is read of it
    ("9112 2.2 an empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", {"target": "/"}),
    ("9112 3.2.2 absolute form", "GET http://B:80/?x HTTP/1.1\r\nHost: a\r\n\r\n", {"target": "/?x", "host": "B:80"}),
    (
        "9112 3.2.2 absolute form without a path",
        "GET HTTP://b?x HTTP/1.1\r\nHost: a\r\n\r\n",
        {"target": "/?x", "host": "b"},
    ),
    ("9110 5.5 OWS around a value", "GET / HTTP/1.1\r\nHOST:\t a \t\r\n\r\n", {"host": "a"}),
    ("9110 7.2 a port that is empty", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", {"host": "a:"}),
    (
        "9110 10.1.1 case of 100-continue",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
        {"body": "x"},
    ),
    (
        "9112 7.1.1 BWS in chunk extensions",
        'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n1 ;\ta\t=  "\\""\r\nx\r\n0\r\n\r\n',
        {"body": "x"},
    ),
    (
        "9112 7.1 zeros before a chunk size",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0001\r\nx\r\n000\r\n\r\n",
        {"body": "x"},
    ),
    (
        "9112 9.3 empty elements of Connection",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: ,keep-alive,,\r\n\r\n",
        {"target": "/"},
    ),
    (
        "6265 5.4 cookies in two lines",
        'GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1;b=2\r\nCookie: c="3"\r\n\r\n',
        {"cookies": {"a": "1", "b": "2", "c": "3"}},
    ),
    (
        "6265 5.4 what is no cookie between cookies",
        "GET / HTTP/1.1\r\nHost: a\r\nCookie: ;; x; =y;a==1; a=2;\r\n\r\n",
        {"cookies": {"a": "=1"}},
    ),
]


@pytest.mark.parametrize(("request_text", "expected"), [row[1:] for row in HEADS], ids=[row[0] for row in HEADS])
def test_a_head_is_read_as_receivers_must(request_text: str, expected: dict[str, object]) -> None:
    status, _, body = Exchange(APP).run(request_text.encode(), "http")
    assert status == 200
    read = loads(body)
    assert {name: read[name] for name in expected} == expected


STRICTER = [
    # RFC and section, what it says, the request, the status
    ("9112 2.2 a bare LF MAY end a line", "GET / HTTP/1.1\nHost: a\n\n", 400),
    (
        "9110 5.6.1.2 empty elements of Transfer-Encoding",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "9110 5.6.1.2 empty elements of Expect",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue,\r\nContent-Length: 1\r\n\r\nx",
        417,
    ),
    ("9112 6.3 equal lengths MAY count as one", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", 400),
    (
        "9112 7.1.1 BWS without an extension",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n",
        400,
    ),
    ("9112 5.2 obs-fold MAY become a space", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
    ("9112 3 white space MAY separate parts of the request line", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (
        "9110 8.3 several types MAY count as the last one",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Type: a/b\r\nContent-Length: 0\r\n\r\n",
        400,
    ),
]


@pytest.mark.parametrize(("request_text", "status"), [row[1:] for row in STRICTER], ids=[row[0] for row in STRICTER])
def test_what_two_readers_could_read_differently_stays_refused(request_text: str, status: int) -> None:
    assert Exchange(APP).run(request_text.encode(), "http")[0] == status


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/x-www-form-urlencoded", "_charset_=iso-8859-1&a=%FC", 400),
        ("application/x-www-form-urlencoded", "_charset_=iso-8859-1&a=1", 415),
        (
            "multipart/form-data; boundary=b",
            multipart(NAMED.replace('"a"', '"_charset_"')).replace("1", "windows-1252"),
            415,
        ),
        ("multipart/form-data; boundary=b", multipart("Content-Transfer-Encoding: quoted-printable", NAMED), 400),
        ("multipart/form-data; boundary=b", multipart(f"{NAMED}; filename*0=x"), 400),
        ("multipart/form-data; boundary=b", multipart(f'{NAMED}; name="b"'), 400),
    ],
)
def test_what_would_be_misread_is_refused(content_type: str, body: str, status: int) -> None:
    assert TestClient(APP).post("/form", body=body.encode(), headers={"Content-Type": content_type}).status == status
