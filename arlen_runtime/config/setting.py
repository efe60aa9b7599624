"""One setting: how it is declared, its spellings, and every check of its value.

A `Setting` knows its three spellings (TOML key, variable, flag) and converts a value from any of
them to its type. Arlen's own sections and the application's are declared in the same way.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields
from ipaddress import IPv6Address, ip_network
from typing import Any, NamedTuple, get_type_hints
from urllib.parse import urlsplit


def setting(  # noqa: PLR0913 - each is one property of a setting
    default: Any,  # noqa: ANN401 - a field of any type
    text: str = "",
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    items: str = "",
    secret: bool = False,
) -> Any:  # noqa: ANN401 - dataclasses expect the field in place of its value
    """Declare one setting: default, help text, bounds, allowed words, and whether it is secret.

    `...` as the default makes the setting required.

    `items` names the check of each item of a list, one of `schema.ITEMS`. A secret value is
    never shown.
    """
    bounds = {"minimum": minimum, "maximum": maximum, "choices": choices, "items": items}
    return field(default=MISSING if default is ... else default, metadata={"help": text, **bounds, "secret": secret})


class Commands(dict[str, str]):
    """Commands by their names; never changed, like every value of a setting."""

    def __hash__(self) -> int:  # type: ignore[override] # defaults of a frozen dataclass must be hashable, a dict is not
        return hash(tuple(self.items()))


Value = str | int | float | bool | tuple[str, ...] | Commands

WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}

PREFIXES = {"server": "ARLEN_", "propane_accessories": "ARLEN_PROPANE_"}
"""The sections whose variables have a shorter prefix than `ARLEN_<SECTION>_`."""


_HOST_NAME = re.compile(r"\.?[A-Za-z0-9_~-][A-Za-z0-9._~-]*")


class ValueKind(NamedTuple):
    """A type of setting: its name, how to read text (ValueError), how to read TOML (TypeError)."""

    name: str
    from_text: Callable[[str], Value]
    from_toml: Callable[[object], Value]


def _bool_from_text(text: str) -> bool:
    try:
        return WORDS[text.strip().lower()]
    except KeyError as error:
        raise ValueError(text) from error


def read_list(text: str) -> tuple[str, ...]:
    """Split a list at its commas."""
    return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)


def _exact_type(kind: type) -> Callable[[object], Any]:
    """Accept only values of exactly this type: true is not 1."""

    def convert(value: object) -> object:
        if type(value) is not kind:
            raise TypeError
        return value

    return convert


def _float_from_toml(value: object) -> float:
    """Accept a number, whole or not."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    return float(value)


