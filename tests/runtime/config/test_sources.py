"""The origin of a value: the layer that set it last."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from arlen_runtime.config.load import load


def test_every_layer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "config" / "environments"
    folder.mkdir(parents=True)
    (tmp_path / "config" / "app.toml").write_text("[server]\nhost = 'a'\nport = 1\n[settings.mail]\nhost = 'b'\n")
    (folder / "test.toml").write_text("\n[server]\nport = 2\n")
    (tmp_path / ".env").write_text("\nARLEN_LOG_LEVEL=debug\nARLEN_SETTINGS_MAIL_PASSWORD_FILE=./password\n")
    (tmp_path / "password").write_text("hunter2")
    monkeypatch.setenv("ARLEN_LOG_FORMAT", "json")
    monkeypatch.setenv("ARLEN_DATABASE_URL_FILE", str(tmp_path / "password"))
    sources = load(tmp_path, "test", os.environ, {"server.socket_mode": "0600"}).sources
    origins = {
        ("server", "host"): "config/app.toml, line 2",
        ("server", "port"): "config/environments/test.toml, line 3",
        ("server", "socket_mode"): "--socket-mode",
        ("server", "hosts"): "default",
        ("log", "level"): ".env, line 2: ARLEN_LOG_LEVEL",
        ("log", "format"): "ARLEN_LOG_FORMAT",
        ("database", "url"): f"ARLEN_DATABASE_URL_FILE ({tmp_path}/password)",
        ("settings", "mail", "host"): "config/app.toml, line 5",
        ("settings", "mail_password"): ".env, line 3: ARLEN_SETTINGS_MAIL_PASSWORD_FILE (./password)",
    }
    assert {path: sources.origin(*path) for path in origins} == origins
    assert [sources.is_from_env_file("log", key) for key in ("level", "format", "file")] == [True, False, False]


def test_the_variables_of_the_env_file_are_set_unless_they_are(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("STRIPE=file\nPATH=/nowhere\nARLEN_PORT=3001\n")
    config = load(tmp_path, "development", os.environ)
    environ = {"PATH": "/bin"}
    config.sources.export(environ)
    assert environ == {"PATH": "/bin", "STRIPE": "file", "ARLEN_PORT": "3001"}
    assert "STRIPE" not in os.environ, "loading sets nothing"
