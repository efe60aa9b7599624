"""Variables for [settings], the application's own: they take the type of the value in the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, NamedTuple

from arlen_runtime.config.masks import is_secret_name
from arlen_runtime.config.setting import KINDS, read_list


class _Type(NamedTuple):
    """A type of TOML: its name for messages, and a function that reads it (ValueError)."""

    name: str
    read: Callable[[str], object]


_TYPES: Mapping[type, _Type] = {
    **{kind: _Type(KINDS[kind].name, KINDS[kind].from_text) for kind in (str, int, float, bool)},
    datetime: _Type("a date and time", datetime.fromisoformat),
    date: _Type("a date", date.fromisoformat),
    time: _Type("a time", time.fromisoformat),
}


def settings_path(name: str, table: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the path in [settings] for a variable, as the files spell it.

    Variable names are case-insensitive. A key that the files do not have is one of the first level.
    """
    return _path_in(name.lower(), table) or (name.lower(),)


def _path_in(name: str, table: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the path of the key with this lower-case name; () if there is none."""
    keys = [name] if name in table else [key for key in table if key.lower() == name]
    if keys:
        return (keys[0],)
    for key, value in table.items():
        is_prefix = isinstance(value, Mapping) and name.startswith(f"{key.lower()}_")
        if is_prefix and (below := _path_in(name[len(key) + 1 :], value)):
            return (key, *below)
    return ()


def value_at(table: Mapping[str, Any], path: Sequence[str]) -> object:
    """Return the value at a path of [settings]; "" if there is none."""
    for key in path[:-1]:
        table = table.get(key, {})
    return table.get(path[-1], "")


def read_settings_value(key: str, present: object, text: str, *, hidden: bool = False) -> object:
    """Read a variable's text as the type of the present value; ValueError says what is expected.

    The message does not show a text that is hidden, or secret by its key.
    """
    expected = _list_of(present) if isinstance(present, list) else _TYPES.get(type(present))
    if expected is None:
        raise ValueError("cannot be set by a variable: the files have a table or nested lists there")
    try:
        return expected.read(text)
    except ValueError:
        shown = "the given value (a secret is not shown)" if hidden or is_secret_name(key) else repr(text)
        raise ValueError(f"must be {expected.name}, not {shown}") from None


def _list_of(present: list[object]) -> _Type | None:
    """Return the type of a list: the type of its items in the files, strings if they differ."""
    kinds = {type(item) for item in present}
    if not kinds <= _TYPES.keys():
        return None
    item = _TYPES[kinds.pop() if len(kinds) == 1 else str]
    return _Type(
        f"a list in which each item is {item.name}", lambda text: [item.read(part) for part in read_list(text)]
    )
