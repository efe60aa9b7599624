"""The wheel and the source distribution contain all that a user needs, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from arlen_cli.generators import blueprint

ROOT = Path(__file__).parent.parent
PACKAGES = ("arlen_runtime", "arlen_cli")
ROOT_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
SHIPPED = [*PACKAGES, "blueprints", "tests", "docs", ".ci", "Makefile", "LICENSE", "pyproject.toml", *ROOT_PAGES]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def files_below(folder: str) -> set[str]:
    """Return the files of a folder of the repository, without caches of Python."""
    paths = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in paths if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution from a copy of the sources, and the wheel from it."""
    source = tmp_path_factory.mktemp("source")
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    target = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def sdist(built: Path) -> set[str]:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_the_wheel_holds_every_file_of_both_packages(wheel: zipfile.ZipFile) -> None:
    expected = files_below("arlen_runtime") | files_below("arlen_cli")
    assert expected - set(wheel.namelist()) == set()
    assert "arlen_runtime/py.typed" in expected


def test_the_wheel_holds_the_blueprints_inside_the_tool(wheel: zipfile.ZipFile) -> None:
    expected = {f"arlen_cli/{name}" for name in files_below("blueprints")}
    assert expected - set(wheel.namelist()) == set()
    assert "arlen_cli/blueprints/app/copier.yml" in expected


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0].partition("-")[0] for name in wheel.namelist()} == {*PACKAGES, "arlen"}


def test_the_wheel_runs_on_any_machine(wheel: zipfile.ZipFile) -> None:
    assert Path(wheel.filename or "").name.endswith("-py3-none-any.whl")


def test_the_metadata_says_what_production_needs_and_what_is_extra(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = message_from_bytes(wheel.read(name))
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert len(needed) == len(PROJECT["dependencies"])
    assert set(metadata.get_all("Provides-Extra", [])) == {"scaffold", "embedded", "dev", "fuzz", "bench"}
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("MIT", ">=3.11")


def test_the_wheel_brings_both_commands(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    lines = wheel.read(name).decode().splitlines()
    assert set(PROJECT["scripts"]) == {"arlen", "propane"}
    assert {f"{command} = {target}" for command, target in PROJECT["scripts"].items()} <= set(lines)


def test_the_source_distribution_can_be_tested(sdist: set[str]) -> None:
    expected = {name for folder in (*PACKAGES, "blueprints", "tests", "docs") for name in files_below(folder)}
    assert expected - sdist == set()
    assert {"Makefile", "LICENSE", "pyproject.toml", ".ci/run", *ROOT_PAGES} <= sdist


def test_the_blueprints_are_found_beside_an_editable_install() -> None:
    assert (blueprint.folder("app") / "copier.yml").is_file()


def test_every_dependency_has_its_line_of_reasons() -> None:
    lines = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    names = {Requirement(line).name for line in lines} - {"arlen"}
    page = (ROOT / "docs" / "design" / "dependencies.md").read_text()
    assert {name for name in names if f"| {name} |" not in page} == set()
