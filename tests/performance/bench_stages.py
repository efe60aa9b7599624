"""CPU µs of each stage of a request, now and at an earlier commit.

    python tests/performance/bench_stages.py [--before COMMIT] [--rounds 7]

Rounds are interleaved, each in a process of its own. For each stage it prints the minimum of the
rounds: what a shared machine adds is never negative. With `--before`, it measures the stages that
exist at that commit too.
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
    """Write the runtime of a commit into a folder."""
    command = ["git", "-C", str(ROOT), "archive", commit, "arlen_runtime"]
    with tarfile.open(fileobj=io.BytesIO(subprocess.run(command, check=True, capture_output=True).stdout)) as archive:
        archive.extractall(folder, filter="data")


def _measure(tree: Path) -> Figures:
    """Measure the stages of a tree, each in a process of its own.

    The stage of the application only runs if the API was the same at that commit.
    """
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
    sys.stdout.write(f"{'CPU µs':36}{'now':>8}{'before':>8}{'ratio':>8}\n")
    for stage, figure in now.items():
        old = before.get(stage)
        beside = f"{old:8.2f}{figure / old:8.2f}" if old is not None else ""
        sys.stdout.write(f"{stage:36}{figure:8.2f}{beside}\n")


if __name__ == "__main__":
    sys.exit(main())
