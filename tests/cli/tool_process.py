"""Runs the tool in a process of its own, for commands that import an application."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def run_tool(
    command: str, folder: Path, *words: str, text: str = "", environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the tool in a folder, with `text` as its input.

    Of our environment it gets all but the variables of Arlen, and `environ` besides.
    """
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ARLEN_")}
    return subprocess.run(
        [sys.executable, "-m", "arlen_cli", command, *words],
        cwd=folder,
        input=text,
        env={**variables, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
    )
