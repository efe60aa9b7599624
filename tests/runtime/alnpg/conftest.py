"""Fixtures of this room. One rule: every test runs on a real PostgreSQL, in a database that its module has to itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from arlen_runtime.alnpg import ALNPg


@pytest.fixture
def pg(database_url: str) -> Iterator[ALNPg]:
    """Open the module's database through ALNPg; closed after the test."""
    database = ALNPg(database_url)
    yield database
    database.close()
