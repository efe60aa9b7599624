"""The settings of one section, read from layers."""

from __future__ import annotations

from arlen_runtime.config.schema import SECTIONS
from arlen_runtime.config.setting_reader import SettingReader


def place(*path: str) -> str:
    return f"file, {'/'.join(path)}"


def test_later_layers_override_earlier_ones_and_all_are_checked() -> None:
    errors: list[str] = []
    reader = SettingReader("server", SECTIONS["server"], errors)
    reader.read_table({"port": 1, "host": "a"}, place)
    reader.read_table({"port": "x", "prot": 2}, place)
    reader.read_text("port", "ARLEN_PORT", "3")
    assert reader.values == {"port": 3, "host": "a"}
    assert reader.present == {"port", "host"}
    assert errors == [
        "file, server/port: [server] port must be a whole number, not 'x'",
        "file, server/prot: [server] prot is not a setting; did you mean port?",
    ]


def test_a_hidden_text_is_not_shown() -> None:
    errors: list[str] = []
    reader = SettingReader("server", SECTIONS["server"], errors)
    reader.read_text("port", "ARLEN_PORT_FILE (/run/port)", "hunter2", hidden=True)
    assert errors == ["ARLEN_PORT_FILE (/run/port) must be a whole number, not the given value (a secret is not shown)"]


def test_tables_can_be_left_to_other_sections() -> None:
    errors: list[str] = []
    SettingReader("log", SECTIONS["log"], errors).read_table({"more": {}}, place, has_tables=True)
    assert errors == []
    SettingReader("log", SECTIONS["log"], errors).read_table({"more": {}}, place)
    assert errors == ["file, log/more: [log] more is not a setting"]
