"""Reads the settings of one section from layers; later values override earlier ones.

Every layer is checked, also a value that a later layer overrides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from arlen_runtime.config.setting import Setting, Value
from arlen_runtime.nearest_words import suggestion


class SettingReader:
    """The values of one section that were read so far, and the keys that the files have.

    Mistakes are added to `errors`.
    """

    def __init__(self, section: str, settings: Mapping[str, Setting], errors: list[str]) -> None:
        self.values: dict[str, Value] = {}
        self.present: set[str] = set()
        self.errors = errors
        self._section = section
        self._settings = settings

    def read_table(self, table: Mapping[str, object], place: Callable[..., str], *, has_tables: bool = False) -> None:
        """Read a table of a file; `place` returns file and line of the key at a path.

        With `has_tables`, tables in the table are not settings of this section.
        """
        path = self._section.split(".")
        for key, raw in table.items():
            if key not in self._settings:
                if not (has_tables and isinstance(raw, Mapping)):
                    hint = suggestion(key, self._settings)
                    self.errors.append(f"{place(*path, key)}: [{self._section}] {key} is not a setting{hint}")
                continue
            self.present.add(key)
            try:
                self.values[key] = self._settings[key].from_toml(raw)
            except ValueError as error:
                self.errors.append(f"{place(*path, key)}: [{self._section}] {key} {error}")

    def read_text(self, key: str, place: str, text: str, *, hidden: bool = False) -> None:
        """Read the text of a variable or a flag; a hidden text is not shown in messages."""
        setting = self._settings[key]
        try:
            self.values[key] = (setting._replace(secret=True) if hidden else setting).from_text(text)
        except ValueError as error:
            self.errors.append(f"{place} {error}")
