"""The settings of an ALNPg."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import ValueUnreadable
from arlen_runtime.alnpg.settings import connection_string
from arlen_runtime.config.sections import DatabaseSection
from arlen_runtime.errors import ConfigError


def test_a_bad_url_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        ALNPg("postgrs://bob:secret@host/db")
    assert "secret" not in str(caught.value)


def test_bad_settings_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="statement_cache"):
        ALNPg("dbname=x", statement_cache="both")
    with pytest.raises(ConfigError, match="pool_size"):
        ALNPg("dbname=x", pool_size=0)
    with pytest.raises(ConfigError, match="read_only"):
        ALNPg("dbname=x", read_only=True, statement_cache="unnamed")
    ALNPg("dbname=x", replica_url="host=replica", statement_cache="unnamed").close()


def test_options_in_the_url_override_the_defaults() -> None:
    parts = conninfo_to_dict(connection_string("dbname=x options='-c timezone=Asia/Tokyo'", named=True))
    assert str(parts["options"]).index("UTC") < str(parts["options"]).index("Tokyo")
    assert parts["client_encoding"] == "UTF8"


@pytest.fixture
def other_defaults(database_url: str) -> Iterator[str]:
    """Set database defaults that write floats and intervals in another style."""
    change = "do $$ begin execute format('alter database %I {}', current_database()); end $$"
    with psycopg.connect(database_url, autocommit=True) as connection:
        for setting in ("extra_float_digits = 0", "intervalstyle = iso_8601"):
            connection.execute(change.format(f"set {setting}").encode())
        yield database_url
        connection.execute(change.format("reset all").encode())


@pytest.mark.parametrize("beside", ["1", "'(1,2)'::point"], ids=["binary", "text"])
@pytest.mark.parametrize("cache", ["named", "unnamed"])
def test_values_do_not_depend_on_the_databases_own_defaults(other_defaults: str, cache: str, beside: str) -> None:
    pg = ALNPg(other_defaults, statement_cache=cache)
    with pg.transaction():
        row = pg.query_one(f"select 0.1::float8 + 0.2, interval '26 hours', {beside}", into=tuple)
    assert row is not None
    assert row[:2] == (0.30000000000000004, timedelta(days=1, hours=2))
    pg.close()


def test_an_interval_in_a_style_that_could_not_be_set_is_refused(other_defaults: str) -> None:
    pg = ALNPg(other_defaults, statement_cache="unnamed")
    for style in ("iso_8601", "sql_standard", "postgres_verbose"):
        with pg.connection() as connection:
            connection.execute(f"set intervalstyle = {style}".encode())
        for value in ("1 day", "1 year 2 mons -3 days 04:05:06", "0"):
            assert pg.query_value(f"select interval '{value}'") is not None
            with pytest.raises(ValueUnreadable):
                pg.query_value(f"select interval '{value}', '(1,2)'::point")
    pg.close()


def test_pgbouncer_gets_no_options() -> None:
    assert "options" not in conninfo_to_dict(connection_string("dbname=x", named=False))


def test_the_database_section_has_every_setting(database_url: str) -> None:
    pg = ALNPg.from_section(DatabaseSection(url=database_url, pool_size=1))
    assert pg.query_value("select 1") == 1
    pg.close()
