"""Only allowed Hosts are answered; in development only those of loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.config.sections import Config, ServerSection
from tests.fixtures import ServeApp


def status(serve: ServeApp, config: Config, host: str, path: str = "/") -> int:
    client = serve(lambda r: r.get("/", lambda _ctx: {}), config=config)
    client.host = host
    return client.get(path).status


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", 200),
        ("LOCALHOST:3000", 200),
        ("localhost.", 200),
        ("shop.localhost:3000", 200),
        ("127.0.0.1:3000", 200),
        ("127.1.2.3", 200),
        ("[::1]:3000", 200),
        ("192.168.1.5:3000", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("192.168.1.6", 400),
        ("", 400),
    ],
)
def test_in_development_only_loopback_and_its_own_address_are_allowed(
    serve: ServeApp, tmp_path: Path, host: str, expected: int
) -> None:
    config = Config("development", tmp_path, server=ServerSection(host="192.168.1.5"))
    assert status(serve, config, host) == expected


@pytest.mark.parametrize("environment", ["production", "test"])
def test_elsewhere_every_host_is_allowed_until_there_is_a_list(
    serve: ServeApp, tmp_path: Path, environment: str
) -> None:
    assert status(serve, Config(environment, tmp_path), "anything.example") == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop.example", 200),
        ("Shop.Example:8080", 200),
        ("example.org", 200),
        ("a.b.example.org", 200),
        ("badexample.org", 400),
        ("sub.shop.example", 400),
        ("localhost", 400),
    ],
)
def test_the_list_has_names_and_domains_with_a_leading_dot(
    serve: ServeApp, tmp_path: Path, host: str, expected: int
) -> None:
    config = Config("production", tmp_path, server=ServerSection(hosts=("shop.example", ".example.org")))
    assert status(serve, config, host) == expected


def test_health_answers_whatever_the_host(serve: ServeApp, tmp_path: Path) -> None:
    config = Config("production", tmp_path, server=ServerSection(hosts=("shop.example",)))
    assert status(serve, config, "10.0.0.7", "/livez") == 200
