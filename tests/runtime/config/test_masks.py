"""Masks: no secret is printed, but what helps an operator is."""

from __future__ import annotations

import time

import pytest

from arlen_runtime.config.masks import MASK, is_secret_name, mask_text


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
