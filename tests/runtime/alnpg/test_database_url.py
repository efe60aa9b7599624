"""An invalid URL is reported before it is used, without any part of its password."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.database_url import invalid_reason, read_only_url
from arlen_runtime.alnpg.errors import DatabaseUnavailable
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations import schema_dump
from arlen_runtime.config.sections import DatabaseSection
from arlen_runtime.errors import ArlenError, ConfigError

RAW = [
    "postgresql://me:first@hidden@127.0.0.1:1/shop",
    "postgres://me:first/hidden@127.0.0.1:1/shop",
    "postgresql://me:5432/hidden@127.0.0.1:1/shop",
    "postgresql://me:first@1/hidden@127.0.0.1:1/shop",
    "postgresql://me:first?@hidden@127.0.0.1:1/shop",
]


@pytest.mark.parametrize("url", RAW)
def test_an_unescaped_character_in_a_password_is_reported_without_the_password(url: str, tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").write_text("-- migrate:up\ncreate table a ();")
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
        "postgresql://",
        f"postgresql://{'r' * 63}@host/{'d' * 63}?application_name={'a' * 63}",
        f"postgresql://host/shop?options=-c%20search_path%3D{'s' * 40},{'t' * 40}",
        "postgresql:///shop?host=/run/postgresql&user=me@there",
        "postgresql://me:hid%40d%2Fen@127.0.0.1:5432/shop?options=-c%20a.b%3Dc@d",
        "postgresql://me:hidden@[::1]:5432,other:5432/shop",
        "host=127.0.0.1 password=a@b/c@d",
    ],
)
def test_a_valid_url_has_no_fault(url: str) -> None:
    assert invalid_reason(url) == ""


UNREADABLE = "the database URL cannot be read: it must look like postgresql://user:password@host/name"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hidden@[",
        "postgres:hidden",
        "postgresql://me:hid%den@there/shop",
        "postgresql://me:hid%ffden@there/shop",
        "mysql://me:hidden@host/shop",
        "postgresql+psycopg://me:hidden@host/shop",
        "jdbc:postgresql://host/shop?password=hidden",
        "/var/lib/shop.sqlite3",
    ],
)
def test_a_url_that_cannot_be_read_is_not_shown_but_an_example_is(url: str) -> None:
    assert invalid_reason(url) == UNREADABLE
    with pytest.raises(ConfigError, match="postgresql://user:password@host/name"):
        ALNPg(url)


LONG = "n" * 60 + "_production"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (f"postgresql://host/{LONG}", "the database"),
        (f"host=/nowhere dbname={LONG}", "the database"),
        (f"postgresql:///?dbname={'%C3%A4' * 32}", "the database"),
        (f"postgresql://{LONG}@host/shop", "the role"),
        (f"postgresql://host/shop?application_name={LONG}", "the application"),
        (f"postgresql://host/shop?fallback_application_name={LONG}", "the application"),
        (f"postgresql://host/shop?options=-c%20search_path%3Dpublic,{LONG}", "the schema"),
        (f"postgresql://host/shop?options=--search-path%3D{LONG}", "the schema"),
        (f'host=/nowhere dbname=shop options=\'-csearch_path="a","{LONG}"\'', "the schema"),
        (f"postgresql://host/shop?options=-c%20work_mem%3D8MB%20-c%20Role%3D{LONG}", "the role"),
        (f"postgresql://host/shop?options=-c%20default_tablespace%3D{LONG}", "the tablespace"),
    ],
)
def test_a_name_that_postgresql_would_cut_is_refused_before_a_connection(url: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").write_text("-- migrate:up\ncreate table a ();")
    for use in (
        lambda: migrations.migrate(url, tmp_path),
        lambda: schema_dump.dump(url),
        lambda: databases.create(url),
        lambda: databases.drop(url, disconnect=True),
        lambda: ALNPg(url),
        lambda: ALNPg("host=/nowhere dbname=x", direct_url=url),
        lambda: ALNPg("host=/nowhere dbname=x", replica_url=url),
    ):
        with pytest.raises(
            ArlenError, match=rf"^{kind} .* has a name of \d\d bytes, and PostgreSQL cuts names after 63"
        ) as caught:
            use()
        assert "use a shorter name" in str(caught.value)


def test_a_name_that_is_too_long_and_may_hold_a_password_is_not_shown() -> None:
    reason = invalid_reason(f"dbname='postgresql://me:hidden@{'h' * 60}/shop'")
    assert reason == "the database in the database URL has a name of more than 63 bytes"


@pytest.fixture
def default_server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let libpq's defaults lead to a server, as on a machine with a local PostgreSQL."""
    parts = conninfo_to_dict(database_url)
    for variable, key in (("PGHOST", "host"), ("PGPORT", "port"), ("PGDATABASE", "dbname"), ("PGUSER", "user")):
        monkeypatch.setenv(variable, str(parts.get(key, "")))
    psycopg.connect("").close()
    return database_url


