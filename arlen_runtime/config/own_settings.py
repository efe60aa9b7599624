"""Reads [settings] as dataclasses of the application, with the checks of Arlen's own sections."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, TypeVar, get_origin, get_type_hints

from arlen_runtime.config.masks import is_secret_name
from arlen_runtime.config.setting import Setting, declared_settings
from arlen_runtime.config.setting_reader import SettingReader
from arlen_runtime.config.sources import Sources
from arlen_runtime.errors import BootError, ConfigError
from arlen_runtime.nearest_words import suggestion

PREFIX = "ARLEN_SETTINGS_"
"""The variables of [settings] start with this."""

_TABLE = re.compile(r"(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)?")
_TYPES: Mapping[object, str] = {
    **{kind: kind.__name__ for kind in (str, int, float, bool)},
    tuple[str, ...]: "tuple[str, ...]",
}
"""The types that a field can have, and their names."""

Kind = TypeVar("Kind")


def read_settings(kind: type[Kind], table: str, values: Mapping[str, Any], sources: Sources) -> Kind:
    """Return a table of [settings] as an instance of the class; "" is [settings] itself.

    `values` is [settings] of a configuration that was not loaded. Raises ConfigError with one line
    for each mistake, BootError for a class that cannot be read.
    """
    if not _TABLE.fullmatch(table):
        raise BootError(f"config.read: {table!r} is not the name of a table, such as mail or mail.smtp")
    section = f"settings.{table}" if table else "settings"
    settings = _declared(kind, section)
    errors: list[str] = []
    reader = SettingReader(section, settings, errors)
    layers: list[tuple[Mapping[str, Any], Callable[..., str]]] = [(file.data, file.place) for file in sources.files]
    for data, place in layers if sources.is_loaded else [({"settings": values}, _no_place)]:
        _read_layer(reader, section, data, place)
    for key, setting in settings.items():
        if entry := sources.settings_texts.get(setting.variable):
            reader.read_text(key, entry.place, entry.text, hidden=entry.hidden)
        elif setting.default is MISSING and key not in reader.present:
            errors.append(f"[{section}] {key} is missing: set it in config/app.toml or by {setting.variable}")
    if errors:
        raise ConfigError("\n".join(errors))
    try:
        instance = kind(**reader.values)
    except ValueError as error:  # from a check of its own, in __post_init__
        raise ConfigError(f"[{section}] {error}") from error
    sources.reads[table] = settings
    sources.secrets |= {str(getattr(instance, key)) for key, setting in settings.items() if setting.secret}
    return instance


def unread_settings(sources: Sources) -> list[str]:
    """Return the mistakes that show once the application has read all its settings.

    These are variables below a table that was read, for which neither a class nor a file has a key,
    and tables that nothing reads and whose name is almost that of a table that was read.
    """
    settings = {setting.variable: setting for read in sources.reads.values() for setting in read.values()}
    prefixes = tuple(f"{PREFIX}{table.upper().replace('.', '_')}_" if table else PREFIX for table in sources.reads)
    errors = [
        f"{entry.place}: no setting has this variable{suggestion(name, settings)}"
        for name, entry in sources.settings_texts.items()
        if name.startswith(prefixes) and name not in settings and not sources.in_files(*entry.path)
    ]
    tables = {table.partition(".")[0] for table in sources.reads if table}
    absent = {table for table in tables if not sources.in_files("settings", table)}
    for file in sources.files:
        unread = set(_tables_of(file.data.get("settings"))) - tables
        hints = {table: suggestion(table, absent) for table in sorted(unread)}
        errors += [
            f"{file.place('settings', key)}: nothing reads [settings.{key}]{hint}"
            for key, hint in hints.items()
            if hint
        ]
    return errors


def _declared(kind: object, section: str) -> dict[str, Setting]:
    """Return the settings of the class, or raise BootError with all that is wrong with it."""
    name = getattr(kind, "__qualname__", repr(kind))
    if not isinstance(kind, type) or not is_dataclass(kind):
        raise BootError(f"config.read: {name} is not a dataclass: write @dataclass(frozen=True) above the class")
    if not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined] # typeshed does not list it
        raise BootError(f"config.read: {name} is not frozen: write @dataclass(frozen=True)")
    try:
        hints = get_type_hints(kind)
    except (NameError, TypeError) as error:
        raise BootError(f"config.read: the types of {name} cannot be resolved: {error}") from error
    errors = [f"{name}.{item.name}: {reason}" for item in fields(kind) if (reason := _reason(item, hints[item.name]))]
    settings = {} if errors else declared_settings(section, kind)
    errors += [
        f"{name}.{key}: the default {reason}" for key, item in settings.items() if (reason := item.wrong_default())
    ]
    if errors:
        raise BootError("\n".join(errors))
    return {key: item._replace(secret=item.secret or is_secret_name(key)) for key, item in settings.items()}


def _reason(item: Field[Any], hint: object) -> str:
    """Return why a field cannot be a setting; "" if it can."""
    if hint not in _TYPES:
        name = hint if get_origin(hint) else getattr(hint, "__name__", hint)
        return f"{name} cannot be the type of a setting; use {', '.join(_TYPES.values())}"
    if not item.init or item.default_factory is not MISSING:
        return "a setting has a plain default: no default_factory, no init=False"
    if item.name.endswith("_file"):
        return (
            "the name cannot end in _file, because such a variable names the file of another setting; "
            f"for example, call it {item.name.removesuffix('_file')}_path"
        )
    return ""


def _read_layer(reader: SettingReader, section: str, data: Mapping[str, Any], place: Callable[..., str]) -> None:
    """Read the section of one layer, if the layer has it."""
    path = section.split(".")
    for depth, key in enumerate(path, 1):
        if key not in data:
            return
        data = data[key]
        if not isinstance(data, Mapping):
            name = ".".join(path[:depth])
            reader.errors.append(f"{place(*path[:depth])}: {name} is a table: write [{name}]")
            return
    reader.read_table(data, place, has_tables=True)


def _tables_of(settings: object) -> list[str]:
    table = settings if isinstance(settings, Mapping) else {}
    return [key for key, value in table.items() if isinstance(value, Mapping)]


def _no_place(*_path: str) -> str:
    """Return the place of a value that is in no file."""
    return "config"
