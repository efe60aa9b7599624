"""The settings of an ALNPg."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.settings import connection_string
from arlen_runtime.config.sections import DatabaseSection
from arlen_runtime.errors import ConfigError


def test_a_bad_url_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        ALNPg("postgrs://bob:secret@host/db")
    assert "secret" not in str(caught.value)


def test_bad_settings_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="statement_cache"):
        ALNPg("", statement_cache="both")
    with pytest.raises(ConfigError, match="pool_size"):
        ALNPg("", pool_size=0)


def test_the_url_keeps_its_own_options_after_ours_so_that_they_win() -> None:
    given = conninfo_to_dict(connection_string("dbname=x options='-c timezone=Asia/Tokyo'", named=True))
    assert str(given["options"]).index("UTC") < str(given["options"]).index("Tokyo")
    assert given["client_encoding"] == "UTF8"


def test_a_bouncer_gets_no_options() -> None:
    assert "options" not in conninfo_to_dict(connection_string("dbname=x", named=False))


def test_the_database_section_has_every_setting(database_url: str) -> None:
    pg = ALNPg.from_section(DatabaseSection(url=database_url, pool_size=1))
    assert pg.query_value("select 1") == 1
    pg.close()
