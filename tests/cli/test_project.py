"""Finding the application that a command works on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from arlen_cli.errors import UsageError
from arlen_cli.generators.plan import Project
from arlen_cli.project import ApplicationFolder, find_application, load_configuration
from arlen_runtime.errors import BootError, ConfigError, NoApplication

NOW = datetime(2030, 1, 31, tzinfo=UTC)


def test_the_root_is_found_from_every_folder_below(shop: Path) -> None:
    for folder in (shop, shop / "shop" / "controllers", shop / "db" / "migrations"):
        assert find_application(folder) == ApplicationFolder(shop, "shop.app:create")


def test_a_variable_names_the_application(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARLEN_APP_ROOT", str(shop))
    assert find_application(tmp_path).root == shop


def test_a_single_file_is_an_application(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    assert find_application(tmp_path) == ApplicationFolder(tmp_path, "app:create")


def test_a_package_without_a_project_is_not_an_application(tmp_path: Path) -> None:
    for file in ("__init__.py", "app.py"):
        (tmp_path / file).touch()
    with pytest.raises(NoApplication, match="is not an Arlen application"):
        find_application(tmp_path)


def test_outside_of_one_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoApplication, match="is not an Arlen application"):
        find_application(tmp_path)


def test_an_invalid_configuration_is_reported_with_its_line(shop: Path) -> None:
    (shop / "config" / "app.toml").write_text('[app]\ntarget = "unfinished\n')
    with pytest.raises(ConfigError, match=r"config/app\.toml, line 2"):
        find_application(shop)


def test_a_missing_target_is_reported(shop: Path) -> None:
    (shop / "config" / "app.toml").write_text("[app]\n")
    with pytest.raises(BootError, match="target is missing"):
        find_application(shop)


def test_a_project_has_the_migrations_the_time_and_the_resources(shop: Path) -> None:
    (shop / "db" / "migrations" / "20200101000000_x.sql").touch()
    (shop / ".arlen" / "runs" / "1-resource-a.json").write_text(
        '{"generator": "resource", "arguments": ["author", "name:string"], "files": []}'
    )
    project = find_application(shop).project(NOW)
    assert project == Project(
        "shop.app:create",
        frozenset({"db/migrations/.gitkeep", "db/migrations/20200101000000_x.sql"}),
        NOW,
        {"authors": ("name:string",)},
        {"author": "authors"},
    )
    assert project.package == "shop"
    with (shop / "config" / "environments" / "development.toml").open("a") as file:
        file.write("[app]\napi_only = true\n")
    assert find_application(shop).project(NOW).api


def test_a_one_file_application_has_no_package_for_generated_code(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    with pytest.raises(UsageError, match="is one file"):
        _ = find_application(tmp_path).project(NOW).package


def test_the_default_environment_is_development(shop: Path) -> None:
    assert load_configuration(shop, environ={}).environment == "development"
    assert load_configuration(shop, environ={"ARLEN_ENV": "test"}).environment == "test"
    assert load_configuration(shop, "production", {"ARLEN_ENV": "test"}).environment == "production"


def test_there_is_a_database_if_a_url_is_set_or_the_embedded_server_has_data(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = find_application(shop)
    assert not application.has_database()
    monkeypatch.setenv("ARLEN_DATABASE_URL", "postgresql://db/shop")
    assert application.has_database()
    monkeypatch.delenv("ARLEN_DATABASE_URL")
    (shop / ".arlen" / "pg").mkdir()
    assert application.has_database()
