"""Media types: a fixed table."""

from __future__ import annotations

import mimetypes

import pytest

from arlen_runtime.http import media_types


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("/static/app.min.JS", "text/javascript; charset=utf-8"),
        ("logo.svg", "image/svg+xml"),
        ("font.woff2", "font/woff2"),
        ("archive.tar.gz", "application/gzip"),
        ("README", "application/octet-stream"),
        ("folder.html/file", "application/octet-stream"),
        ("x.unknown", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_the_extension_determines_the_type(name: str, kind: str) -> None:
    assert media_types.of(name) == kind


def test_a_missing_or_unknown_extension_has_no_type() -> None:
    assert media_types.by_extension("/posts/{id:int}.json") == "application/json"
    assert media_types.by_extension("a.HTML") == "text/html"
    assert [media_types.by_extension(name) for name in ("posts", "/v1.2/posts", "a.unheard-of")] == [None, None, None]


def test_the_machine_s_own_table_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mimetypes.types_map, ".css", "text/x-evil")
    assert media_types.of("a.css") == "text/css; charset=utf-8"


def test_json_is_json_and_what_is_built_on_it() -> None:
    for kind in ("application/json", "Application/JSON ; charset=utf-8", "application/problem+json"):
        assert media_types.is_json(kind)
    for kind in ("text/json+x", "application/jsonx", ""):
        assert not media_types.is_json(kind)


def test_text_is_worth_compressing_and_streams_and_images_are_not() -> None:
    for name in ("a.html", "a.css", "a.json", "a.svg", "a.wasm", "a.webmanifest", "a.xml"):
        assert media_types.is_compressible(media_types.of(name))
    for kind in ("image/png", "text/event-stream", "application/zip", "font/woff2", ""):
        assert not media_types.is_compressible(kind)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=xy", "xy"),
        ('multipart/form-data ;\tBoundary="x\\y" ; other="; boundary=z"', "xy"),
        ('multipart/form-data; boundary=""', ""),
        ("multipart/form-data;; boundary=xy;", "xy"),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=x; boundary=y", None),
        ('multipart/form-data; boundary=x; other="', None),
        ("multipart/form-data; boundary = x", None),
        ("multipart/form-data; boundary=x y", None),
    ],
)
def test_a_parameter_is_unquoted_and_none_if_it_is_ambiguous(content_type: str, boundary: str | None) -> None:
    assert media_types.parameter(content_type, "boundary") == boundary
