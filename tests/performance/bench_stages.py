"""What each stage of a request costs in CPU µs, now and before. One rule: rounds are interleaved, a process each.

    python tests/performance/bench_stages.py [--before COMMIT] [--rounds 7]

The least of the rounds is printed for each stage, for what a shared machine adds is never negative. With `--before` the
same stages of another commit stand beside it, those that it had.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

Figures = dict[str, float]


def main() -> int:
    """Measure and print; return 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", help="a commit to compare with")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arlen-before-") as folder:
        trees = {"now": ROOT}
        if chosen.before:
            _extract(chosen.before, Path(folder))
            trees["before"] = Path(folder)
        least: dict[str, Figures] = {name: {} for name in trees}
        for _ in range(chosen.rounds):
            for name, tree in trees.items():
                for stage, figure in _measure(tree).items():
                    least[name][stage] = min(figure, least[name].get(stage, figure))
    _tell(least["now"], least.get("before", {}))
    return 0


def _extract(commit: str, folder: Path) -> None:
    """Write the runtime as it was at a commit into a folder."""
    command = ["git", "-C", str(ROOT), "archive", commit, "arlen_runtime"]
    with tarfile.open(fileobj=io.BytesIO(subprocess.run(command, check=True, capture_output=True).stdout)) as archive:
        archive.extractall(folder, filter="data")


def _measure(tree: Path) -> Figures:
    """Measure the stages of a tree, in a process each; the application's only where it was the same already."""
    figures: Figures = {}
    for module in ("stages.wire", "stages.application"):
        done = subprocess.run(
            [sys.executable, "-m", module],
            env={**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{HERE}"},
            cwd=HERE,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            figures |= json.loads(done.stdout)
        elif tree == ROOT or module == "stages.wire":
            raise RuntimeError(done.stderr)
    return figures


def _tell(now: Figures, before: Figures) -> None:
    """Print a line for each stage."""
    sys.stdout.write(f"{'CPU µs':36}{'now':>8}{'before':>8}{'ratio':>8}\n")
    for stage, figure in now.items():
        old = before.get(stage)
        beside = f"{old:8.2f}{figure / old:8.2f}" if old is not None else ""
        sys.stdout.write(f"{stage:36}{figure:8.2f}{beside}\n")


if __name__ == "__main__":
    sys.exit(main())
