"""The documentation: examples on a page work, and its links and paths exist.

The blocks of a page run from top to bottom, in one folder. `console` blocks are commands. Blocks
whose first line names a file are written to it, other `python` blocks run. Commands that serve,
deploy or install are in NOT_RUN.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from arlen_runtime.alnpg.embedded import server
from arlen_runtime.config.load import load

ROOT = Path(__file__).parent.parent
ROOT_PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
PAGES = [*ROOT_PAGES, *sorted((ROOT / "docs").rglob("*.md"))]

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:#|--|{#) ([\w./*-]+\.(?:py|html|sql|toml))(?: #})?\n")
PROGRAM = re.compile(r"(?!test_)\w+\.py")
"""A file of Python in the root: its names are also those of the blocks that follow."""
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
SOURCE_PATH = re.compile(r"`((?:arlen_runtime|arlen_cli|blueprints)/[\w./-]*)`")

NOT_RUN = (
    "arlen serve",
    "propane",
    "python -m arlen_runtime",
    "kill",
    "export",
    "curl",
    "docker",
    "make",
    "systemctl",
    "sudo",
    "pip",
)
"""Commands that serve, deploy or install. Other tests run them."""


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that the block belongs to, or None."""
        match = FILE.match(self.text)
        return match[1] if match else None


def blocks(page: Path) -> list[Block]:
    return [Block(*match.groups()) for match in BLOCK.finditer(page.read_text())]


class PageRun:
    """One page that runs: its folder, and the names that its Python blocks have defined."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data: Path | None = None
        """The data of the embedded server that this page uses, and that is kept running for it."""
        self.names: dict[str, Any] = {"__name__": "page"}

    def run(self, block: Block) -> None:
        if block.file is not None:
            path = self.path_of(block.file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        if block.language == "console":
            for line in block.text.splitlines():
                self.run_command(line)
        elif block.language == "toml":
            self.load_config(block)
        elif block.language == "python" and (block.file is None or PROGRAM.fullmatch(block.file)):
            exec(compile(block.text, "page", "exec", dont_inherit=True), self.names)  # noqa: S102 - we wrote the page

    def path_of(self, file: str) -> Path:
        """Return the path of a file. A name with `*` is that of the one file that matches."""
        if "*" not in file:
            return self.folder / file
        (path,) = self.folder.glob(file)
        return path

    def run_command(self, line: str) -> None:
        """Run one line of a console block as a reader would type it."""
        words = line.removeprefix("$ ")
        if words.startswith("cd "):
            self.folder /= words.removeprefix("cd ")
        elif not words.startswith(NOT_RUN):
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            environ = {name: value for name, value in os.environ.items() if not name.startswith(("ARLEN_", "PYTEST_"))}
            environ["PATH"] = path
            done = subprocess.run(  # noqa: S602 - we wrote the page
                words,
                shell=True,
                cwd=self.folder,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
            self.keep_server()

    def keep_server(self) -> None:
        """Use the embedded server that a command made, as `arlen serve` in another terminal does.

        Otherwise each command would start it and wait for its end.
        """
        data = self.folder / ".arlen" / "pg"
        if self.data is None and (data / "cluster").exists():
            server.ensure_running(data, durable=False)
            self.data = data

    def release_server(self) -> None:
        """Let the server end, before its folder is removed."""
        if self.data is not None:
            server.release(self.data)

    def load_config(self, block: Block) -> None:
        """Load a configuration; without a file name it is that of another application."""
        root = self.folder
        if block.file is None:
            root = self.folder / "configured"
            (root / "config").mkdir(parents=True, exist_ok=True)
            (root / "config" / "app.toml").write_text(block.text)
        assert tomllib.loads(block.text)
        load(root, None, {})


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page)], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_what_a_page_shows_works(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # pytest removes what the page creates
    page_run = PageRun(tmp_path)
    try:
        for block in blocks(page):
            page_run.run(block)
    finally:
        page_run.release_server()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_paths_on_a_page_exist(page: Path) -> None:
    text = page.read_text()
    missing = [target for target in LINK.findall(text) if not (page.parent / target).exists()]
    assert missing + [path for path in SOURCE_PATH.findall(text) if not (ROOT / path).exists()] == []


def test_every_page_can_be_reached_from_the_index() -> None:
    seen: set[Path] = set()
    ahead = [ROOT / "docs" / "index.md"]
    while ahead:
        page = ahead.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            ahead += [(page.parent / target).resolve() for target in LINK.findall(page.read_text())]
    assert {*PAGES} - {ROOT / "README.md"} - seen == set()
