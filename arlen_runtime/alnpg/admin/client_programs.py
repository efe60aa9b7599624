"""PostgreSQL's client programs, pointed at a database. One rule: no secret on a command line, which everybody can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from psycopg.conninfo import make_conninfo

from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.embedded import binaries


class Client(NamedTuple):
    """What to run, and in which environment."""

    command: list[str]
    environ: dict[str, str]


def client(program: str, url: str, environ: Mapping[str, str]) -> Client:
    """Return how to run `psql` or `pg_dump` on the database at `url`.

    The password goes by the environment; a key's passphrase (sslpassword) has no way but to be typed. Raises
    EmbeddedServerError where there is no such program, DatabaseCommandError where the URL cannot be read.
    """
    parts = databases.parts(url)
    password = parts.pop("password", "")
    parts.pop("sslpassword", "")
    path = binaries.find_client(environ, program)
    secret = {"PGPASSWORD": password} if password else {}
    return Client([str(path), f"--dbname={make_conninfo(**parts)}"], {**environ, **secret})
