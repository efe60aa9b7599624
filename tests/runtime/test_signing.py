"""Signing: separate purposes, rotation, and secrets too weak for production."""

from __future__ import annotations

import subprocess
import sys

import pytest

from arlen_runtime.errors import ConfigError
from arlen_runtime.signing import KEY_BYTES, Secrets, same, token

OLD, NEW = "o" * 32, "n" * 32


def test_a_signature_verifies_and_nothing_else_does() -> None:
    keys = Secrets([NEW], production=True).keys("session")
    signature = keys.sign(b"user 7")
    assert keys.verify(b"user 7", signature)
    assert not keys.verify(b"user 8", signature)
    assert not keys.verify(b"user 7", "")


@pytest.mark.parametrize("change", ["{}=", "{}A", " {}", "{}\n", "é{}", "{}!"])
def test_a_signature_has_exactly_one_spelling(change: str) -> None:
    keys = Secrets([NEW], production=True).keys("session")
    assert not keys.verify(b"user 7", change.format(keys.sign(b"user 7")))


def test_the_last_character_of_a_signature_has_no_free_bits() -> None:
    keys = Secrets([NEW], production=True).keys("session")
    signature = keys.sign(b"user 7")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert [letter for letter in letters if keys.verify(b"user 7", signature[:-1] + letter)] == [signature[-1]]


def test_a_signature_for_one_purpose_is_worthless_for_another() -> None:
    secrets = Secrets([NEW], production=True)
    signature = secrets.keys("csrf").sign(b"user 7")
    assert not secrets.keys("session").verify(b"user 7", signature)
    assert secrets.keys("csrf").current != secrets.keys("session").current


def test_a_rotated_secret_still_verifies_and_no_longer_signs() -> None:
    before = Secrets([OLD], production=True).keys("session")
    during = Secrets([NEW, OLD], production=True).keys("session")
    after = Secrets([NEW], production=True).keys("session")
    assert during.verify(b"m", before.sign(b"m"))
    assert after.verify(b"m", during.sign(b"m"))
    assert not after.verify(b"m", before.sign(b"m"))
    assert list(during) == [after.current, before.current]


def test_every_process_derives_the_same_key() -> None:
    code = (
        f"from arlen_runtime.signing import Secrets; print(Secrets([{NEW!r}], production=True).keys('a').current.hex())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    current = Secrets([NEW], production=True).keys("a").current
    assert done.stdout.strip() == current.hex()
    assert len(current) == KEY_BYTES


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "a secret is required"),
        ([""], "secret 1 of 1 is shorter than 32 bytes"),
        (["x" * 31], "secret 1 of 1 is shorter than 32 bytes"),
        ([NEW, "x"], "secret 2 of 2 is shorter than 32 bytes"),
    ],
)
def test_production_refuses_a_weak_or_missing_secret_with_the_remedy(values: list[str], reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Secrets(values, production=True)
    assert refused.value.detail.startswith(reason)
    assert "token_urlsafe(32)" in refused.value.detail


def test_a_refused_secret_is_not_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        Secrets(["hunter2"], production=True)
    assert "hunter2" not in refused.value.detail


def test_the_length_of_a_secret_is_counted_in_bytes() -> None:
    assert len(Secrets(["é" * 16], production=True).keys("a").current) == KEY_BYTES


def test_outside_production_a_missing_secret_is_generated() -> None:
    keys = Secrets([], production=False).keys("a")
    assert keys.verify(b"m", keys.sign(b"m"))
    assert not Secrets([], production=False).keys("a").verify(b"m", keys.sign(b"m"))
    assert len(Secrets(["short"], production=False).keys("a").current) == KEY_BYTES


def test_tokens_are_unguessable_and_fit_into_urls() -> None:
    tokens = {token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(made) == 43 and made.replace("-", "a").replace("_", "a").isalnum() for made in tokens)


def test_secrets_compare_by_value_also_beyond_ascii() -> None:
    assert same("é", "é")
    assert not same("a", "b")
    assert not same("a", "aa")
