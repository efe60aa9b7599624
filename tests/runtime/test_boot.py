"""What is served: targets that are found, and refusals that name the remedy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from arlen_runtime.app import App
from arlen_runtime.boot import as_door, find_target, open_door, with_database
from arlen_runtime.config.sections import AppSection, Config, DatabaseSection
from arlen_runtime.errors import BootError, ConfigError
from arlen_runtime.wsgi import WSGIDoor

LITE = "from arlen_runtime import App\ndef create(config):\n    return App(config, lambda r: None)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder whose modules are forgotten afterwards."""
    modules, path = set(sys.modules), list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def _config(root: Path, target: str = "") -> Config:
    return Config("production", root, app=AppSection(target=target))


def test_a_folder_with_one_file_is_a_lite_application(folder: Path) -> None:
    (folder / "app.py").write_text(LITE)

    assert isinstance(open_door(_config(folder)), App)


def test_a_target_names_module_and_function_and_the_folder_comes_first(folder: Path) -> None:
    (folder / "site_of_mine").mkdir()
    (folder / "site_of_mine" / "__init__.py").write_text("")
    (folder / "site_of_mine" / "app.py").write_text(LITE.replace("create", "build"))

    assert isinstance(open_door(_config(folder, "site_of_mine.app:build")), App)


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        (None, "", "is no application"),
        (None, "nowhere_to_be_found:create", "there is no module 'nowhere_to_be_found'"),
        ("x = 1", "app:create", "app has no 'create'"),
        ("create = 17", "app:create", "neither create"),
        ("def create(config): return 17", "app:create", "must return an App or a WSGI callable, not int"),
    ],
)
def test_what_cannot_be_served_is_told_with_its_remedy(folder: Path, source: str | None, target: str, why: str) -> None:
    if source is not None:
        (folder / "app.py").write_text(source)

    with pytest.raises(BootError, match=why):
        open_door(_config(folder, target))


def test_a_wsgi_callable_is_served_as_one(folder: Path) -> None:
    (folder / "app.py").write_text("def application(environ, start_response): return []")
    config = _config(folder, "app:application")

    assert isinstance(as_door(find_target(config), config), WSGIDoor)


def test_what_create_returns_may_be_a_wsgi_callable(folder: Path) -> None:
    (folder / "app.py").write_text("def create(config): return lambda environ, start_response: []")

    assert isinstance(open_door(_config(folder)), WSGIDoor)


def test_a_named_database_is_used_and_production_never_gets_one_of_its_own(folder: Path) -> None:
    (folder / "db").mkdir()
    named = Config("development", folder, database=DatabaseSection(url="postgresql:///named"))

    assert with_database(named).database.url == "postgresql:///named"
    with pytest.raises(ConfigError, match="set ARLEN_DATABASE_URL"):
        with_database(Config("production", folder))
    assert not (folder / ".arlen").exists()


def test_development_without_a_database_gets_a_server_of_its_own(folder: Path) -> None:
    (folder / "db").mkdir()

    url = with_database(Config("development", folder)).database.url

    assert "arlen_development" in url
    assert (folder / ".arlen" / "pg").is_dir()
