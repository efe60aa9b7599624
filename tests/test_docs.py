"""The documentation, run. One rule: what a page shows works, and where a page points there is something.

A page is one walk: its blocks run from top to bottom, in one folder. `console` blocks are commands, blocks whose first
line names a file are written to it, other `python` blocks run. What waits for somebody is named in NOT_RUN.
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

from arlen_runtime.config.load import load

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:#|<!--|--) ([\w./-]+\.(?:py|html|sql|toml))(?: -->)?\n")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
HERE = re.compile(r"`((?:arlen_runtime|arlen_cli|blueprints)/[\w./-]*)`")

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
    "pip",
)
"""Commands that serve, deploy or install: other tests run them."""


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that it belongs to."""
        match = FILE.match(self.text)
        return match[1] if match else None


def blocks(page: Path) -> list[Block]:
    return [Block(*match.groups()) for match in BLOCK.finditer(page.read_text())]


class Walk:
    """The reader of one page: a folder, and the names that Python blocks have made."""

    def __init__(self, folder: Path) -> None:
        """Begin in an empty folder."""
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "page"}

    def take(self, block: Block) -> None:
        """Do what the block shows."""
        if block.file is not None:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        if block.language == "console":
            for line in block.text.splitlines():
                self.command(line)
        elif block.language == "toml":
            self.configure(block)
        elif block.language == "python" and (block.file is None or "/" not in block.file):
            exec(compile(block.text, "page", "exec"), self.names)  # noqa: S102 - the page is ours

    def command(self, line: str) -> None:
        """Run one line of a console block, as a reader would type it."""
        words = line.removeprefix("$ ")
        if words.startswith("cd "):
            self.folder /= words.removeprefix("cd ")
        elif not words.startswith(NOT_RUN):
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            environ = {name: value for name, value in os.environ.items() if not name.startswith(("ARLEN_", "PYTEST_"))}
            environ["PATH"] = path
            done = subprocess.run(  # noqa: S602 - as above
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

    def configure(self, block: Block) -> None:
        """Load a configuration; one without a file's name is taken for config/app.toml of an own application."""
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
    monkeypatch.chdir(tmp_path)  # what a page makes is gone with the test
    walk = Walk(tmp_path)
    for block in blocks(page):
        walk.take(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_where_a_page_points_there_is_something(page: Path) -> None:
    text = page.read_text()
    missing = [target for target in LINK.findall(text) if not (page.parent / target).exists()]
    assert missing + [path for path in HERE.findall(text) if not (ROOT / path).exists()] == []


def test_every_page_can_be_reached_from_the_index() -> None:
    seen: set[Path] = set()
    ahead = [ROOT / "docs" / "index.md"]
    while ahead:
        page = ahead.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            ahead += [(page.parent / target).resolve() for target in LINK.findall(page.read_text())]
    decisions = ROOT / "docs" / "design" / "decisions"  # the index leads to their folder
    assert {page for page in PAGES[1:] if page.parent != decisions} - seen == set()
