"""The printable configuration: secrets are masked at any depth, and each value has its origin."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.config.load import load
from arlen_runtime.config.masks import MASK
from arlen_runtime.config.printable import printable, printable_with_origins
from arlen_runtime.config.sections import Config, DatabaseSection


def test_the_printable_configuration_hides_secrets_at_any_depth_and_shows_the_rest() -> None:
    config = Config(
        "production",
        Path(),
        database=DatabaseSection(url="postgres://ada:love@db/x", direct_url="opaque-love"),
        settings={
            "mail": {"host": "smtp", "password": "love", "cc": ["https://ada:love@x.example"]},
            "tokens": {"first": "love", "more": ["love"]},
            "rate": 2,
        },
    )
    shown = printable(config)
    assert "love" not in repr(shown)
    assert shown["database"]["url"] == f"postgres://ada:{MASK}@db/x"
    assert shown["settings"]["mail"]["host"] == "smtp"
    assert shown["settings"]["rate"] == 2
    assert shown["server"]["port"] == 3000


@pytest.mark.parametrize(
    "url",
    [
        *(
            "postgresql://ada:lo ve@db/x",
            "host=db password='lo ve",
            "host=db password=lo ve",
            "password=",
            "password==",
        ),
        *("bG92ZSBsb3ZlIGxvdmU=", "love_love==", "love", "user = = love", "https://love@db/x"),
    ],
)
def test_a_connection_string_that_cannot_be_parsed_is_masked_whole(url: str) -> None:
    config = Config("production", Path(), database=DatabaseSection(url=url))
    assert printable(config)["database"]["url"] == MASK


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (r"host=db password=lo\ ve connect_timeout=3", f"host=db password={MASK} connect_timeout=3"),
        ("dbname = shop passwd='lo ve' sslpassword=love", f"dbname = shop passwd={MASK} sslpassword={MASK}"),
        ("service=shop", "service=shop"),
    ],
)
def test_a_connection_string_is_shown_without_its_passwords(url: str, shown: str) -> None:
    config = Config("production", Path(), database=DatabaseSection(url=url))
    assert printable(config)["database"]["url"] == shown


@pytest.mark.parametrize("name", ["secret_key", "api-key", "tokens"])
@pytest.mark.parametrize("value", ["bG92ZSBsb3ZlIGxvdmU==", "user=love", "postgres://love@db/x", ["a=love"], 1234])
def test_a_secret_of_the_application_is_masked_whole_whatever_it_looks_like(name: str, value: object) -> None:
    config = Config("production", Path(), settings={name: value})
    shown = printable(config)["settings"][name]
    assert shown in (MASK, [MASK])


def test_an_unset_secret_shows_as_unset() -> None:
    assert printable(Config("test", Path()))["database"]["url"] == ""


def test_a_secret_of_a_class_and_a_value_from_a_file_are_masked(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text('class Shop:\n    pin: str = setting("", "for the till", secret=True)\n')
    (tmp_path / "code").write_text("love")
    variables = {"PIN": "love", "CODE_FILE": str(tmp_path / "code"), "CURRENCY": "EUR"}
    config = load(tmp_path, None, {f"ARLEN_SETTINGS_{name}": text for name, text in variables.items()})
    assert printable(config)["settings"] == {"pin": MASK, "code": MASK, "currency": "EUR"}


def test_each_value_has_its_origin(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.toml").write_text(
        "[settings]\nrates = [1]\n[settings.mail]\norigin = 'a'\nkey = 'love'\n"
    )
    shown = printable_with_origins(load(tmp_path, None, {"ARLEN_PORT": "80"}, {"server.host": "::1"}))
    assert shown["server"]["port"] == {"value": 80, "origin": "ARLEN_PORT"}
    assert shown["server"]["host"] == {"value": "::1", "origin": "--host"}
    assert shown["log"]["level"] == {"value": "info", "origin": "default"}
    assert shown["settings"] == {
        "rates": {"value": [1], "origin": "config/app.toml, line 2"},
        "mail": {
            "origin": {"value": "a", "origin": "config/app.toml, line 4"},
            "key": {"value": MASK, "origin": "config/app.toml, line 5"},
        },
    }
