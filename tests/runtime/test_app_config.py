"""The configuration of programs beside the workers, with a database that they can reach."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from arlen_runtime import ALNPg, load_config
from arlen_runtime.app_config import embedded_name, with_database
from arlen_runtime.config.sections import Config, DatabaseSection
from arlen_runtime.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARLEN_ENV", "ARLEN_APP_ROOT", "ARLEN_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make the folder of an application with a database."""
    (tmp_path / "db").mkdir()
    return tmp_path


def test_a_program_reaches_the_embedded_database_which_is_made_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARLEN_APP_ROOT", str(folder))
    monkeypatch.setenv("ARLEN_ENV", "development")
    made: list[str] = []
    for start in ("first", "second"):
        with_database(Config("development", folder), partial(made.append, start))
    assert made == ["first"]

    pg = ALNPg.from_section(load_config().database)
    assert pg.query_value("select current_database()") == "arlen_development"
    pg.close()


def test_a_configured_url_is_used_and_nothing_is_started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARLEN_DATABASE_URL", "postgresql:///named")
    assert load_config(folder, "development").database.url == "postgresql:///named"
    assert load_config(str(folder)).environment == "production"
    assert not (folder / ".arlen").exists()


def test_the_working_folder_and_production_are_the_defaults(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match=r"no database: set ARLEN_DATABASE_URL .*the environment is production"):
        load_config()
    assert not (folder / ".arlen").exists()


def test_an_application_without_a_database_gets_none(tmp_path: Path) -> None:
    assert not load_config(tmp_path, "development").database.url
    assert not (tmp_path / ".arlen").exists()


def test_a_configured_database_is_used_and_production_never_gets_an_embedded_one(folder: Path) -> None:
    named = Config("development", folder, database=DatabaseSection(url="postgresql:///named"))

    assert with_database(named).database.url == "postgresql:///named"
    with pytest.raises(ConfigError, match="set ARLEN_DATABASE_URL"):
        with_database(Config("production", folder))
    assert not (folder / ".arlen").exists()


def test_each_environment_has_a_database_of_its_own(tmp_path: Path) -> None:
    assert [embedded_name(Config(name, tmp_path)) for name in ("development", "test")] == [
        "arlen_development",
        "arlen_test",
    ]


def test_the_variables_of_the_env_file_become_those_of_the_process_in_development(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", environ := dict(os.environ, KEPT="shell"))
    (folder / ".env").write_text("ARLEN_DATABASE_URL=postgresql:///named\nSTRIPE_KEY=x\nKEPT=file\n")
    assert load_config(folder, "development").database.url == "postgresql:///named"
    assert (environ["STRIPE_KEY"], environ["KEPT"]) == ("x", "shell")
    assert not (folder / ".arlen").exists()
