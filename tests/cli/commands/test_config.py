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
    assert output["environment"] == "production"
    assert output["log"]["format"] == {"value": "json", "origin": "config/environments/production.toml, line 8"}


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


def test_each_value_is_printed_with_its_origin(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (shop / "config" / "app.toml").open("a") as file:
        file.write("\n[settings.mail]\nhost = 'smtp'\n'a key' = 'x'\n")
    (shop / ".env").write_text("ARLEN_LOG_FORMAT=json\nARLEN_SETTINGS_PIN_FILE=./pin\n")
    (shop / "pin").write_text("1234")
    monkeypatch.setenv("ARLEN_PROPANE_PROCESSES", "jobs=python -m shop.jobs")
    printed = []
    for _ in range(2):
        assert main(["config", "--origin"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    read = tomllib.loads(printed[0])
    assert read["settings"] == {"mail": {"host": "smtp", "a key": "x"}, "pin": "********"}
    assert read["propane_accessories"]["processes"] == {"jobs": "python -m shop.jobs"}
    for line in (
        'target = "shop.app:create"  # config/app.toml, line 4',
        'level = "debug"  # config/environments/development.toml, line 4',
        'format = "json"  # .env, line 1: ARLEN_LOG_FORMAT',
        'processes.jobs = "python -m shop.jobs"  # ARLEN_PROPANE_PROCESSES',
        'pin = "********"  # .env, line 2: ARLEN_SETTINGS_PIN_FILE (./pin)',
        'mail."a key" = "x"  # config/app.toml, line 17',
        "forwarded_host = false  # default",
    ):
        assert f"\n{line}\n" in printed[0], line


def test_an_env_file_that_is_not_read_is_reported(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / ".env").write_text("ARLEN_LOG_LEVEL=error\n")
    assert main(["config", "--env", "production"]) == 0
    output = capsys.readouterr()
    assert output.err.startswith("arlen: .env is not read in production")
    assert 'level = "info"' in output.out
