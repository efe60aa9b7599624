"""A Host matches by its name, whatever its port, brackets, case and last dot."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.config.sections import Config, ServerSection
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.hosts import AllowedHosts
from arlen_runtime.http.request import Head


def asked(host: str) -> Head:
    """Build the head of a request for a Host."""
    return Head("GET", "/", "", 1, Headers([]), host, True, None, False, False, "id-1", "::1", "::1", "http")


def listed(*hosts: str, environment: str = "production") -> AllowedHosts:
    """Build the list of an environment."""
    return AllowedHosts(Config(environment, Path(), server=ServerSection(hosts=hosts)))


def test_without_a_list_every_host_is_allowed_and_an_unreadable_request() -> None:
    hosts = listed()
    assert not hosts.limited
    assert hosts.is_allowed(asked("anything.example"))
    assert hosts.is_allowed(None)
    assert hosts.refusal(asked("anything.example")) is None


@pytest.mark.parametrize("environment", ["development", "production"])
def test_with_a_list_an_unreadable_request_is_not_allowed(environment: str) -> None:
    hosts = listed("shop.example", environment=environment)
    assert hosts.limited
    assert not hosts.is_allowed(None)


@pytest.mark.parametrize("name", ["shop.example", "Shop.Example.", "[2001:db8::1]", "2001:db8::1"])
def test_a_name_is_the_same_however_it_is_written(name: str) -> None:
    host = "shop.example" if "shop" in name.lower() else "[2001:db8::1]"
    for written in (host, f"{host}:8080", host.upper()):
        assert listed(name).is_allowed(asked(written))


def test_only_development_shows_the_remedy() -> None:
    for environment, shows_remedy in (("development", True), ("production", False)):
        refusal = listed("shop.example", environment=environment).refusal(asked("evil.example"))
        assert refusal is not None
        assert ("Add 'evil.example' to [server] hosts" in refusal.detail) is shows_remedy


def test_the_cache_is_bounded() -> None:
    hosts = listed(".example.org")
    for number in range(1100):
        assert hosts.is_allowed(asked(f"h{number}.example.org"))
    assert len(hosts._cache) == 1024
