"""PostgreSQL's programs: no secret is on their command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from arlen_runtime.alnpg.admin.client_programs import client
from arlen_runtime.alnpg.embedded.binaries import EmbeddedServerError
from arlen_runtime.alnpg.errors import DatabaseCommandError


def test_the_password_is_passed_in_the_environment() -> None:
    program = client(
        "psql", "postgresql://me:s3cret@host:5433/shop?sslpassword=s3cret2&sslmode=require", {"A": "b", **os.environ}
    )
    assert program.command[1:] == ["--dbname=user=me dbname=shop host=host port=5433 sslmode=require"]
    assert Path(program.command[0]).name == "psql"
    assert (program.environ["PGPASSWORD"], program.environ["A"]) == ("s3cret", "b")


def test_without_a_password_the_environment_stays_as_it_is() -> None:
    assert client("psql", "postgresql:///shop", dict(os.environ)).environ == dict(os.environ)


def test_a_missing_program_and_a_bad_url_are_reported(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="no psql found"):
        client("psql", "postgresql:///shop", {"ARLEN_PG_BIN": str(tmp_path)})
    with pytest.raises(DatabaseCommandError, match="the database URL cannot be read"):
        client("psql", "nonsense", os.environ)
