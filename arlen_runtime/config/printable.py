"""The configuration as printable values, each with its origin if wanted.

Invariant: a secret, by its name or by its value, never leaves this module readable.

By name: settings that are declared secret, by Arlen or in the source of the application, and keys
of [settings] whose name sounds secret. By value: passwords in URLs and connection strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from arlen_runtime.config.masks import MASK, is_secret_name, mask_text
from arlen_runtime.config.schema import SECTIONS
from arlen_runtime.config.secret_fields import secret_fields
from arlen_runtime.config.sections import Config

_URL = re.compile(r"postgres(?:ql)?://\S+")  # no white space: the end of the password would be unclear
_VALUE = r"\s*=\s*(?:'(?:[^'\\]|\\.)*'|(?:\\.|[^\s'\\=])(?:\\.|[^\s'\\])*)"
_CONNECTION = re.compile(rf"\s*(?:host|hostaddr|port|dbname|user|password|service){_VALUE}(?:\s+\w+{_VALUE})*\s*")
"""A text that is certainly a connection string (libpq, section 34.1.1).

In any other text it is not known which part is secret.
"""


def printable(config: Config) -> dict[str, dict[str, Any]]:
    """Return every setting by section and key with secrets masked; [settings] at any depth."""
    shown: dict[str, dict[str, Any]] = {
        section: {
            key: _masked_setting(getattr(getattr(config, section), key), secret=setting.secret)
            for key, setting in settings.items()
        }
        for section, settings in SECTIONS.items()
    }
    hidden = {entry.path for entry in config.sources.settings_texts.values() if entry.hidden}
    names = secret_fields(config)

    def is_secret(path: tuple[str, ...]) -> bool:
        return path in hidden or path[-1] in names or is_secret_name(path[-1])

    return {**shown, "settings": _masked(config.settings, is_secret, ("settings",))}


def printable_with_origins(config: Config) -> dict[str, dict[str, Any]]:
    """Return `printable`, with {"value", "origin"} in place of each value."""

    def with_origin(value: Any, path: tuple[str, ...]) -> dict[str, Any]:  # noqa: ANN401 - values of TOML
        if path[0] == "settings" and isinstance(value, dict) and value:
            return {key: with_origin(item, (*path, key)) for key, item in value.items()}
        return {"value": value, "origin": config.sources.origin(*path)}

    return {
        section: {key: with_origin(value, (section, key)) for key, value in values.items()}
        for section, values in printable(config).items()
    }


def _masked(
    value: Any,  # noqa: ANN401 - values of TOML
    is_secret: Callable[[tuple[str, ...]], bool],
    path: tuple[str, ...],
    *,
    secret: bool = False,
) -> Any:  # noqa: ANN401 - values of TOML
    """Mask a value, or each value below it."""
    if isinstance(value, Mapping):
        return {
            key: _masked(item, is_secret, (*path, key), secret=secret or is_secret((*path, key)))
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_masked(item, is_secret, path, secret=secret) for item in value]
    if secret and value:
        return MASK
    return mask_text(value) if isinstance(value, str) else value


def _masked_setting(value: object, *, secret: bool) -> Any:  # noqa: ANN401 - values of TOML
    """Mask a setting of a section.

    The secret ones are connection strings: an operator sees all of them except passwords.
    """
    readable = isinstance(value, str) and (_URL.fullmatch(value) or _CONNECTION.fullmatch(value))
    return _masked(value, lambda path: is_secret_name(path[-1]), ("",), secret=secret and not readable)
