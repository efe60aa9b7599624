"""The target of an application, and folders without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.config.sections import AppSection, Config
from arlen_runtime.config.target import ONE_FILE, is_one_file, target_of
from arlen_runtime.errors import BootError


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
    with pytest.raises(BootError, match="is not an application"):
        target_of(Config("test", tmp_path))
