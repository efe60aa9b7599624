"""A TOML file that can tell the line of a key.

tomllib reports no lines of keys. But a file cut after some line either parses or not, and has the
key or not. So the key is on the line after the longest beginning that parses without it. That is
slow, and used only for errors.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arlen_runtime.config.text_file import read_text
from arlen_runtime.errors import ConfigError

_MOST_BYTES = 1024 * 1024
_AT = re.compile(r"(?P<what>.*?) \(at (?:line (?P<line>\d+), column \d+|end of document)\)")
_KEY = re.compile(r"\s*([\w.\"'-]+)\s*=")


class TomlFile:
    """The tables of a file as `data`, and `place` for messages."""

    def __init__(self, path: Path, label: str) -> None:
        """Read the file; `label` is its name in messages.

        Raises ConfigError if it cannot be read or is not valid TOML. For a missing file the
        OSError is raised: the caller decides what that means.
        """
        self._label = label
        try:
            path.stat()
            self._text = read_text(path, _MOST_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError as error:
            raise ConfigError(f"{label}: cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise ConfigError(f"{label}: {error}") from error
        try:
            self.data: dict[str, Any] = tomllib.loads(self._text)
        except RecursionError as error:
            raise ConfigError(f"{label}: is nested too deeply") from error
        except ValueError as error:  # TOMLDecodeError, or a number too long for int()
            raise ConfigError(self._describe_error(str(error))) from error

    def has(self, keys: Sequence[str]) -> bool:
        """Return True if there is a value at this path of names."""
        return _has(self.data, keys)

    def place(self, *keys: str) -> str:
        """Return `label, line N` of the key at this path of names."""
        lines = [f"{line}\n" for line in self._lines()]
        absent = [count for count in range(len(lines)) if self._parses_without(lines[:count], keys)]
        return f"{self._label}, line {absent[-1] + 1}"

    def _lines(self) -> list[str]:
        """Split the file into lines as TOML and editors do: U+2028 and the like end none."""
        return self._text.removesuffix("\n").split("\n")

    @staticmethod
    def _parses_without(lines: list[str], keys: tuple[str, ...]) -> bool:
        """Return True if this beginning parses and does not have the key yet."""
        try:
            return not _has(tomllib.loads("".join(lines)), keys)
        except ValueError:
            return False

    def _describe_error(self, message: str) -> str:
        """Join file, line, key and the parser's message into one sentence."""
        lines = self._lines()
        match = _AT.fullmatch(message)
        number = int(match["line"] or len(lines)) if match else len(lines)
        key = _KEY.match(lines[number - 1]) if lines else None
        reason = match["what"] if match else message
        return f"{self._label}, line {number}: {f'{key[1]}: ' if key else ''}not valid TOML: {reason}"


def _has(value: Any, keys: Sequence[str]) -> bool:  # noqa: ANN401 - a value of TOML
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True
