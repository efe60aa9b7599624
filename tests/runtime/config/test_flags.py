"""The flags of propane: derived from the sections, checked as they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.config.flags import FLAGGED, read_flags
from arlen_runtime.config.load import load
from arlen_runtime.config.schema import SECTIONS
from arlen_runtime.config.setting import Commands


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
        (["--workers", "0"], "--worker-count/--workers: must be at least 1, not 0"),
        (["--port", "http"], "--port: must be a whole number, not 'http'"),
        (["--port"], "--port: a value is missing"),
        (["--worker-cuont", "2"], "no such option: --worker-cuont; did you mean --worker-count?"),
        (["--prot=1"], "no such option: --prot; did you mean --port?"),
        (["--work", "2"], "no such option: --work"),
        (["a:b", "c:d"], "unexpected argument: c:d"),
        (["--check=1"], "--check takes no value"),
    ],
)
def test_a_bad_flag_is_exit_2_and_says_why(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_flags(arguments)
    assert ended.value.code == 2
    output = capsys.readouterr().err
    assert output.splitlines()[0].startswith(f"propane: {message}")
    assert output.splitlines()[1:] == ["Details: propane --help"]


def shown(capsys: pytest.CaptureFixture[str], *words: str, program: str = "propane", development: bool = False) -> str:
    """Return the help, with all white space as single spaces."""
    with pytest.raises(SystemExit) as ended:
        read_flags(words, program, development=development)
    assert ended.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def test_help_names_default_and_variable(capsys: pytest.CaptureFixture[str]) -> None:
    output = shown(capsys, "--help", program="arlen propane")
    assert output.startswith("Usage: arlen propane [OPTIONS] [TARGET]")
    assert "Worker processes (default 4; ARLEN_PROPANE_WORKER_COUNT)." in output
    assert "The environment (ARLEN_ENV, else production)." in output
    assert "Commands: status Show what the running managers" in output


def test_the_help_of_serve_is_about_serve(capsys: pytest.CaptureFixture[str]) -> None:
    output = shown(capsys, "-h", program="arlen serve", development=True)
    assert output.startswith("Usage: arlen serve [OPTIONS] [TARGET]")
    assert "The environment (ARLEN_ENV, else development)." in output
    assert "--port" in output
    assert "--workers" not in output
    assert "status" not in output


@pytest.mark.parametrize("development", [True, False])
def test_rare_flags_are_shown_by_help_all_only(capsys: pytest.CaptureFixture[str], development: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    short = shown(capsys, "--help", development=development)
    long = shown(capsys, "--help-all", development=development)
    for flag in ("--no-respawn", "--handoff-ms", "--socket-mode"):
        assert (flag in short, flag in long) == (False, True)
    assert "[propane_accessories]:" in long


@pytest.mark.parametrize("flag", ["--workers", "--worker-count=2"])
def test_serve_refuses_what_it_would_ignore(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    with pytest.raises(SystemExit):
        read_flags([flag], "arlen serve", development=True)
    assert "arlen serve runs one worker" in capsys.readouterr().err


def test_serve_can_leave_out_live_reload() -> None:
    assert read_flags(["--no-live-reload"], development=True).flags == {"app.live_reload": "false"}
    assert read_flags([], development=True).flags == {}
    with pytest.raises(SystemExit):
        read_flags(["--no-live-reload"], "propane")
