"""Builds an image without docker: runs the lines of a Dockerfile in a folder of this machine.

An absolute path of the image is one below that folder. The image's own Python and users are those
of this machine.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

RunInFolder = Callable[[str, Path, dict[str, str]], object]
"""Run a shell command in a folder, with these variables on top."""

NOT_RUN = "useradd "
"""What changes the machine: users are not created."""


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction and its argument; a backslash continues a line."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line and not line.startswith("#"):
            name, _, argument = line.partition(" ")
            yield name, argument.strip()


def copy_context(project: Path, target: Path) -> None:
    """Copy what `docker build` sends: the project without what .dockerignore names."""
    patterns = (project / ".dockerignore").read_text().split()

    def ignored(folder: str, names: list[str]) -> list[str]:
        below = Path(folder).relative_to(project)
        paths = {name: (below / name).as_posix() for name in names}
        everywhere = [pattern.removeprefix("**/") for pattern in patterns if pattern.startswith("**/")]
        return [
            name
            for name, path in paths.items()
            if any(fnmatch(path, pattern) and "/" not in path for pattern in patterns)
            or any(fnmatch(name, pattern) for pattern in everywhere)
        ]

    shutil.copytree(project, target, ignore=ignored)


class ImageBuild:
    """One build: `environ` and `command` are those of the image when it is done."""

    def __init__(self, project: Path, scratch: Path, run: RunInFolder) -> None:
        self._context = scratch / "context"
        self._root = scratch / "root"
        self._stages = scratch / "stages"
        self._run = run
        self._stage = ""
        self._folder = Path("/")
        self._folders: set[str] = set()
        self.environ: dict[str, str] = {}
        self.command: list[str] = []
        self.health_check: list[str] = []
        copy_context(project, self._context)
        steps: dict[str, Callable[[str], Any]] = {
            "FROM": self._start_stage,
            "WORKDIR": self._change_folder,
            "COPY": self._copy,
            "RUN": self._execute,
            "ENV": self._set_variables,
            "HEALTHCHECK": self._set_health_check,
            "CMD": self._set_command,
            "USER": str,
            "EXPOSE": int,
            "STOPSIGNAL": str,
        }
        for name, argument in instructions((project / "Dockerfile").read_text()):
            steps[name](argument)

    @property
    def folder(self) -> Path:
        """The working folder of the image, on this machine."""
        return self._here(self._folder)

    def _here(self, path: Path | str) -> Path:
        return self._root / Path(self._folder, path).relative_to("/")

    def _translate(self, text: str) -> str:
        """Replace the absolute paths of the image in a text."""
        for folder in self._folders:
            text = re.sub(rf"(?<![\w.]){re.escape(folder)}\b", str(self._root) + folder, text)
        return text

    def _start_stage(self, argument: str) -> None:
        """Keep the last stage under its name; its paths are valid only in the same root."""
        if self._root.exists():
            self._stages.mkdir(exist_ok=True)
            self._root.rename(self._stages / self._stage)
        self._stage = argument.rpartition(" AS ")[2]
        self._root.mkdir()
        self._folder = Path("/")

    def _change_folder(self, argument: str) -> None:
        self._folder = Path(argument)
        self._folders.add(argument)
        self.folder.mkdir(parents=True, exist_ok=True)

    def _copy(self, argument: str) -> None:
        *sources, target = argument.split()
        origin = self._context
        if sources[0].startswith("--from="):
            origin = self._stages / sources.pop(0).removeprefix("--from=")
        for source in (origin / source.lstrip("/") for source in sources):
            if source.is_dir():
                shutil.copytree(source, self._here(target), symlinks=True)
                self._folders |= {target} if target.startswith("/") else set()
            else:
                shutil.copy(source, self._here(target))

    def _execute(self, argument: str) -> None:
        if argument.startswith(NOT_RUN):
            return
        self._folders |= set(re.findall(r"-m venv (/\w+)", argument))
        self._run(self._translate(argument), self.folder, self.environ)

    def _set_variables(self, argument: str) -> None:
        for word in argument.split():
            name, _, value = word.partition("=")
            self.environ[name] = self._translate(value)

    def _set_command(self, argument: str) -> None:
        self.command = json.loads(argument)

    def _set_health_check(self, argument: str) -> None:
        options, _, command = argument.partition(" CMD ")
        assert all(option.startswith("--") for option in shlex.split(options))
        self.health_check = json.loads(command)
