"""Route, body and query by one name, in this order, and each on its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.errors import InvalidBody
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.context import Context
from tests.fixtures import ServeApp


def asking(make: Callable[[Context], Any]) -> Callable[[Routes], None]:
    """Return routes with one action whose path has a parameter."""
    return lambda r: r.any("/{id:int}", make)


def test_the_route_comes_before_the_body_before_the_query(serve: ServeApp) -> None:
    def show(ctx: Context) -> dict[str, object]:
        names = ("id", "b", "q")
        return {name: [ctx.params[name], ctx.params.source(name)] for name in names} | {"len": len(ctx.params)}

    expected = {"id": [1, "route"], "b": ["body", "body"], "q": ["query", "query"], "len": 3}
    client = serve(asking(show))
    sent = {"id": "2", "b": "body"}
    assert client.post("/1?id=3&b=x&q=query", data=sent).json() == expected
    assert client.post("/1?id=3&b=x&q=query", json=sent).json() == expected
    upload = {"f": ("a.txt", b"content", "text/plain")}
    assert client.post("/1?id=3&b=x&q=query", data=sent, files=upload).json() == expected


def test_sources_after_the_one_with_the_name_are_not_parsed(serve: ServeApp) -> None:
    client = serve(asking(lambda ctx: [ctx.params["id"], ctx.params["a"]]))
    assert client.post("/1?b=%zz", json={"a": 2}).json() == [1, 2]
    client = serve(asking(lambda ctx: [ctx.params["id"]]))
    assert client.post("/1", body=b"{", headers={"Content-Type": "application/json"}).json() == [1]


def test_each_source_can_be_read_alone(serve: ServeApp) -> None:
    client = serve(asking(lambda ctx: [dict(ctx.params.route), ctx.params.body, ctx.params.query]))
    assert client.post("/1?a=q", data={"a": "b"}).json() == [{"id": 1}, {"a": "b"}, {"a": "q"}]


def test_a_name_sent_several_times_has_all_its_values(serve: ServeApp) -> None:
    client = serve(
        asking(lambda ctx: [ctx.params["t"], ctx.params.all("t"), ctx.params.all("id"), ctx.params.all("no")])
    )
    assert client.get("/1?t=a&t=b").json() == ["a", ["a", "b"], [1], []]
    assert client.post("/1", data={"t": ["a", "b"]}).json() == ["a", ["a", "b"], [1], []]
    assert client.post("/1", json={"t": ["a", "b"]}).json() == [["a", "b"], ["a", "b"], [1], []]
    assert client.post("/1?t=q", json={"t": []}).json() == [[], [], [1], []], "an empty list has been given"
    assert client.post("/1?t=q", json={}).json() == ["q", ["q"], [1], []]


def test_what_url_for_writes_into_a_query_is_read_again(serve: ServeApp) -> None:
    def routes(r: Routes) -> None:
        r.get("/url", lambda ctx: ctx.text(ctx.url_for("here", id=1, tag=["a", "é&=", ""], q=None, on=True)))
        r.get("/{id:int}", lambda ctx: [ctx.params.all("tag"), ctx.params.all("q"), ctx.params["on"]], name="here")

    client = serve(routes)
    assert client.get(client.get("/url").text).json() == [["a", "é&=", ""], [], "true"]


def test_a_missing_parameter_is_400_and_get_has_a_default(serve: ServeApp) -> None:
    client = serve(asking(lambda ctx: [ctx.params.get("x", "default"), "x" in ctx.params, ctx.params["y"]]))
    answer = client.get("/1")
    assert (answer.status, answer.json()["detail"]) == (400, "The parameter 'y' is missing.")
    assert client.get("/1?y=1").json() == ["default", False, "1"]


def test_files_come_with_name_type_and_content(serve: ServeApp) -> None:
    def show(ctx: Context) -> list[object]:
        upload = ctx.params.file("f")
        assert upload is not None
        return [upload.filename, upload.content_type, upload.file.read().decode(), ctx.params.file("g") is None]

    client = serve(asking(show))
    answer = client.post("/1", data={"a": "b"}, files={"f": ("../a.txt", b"content", "text/plain")})
    assert answer.json() == ["a.txt", "text/plain", "content", True]


def test_a_body_without_files_has_none(serve: ServeApp) -> None:
    assert serve(asking(lambda ctx: [ctx.params.file("f") is None, dict(ctx.params.files)])).post(
        "/1", data={"f": "x"}
    ).json() == [True, {}]


def test_the_files_of_a_form_hold_a_descriptor_only_when_they_are_large(serve: ServeApp) -> None:
    def opened(ctx: Context) -> list[int]:
        before = len(list(Path("/dev/fd").iterdir()))
        contents = [file.file.read() for uploads in ctx.params.files.values() for file in uploads]
        return [len(list(Path("/dev/fd").iterdir())) - before, *map(len, contents)]

    client = serve(lambda r: r.post("/", opened, limit=1_000_000))
    files = {f"f{number}": ("a", b"x" * 1000, "text/plain") for number in range(99)}
    assert client.post("/", files=files).json() == [0, *[1000] * 99]
    large = {**files, "large": ("b", b"y" * 100_000, "text/plain")}
    assert client.post("/", files=large).json() == [1, *[1000] * 99, 100_000]
    assert client.post("/", files={**large, "more": ("c", b"", "text/plain")}).status == 413


def test_a_query_with_too_many_fields_is_a_bad_request(serve: ServeApp) -> None:
    client = serve(asking(lambda ctx: {"n": len(ctx.params.query)}))
    answer = client.get("/1?" + "&".join(["a"] * 1001))
    assert (answer.status, answer.json()["code"]) == (400, "bad_request")
    assert client.get("/1?" + "&".join(["a"] * 1000)).json() == {"n": 1}


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("application/json", b"\xff", 400),
        ("application/x-www-form-urlencoded", b"a=%ff", 400),
        ("multipart/form-data; boundary=x", b"--y\r\n", 400),
        ("multipart/form-data", b"--y\r\n", 400),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 1001), 413),
        ("application/x-www-form-urlencoded; charset=latin-1", b"a=%e9", 415),
        ("application/json", b'{"a": 1, "a": 2}', 400),
        ("text/csv", b"a,b", 400),
    ],
)
def test_a_bad_body_is_the_clients_error(serve: ServeApp, content_type: str, body: bytes, status: int) -> None:
    client = serve(asking(lambda ctx: {"a": ctx.params["a"]}))
    assert client.post("/1", body=body, headers={"Content-Type": content_type}).status == status


def test_a_json_body_that_is_not_an_object_has_no_parameters(serve: ServeApp) -> None:
    client = serve(asking(lambda ctx: [ctx.params.body, ctx.params.json()]))
    assert client.post("/1", json=[1, 2]).json() == [{}, [1, 2]]


def test_a_body_that_get_ignores_does_not_hide_the_query(serve: ServeApp) -> None:
    client = serve(lambda r: r.get("/", lambda ctx: {"q": ctx.params["q"]}))
    answer = client.request("GET", "/?q=x", body=b'{"a": 1}', headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json()) == (200, {"q": "x"})


def test_every_line_of_content_encoding_counts(serve: ServeApp) -> None:
    client = serve(asking(lambda ctx: {"a": ctx.params["a"]}))
    fields = {"Content-Type": "application/json", "Content-Encoding": ["identity", "gzip"]}
    assert client.post("/1", body=b"{}", headers=fields).status == 415


@pytest.mark.parametrize("policy", ["buffer", "stream"])
def test_a_form_that_was_refused_stays_refused(serve: ServeApp, policy: str) -> None:
    def read_again(ctx: Context) -> list[str]:
        refusals = []
        for read in (lambda: ctx.params.body, lambda: ctx.params.files, lambda: ctx.params["evil"]):
            with pytest.raises(InvalidBody) as caught:
                read()
            refusals.append(caught.value.detail)
        return refusals

    nameless = b'--x\r\nContent-Disposition: form-data; name=""\r\n\r\n'
    form = b'--x\r\nContent-Disposition: form-data; name="evil"\r\n\r\n1\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    client = serve(lambda r: r.post("/", read_again, body=policy, limit=200_000))
    for size in (65_536, 131_072):  # a parser that reads in pieces may stop here when it fails
        first, *later = client.post("/", body=nameless.ljust(size, b"z") + form, headers=headers).json()
        assert later == [first, first]
