"""Where the values of a configuration come from, and what was read of [settings]."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import NamedTuple

from arlen_runtime.config.setting import Setting
from arlen_runtime.config.toml_file import TomlFile

DEFAULT = "default"


class VariableText(NamedTuple):
    """The text of a variable of [settings], its place for messages, and the path of its key.

    It is hidden if it was read from a file: messages do not show what is in a file.
    """

    place: str
    text: str
    hidden: bool
    path: tuple[str, ...]


class Sources:
    """The layers of one configuration.

    `files` are the TOML files, later ones override earlier ones. `places` are those of the values
    that a variable or a flag set, by path: section and key. `settings_texts` are the variables of
    [settings] by upper-case name. `env_file` are the variables of `.env`, `warning` says why it was
    not read.

    `reads` and `secrets` change when the application reads its settings: the settings by table, and
    the secret values.
    """

    def __init__(self, *, is_loaded: bool = False) -> None:
        """Begin without layers. A configuration that is not loaded was made without files."""
        self.is_loaded = is_loaded
        self.files: list[TomlFile] = []
        self.places: dict[tuple[str, ...], str] = {}
        self.settings_texts: dict[str, VariableText] = {}
        self.env_file: Mapping[str, str] = {}
        self.warning = ""
        self.reads: dict[str, Mapping[str, Setting]] = {}
        self.secrets: set[str] = set()

    def origin(self, *path: str) -> str:
        """Return where the value at this path comes from.

        The flag, the variable, `.env` with line and variable, file and line, or "default".
        """
        if path in self.places:
            return self.places[path]
        return next((file.place(*path) for file in reversed(self.files) if file.has(path)), DEFAULT)

    def in_files(self, *path: str) -> bool:
        """Return True if a TOML file has a value at this path."""
        return any(file.has(path) for file in self.files)

    def is_from_env_file(self, *path: str) -> bool:
        """Return True if `.env` set the value at this path."""
        return self.places.get(path, "").startswith(".env,")

    def unset_in(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of `.env` that are not set."""
        return {name: value for name, value in self.env_file.items() if name not in environ}

    def export(self, environ: MutableMapping[str, str]) -> None:
        """Set the variables of `.env`, except those that are set already."""
        environ.update(self.unset_in(environ))
