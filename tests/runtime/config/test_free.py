"""Variables of the application's own settings: their keys, their types, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from arlen_runtime.config.free import read_settings_value, settings_path


@pytest.mark.parametrize(
    ("present", "text", "value"),
    [
        ("", "7", "7"),
        (1, "7", 7),
        (1.5, "7", 7.0),
        (False, "on", True),
        (["a"], "b, c", ["b", "c"]),
        ([], "b", ["b"]),
        ([1, 2], "3,4", [3, 4]),
        ([True], "no", [False]),
        ([1, "a"], "3,b", ["3", "b"]),
        (date(2026, 1, 2), "2026-03-04", date(2026, 3, 4)),
        (time(1, 2), "03:04", time(3, 4)),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-03-04T05:06:07Z", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
    ],
)
def test_a_variable_takes_the_type_of_the_value_in_the_files(present: object, text: str, value: object) -> None:
    read = read_settings_value("x", present, text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("present", [{"a": 1}, [{"a": 1}], [["a"]]])
def test_a_variable_cannot_set_a_table(present: object) -> None:
    with pytest.raises(ValueError, match="cannot be set by a variable: the files have a table"):
        read_settings_value("x", present, "a")


def test_a_wrong_type_is_reported_and_a_secret_is_not_quoted() -> None:
    with pytest.raises(ValueError, match=r"^must be a list in which each item is a whole number, not 'a'$"):
        read_settings_value("ports", [1], "a")
    with pytest.raises(ValueError, match=r"^must be a whole number, not the given value \(a secret is not shown\)$"):
        read_settings_value("api_token", 1, "hunter2")


def test_a_key_is_found_however_the_files_spell_it() -> None:
    assert settings_path("MYKEY", {"other": 1, "MyKey": 2}) == ("MyKey",)
    assert settings_path("MYKEY", {"MyKey": 1, "mykey": 2}) == ("mykey",)
    assert settings_path("MYKEY", {}) == ("mykey",)


def test_a_key_in_a_table_is_found_if_the_files_have_it() -> None:
    table = {"mail": {"Host": 1, "smtp": {"port": 2}}, "mail_from": 3}
    assert settings_path("MAIL_HOST", table) == ("mail", "Host")
    assert settings_path("MAIL_SMTP_PORT", table) == ("mail", "smtp", "port")
    assert settings_path("MAIL_FROM", table) == ("mail_from",)
    assert settings_path("MAIL_PASSWORD", table) == ("mail_password",)
