"""The properties of a database are copied to its replacement."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.testing.database import Databases

PROPERTIES = """
    select datdba::regrole::text, datconnlimit, datcollate, datctype, to_jsonb(d) ->> 'datlocprovider',
        shobj_description(oid, 'pg_database'),
        array(select a::text from unnest(datacl) a order by 1),
        array(select s.setrole::regrole::text || ' ' || e
              from pg_db_role_setting s, unnest(s.setconfig) e where s.setdatabase = d.oid order by 1)
    from pg_database d where datname = current_database()
"""


@pytest.fixture
def role(database_server: Databases) -> Iterator[str]:
    name = f"arlen_test_{secrets.token_hex(4)}"
    execute(database_server.url, f"create role {name}")
    yield name
    execute(database_server.url, f"drop role {name}")


@pytest.fixture
def url(database_server: Databases, role: str) -> Iterator[str]:
    """Give the URL of a database that does not exist yet; drop it before the role."""
    url = database_server.url_of(f"{role}_own")
    yield url
    databases.drop(url, disconnect=True)


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def properties(url: str) -> tuple[object, ...] | None:
    with psycopg.connect(url) as connection:
        return connection.execute(PROPERTIES).fetchone()


@pytest.mark.parametrize(
    "statements",
    [
        [
            "alter database {0} owner to {1}",
            "alter database {0} connection limit 7",
            "comment on database {0} is 'it''s'",
        ],
        ["revoke all on database {0} from public", "grant connect on database {0} to {1} with grant option"],
        ["alter database {0} owner to {1}", "revoke create on database {0} from {1}"],
        ["alter database {0} set work_mem = '9MB'", "alter role {1} in database {0} set timezone = 'Asia/Tokyo'"],
        [
            """alter database {0} set search_path = "The App", public, "a'b\"\"" """,
            "alter database {0} set app.tenant = 'x; ''y'",
            "alter database {0} set datestyle = 'ISO, DMY'",
        ],
        ["drop database {0}", "create database {0} template template0 encoding 'UTF8' locale 'C'"],
        ["alter database {0} set default_transaction_read_only = on"],
        [],
    ],
)
def test_a_replaced_database_keeps_its_properties(
    statements: list[str], url: str, role: str, database_server: Databases
) -> None:
    databases.create(url)
    for statement in statements:
        execute(database_server.url, statement.format(f"{role}_own", role))
    before = properties(url)
    with databases.replace(url, disconnect=False) as fresh:
        execute(fresh, "create table filled ()")
    execute(url, "select from filled")
    assert properties(url) == before


@pytest.fixture
def owner(database_server: Databases, role: str, url: str) -> str:
    """Give the database's URL for its owner, who may only create databases."""
    execute(database_server.url, f"alter role {role} login createdb password 'secret'")
    databases.create(url)
    execute(url, f"alter database {role}_own owner to {role}")
    return make_conninfo(url, user=role, password="secret")


def test_a_limit_of_connections_does_not_keep_the_new_database_from_being_filled(
    owner: str, url: str, role: str, tmp_path: Path
) -> None:
    execute(url, f"alter database {role}_own connection limit 1")
    (tmp_path / "20260101000000_a.sql").write_text("-- migrate:up\ncreate table filled ();")
    with databases.replace(owner, disconnect=False) as fresh:
        migrations.migrate(fresh, tmp_path)
    execute(owner, "select from filled")
    limit = properties(url)
    assert limit
    assert limit[1] == 1


def test_a_setting_that_the_owner_may_not_make_is_reported_and_the_others_stay(
    owner: str, url: str, role: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"{role}_own"
    execute(url, f"alter database {name} set log_min_duration_statement = 7")
    execute(url, f"alter database {name} set work_mem = '9MB'")
    execute(url, f"alter role current_user in database {name} set work_mem = '8MB'")
    with databases.replace(owner, disconnect=False):
        pass
    output = "".join(sorted(capsys.readouterr().err.splitlines(keepends=True)))
    assert re.fullmatch(
        rf"warning: {name} loses its setting log_min_duration_statement: permission denied .*\n"
        rf"warning: the role \w+ in {name} loses its setting work_mem: permission denied .*\n",
        output,
    )
    kept = properties(url)
    assert kept
    assert kept[-1] == ["- work_mem=9MB"]