@pytest.mark.parametrize("empty", ["", "  "])
@pytest.mark.usefixtures("default_server")
def test_without_a_url_the_default_server_is_never_used(empty: str, tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").write_text("-- migrate:up\ncreate table a ();")
    pg = ALNPg.from_section(DatabaseSection(url=empty))
    with pg.rolled_back() as one_transaction:
        uses: list[Callable[[], object]] = [
            lambda: migrations.migrate(empty, tmp_path),
            lambda: schema_dump.dump(empty),
            lambda: databases.create(empty),
            lambda: one_transaction.query("select 1"),
        ]
        for use in uses:
            with pytest.raises(ArlenError, match=r"^no database URL: set ARLEN_DATABASE_URL .* `arlen run`"):
                use()
    uses = [
        lambda: pg.query("select 1"),
        lambda: pg.query_many("select 1", [()]),
        lambda: list(pg.stream("select 1")),
        lambda: pg.copy_rows("a", ["b"], []),
        lambda: pg.notify("a"),
        lambda: pg.listen("a", print),
        lambda: pg.transaction().__enter__(),
        lambda: pg.connection().__enter__(),
        pg.ping,
    ]
    for use in uses:
        with pytest.raises(DatabaseUnavailable, match=r"^no database URL: set ARLEN_DATABASE_URL .* `arlen run`"):
            use()
    pg.close()


def test_with_a_direct_url_alone_only_listen_connects(database_url: str) -> None:
    pg = ALNPg("", direct_url=database_url, replica_url="  ")
    ready = threading.Event()
    pg.listen("direct", print, on_gap=ready.set)
    assert ready.wait(30)
    with pytest.raises(DatabaseUnavailable, match=r"^no database URL"):
        pg.ping()
    assert pg.replica is pg
    pg.close()


@pytest.mark.parametrize("url", ["", "postgresql://me@127.0.0.1:1/shop", "host=/nowhere dbname=shop"])
def test_an_unreachable_database_is_one_error_without_a_chain(url: str) -> None:
    pg = ALNPg(url)
    for _ in range(2):  # the second is answered by the circuit breaker
        with pytest.raises(DatabaseUnavailable) as caught:
            pg.query("select 1")
        assert "During handling" not in "".join(traceback.format_exception(caught.value))
    pg.close()


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("postgresql://me:p%40ss@db:5433/shop", "-c default_transaction_read_only=on"),
        ("host=db dbname=shop", "-c default_transaction_read_only=on"),
        ("postgresql://db/shop?options=-c%20search_path%3Dx", "-c search_path=x -c default_transaction_read_only=on"),
        ("", "-c default_transaction_read_only=on"),
    ],
)
def test_a_read_only_url_differs_in_its_options_only(url: str, options: str) -> None:
    parts = conninfo_to_dict(read_only_url(url))
    assert parts.pop("options") == options
    assert parts == {name: value for name, value in conninfo_to_dict(url).items() if name != "options"}
