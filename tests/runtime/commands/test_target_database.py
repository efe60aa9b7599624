"""Which database a command works on; outside of production that can be an embedded one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from arlen_runtime.commands.target_database import NO_DATABASE, database_url, embedded_url
from arlen_runtime.config.sections import Config, DatabaseSection
from arlen_runtime.errors import ConfigError, NoApplication


def test_which_database_is_used(tmp_path: Path) -> None:
    """Each source wins over the ones after it."""
    config = Config("production", tmp_path, database=DatabaseSection(url="file", direct_url="direct file"))
    environ = {"ARLEN_DATABASE_URL": "variable", "ARLEN_DATABASE_DIRECT_URL": "direct variable"}
    assert database_url(config, "flag", environ) == "flag"
    assert database_url(config, "", environ) == "direct variable"
    environ.pop("ARLEN_DATABASE_DIRECT_URL")
    assert database_url(config, "", environ) == "variable"
    assert database_url(config, "", {}) == "direct file"
    assert database_url(replace(config, database=DatabaseSection(url="file")), "", {}) == "file"


def test_without_a_named_database_production_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        database_url(Config("production", tmp_path), "", {})
    assert raised.value.detail == NO_DATABASE


@pytest.mark.parametrize("environment", ["development", "test"])
def test_outside_of_an_application_no_embedded_server_is_started(environment: str, tmp_path: Path) -> None:
    with pytest.raises(NoApplication, match="is not an Arlen application"):
        embedded_url(Config(environment, tmp_path))
    assert list(tmp_path.iterdir()) == []
