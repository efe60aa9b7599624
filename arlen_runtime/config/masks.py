"""Masks in place of secrets, by name and by value.

By name: keys, fields and headers whose name sounds secret. By value: the password in a URL or a
connection string, wherever it occurs.
"""

from __future__ import annotations

import re

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
