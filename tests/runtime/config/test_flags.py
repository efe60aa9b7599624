"""The flags of propane: derived from the sections, checked as they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.config.flags import FLAGGED, read_flags
from arlen_runtime.config.load import load
from arlen_runtime.config.schema import SECTIONS
from arlen_runtime.config.sections import Commands


def test_without_flags_nothing_is_overridden() -> None:
    launch = read_flags([])
    assert (launch.target, launch.environment, launch.root, launch.flags) == ("", None, Path(), {})
    assert (launch.check, launch.print_config, launch.respawn) == (False, False, True)


def test_every_setting_of_the_server_and_its_accessories_is_a_flag() -> None:
    for section in FLAGGED:
        for setting in SECTIONS[section].values():
            examples: dict[type, str] = {tuple: "10.0.0.1", Commands: "jobs=python jobs.py"}
            text = examples.get(type(setting.default), str(setting.default))
            flags = read_flags([f"{setting.flag}={text or 'x'}"]).flags
            assert flags == {f"{section}.{setting.key}": text or "x"}


def test_flags_reach_the_configuration_and_win(tmp_path: Path) -> None:
    launch = read_flags(["shop:app", "--workers", "2", "--port", "0", "--app-root", str(tmp_path), "--env", "test"])
    config = load(launch.root, launch.environment, {"ARLEN_PORT": "80"}, launch.flags)
    assert (config.app.target, config.propane_accessories.worker_count, config.server.port) == ("shop:app", 2, 0)
    assert (config.environment, config.root) == ("test", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "0"], "argument --worker-count/--workers: must be at least 1, not 0"),
        (["--port", "http"], "argument --port: must be a whole number, not 'http'"),
        (["--port"], "argument --port: expected one argument"),
        (["--worker-cuont", "2"], "did you mean --worker-count?"),
        (["--work", "2"], "unrecognized arguments: --work"),
    ],
)
def test_a_bad_flag_is_exit_2_and_says_why(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_flags(arguments)
    assert ended.value.code == 2
    output = capsys.readouterr().err
    assert message in output
    assert "usage: propane" in output


def test_help_names_default_and_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_flags(["--help"], "arlen propane")
    assert ended.value.code == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "usage: arlen propane" in output
    assert "worker processes (default 4; ARLEN_PROPANE_WORKER_COUNT)" in output
