"""Loading an application; the commands run and console have it as a user sees it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from arlen_cli.application import build, load_application
from arlen_cli.errors import ToolError
from arlen_runtime.config.sections import AppSection, Config
from arlen_runtime.errors import BootError, ConfigError, NoApplication


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_here", "broken_{}.py:1: ModuleNotFoundError: "),
        ("x = (", "broken_{}.py:1: '(' was never closed"),
        ("raise KeyError", "broken_{}.py:1: KeyError"),
    ],
)
def test_the_place_of_an_error_is_relative_to_the_application(
    source: str, reason: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    number = abs(hash(request.node.name))
    (tmp_path / f"broken_{number}.py").write_text(source)
    with pytest.raises(ToolError) as raised:
        build(Config("test", tmp_path, app=AppSection(target=f"broken_{number}:create")))
    assert str(raised.value).startswith(f"the application does not load: {reason.format(number)}")


def test_what_boot_reports_is_kept(tmp_path: Path) -> None:
    with pytest.raises(BootError, match="there is no module 'nothing_here'"):
        build(Config("test", tmp_path, app=AppSection(target="nothing_here:create")))


def test_no_server_is_started_outside_of_an_application(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    with pytest.raises(NoApplication):
        load_application(Namespace(app_root=tmp_path, env="test", read_only=False), "arlen run")
    assert [path.name for path in tmp_path.iterdir()] == ["db"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ('url = "postgresql:///x"\nstatement_cache = "unnamed"', "needs .* statement_cache"),
        ('url = "postgresql://me:pa@ss@db/x"', "unescaped @"),
    ],
)
def test_read_only_is_refused_if_it_cannot_be_kept(settings: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.toml").write_text(f"[database]\n{settings}\n")
    with pytest.raises(ConfigError, match=reason):
        load_application(Namespace(app_root=tmp_path, env="test", read_only=True), "arlen run")
