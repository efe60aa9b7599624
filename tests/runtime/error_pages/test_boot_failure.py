"""The page of a failed boot names the place and reloads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arlen_runtime.config.sections import Config
from arlen_runtime.error_pages.boot_failure import BootFailure
from arlen_runtime.errors import BootError
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request import Head


def head(accept: str) -> Head:
    fields = Headers([(b"accept", accept.encode())])
    return Head("GET", "/x", "", 1, fields, "x", True, None, False, False, "id-1", "::1", "::1", "http")


@pytest.fixture
def failure(tmp_path: Path) -> BootFailure:
    """Fail with a syntax error."""
    path = tmp_path / "shop" / "broken.py"
    path.parent.mkdir()
    path.write_text("one = 1\ntwo = = 2\n")
    try:
        compile(path.read_text(), str(path), "exec")
    except SyntaxError as error:
        return BootFailure(error, Config("development", tmp_path))
    raise AssertionError


def body(failure: BootFailure, accept: str) -> str:
    content = failure.respond(head(accept)).body
    assert isinstance(content, bytes)
    return content.decode()


def test_the_page_names_file_and_line_shows_the_source_and_reloads(failure: BootFailure, tmp_path: Path) -> None:
    page = body(failure, "text/html")
    assert f"{tmp_path}/shop/broken.py:2" in page
    assert "two = = 2" in page
    assert '<meta http-equiv="refresh" content="1">' in page
    assert "<script" not in page


def test_an_api_client_gets_a_problem_document(failure: BootFailure) -> None:
    response = failure.respond(head("application/json"))
    assert (response.status, response.get("Content-Type")) == (500, "application/problem+json")
    document = json.loads(body(failure, "application/json"))
    assert document["code"] == "boot_failed"
    assert "SyntaxError: invalid syntax" in document["detail"]
    assert "broken.py:2" in document["detail"]


def test_a_browser_does_not_cache_it(failure: BootFailure) -> None:
    assert failure.respond(None).get("Cache-Control") == "no-store"


def test_an_error_without_a_place_has_its_message(tmp_path: Path) -> None:
    failure = BootFailure(BootError("app.py:3: the route name 'x' is taken"), Config("development", tmp_path))
    page = body(failure, "text/html")
    assert "app.py:3: the route name &#39;x&#39; is taken" in page
    assert "<dt>place</dt>" not in page


def test_the_place_is_shown_if_there_is_one(failure: BootFailure) -> None:
    assert "<dt>place</dt>" in body(failure, "text/html")


def test_with_live_reload_the_page_does_not_refresh_itself(tmp_path: Path) -> None:
    failure = BootFailure(BootError("broken"), Config("development", tmp_path), refreshes=False)
    assert "http-equiv" not in body(failure, "text/html")
