"""Connections for commands that work on a whole database."""

from __future__ import annotations

import pytest

from arlen_runtime.alnpg.admin.connect import connect
from arlen_runtime.alnpg.errors import DatabaseCommandError


def test_a_read_only_connection_refuses_writes(url: str) -> None:
    with (
        pytest.raises(DatabaseCommandError, match="read-only transaction") as refused,
        connect(url, read_only=True) as connection,
        connection.transaction(),
    ):
        connection.execute("create table t (id int)")
    assert refused.value.sqlstate == "25006"


def test_a_refused_connection_is_an_error_without_the_urls_secrets() -> None:
    url = "postgresql://app:hunter2@127.0.0.1:1/app"
    with pytest.raises(DatabaseCommandError, match="no connection to the database") as refused, connect(url):
        pass
    assert "hunter2" not in str(refused.value)
