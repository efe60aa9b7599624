"""Load the configuration from files, variables and flags; later sources override earlier ones.

    config/app.toml  <-  config/environments/<environment>.toml  <-  ARLEN_*  <-  flags

Files may be missing: an application of one file has none. Every layer is checked, even values that
a later layer replaces, and all errors are reported together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from glob import glob
from pathlib import Path
from typing import Any, get_type_hints

from arlen_runtime.config.command_page import suggestion
from arlen_runtime.config.free import read_settings_value, settings_key
from arlen_runtime.config.schema import SECTIONS, VARIABLES, Setting, Value, is_section
from arlen_runtime.config.sections import Config
from arlen_runtime.config.toml_file import TomlFile
from arlen_runtime.errors import ConfigError

ENVIRONMENTS = ("development", "test", "production")
"""The environments that need no file of their own."""

OTHER_VARIABLES = {
    "ARLEN_ENV": "the environment",
    "ARLEN_APP_ROOT": "the application's folder",
    "ARLEN_PG_BIN": "the folder of the embedded server's programs",
    "ARLEN_PG_TEST_DSN": "the PostgreSQL server that tests use",
}
"""Variables that are not settings; any other name that starts with ARLEN_ is an error."""

_SETTINGS_PREFIX = "ARLEN_SETTINGS_"  # [settings] belongs to the application: its variables are not checked
_NAMES = (*SECTIONS, "settings")
_NAME = re.compile(r"[a-z][a-z0-9_]*")  # because it becomes part of a path


def load(
    root: Path,
    environment: str | None,
    environ: Mapping[str, str],
    flags: Mapping[str, str] | None = None,
    *,
    default: str = "production",
) -> Config:
    """Read, merge and check the configuration of the application in `root`.

    `environment` is the value of `--env`, `flags` maps "section.key" to the text of the flag,
    `default` is the environment if neither `--env` nor ARLEN_ENV names one. Raises ConfigError
    with one line per error.
    """
    draft = _ConfigBuilder(root)
    name = environment or environ.get("ARLEN_ENV") or default
    draft.read_file(root / "config" / "app.toml")
    draft.read_environment(name, root / "config" / "environments")
    draft.read_variables(environ)
    draft.read_flags(flags or {})
    return draft.finish(name)


class _ConfigBuilder:
    """The values read so far, section by section, and the errors found."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._values: dict[str, dict[str, Value]] = {section: {} for section in SECTIONS}
        self._settings: dict[str, Any] = {}
        self._errors: list[str] = []

    def read_environment(self, name: str, folder: Path) -> None:
        """Merge the file of the environment; an environment of another name needs one."""
        if _NAME.fullmatch(name) and (self.read_file(folder / f"{name}.toml") or name in ENVIRONMENTS):
            return
        files = glob("*.toml", root_dir=folder)  # noqa: PTH207 - Path.glob raises if the folder cannot be entered
        names = {*ENVIRONMENTS, *(file.removesuffix(".toml") for file in files)}
        self._errors.append(f"environment {name!r} has no file in config/environments{suggestion(name, names)}")

    def read_file(self, path: Path) -> bool:
        """Merge one TOML file; return whether it exists.

        A file that cannot be read exists and is an error.
        """
        try:
            file = TomlFile(path, str(path.relative_to(self._root)))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except ConfigError as error:
            self._errors.append(error.detail)
            return True
        for section, table in file.data.items():
            if section not in _NAMES:
                self._errors.append(f"{file.place(section)}: [{section}] is not a section{suggestion(section, _NAMES)}")
            elif not isinstance(table, dict):
                self._errors.append(f"{file.place(section)}: {section} is a section: write [{section}]")
            elif section == "settings":
                self._settings = _merged(self._settings, table)
            else:
                self._read_table(file, section, table)
        return True

    def read_variables(self, environ: Mapping[str, str]) -> None:
        """Merge the ARLEN_* variables; an empty one counts as not set."""
        variables = {name: text for name, text in environ.items() if name.startswith("ARLEN_") and text}
        for name, text in variables.items():
            if name.startswith(_SETTINGS_PREFIX) and name != _SETTINGS_PREFIX:
                self._read_settings_variable(name, text)
            elif name in VARIABLES:
                self._read_text(VARIABLES[name], name, text)
            elif name not in OTHER_VARIABLES:
                hint = suggestion(name, [*VARIABLES, *OTHER_VARIABLES])
                self._errors.append(f"{name}: no setting has this variable{hint}")

    def read_flags(self, flags: Mapping[str, str]) -> None:
        """Merge the flags, "section.key" to text."""
        for dotted, text in flags.items():
            section, _, key = dotted.partition(".")
            setting = SECTIONS[section][key]
            self._read_text(setting, setting.flag, text)

    def finish(self, environment: str) -> Config:
        """Build the configuration, or raise ConfigError with all errors."""
        if self._errors:
            raise ConfigError("\n".join(self._errors))
        built: dict[str, Any] = {
            section: kind(**self._values[section])
            for section, kind in get_type_hints(Config).items()
            if is_section(kind)
        }
        return Config(environment=environment, root=self._root, settings=self._settings, **built)

    def _read_table(self, file: TomlFile, section: str, table: Mapping[str, object]) -> None:
        settings = SECTIONS[section]
        for key, raw in table.items():
            place = f"{file.place(section, key)}: [{section}] {key}"
            if key not in settings:
                self._errors.append(f"{place} is not a setting{suggestion(key, settings)}")
                continue
            try:
                self._values[section][key] = settings[key].from_toml(raw)
            except ValueError as error:
                self._errors.append(f"{place} {error}")

    def _read_text(self, setting: Setting, place: str, text: str) -> None:
        try:
            self._values[setting.section][setting.key] = setting.from_text(text)
        except ValueError as error:
            self._errors.append(f"{place} {error}")

    def _read_settings_variable(self, name: str, text: str) -> None:
        key = settings_key(name.removeprefix(_SETTINGS_PREFIX), self._settings)
        try:
            self._settings[key] = read_settings_value(key, self._settings.get(key, ""), text)
        except ValueError as error:
            self._errors.append(f"{name} {error}")


def _merged(under: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two tables at any depth; of other values, the later one counts."""
    both = {
        key: _merged(under[key], value) if isinstance(value, dict) and isinstance(under.get(key), dict) else value
        for key, value in over.items()
    }
    return {**under, **both}
