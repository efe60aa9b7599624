"""The configuration as printable values.

Invariant: a secret, by its name or by its value, never leaves this module readable.

By name: settings that are declared secret, and keys of [settings] whose name sounds secret. By
value: the password in a URL or a connection string, wherever it occurs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from arlen_runtime.config.schema import SECTIONS
from arlen_runtime.config.sections import Config

MASK = "********"

_SECRET_WORD = re.compile(
    r"secret|passw|passphrase|(?:^|[_-])pass(?:$|[_-])|pwd|token|credential|private|salt|dsn|authorization|bearer|jwt"
    r"|(?:^|[_-])auth$|(?:api|access|encryption|signing|session)[_-]?key|(?<!primary)(?<!foreign)[_-]keys?$"
    r"|session[_-]?id$",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(rf"{_SECRET_WORD.pattern}|^keys?$|(?:^|[_-])cookies?$", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^/?#\s:@]*:)\S{0,2048}@")  # up to the last @: a password may hold one unescaped
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_ASSIGNED = re.compile(rf"(?<![\w-])([\w-]++)(\s*+=\s*+)(?:{_QUOTED}|(?:\\.|[^\s&\\])+)")
"""A value with its name, as connection strings, queries and Python write it."""
_KEY = r"""b?(?P<quote>['"])(?P<name>[\w-]+)(?P=quote)"""
_MEMBER = re.compile(rf"""(?P<key>{_KEY}\s*:\s*)b?(?:{_QUOTED}|[^\s,}}\]'"]+)""")
"""A member of a dictionary as Python or JSON writes it."""
_PAIR = re.compile(rf"(?P<key>(?<!\w)\({_KEY}\s*,\s*)b?(?:{_QUOTED})")
"""A name with its value as in a list of headers; not the arguments of a call."""
_URL = re.compile(r"postgres(?:ql)?://\S+")  # no white space: the end of the password would be unclear
_VALUE = r"\s*=\s*(?:'(?:[^'\\]|\\.)*'|(?:\\.|[^\s'\\=])(?:\\.|[^\s'\\])*)"
_CONNECTION = re.compile(rf"\s*(?:host|hostaddr|port|dbname|user|password|service){_VALUE}(?:\s+\w+{_VALUE})*\s*")
"""A text that is certainly a connection string (libpq, section 34.1.1).

In any other text it is not known which part is secret.
"""


def is_secret_name(name: str) -> bool:
    """Return True if a key, variable, field or header of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def mask_text(text: str) -> str:
    """Mask the passwords of URLs, connection strings and dictionaries in the text.

    Members come before assignments: an assignment inside a member's value would consume the
    members after it.
    """
    text = _URL_PASSWORD.sub(rf"\1{MASK}@", text)
    for members in (_MEMBER, _PAIR):
        text = members.sub(_masked_member, text)
    return _ASSIGNED.sub(_masked_value, text)


def _masked_value(match: re.Match[str]) -> str:
    """Mask an assignment if its name is secret; `key =` alone may be any variable."""
    return f"{match[1]}{match[2]}{MASK}" if _SECRET_WORD.search(match[1]) else match[0]


def _masked_member(match: re.Match[str]) -> str:
    """Mask the value of a member if its name is secret."""
    return f"{match['key']}'{MASK}'" if is_secret_name(match["name"]) else match[0]


def printable(config: Config) -> dict[str, dict[str, Any]]:
    """Return every setting by section and key with secrets masked; [settings] at any depth."""
    shown: dict[str, dict[str, Any]] = {
        section: {
            key: _masked_setting(getattr(getattr(config, section), key), secret=setting.secret)
            for key, setting in settings.items()
        }
        for section, settings in SECTIONS.items()
    }
    return {**shown, "settings": _masked(config.settings)}


def _masked(value: Any, *, secret: bool = False) -> Any:  # noqa: ANN401 - values of TOML
    """Mask a value, or each value below it."""
    if isinstance(value, Mapping):
        return {key: _masked(item, secret=secret or is_secret_name(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(item, secret=secret) for item in value]
    if secret and value:
        return MASK
    return mask_text(value) if isinstance(value, str) else value


def _masked_setting(value: object, *, secret: bool) -> Any:  # noqa: ANN401 - values of TOML
    """Mask a setting of a section.

    The secret ones are connection strings: an operator sees all of them except passwords.
    """
    readable = isinstance(value, str) and (_URL.fullmatch(value) or _CONNECTION.fullmatch(value))
    return _masked(value, secret=secret and not readable)
