"""Files under public/, and the copies that clients have of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from arlen_runtime.config.sections import Config, StaticSection
from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.http.response import Response
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient
from arlen_runtime.web.responses import file
from arlen_runtime.web.static_files import StaticFiles
from arlen_runtime.wsgi import AppCallable, WSGIAdapter
from tests.fixtures import DescriptorsLeft, ServeApp

CONTENT = bytes(range(256)) * 10


@pytest.fixture
def client(serve: ServeApp, tmp_path: Path) -> TestClient:
    """ServeApp a folder with some files, and a page that links one."""
    public = tmp_path / "public"
    (public / "img").mkdir(parents=True)
    (public / "img" / "a.png").write_bytes(CONTENT)
    (public / "app.css").write_text("body {}")
    (public / "app-0a1b2c3d.js").write_text("1")
    (public / "report-20260131.pdf").write_text("1")
    (public / "with space.txt").write_text("space")
    (tmp_path / "secret.txt").write_text("SECRET")
    (public / "link.txt").symlink_to(tmp_path / "secret.txt")

    def routes(r: Routes) -> None:
        r.get("/", lambda ctx: ctx.render("page.html"))

    return serve(routes, templates={"page.html": "{{ asset('app.css') }}"})


def test_a_file_is_sent_with_type_length_and_validators(client: TestClient) -> None:
    answer = client.get("/static/img/a.png")
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert {"etag", "last-modified", "accept-ranges", "x-request-id", "x-content-type-options"} <= set(answer.headers)


def test_head_has_the_true_length_and_no_body(client: TestClient) -> None:
    answer = client.head("/static/img/a.png")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, str(len(CONTENT)), b"")


def test_a_range_counts_only_for_get(client: TestClient) -> None:
    answer = client.head("/static/img/a.png", headers={"Range": "bytes=0-1"})
    assert (answer.status, answer.headers["content-length"]) == (200, str(len(CONTENT)))


def test_a_valid_copy_is_304(client: TestClient) -> None:
    first = client.get("/static/app.css").headers
    for condition in ({"If-None-Match": first["etag"]}, {"If-Modified-Since": first["last-modified"]}):
        answer = client.get("/static/app.css", headers=condition)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", first["etag"])
    assert client.get("/static/app.css", headers={"If-None-Match": '"other"'}).status == 200


def test_a_condition_that_does_not_hold_is_412(client: TestClient) -> None:
    answer = client.get("/static/app.css", headers={"If-Match": '"other"'})
    assert (answer.status, answer.json()["code"]) == (412, "precondition_failed")


def test_a_changed_file_has_another_tag(client: TestClient, tmp_path: Path) -> None:
    before = client.get("/static/app.css").headers["etag"]
    os.utime(tmp_path / "public" / "app.css", ns=(10**18, 10**18 + 1))
    assert client.get("/static/app.css").headers["etag"] != before


def test_a_range_is_206_with_its_part(client: TestClient) -> None:
    answer = client.get("/static/img/a.png", headers={"Range": "bytes=10-19"})
    assert (answer.status, answer.body) == (206, CONTENT[10:20])
    assert answer.headers["content-range"] == f"bytes 10-19/{len(CONTENT)}"
    assert client.get("/static/img/a.png", headers={"Range": "bytes=-5"}).body == CONTENT[-5:]


def test_several_ranges_are_parts_of_one_body(client: TestClient) -> None:
    answer = client.get("/static/img/a.png", headers={"Range": "bytes=0-1,300-301"})
    assert answer.status == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert CONTENT[0:2] in answer.body
    assert f"Content-Range: bytes 300-301/{len(CONTENT)}".encode() in answer.body


def test_a_range_outside_is_416_with_the_length(client: TestClient) -> None:
    answer = client.get("/static/app.css", headers={"Range": "bytes=100-"})
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */7")


def test_a_range_of_an_older_version_gets_the_whole(client: TestClient) -> None:
    answer = client.get("/static/app.css", headers={"Range": "bytes=0-1", "If-Range": '"old"'})
    assert (answer.status, answer.body) == (200, b"body {}")


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/img",
        "/static/img/",
        "/static/missing",
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/..%2fsecret.txt",
        "/static/img/../../secret.txt",
        "/static/img%2Fa.png",
        "/static//app.css",
        "/static/./app.css",
        "/static/link.txt",
        "/static/..%5csecret.txt",
    ],
)
def test_no_request_leaves_the_folder(client: TestClient, path: str) -> None:
    answer = client.get(path, raw=True)
    assert answer.status in {400, 404}
    assert "SECRET" not in answer.text


def test_a_name_may_be_encoded(client: TestClient) -> None:
    assert client.get("/static/with%20space.txt").text == "space"


def test_other_methods_are_405(client: TestClient) -> None:
    assert client.post("/static/app.css").status == 405


def test_a_fingerprinted_name_is_immutable_and_a_date_is_not(client: TestClient) -> None:
    assert client.get("/static/app-0a1b2c3d.js").headers["cache-control"].endswith("immutable")
    assert client.get("/static/report-20260131.pdf").headers["cache-control"] == "public, max-age=3600"


def test_an_asset_url_has_a_digest_and_is_immutable(client: TestClient, tmp_path: Path) -> None:
    address = client.get("/").text
    assert address.startswith("/static/app.css?v=")
    assert client.get(address).headers["cache-control"].endswith("immutable")
    assert client.get("/static/app.css?v=000000000000").headers["cache-control"] == "public, max-age=3600"
    (tmp_path / "public" / "app.css").write_text("body { margin: 0 }")
    assert client.get(address).headers["cache-control"] == "public, max-age=3600"


def test_an_asset_is_read_once_and_in_development_after_each_change(serve: ServeApp, tmp_path: Path) -> None:
    path = tmp_path / "public" / "app.css"
    path.parent.mkdir()
    templates = {"page.html": "{{ asset('app.css') }}", "any.html": "{{ asset(name) }}"}

    def routes(r: Routes) -> None:
        r.get("/", lambda ctx: ctx.render("page.html"))
        r.get("/{name}", lambda ctx: ctx.render("any.html", name=ctx.route["name"]))

    for environment, is_read_again in (("production", False), ("test", False), ("development", True)):
        path.write_text(environment)
        client = serve(routes, environment, templates=templates)
        before = [client.get(address).text for address in ("/", "/app.css")]
        path.write_text(f"{environment} changed")
        assert before[0] == before[1]
        assert [client.get(address).text != before[0] for address in ("/", "/app.css")] == [is_read_again] * 2


def test_outside_development_a_page_opens_no_asset(serve: ServeApp, tmp_path: Path) -> None:
    path = tmp_path / "public" / "app.css"
    path.parent.mkdir()
    path.write_text("body {}")
    client = serve(
        lambda r: r.get("/", lambda ctx: ctx.render("page.html")), templates={"page.html": "{{ asset('app.css') }}"}
    )
    path.unlink()
    assert client.get("/").text.startswith("/static/app.css?")


def test_the_addresses_of_assets_that_do_not_exist_are_not_remembered(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "app.css").write_text("body {}")
    static_files = StaticFiles(StaticSection(), tmp_path)
    for name in ("./app.css", "/app.css", "x" * 10_000, "app.css/", "\0", ".app.css"):
        with pytest.raises(ArlenError, match="there is no asset"):
            static_files.asset(name)
    assert static_files._urls == {}
    assert static_files.asset("app.css") == static_files._urls["app.css"]


def test_a_missing_asset_is_an_error_with_the_nearest_name(serve: ServeApp, tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "app.css").write_text("body {}")
    routes = lambda r: r.get("/", lambda ctx: ctx.render("p.html"))  # noqa: E731 - used twice
    templates = {"p.html": "\n{{ asset('ap.css') }}"}
    message = r"there is no asset 'ap\.css' in .*/public; did you mean app\.css\?"
    assert re.search(message, serve(routes, "development", templates=templates).get("/").json()["detail"])
    with pytest.raises(BootError, match=rf"^p\.html:2: {message}$"):
        serve(routes, "test", templates=templates)


def test_the_prefix_is_a_setting_and_serving_can_be_left_to_others(serve: ServeApp, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("a")
    section = StaticSection(prefix="/assets", folder="files")
    config = Config("production", tmp_path, static=section)
    assert serve(lambda _r: None, config=config).get("/assets/a.txt").text == "a"
    off = Config("production", tmp_path, static=StaticSection(enabled=False, prefix="/assets", folder="files"))
    assert serve(lambda _r: None, config=off).get("/assets/a.txt").status == 404


def test_a_precompressed_file_is_sent_to_clients_that_accept_it(client: TestClient, tmp_path: Path) -> None:
    plain = client.get("/static/app.css")
    for suffix in (".br", ".gz"):
        (tmp_path / "public" / f"app.css{suffix}").write_bytes(suffix.encode())
    for accept, coding, body in (("gzip, br", "br", b".br"), ("gzip", "gzip", b".gz"), ("br;q=0", None, b"body {}")):
        answer = client.get("/static/app.css", headers={"Accept-Encoding": accept})
        assert (answer.headers.get("content-encoding"), answer.body) == (coding, body)
        assert (answer.headers["content-type"], answer.headers["vary"]) == (
            "text/css; charset=utf-8",
            "Accept-Encoding",
        )
        assert (answer.headers["etag"] == plain.headers["etag"]) is (coding is None)
        assert client.head("/static/app.css", headers={"Accept-Encoding": accept}).headers["content-length"] == str(
            len(body)
        )


def test_each_coding_has_a_tag_of_its_own_though_time_and_size_are_the_same(client: TestClient, tmp_path: Path) -> None:
    for suffix in ("", ".br", ".gz", ".zst"):
        path = tmp_path / "public" / f"app.css{suffix}"
        path.write_text("body {}")
        os.utime(path, ns=(10**18, 10**18))
    tags = {
        coding: client.get("/static/app.css", headers={"Accept-Encoding": coding}).headers["etag"]
        for coding in ("identity", "br", "gzip", "zstd")
    }
    assert len(set(tags.values())) == 4
    for coding, tag in tags.items():
        asked = {"Accept-Encoding": coding, "If-None-Match": tag}
        assert client.get("/static/app.css", headers=asked).status == 304
        assert client.get("/static/app.css", headers={**asked, "Accept-Encoding": "identity"}).status == (
            304 if coding == "identity" else 200
        )


def test_a_range_is_not_joined_to_an_older_version_of_the_same_second(client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "public" / "img" / "a.png"
    os.utime(path, ns=(10**18, 10**18 + 1))
    dated = client.get("/static/img/a.png").headers["last-modified"]
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(10**18, 10**18 + 900_000_000))
    answer = client.get("/static/img/a.png", headers={"Range": "bytes=4-", "If-Range": dated})
    assert (answer.status, answer.body) == (200, CONTENT[::-1])
    tag = answer.headers["etag"]
    assert client.get("/static/img/a.png", headers={"Range": "bytes=4-", "If-Range": tag}).status == 206


def test_a_file_that_cannot_be_opened_now_is_503(
    client: TestClient, tmp_path: Path, descriptors_left: DescriptorsLeft
) -> None:
    (tmp_path / "public" / "app.css.gz").write_text("coded")
    accept = {"Accept-Encoding": "gzip"}
    assert client.get("/static/app.css", headers=accept).text == "coded"
    with descriptors_left(1):
        answer = client.get("/static/app.css", headers=accept)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    with descriptors_left(2):
        assert client.get("/static/app.css", headers=accept).text == "body {}", "enough for the file, not for another"


def test_a_precompressed_file_that_is_older_is_ignored(client: TestClient, tmp_path: Path) -> None:
    sibling = tmp_path / "public" / "app.css.gz"
    sibling.write_bytes(b"old")
    os.utime(sibling, (1, 1))
    answer = client.get("/static/app.css", headers={"Accept-Encoding": "gzip"})
    assert (answer.body, "content-encoding" in answer.headers) == (b"body {}", False)


EDGES = [
    # size, Range, status, Content-Range, body
    (0, "bytes=-5", 200, None, ""),
    (0, "bytes=0-,-1", 200, None, ""),
    (0, "bytes=-0", 416, "bytes */0", None),
    (0, "bytes=0-", 416, "bytes */0", None),
    (0, "bytes=5-0", 200, None, ""),
    (5, "bytes=-0", 416, "bytes */5", None),
    (5, "bytes=-9", 206, "bytes 0-4/5", "01234"),
    (5, "bytes=4-", 206, "bytes 4-4/5", "4"),
    (5, "bytes=5-", 416, "bytes */5", None),
    (5, "bytes=0-" + "9" * 500, 206, "bytes 0-4/5", "01234"),
    (5, "bytes=" + "9" * 500 + "-", 416, "bytes */5", None),
    (5, "bytes=3-2", 200, None, "01234"),
    (5, "bytes=1-2,2-3", 206, "bytes 1-3/5", "123"),
    (5, "bytes=0-2,1-", 200, None, "01234"),
    (5, "BYTES=1-2", 206, "bytes 1-2/5", "12"),
    (5, "bytes= 1-2", 206, "bytes 1-2/5", "12"),
    (5, "lines=1-2", 200, None, "01234"),
]


@pytest.mark.parametrize("door", ["/static/file.txt", "/file", "/bytes", "/stream"])
@pytest.mark.parametrize("by_wsgi", [False, True])
def test_ranges_at_the_edges_are_the_same_for_all_content(
    serve: ServeApp,
    tmp_path: Path,
    door: str,
    by_wsgi: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    (tmp_path / "public").mkdir()
    path = tmp_path / "public" / "file.txt"

    def routes(r: Routes) -> None:
        r.get("/file", lambda _ctx: file(path))
        r.get("/bytes", lambda _ctx: Response(path.read_bytes(), headers=[("ETag", '"1"')]))
        r.get("/stream", lambda _ctx: Response(iter([path.read_bytes()]), headers=[("ETag", '"1"')]))

    client = serve(routes)
    if by_wsgi:
        client = TestClient(WSGIAdapter(AppCallable(client.app), Config("test", tmp_path)))
    for size, field, status, content_range, body in EDGES:
        path.write_bytes(b"01234"[:size])
        answer = client.get(door, headers={"Range": field})
        if door == "/stream":
            assert (answer.status, answer.body) == (200, b"01234"[:size]), field
            continue
        assert (answer.status, answer.headers.get("content-range")) == (status, content_range), field
        assert body is None or answer.text == body, field
        head = client.head(door, headers={"Range": field})
        assert (head.status, head.headers.get("content-length", "0")) == (200, str(size)), field
