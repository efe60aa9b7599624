"""An invalid URL is reported before it is used, without any part of its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.database_url import invalid_reason
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations import schema_dump
from arlen_runtime.errors import ArlenError

RAW = [
    "postgresql://me:first@hidden@127.0.0.1:1/shop",
    "postgres://me:first/hidden@127.0.0.1:1/shop",
    "postgresql://me:5432/hidden@127.0.0.1:1/shop",
    "postgresql://me:first@1/hidden@127.0.0.1:1/shop",
    "postgresql://me:first?@hidden@127.0.0.1:1/shop",
]


@pytest.mark.parametrize("url", RAW)
def test_an_unescaped_character_in_a_password_is_reported_without_the_password(url: str, tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").write_text("create table a ();")
    for use in (
        lambda: migrations.migrate(url, tmp_path),
        lambda: schema_dump.dump(url),
        lambda: databases.create(url),
        lambda: ALNPg(url),
    ):
        with pytest.raises(ArlenError, match=r"percent-encode .* \(%40, %2F\)$") as caught:
            use()
        assert not {"first", "hidden", "127"} & set(str(caught.value).replace("@", " ").split())
        assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "postgresql://",
        "postgresql:///shop?host=/run/postgresql&user=me@there",
        "postgresql://me:hid%40d%2Fen@127.0.0.1:5432/shop?options=-c%20a.b%3Dc@d",
        "postgresql://me:hidden@[::1]:5432,other:5432/shop",
        "host=127.0.0.1 password=a@b/c@d",
    ],
)
def test_a_valid_url_has_no_fault(url: str) -> None:
    assert invalid_reason(url) == ""


@pytest.mark.parametrize("url", ["postgresql://me:hidden@[", "postgres:hidden", "postgresql://me:hid%den@there/shop"])
def test_a_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    assert invalid_reason(url) == "the database URL cannot be read"
