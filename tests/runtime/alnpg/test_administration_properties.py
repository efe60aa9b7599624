"""What a database has besides its contents is carried over, by whatever replaces it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest

from arlen_runtime.alnpg import administration
from arlen_runtime.testing.database import Databases

PROPERTIES = """
    select datdba::regrole::text, datconnlimit, shobj_description(oid, 'pg_database'),
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
    """Give the URL of a database that is not there yet; whatever the test makes of it is dropped before the role."""
    url = database_server.of(f"{role}_own")
    yield url
    administration.drop(url, disconnect=True)


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
        [],
    ],
)
def test_a_replaced_database_keeps_what_it_had_besides_its_contents(statements: list[str], url: str, role: str) -> None:
    administration.create(url)
    for statement in statements:
        execute(url, statement.format(f"{role}_own", role))
    before = properties(url)
    with administration.replacing(url, disconnect=False) as fresh:
        assert properties(fresh) == before
    assert properties(url) == before
