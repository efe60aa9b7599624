"""The sections: defaults, and the two derived properties of a Config."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from arlen_runtime.config.sections import AppSection, Config


def test_a_configuration_cannot_be_changed_once_it_is_built() -> None:
    config = Config("test", Path())
    with pytest.raises(FrozenInstanceError):
        config.server.port = 1  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(
    ("environment", "strict"), [("development", False), ("test", False), ("production", True), ("staging", True)]
)
def test_every_environment_is_strict_but_development_and_test(environment: str, strict: bool) -> None:  # noqa: FBT001 - a parameter of the case
    assert Config(environment, Path()).production is strict


def test_the_name_is_the_setting_or_else_the_name_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    assert Config("test", folder).name == "shop"
    assert Config("test", folder, app=AppSection(name="Corner shop")).name == "Corner shop"
