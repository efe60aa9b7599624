"""TOML files whose errors name file, line and key."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime.config.toml_file import TomlFile
from arlen_runtime.errors import ConfigError

TRICKY = """\
# [server] port = 1 in a comment
[app]
name = '''
[server]
port = 2
'''
[server]
trusted_proxies = [
    "10.0.0.0/8",
]  # port = 3
host = "::"
port = 4
"""


def read(tmp_path: Path, text: str | bytes) -> TomlFile:
    path = tmp_path / "app.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return TomlFile(path, "config/app.toml")


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("app",), 2),
        (("app", "name"), 3),
        (("server",), 7),
        (("server", "trusted_proxies"), 8),
        (("server", "host"), 11),
        (("server", "port"), 12),
    ],
)
def test_a_key_is_found_where_it_stands_and_not_where_text_looks_like_it(
    tmp_path: Path, keys: tuple[str, ...], line: int
) -> None:
    assert read(tmp_path, TRICKY).place(*keys) == f"config/app.toml, line {line}"


@pytest.mark.parametrize("text", ["server = { port = 1 }", "server.port = 1", "\n[server]\nport = 1"])
def test_every_way_to_write_a_key_has_a_line(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).place("server", "port").endswith(f"line {len(text.splitlines())}")


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("[server]\nport = abc\n", 2, "port"),
        ("[server]\n\nhost\n", 3, ""),
        ('[server]\nhost = "unclosed\n', 2, "host"),
        ("[server\nport = 1", 1, ""),
        ("[server]\nport = 1\nport = 2", 3, "port"),
        ('name = """\nno end', 2, ""),
    ],
)
def test_broken_toml_is_reported_with_file_line_and_key(tmp_path: Path, text: str, line: int, key: str) -> None:
    with pytest.raises(ConfigError) as broken:
        read(tmp_path, text)
    opening = f"config/app.toml, line {line}: {f'{key}: ' if key else ''}not valid TOML: "
    assert broken.value.detail.startswith(opening)


@pytest.mark.parametrize("other", ["\u2028", "\u0085"])
def test_only_a_newline_ends_a_line(tmp_path: Path, other: str) -> None:
    text = f"# a{other}b\n[server]\nhost = 'a{other}b'\r\nport = 1\n"
    assert read(tmp_path, text).place("server", "port").endswith("line 4")
    with pytest.raises(ConfigError, match="line 5: port: not valid TOML"):
        read(tmp_path, f"{text}port = abc\n")


def test_a_file_that_is_nested_too_deeply_is_an_error_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config/app\.toml: is nested too deeply"):
        read(tmp_path, f"x = {'[' * 100_000}")


def test_a_number_too_long_for_python_is_an_error_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        read(tmp_path, f"port = {'9' * 5000}")


def test_a_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config/app\.toml: is not UTF-8 \(byte 8\)"):
        read(tmp_path, b'name = "\xff"')


def _make_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.mkdir, "is a folder, not a file"),
        (os.mkfifo, "is not a plain file"),
        (_make_large, "is larger than 1024 KiB"),
        (lambda path: path.symlink_to(path), "cannot be read: Too many levels of symbolic links"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, make: Callable[[Path], object], reason: str) -> None:
    make(tmp_path / "app.toml")
    with pytest.raises(ConfigError) as refused:
        TomlFile(tmp_path / "app.toml", "config/app.toml")
    assert refused.value.detail == f"config/app.toml: {reason}"


def test_an_empty_file_has_no_settings_and_a_missing_one_is_left_to_the_caller(tmp_path: Path) -> None:
    assert read(tmp_path, "").data == {}
    with pytest.raises(FileNotFoundError):
        TomlFile(tmp_path / "missing.toml", "missing.toml")
