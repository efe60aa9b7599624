"""Load the configuration from files, variables and flags; later sources override earlier ones.

    config/app.toml  <-  config/environments/<environment>.toml  <-  .env  <-  ARLEN_*  <-  flags

Files may be missing: an application of one file has none. Every layer is checked, even values that
a later layer replaces, and all errors are reported together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from glob import glob
from pathlib import Path
from typing import Any, get_type_hints

from arlen_runtime.config.env_file import read_env_file
from arlen_runtime.config.free import read_settings_value, settings_path, value_at
from arlen_runtime.config.masks import mask_text
from arlen_runtime.config.own_settings import PREFIX
from arlen_runtime.config.schema import SECTIONS, VARIABLES, is_section
from arlen_runtime.config.sections import Config
from arlen_runtime.config.setting import Setting
from arlen_runtime.config.setting_reader import SettingReader
from arlen_runtime.config.sources import Sources, VariableText
from arlen_runtime.config.text_file import read_value
from arlen_runtime.config.toml_file import TomlFile
from arlen_runtime.errors import ConfigError
from arlen_runtime.nearest_words import suggestion

ENVIRONMENTS = ("development", "test", "production")
"""The environments that need no file of their own."""

OTHER_VARIABLES = {
    "ARLEN_ENV": "the environment",
    "ARLEN_APP_ROOT": "the application's folder",
    "ARLEN_PG_BIN": "the folder of the embedded server's programs",
    "ARLEN_PG_TEST_DSN": "the PostgreSQL server that tests use",
}
"""Variables that are not settings; any other name that starts with ARLEN_ is an error."""

_FILE = "_FILE"
"""What the name of a variable ends with if it names the file that holds the value."""

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
    `default` is the environment if neither `--env` nor ARLEN_ENV names one. `.env` is read if
    `environ` is os.environ: it adds to the variables of the process, which other mappings replace.
    Raises ConfigError with one line per error.
    """
    draft = _ConfigBuilder(root)
    name = environment or environ.get("ARLEN_ENV") or default
    draft.read_file(root / "config" / "app.toml")
    draft.read_environment(name, root / "config" / "environments")
    if environ is os.environ:
        draft.read_env_file(name)
    draft.read_variables(environ)
    draft.read_flags(flags or {})
    return draft.finish(name)


class _ConfigBuilder:
    """The values read so far, section by section, and the errors found."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._errors: list[str] = []
        self._readers = {name: SettingReader(name, settings, self._errors) for name, settings in SECTIONS.items()}
        self._settings: dict[str, Any] = {}
        self._sources = Sources(is_loaded=True)

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
        self._sources.files.append(file)
        for section, table in file.data.items():
            if section not in _NAMES:
                self._errors.append(f"{file.place(section)}: [{section}] is not a section{suggestion(section, _NAMES)}")
            elif not isinstance(table, dict):
                self._errors.append(f"{file.place(section)}: {section} is a section: write [{section}]")
            elif section == "settings":
                self._settings = _merged(self._settings, table)
            else:
                self._readers[section].read_table(table, file.place)
        return True

    def read_env_file(self, environment: str) -> None:
        """Merge the ARLEN_* variables of `.env`, and keep the others for the application."""
        file = read_env_file(self._root, environment)
        self._errors += file.errors
        self._sources.warning = file.warning
        self._sources.env_file = file.values
        self.read_variables(file.values, file.place)

    def read_variables(self, environ: Mapping[str, str], place: Callable[[str], str] = str) -> None:
        """Merge the ARLEN_* variables; an empty one counts as not set.

        `place` returns where a variable is, for messages.
        """
        for name, text in environ.items():
            if not name.startswith("ARLEN_") or not text or name in OTHER_VARIABLES:
                continue
            variable = self._variable_of(name)
            if variable is None:
                self._errors.append(f"{place(name)}: no setting has this variable{_nearest_variable(name)}")
            elif variable == name:
                self._read_variable(variable, place(name), text)
            elif environ.get(variable):
                self._errors.append(f"{place(name)}: {variable} is set too: set one of them")
            else:
                self._read_file_of(variable, place(name), text)

    def read_flags(self, flags: Mapping[str, str]) -> None:
        """Merge the flags, "section.key" to text."""
        for dotted, text in flags.items():
            section, _, key = dotted.partition(".")
            self._read_text(SECTIONS[section][key], SECTIONS[section][key].flag, text)

    def finish(self, environment: str) -> Config:
        """Build the configuration, or raise ConfigError with all errors."""
        if self._errors:
            raise ConfigError("\n".join(self._errors))
        built: dict[str, Any] = {
            section: kind(**self._readers[section].values)
            for section, kind in get_type_hints(Config).items()
            if is_section(kind)
        }
        return Config(environment=environment, root=self._root, settings=self._settings, sources=self._sources, **built)

    def _variable_of(self, name: str) -> str | None:
        """Return the variable that sets the value: this one, or the one that it is the file of."""
        variable = name.removesuffix(_FILE)
        if name.startswith(PREFIX) and name != PREFIX:
            path = settings_path(name.removeprefix(PREFIX), self._settings)
            is_file = len(variable) > len(PREFIX) and not self._sources.in_files("settings", *path)
            return variable if is_file else name
        return name if name in VARIABLES else variable if variable in VARIABLES else None

    def _read_file_of(self, variable: str, place: str, text: str) -> None:
        """Read the value of a variable from the file that `text` names."""
        setting = VARIABLES.get(variable)
        is_path = text.startswith(("/", "./", "../"))  # else it may be the secret itself, by mistake
        shown = mask_text(text) if is_path or (setting and not setting.secret) else "the file, its name is not shown"
        place = f"{place} ({shown if shown.isprintable() else ascii(shown)})"
        try:
            self._read_variable(variable, place, read_value(self._root / text), hidden=True)
        except ValueError as error:
            self._errors.append(f"{place} {error}")

    def _read_variable(self, variable: str, place: str, text: str, *, hidden: bool = False) -> None:
        if variable in VARIABLES:
            self._read_text(VARIABLES[variable], place, text, hidden=hidden)
            return
        path = settings_path(variable.removeprefix(PREFIX), self._settings)
        value: Any
        self._sources.places["settings", *path] = place
        self._sources.settings_texts[variable.upper()] = VariableText(place, text, hidden, ("settings", *path))
        if hidden:
            self._sources.secrets.add(text)
        try:
            value = read_settings_value(path[-1], value_at(self._settings, path), text, hidden=hidden)
        except ValueError as error:
            self._errors.append(f"{place} {error}")
            return
        for key in reversed(path):
            value = {key: value}
        self._settings = _merged(self._settings, value)

    def _read_text(self, setting: Setting, place: str, text: str, *, hidden: bool = False) -> None:
        self._sources.places[setting.section, setting.key] = place
        self._readers[setting.section].read_text(setting.key, place, text, hidden=hidden)


def _nearest_variable(name: str) -> str:
    files = [f"{variable}{_FILE}" for variable in VARIABLES if name.endswith(_FILE)]
    return suggestion(name, [*VARIABLES, *OTHER_VARIABLES, *files])


def _merged(under: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two tables at any depth; of other values, the later one counts."""
    both = {
        key: _merged(under[key], value) if isinstance(value, dict) and isinstance(under.get(key), dict) else value
        for key, value in over.items()
    }
    return {**under, **both}
