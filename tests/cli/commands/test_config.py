"""`arlen config`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from arlen_cli.__main__ import main


@pytest.mark.usefixtures("shop")
def test_the_output_is_valid_toml(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("# development\n")
    read = tomllib.loads(output)
    assert read["app"]["target"] == "shop.app:create"
    assert read["log"]["level"] == "debug"


@pytest.mark.usefixtures("shop")
def test_another_environment_is_named_by_its_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--env", "production", "--json"]) == 0
    output = json.loads(capsys.readouterr().out)
    assert (output["environment"], output["log"]["format"]) == ("production", "json")


@pytest.mark.usefixtures("shop")
def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ARLEN_DATABASE_URL", "postgresql://shop:hunter2@db/shop")
    assert main(["config"]) == 0
    assert "hunter2" not in capsys.readouterr().out


def test_a_mistake_is_reported_with_file_and_line(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "config" / "environments" / "development.toml").write_text("[log]\nlevle = 1\n")
    assert main(["config"]) == 1
    assert "config/environments/development.toml, line 2: [log] levle is not a setting" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_setting_can_have_any_toml_type(shop: Path, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with (shop / "config" / "app.toml").open("a") as file:
        file.write("\n[settings]\nopened = 2020-01-31\n")
    assert main(["config", *flags]) == 0
    assert "2020-01-31" in capsys.readouterr().out
