"""Every response has each security header once."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.config.sections import Config, SecurityHeadersSection
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.security_headers import SecurityHeaders, with_nonce
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.context import Context
from tests.fixtures import ServeApp

NAMES = {
    "x-content-type-options",
    "content-security-policy",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
}


def routes(r: Routes) -> None:
    """Answer with default headers, with headers of its own, or fail."""
    r.get("/", lambda _ctx: {})
    r.get(
        "/own",
        lambda _ctx: Response(headers=[("x-frame-options", "DENY"), ("Content-Security-Policy", "default-src *")]),
    )
    r.get("/fail", _fail)


def _fail(_ctx: Context) -> None:
    raise RuntimeError


@pytest.mark.parametrize("path", ["/", "/fail", "/nothing", "/livez", "/own"])
def test_every_answer_has_each_header_once(serve: ServeApp, path: str) -> None:
    names = [name.lower() for name, _ in serve(routes).get(path).fields]
    assert {name for name in NAMES if names.count(name) == 1} == NAMES
    assert "strict-transport-security" not in names


def test_an_answer_that_sets_one_itself_keeps_its_own(serve: ServeApp) -> None:
    headers = serve(routes).get("/own").headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"] == "default-src *"


def test_hsts_is_sent_only_over_tls(serve: ServeApp) -> None:
    client = serve(routes)
    client.scheme = "https"
    assert client.get("/").headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" in client.get("/own").headers


def test_an_empty_setting_leaves_its_header_out(serve: ServeApp, tmp_path: Path) -> None:
    config = Config("production", tmp_path, security_headers=SecurityHeadersSection(frame_options=""))
    assert "x-frame-options" not in serve(routes, config=config).get("/").headers


def test_a_setting_that_would_split_the_head_is_refused() -> None:
    with pytest.raises(ValueError, match="control character"):
        SecurityHeaders(SecurityHeadersSection(referrer_policy="a\r\nSet-Cookie: x=y"))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("default-src 'self'", "default-src 'self'; script-src 'self' 'nonce-N'; style-src 'self' 'nonce-N'"),
        ("script-src 'none'; style-src a.example", "script-src 'nonce-N'; style-src a.example 'nonce-N'"),
        (
            "default-src 'none'; upgrade-insecure-requests;",
            "default-src 'none'; upgrade-insecure-requests; script-src 'nonce-N'; style-src 'nonce-N'",
        ),
    ],
)
def test_a_nonce_is_added_to_what_the_policy_allows(policy: str, expected: str) -> None:
    assert with_nonce(policy, "N") == expected