def _list_from_toml(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError
    return tuple(value)


def _commands_from_text(text: str) -> Commands:
    """Read named commands: `name=command`, separated by semicolons."""
    pairs = [piece.partition("=") for piece in text.split(";") if piece.strip()]
    return _commands({name.strip(): command.strip() for name, _, command in pairs})


def _commands_from_toml(value: object) -> Commands:
    if not isinstance(value, dict) or not all(isinstance(command, str) for command in value.values()):
        raise TypeError
    try:
        return _commands(value)
    except ValueError as error:
        raise TypeError from error


def _commands(table: Mapping[str, str]) -> Commands:
    """Check that each name and each command is not empty; ValueError."""
    for name, command in table.items():
        if not name or not shlex.split(command):
            raise ValueError(name)
    return Commands(table)


KINDS: dict[object, ValueKind] = {
    str: ValueKind("a string", str, _exact_type(str)),
    int: ValueKind("a whole number", int, _exact_type(int)),
    float: ValueKind("a number", float, _float_from_toml),
    bool: ValueKind("true or false", _bool_from_text, _exact_type(bool)),
    tuple[str, ...]: ValueKind("a list of strings", read_list, _list_from_toml),
    Commands: ValueKind("a table of names and commands", _commands_from_text, _commands_from_toml),
}


def _check_network(text: str) -> None:
    """Check that `http.origin.TrustedProxies` accepts it; ValueError."""
    if text != "unix":
        ip_network(text)


def _check_host(text: str) -> None:
    """Check that a Host can match it: a name, an address, or a domain with a leading dot.

    A port is not allowed, because ports are not compared.
    """
    if not _HOST_NAME.fullmatch(text):
        IPv6Address(text.removeprefix("[").removesuffix("]"))


def _check_site(text: str) -> None:
    """Check that it is scheme and authority of an http URL, and nothing else; ValueError."""
    scheme, _, authority = text.partition("://")
    parts = urlsplit(text)
    if scheme not in {"http", "https"} or parts.netloc != authority or parts.port == 0:
        raise ValueError(text)
    host = authority if parts.port is None else authority.removesuffix(f":{parts.port}")
    _check_host(host)
    if host.startswith(".") or (":" in host and not host.startswith("[")):
        raise ValueError(text)


def _without_user(text: str) -> str:
    """Return a text for a message, without what may be the password of a URL."""
    return re.sub(r"//.*@", "//********@", text)


ITEMS: Mapping[str, tuple[str, Callable[[str], None]]] = {
    "network": ('networks such as 10.0.0.0/8, addresses or "unix"', _check_network),
    "host": ("host names without scheme and port", _check_host),
    "site": ("scheme and host, such as https://example.org, without path, query and user", _check_site),
}
"""The kinds of list items: name, and check (ValueError)."""


class Setting(NamedTuple):
    """One setting as its section declares it; `default` is MISSING if it must be set."""

    section: str
    key: str
    kind: ValueKind
    default: Any
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    items: str = ""
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIXES.get(self.section, f"ARLEN_{self.section.upper().replace('.', '_')}_") + self.key.upper()

    @property
    def flag(self) -> str:
        """The command-line flag that sets it, if its section has flags."""
        return "--" + self.key.replace("_", "-")

    def from_text(self, text: str) -> Value:
        """Read the value from a variable or flag; raise ValueError that says what is expected."""
        try:
            value = self.kind.from_text(text)
        except ValueError:
            raise ValueError(f"must be {self.kind.name}, not {self.quoted(text)}") from None
        return self._checked(value)

    def from_toml(self, raw: object) -> Value:
        """Read the value from a TOML file; raise ValueError that says what is expected."""
        try:
            value = self.kind.from_toml(raw)
        except (TypeError, OverflowError):
            raise ValueError(f"must be {self.kind.name}, not {self.quoted(raw)}") from None
        return self._checked(value)

    def wrong_default(self) -> str:
        """Return why the default is not a value of the setting; "" if it is one."""
        if self.default is MISSING:
            return ""
        try:
            self.from_toml(list(self.default) if isinstance(self.default, tuple) else self.default)
        except ValueError as error:
            return str(error)
        return ""

    def quoted(self, value: object) -> str:
        """Quote a value for a message; a secret is never quoted."""
        if self.secret:
            return "the given value (a secret is not shown)"
        try:
            return repr(value)
        except ValueError:
            return "a number with thousands of digits"

    def _checked(self, value: Value) -> Value:
        """Return the value; raise ValueError if the setting does not allow it."""
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"must be a finite number, not {value}")
        if isinstance(value, (int, float)):
            if self.minimum is not None and value < self.minimum:
                raise ValueError(f"must be at least {self.minimum}, not {self.quoted(value)}")
            if self.maximum is not None and value > self.maximum:
                raise ValueError(f"must be at most {self.maximum}, not {self.quoted(value)}")
        if self.items and isinstance(value, tuple):
            self._check_items(value, "list")
        elif self.items and isinstance(value, str) and value:
            self._check_items((value,), "be")
        if self.choices and value not in self.choices:
            raise ValueError(f"must be {alternatives(self.choices)}, not {self.quoted(value)}")
        return value

    def _check_items(self, items: tuple[str, ...], verb: str) -> None:
        expected, check = ITEMS[self.items]
        for item in items:
            try:
                check(item)
            except ValueError:
                raise ValueError(f"must {verb} {expected}, not {self.quoted(_without_user(item))}") from None


def alternatives(words: tuple[str, ...]) -> str:
    """Join words to a choice: `"a", "b" or "c"`."""
    quoted = [f'"{word}"' for word in words]
    return " or ".join([*([", ".join(quoted[:-1])] if quoted[1:] else []), quoted[-1]])


def declared_settings(section: str, declaration: type[Any]) -> dict[str, Setting]:
    """Return the settings of a dataclass by key. Raise KeyError for a type that none can have."""
    hints = get_type_hints(declaration)
    return {
        item.name: Setting(section, item.name, KINDS[hints[item.name]], item.default, **item.metadata)
        for item in fields(declaration)
    }
