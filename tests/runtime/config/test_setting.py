"""A setting: the values of each type, and what is refused with which words."""

from __future__ import annotations

import pytest

from arlen_runtime.config.schema import SECTIONS
from arlen_runtime.config.setting import alternatives


@pytest.mark.parametrize(
    ("section", "key", "text", "value"),
    [
        ("server", "host", "::1", "::1"),
        ("server", "port", "0", 0),
        ("propane_accessories", "queue_seconds", "0.5", 0.5),
        ("log", "access", "Off", False),
        ("log", "access", "yes", True),
        ("server", "trusted_proxies", "10.0.0.0/8, ::1/128,", ("10.0.0.0/8", "::1/128")),
    ],
)
def test_text_becomes_the_type_of_its_setting(section: str, key: str, text: str, value: object) -> None:
    assert SECTIONS[section][key].from_text(text) == value


@pytest.mark.parametrize(
    ("section", "key", "text", "reason"),
    [
        ("server", "port", "http", "must be a whole number, not 'http'"),
        ("server", "port", "-1", "must be at least 0, not -1"),
        ("server", "port", "65536", "must be at most 65535, not 65536"),
        ("propane_accessories", "queue_seconds", "nan", "must be a finite number, not nan"),
        ("propane_accessories", "queue_seconds", "inf", "must be a finite number, not inf"),
        ("log", "access", "maybe", "must be true or false, not 'maybe'"),
        ("log", "level", "loud", 'must be "debug", "info", "warning" or "error", not \'loud\''),
    ],
)
def test_text_that_does_not_fit_is_refused_with_the_reason(section: str, key: str, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="must be") as refused:
        SECTIONS[section][key].from_text(text)
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    ("section", "key", "raw"),
    [
        ("server", "port", True),
        ("server", "port", 80.0),
        ("server", "host", 1),
        ("log", "access", 1),
        ("propane_accessories", "queue_seconds", False),
        ("propane_accessories", "queue_seconds", 10**400),
        ("server", "trusted_proxies", "10.0.0.0/8"),
        ("server", "trusted_proxies", [1]),
    ],
)
def test_toml_values_of_another_type_are_refused(section: str, key: str, raw: object) -> None:
    with pytest.raises(ValueError, match="must be "):
        SECTIONS[section][key].from_toml(raw)


@pytest.mark.parametrize(
    ("key", "items"),
    [
        ("trusted_proxies", ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "unix"]),
        ("metrics_from", []),
        ("hosts", ["example.org", ".example.org", "my_host", "10.0.0.1", "::1", "[2001:db8::1]", "example.org."]),
    ],
)
def test_lists_of_networks_and_hosts_take_what_can_match(key: str, items: list[str]) -> None:
    assert SECTIONS["server"][key].from_toml(items) == tuple(items)


@pytest.mark.parametrize(
    ("key", "item"),
    [
        *(("trusted_proxies", item) for item in ("nonsense", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0 /8")),
        ("metrics_from", "localhost"),
        *(
            ("hosts", item)
            for item in ("example.org:443", "https://example.org", "*.example.org", "[::1]:80", "..a", "a/b")
        ),
    ],
)
def test_lists_of_networks_and_hosts_refuse_what_never_matches(key: str, item: str) -> None:
    setting = SECTIONS["server"][key]
    with pytest.raises(ValueError, match="must list ") as refused:
        setting.from_toml(["127.0.0.1", item])
    assert str(refused.value).endswith(f"not {item!r}")
    with pytest.raises(ValueError, match="must list "):
        setting.from_text(f"127.0.0.1,{item}")


@pytest.mark.parametrize("key", ["port", "queue_seconds"])
@pytest.mark.parametrize("digits", [400, 5000])
def test_a_huge_number_is_an_error_not_a_crash(key: str, digits: int) -> None:
    setting = SECTIONS["server" if key == "port" else "propane_accessories"][key]
    with pytest.raises(ValueError, match="must be ") as refused:
        setting.from_toml(10**digits)
    assert ("thousands of digits" in str(refused.value)) is (digits == 5000)
    with pytest.raises(ValueError, match="must be "):
        setting.from_text("1" + "0" * digits)


def test_a_whole_number_is_accepted_as_a_number() -> None:
    value = SECTIONS["propane_accessories"]["queue_seconds"].from_toml(2)
    assert (value, type(value)) == (2.0, float)


def test_a_refused_secret_is_not_quoted() -> None:
    with pytest.raises(ValueError, match="must be a string") as refused:
        SECTIONS["database"]["url"].from_toml(["postgres://ada:lovelace@db/x"])
    assert "lovelace" not in str(refused.value)


def test_alternatives_read_as_a_sentence() -> None:
    assert alternatives(("a",)) == '"a"'
    assert alternatives(("a", "b", "c")) == '"a", "b" or "c"'


def test_commands_are_a_table_in_a_file_and_pairs_in_a_variable() -> None:
    setting = SECTIONS["propane_accessories"]["processes"]
    commands = {"jobs": "python -m shop.jobs", "clock": "clock --every '5 minutes'"}

    assert setting.from_toml(commands) == commands
    assert setting.from_text("jobs=python -m shop.jobs; clock = clock --every '5 minutes'") == commands
    for wrong in ({"jobs": 3}, {"jobs": ""}, {"jobs": "an 'open quote"}, ["jobs"]):
        with pytest.raises(ValueError, match="table of names and commands"):
            setting.from_toml(wrong)


@pytest.mark.parametrize(
    "url", ["", "https://example.org", "http://localhost:3000", "https://[2001:db8::1]:8443", "https://192.0.2.7"]
)
def test_the_address_of_a_site_is_scheme_and_host(url: str) -> None:
    setting = SECTIONS["app"]["url"]
    assert (setting.from_text(url), setting.from_toml(url)) == (url, url)


@pytest.mark.parametrize(
    "url",
    [
        "example.org",
        "ftp://example.org",
        "https://",
        "https://example.org/",
        "https://example.org/shop",
        "https://example.org?a=b",
        "https://example.org#a",
        "https://example.org:http",
        "https://example.org:0",
        "https://example.org:99999",
        "https://example.org:",
        "https://.example.org",
        "https://2001:db8::1",
        "https://[::1",
        "https://a b",
        "https://a\nb",
        " https://example.org",
    ],
)
def test_the_address_of_a_site_has_no_other_part(url: str) -> None:
    with pytest.raises(ValueError, match="must be scheme and host, such as "):
        SECTIONS["app"]["url"].from_text(url)


def test_the_password_of_an_address_is_not_shown() -> None:
    with pytest.raises(ValueError, match=r"not 'https://.*@example\.org'") as refused:
        SECTIONS["app"]["url"].from_text("https://me:hunter2@example.org")
    assert "hunter2" not in str(refused.value)
