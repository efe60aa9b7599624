"""Masks: no secret is printed, but what helps an operator is."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from arlen_runtime.config.masks import MASK, is_secret_name, mask_text, printable
from arlen_runtime.config.sections import Config, DatabaseSection


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgres://ada:love@db/x", f"postgres://ada:{MASK}@db/x"),
        ("postgres://ada:l@ve@db/x", f"postgres://ada:{MASK}@db/x"),
        ("postgres://ada:l/v?e@db/x", f"postgres://ada:{MASK}@db/x"),
        ("redis://:love@cache:6379/0", f"redis://:{MASK}@cache:6379/0"),
        (
            "postgres://db/x?user=ada&password=love&sslmode=require",
            f"postgres://db/x?user=ada&password={MASK}&sslmode=require",
        ),
        ("host=db password=love user=ada", f"host=db password={MASK} user=ada"),
        (r"host=db password='lo\'ve it' user=ada", f"host=db password={MASK} user=ada"),
        (r"host=db password=lo\ ve user=ada", f"host=db password={MASK} user=ada"),
        ("could not reach https://ada:love@x.example/ today", f"could not reach https://ada:{MASK}@x.example/ today"),
        ("postgres://ada@db:5432/x", "postgres://ada@db:5432/x"),
        ("{'api_token': 'lo\\'ve', 'name': 'Ada'}", f"{{'api_token': '{MASK}', 'name': 'Ada'}}"),
        ('{"secret": 12345, "n": [1]}', f'{{"secret": \'{MASK}\', "n": [1]}}'),
        ("/reset?access_token=love&n=1", f"/reset?access_token={MASK}&n=1"),
        ("?api-key=love&x-api-key=love", f"?api-key={MASK}&x-api-key={MASK}"),
        ("SECRET_KEY_BASE='lo ve' KEY=3", f"SECRET_KEY_BASE={MASK} KEY=3"),
        ('password = "lo ve" n = 1', f"password = {MASK} n = 1"),
        (r'API_TOKEN="lo\"ve it" n=1', f"API_TOKEN={MASK} n=1"),
        ("stripe_key='love' primary_key='id'", f"stripe_key={MASK} primary_key='id'"),
        ("{'u':'password=x','token':'lo ve'}", f"{{'u':'password={MASK}"),
        ('{"u":"key=x", "token":"lo ve"}', f'{{"u":"key=x", "token":\'{MASK}\'}}'),
        ("{b'cookie': b'love', 'n': 1}", f"{{b'cookie': '{MASK}', 'n': 1}}"),
        ("[('cookie', 'a=love; b'), ('host', 'x')]", f"[('cookie', '{MASK}'), ('host', 'x')]"),
        ("[(b'set-cookie', b'a=love; b')]", f"[(b'set-cookie', '{MASK}')]"),
        ('get("password", "")', 'get("password", "")'),
        ("/?session_id=love&n=1", f"/?session_id={MASK}&n=1"),
        ("x-sslpassword = love", f"x-sslpassword = {MASK}"),
        ("key = monkey = 3", "key = monkey = 3"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_passwords_in_urls_and_connection_strings_are_masked_by_value(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "name",
    [
        *("password", "API_KEY", "session_secret", "x-auth-token", "SECRET", "db_dsn", "keys"),
        *("x-api-key", "api-key", "access-key", "Session-Key", "db_pass", "pass", "Authorization", "X-Auth"),
        *("stripe_key", "HMAC-Key", "signing_keys", "cookie", "cookies", "Set-Cookie", "HTTP_COOKIE", "session_id"),
    ],
)
def test_names_that_sound_secret_are(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("name", "port", "keyboard", "monkey", "author", "keep_alive_seconds", "passenger", "by_passing", "auth_url"),
        *("primary_key", "foreign_key", "primary-keys", "authors", "cookie_name", "turkey", "key_count"),
    ],
)
def test_names_that_only_look_alike_are_not(name: str) -> None:
    assert not is_secret_name(name)


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


def test_text_without_an_end_is_masked_in_time() -> None:
    began = time.process_time()
    for text in (
        "https://x:" * 20_000,
        "a-" * 100_000,
        "secret" * 40_000,
        "a" * 200_000,
        "a=" * 100_000,
        'a="' * 80_000,
        "('a', " * 40_000,
    ):
        mask_text(text)
    assert time.process_time() - began < 10


def test_an_unset_secret_shows_as_unset() -> None:
    assert printable(Config("test", Path()))["database"]["url"] == ""
