"""The configuration as printable values. One rule: what is secret by name or by value never leaves here readable.

By name: settings declared secret, and keys of [settings] that sound like one. By value: the password inside a URL or a
connection string, wherever it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from arlen_runtime.config.schema import SECTIONS
from arlen_runtime.config.sections import Config

MASK = "********"

_SECRET_NAME = re.compile(
    r"secret|passw|pwd|passphrase|token|credential|private|salt|(?:api|access|encryption|signing|session)_?key|^keys?$|dsn",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(://[^/?#\s:@]*:)\S*@")  # up to the last @: a password may hold one unescaped
_NAMED_PASSWORD = re.compile(
    r"(?i)\b(\w*password|passphrase|secret|token|api_?key)(\s*=\s*)('(?:[^'\\]|\\.)*'|(?:\\.|[^\s&\\])+)"
)
_MEMBER = re.compile(
    r"""(?P<quote>['"])(?P<name>[\w-]+)(?P=quote)(?P<colon>\s*:\s*)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,}\]'"]+)"""
)
"""A member of a dictionary as Python or JSON writes it."""
_UNREADABLE = re.compile(r"://.*\s")  # no URL holds white space: where its password ends is anybody's guess
_DATABASE_URL = re.compile(r"(?:postgres(?:ql)?|rediss?|valkeys?)://|\w+\s*=")


def is_secret_name(name: str) -> bool:
    """Say whether a key, variable, field or header of this name holds something that must not be shown."""
    return _SECRET_NAME.search(name) is not None


def mask_text(text: str) -> str:
    """Return the text with the passwords of the URLs, connection strings and dictionaries in it masked."""
    return _MEMBER.sub(_masked_member, _NAMED_PASSWORD.sub(rf"\1\2{MASK}", _URL_PASSWORD.sub(rf"\1{MASK}@", text)))


def _masked_member(found: re.Match[str]) -> str:
    """Return a member with its value masked where its name is a secret's."""
    if not is_secret_name(found["name"]):
        return found[0]
    return f"{found['quote']}{found['name']}{found['quote']}{found['colon']}'{MASK}'"


def printable(config: Config) -> dict[str, dict[str, Any]]:
    """Return every setting by section and key, secrets masked; [settings] is walked through at any depth."""
    shown: dict[str, dict[str, Any]] = {
        section: {
            key: _shown(getattr(getattr(config, section), key), secret=setting.secret)
            for key, setting in settings.items()
        }
        for section, settings in SECTIONS.items()
    }
    return {**shown, "settings": _shown(config.settings)}


def as_text(config: Config) -> str:
    """Return the printable configuration in lines, section by section, as `--print-config` shows it."""
    lines = [f"# {config.environment}"]
    for section, settings in printable(config).items():
        lines += ["", f"[{section}]", *(f"{key} = {json.dumps(value, default=str)}" for key, value in settings.items())]
    return "\n".join(lines) + "\n"


def _shown(value: Any, *, secret: bool = False) -> Any:  # noqa: ANN401 - values of TOML
    """Mask one value, or each value below it."""
    if isinstance(value, Mapping):
        return {key: _shown(item, secret=secret or is_secret_name(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(item, secret=secret) for item in value]
    if (
        secret
        and value
        and not (isinstance(value, str) and _DATABASE_URL.match(value) and not _UNREADABLE.search(value))
    ):
        return MASK
    return mask_text(value) if isinstance(value, str) else value
