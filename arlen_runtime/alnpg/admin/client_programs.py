"""PostgreSQL's client programs, pointed at a database.

Invariant: no secret is on a command line, which every user of the machine can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from psycopg.conninfo import make_conninfo

from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.embedded import binaries


class Client(NamedTuple):
    """The command to run, and its environment."""

    command: list[str]
    environ: dict[str, str]


def client(program: str, url: str, environ: Mapping[str, str]) -> Client:
    """Return how to run `psql` or `pg_dump` on the database at `url`.

    The password is passed in the environment; the passphrase of a key (sslpassword) can only be
    typed. Raises EmbeddedServerError if the program is not installed, DatabaseCommandError if the
    URL cannot be read.
    """
    parts = databases.parts(url)
    password = parts.pop("password", "")
    parts.pop("sslpassword", "")
    path = binaries.find_client(environ, program)
    secret = {"PGPASSWORD": password} if password else {}
    return Client([str(path), f"--dbname={make_conninfo(**parts)}"], {**environ, **secret})
