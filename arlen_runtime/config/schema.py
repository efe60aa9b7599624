"""The table of Arlen's settings, made of the sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, TypeGuard, get_type_hints

from arlen_runtime.config.sections import Config
from arlen_runtime.config.setting import Setting, declared_settings


def is_section(kind: object) -> TypeGuard[type[Any]]:
    """Return True if a field of Config of this type is a section."""
    return isinstance(kind, type) and is_dataclass(kind)


SECTIONS: Mapping[str, Mapping[str, Setting]] = {
    name: declared_settings(name, kind) for name, kind in get_type_hints(Config).items() if is_section(kind)
}
"""Section name to key to setting, in the order of declaration."""

VARIABLES: Mapping[str, Setting] = {
    setting.variable: setting for section in SECTIONS.values() for setting in section.values()
}
"""Variable name to setting."""
