"""The table of settings: declarations and spellings."""

from __future__ import annotations

import pytest

from arlen_runtime.config.schema import SECTIONS, VARIABLES


def test_every_setting_has_help_and_a_default_that_passes_its_own_check() -> None:
    for section in SECTIONS.values():
        for setting in section.values():
            assert setting.help, setting
            default = list(setting.default) if isinstance(setting.default, tuple) else setting.default
            assert setting.from_toml(default) == setting.default


def test_no_two_settings_share_a_variable() -> None:
    assert len(VARIABLES) == sum(len(section) for section in SECTIONS.values())


@pytest.mark.parametrize(
    ("section", "key", "variable", "flag"),
    [
        ("server", "port", "ARLEN_PORT", "--port"),
        ("propane_accessories", "worker_count", "ARLEN_PROPANE_WORKER_COUNT", "--worker-count"),
        ("database", "url", "ARLEN_DATABASE_URL", "--url"),
        ("security_headers", "frame_options", "ARLEN_SECURITY_HEADERS_FRAME_OPTIONS", "--frame-options"),
    ],
)
def test_a_setting_knows_its_variable_and_its_flag(section: str, key: str, variable: str, flag: str) -> None:
    setting = SECTIONS[section][key]
    assert (setting.variable, setting.flag) == (variable, flag)
