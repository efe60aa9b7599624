"""The target of an application, and folders without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.config.sections import AppSection, Config
from arlen_runtime.config.target import ONE_FILE, find_root, is_application, is_one_file, target_of
from arlen_runtime.errors import BootError, NoApplication


def test_what_the_configuration_names_is_served(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    assert target_of(Config("test", tmp_path, app=AppSection(target="shop.app:create"))) == "shop.app:create"


def test_an_application_of_one_file_names_nothing(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    assert is_one_file(tmp_path)
    assert target_of(Config("test", tmp_path)) == ONE_FILE


@pytest.mark.parametrize("files", [(), ("app.py", "__init__.py"), ("app.toml",)])
def test_the_folder_of_a_package_or_any_other_is_not_an_application(files: tuple[str, ...], tmp_path: Path) -> None:
    for file in files:
        (tmp_path / file).touch()
    assert not is_one_file(tmp_path)
    with pytest.raises(NoApplication, match="is not an Arlen application") as raised:
        target_of(Config("test", tmp_path))
    assert raised.value.exit_status == 2
    assert "arlen new NAME" in raised.value.detail


def test_a_configuration_without_a_target_is_an_error_of_its_own(tmp_path: Path) -> None:
    make(tmp_path, "config/app.toml")
    with pytest.raises(BootError, match=r"config/app\.toml: \[app\] target is missing"):
        target_of(Config("test", tmp_path))


def make(folder: Path, *files: str) -> None:
    """Create empty files; a name that ends in a slash is a folder."""
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(parents=True, exist_ok=True) if file.endswith("/") else path.touch()


@pytest.mark.parametrize(
    ("files", "start", "root"),
    [
        (["config/app.toml", "shop/controllers/"], "shop/controllers", "."),
        (["config/app.toml", "shop/app.py", "shop/__init__.py"], "shop", "."),
        (["config/app.toml", "shop/app.py"], "shop", "."),  # a package needs no __init__.py
        (["app.py", "db/migrations/"], "db/migrations", "."),
        (["app.py", "db/migrations/"], ".", "."),
        (["db/migrations/", "tools/"], "tools", "."),
        (["db/migrations/", "web/app.py"], "web", "web"),  # the migrations of another program
        (["config/app.toml", "demo/app.py", "demo/db/migrations/"], "demo", "demo"),
        (["app.py", "static/"], "static", "static"),  # any program can have an app.py
        (["config/"], "config", "config"),
    ],
)
def test_the_root_is_the_nearest_folder_that_holds_an_application(
    files: list[str], start: str, root: str, tmp_path: Path
) -> None:
    make(tmp_path, *files)
    assert find_root(tmp_path / start).resolve() == (tmp_path / root).resolve()


def test_the_working_folder_stays_relative_if_it_is_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "config/app.toml")
    monkeypatch.chdir(tmp_path)
    assert find_root(Path()) == Path()


def test_a_removed_working_folder_is_left_to_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert find_root(Path()) == Path()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("files", "expected"),
    [(["config/app.toml"], True), (["db/migrations/"], True), (["app.py"], True), (["app.py", "__init__.py"], False)],
)
def test_an_application_has_a_configuration_migrations_or_one_file(
    files: list[str], expected: object, tmp_path: Path
) -> None:
    make(tmp_path, *files)
    assert is_application(tmp_path) is expected
