"""The watcher writes the digest of the source tree at its start and after each change."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from arlen_runtime.propane.ipc.source_tree import SourceTree

WITHOUT_WATCHFILES = """
import importlib.util, sys
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "watchfiles" else find_spec(name)
"""
RUN = """
from pathlib import Path
from arlen_runtime.propane.watcher import main
sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


@contextmanager
def _watching(folder: Path, prelude: str) -> Iterator[IO[str]]:
    command = [sys.executable, "-c", f"import sys{prelude}{RUN}", str(folder), str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        try:
            yield watcher.stdout
        finally:
            watcher.kill()


@pytest.mark.parametrize("prelude", ["\n", WITHOUT_WATCHFILES], ids=["watchfiles", "polling"])
def test_each_change_of_content_is_a_line(tmp_path: Path, prelude: str) -> None:
    file = tmp_path / "app.py"
    file.write_text("one")
    with _watching(tmp_path, prelude) as lines:
        assert lines.readline().strip() == SourceTree(tmp_path).digest
        for content in ("two", "three"):
            os.utime(file)  # no change of its own: the next line is that of the new content
            file.write_text(content)
            digest = SourceTree(tmp_path).digest
            # Writing is truncating, then filling: the watcher may see the empty file first.
            while (line := lines.readline().strip()) != digest:
                assert line, "the watcher has exited"
