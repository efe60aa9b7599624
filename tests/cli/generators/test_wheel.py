"""The wheel for projects: that of hatchling file by file, from every kind of installation."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.metadata
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from arlen_cli.errors import ToolError
from arlen_cli.generators.wheel import build_wheel, is_from_index

ROOT = Path(__file__).parents[3]

GENERATED = {"WHEEL", "RECORD"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of this source tree with hatchling."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=120)
    return next(folder.iterdir())


def pip(*words: str | Path) -> None:
    """Run pip without an index, and without the settings of this machine."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environ["PIP_CONFIG_FILE"] = os.devnull
    command = [sys.executable, "-m", "pip", *map(str, words)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel by its name, as from an index."""
    folder = tmp_path_factory.mktemp("installed")
    find_links = ("--no-index", "--find-links", built.parent)
    pip("install", "--quiet", "--no-compile", "--no-deps", "--target", folder, *find_links, "arlen")
    return folder


@pytest.fixture
def site(installed: Path, tmp_path: Path) -> Path:
    """Copy the installation, for tests that change it."""
    shutil.copytree(installed, tmp_path / "site", symlinks=True)
    return tmp_path / "site"


def distribution(site: Path) -> Distribution:
    (dist_info,) = site.glob("arlen-*.dist-info")
    return Distribution.at(dist_info)


def members(archive: bytes | Path) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive) if isinstance(archive, bytes) else archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_the_wheel_of_an_installation_is_the_one_that_was_installed(built: Path, installed: Path) -> None:
    wheel = build_wheel(distribution(installed), ROOT / "nowhere")
    ours, theirs = members(wheel.content), members(built)
    assert wheel.path == f"wheels/{built.name}"
    assert ours.keys() == theirs.keys()
    assert {name.rpartition("/")[2] for name in ours if ours[name] != theirs[name]} == GENERATED


def test_the_wheel_of_an_editable_installation_is_that_of_its_source_tree(built: Path) -> None:
    editable = importlib.metadata.distribution("arlen")
    assert not Path(str(editable.locate_file("arlen_runtime"))).exists()
    ours, theirs = members(build_wheel(editable, ROOT).content), members(built)
    assert ours.keys() == theirs.keys()
    others = {name.rpartition("/")[2] for name in ours if ours[name] != theirs[name]}
    assert others - {"METADATA"} == GENERATED, "METADATA is as old as the installation"


def test_record_has_the_digest_and_the_size_of_every_file(installed: Path) -> None:
    files = members(build_wheel(distribution(installed), ROOT).content)
    (name,) = [name for name in files if name.endswith(".dist-info/RECORD")]
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(files[name].decode()))}
    assert list(rows) == list(files)
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        assert rows[path] == (["", ""] if path == name else [f"sha256={digest}", str(len(content))])


def test_the_same_files_give_the_same_bytes_whatever_their_times_and_modes(site: Path) -> None:
    before = build_wheel(distribution(site), ROOT)
    for path in site.rglob("*.py"):
        path.chmod(0o700)
        os.utime(path, (1_900_000_000, 1_900_000_000))
    (dist_info,) = site.glob("*.dist-info")
    lines = (dist_info / "RECORD").read_text().splitlines(keepends=True)
    (dist_info / "RECORD").write_text("".join(reversed(lines)))
    assert build_wheel(distribution(site), ROOT) == before


def test_what_an_installer_adds_is_left_out(site: Path) -> None:
    before = build_wheel(distribution(site), ROOT)
    (dist_info,) = site.glob("*.dist-info")
    extra = [
        "arlen_cli/__pycache__/main.cpython-311.pyc",
        "../../../bin/arlen",
        f"{dist_info.name}/direct_url.json",
        f"{dist_info.name}/uv_cache.json",
        "arlen.pth",
    ]
    with (dist_info / "RECORD").open("a") as record:
        record.writelines(f"{name},,\n" for name in extra)
    assert build_wheel(distribution(site), ROOT) == before


def compile_in_place(site: Path, source: str, *, keep_source: bool = True) -> None:
    """Put an extension module beside a source file, as an installed platform wheel has it."""
    path = site / source
    compiled = path.with_name(f"{path.stem}.cpython-311-x86_64-linux-gnu.so")
    compiled.write_bytes(b"\x7fELF")
    (dist_info,) = site.glob("*.dist-info")
    record = dist_info / "RECORD"
    lines = record.read_text().splitlines(keepends=True)
    kept = [line for line in lines if keep_source or not line.startswith(f"{source},")]
    record.write_text("".join([*kept, f"{compiled.relative_to(site)},,\n", "f00__mypyc.cpython-311.so,,\n"]))


@pytest.mark.parametrize("source", ["arlen_runtime/errors.py", "arlen_runtime/http/__init__.py", "arlen_cli/errors.py"])
def test_a_compiled_installation_is_written_pure(source: str, site: Path) -> None:
    before = build_wheel(distribution(site), ROOT)
    compile_in_place(site, source)
    assert build_wheel(distribution(site), ROOT) == before


def test_a_compiled_module_without_its_source_is_an_error(site: Path) -> None:
    compile_in_place(site, "arlen_runtime/errors.py", keep_source=False)
    with pytest.raises(ToolError, match=r"errors\.cpython-311-x86_64-linux-gnu\.so has no source .* use --no-wheel"):
        build_wheel(distribution(site), ROOT)


def test_a_file_that_is_gone_is_an_error_that_names_it(site: Path) -> None:
    (site / "arlen_runtime" / "app.py").unlink()
    with pytest.raises(ToolError, match=r"app\.py cannot be read \(No such file or directory\): install arlen again"):
        build_wheel(distribution(site), ROOT)


def test_an_installation_without_record_is_an_error(site: Path) -> None:
    (dist_info,) = site.glob("*.dist-info")
    (dist_info / "RECORD").unlink()
    with pytest.raises(ToolError, match="has no RECORD"):
        build_wheel(distribution(site), ROOT)


def test_an_installation_from_an_index_is_recognised(installed: Path) -> None:
    assert is_from_index(distribution(installed))


@pytest.mark.parametrize(
    "origin",
    [
        {"dir_info": {"editable": True}, "url": "file:///srv/arlen"},
        {"dir_info": {}, "url": "file:///srv/arlen"},
        {"archive_info": {}, "url": "file:///srv/arlen-0.1.0-py3-none-any.whl"},
        {"vcs_info": {"vcs": "git", "commit_id": "1"}, "url": "https://example.com/arlen.git"},
    ],
    ids=["editable", "folder", "archive", "repository"],
)
def test_what_was_installed_from_elsewhere_is_not_from_an_index(
    origin: dict[str, object], installed: Path, tmp_path: Path
) -> None:
    (dist_info,) = installed.glob("*.dist-info")
    shutil.copytree(dist_info, tmp_path / dist_info.name)
    (tmp_path / dist_info.name / "direct_url.json").write_text(json.dumps(origin))
    assert not is_from_index(distribution(tmp_path))


def test_a_project_wheel_is_passed_on_unchanged_even_if_it_was_installed_by_name(
    installed: Path, tmp_path: Path
) -> None:
    wheel = build_wheel(distribution(installed), ROOT)
    (tmp_path / "wheels").mkdir()
    (tmp_path / wheel.path).write_bytes(wheel.content)
    find_links = ("--no-index", "--find-links", tmp_path / "wheels")
    pip("install", "--quiet", "--no-compile", "--no-deps", "--target", tmp_path / "site", *find_links, "arlen")
    passed_on = distribution(tmp_path / "site")
    assert passed_on.read_text("direct_url.json") is None
    assert not is_from_index(passed_on)
    assert build_wheel(passed_on, ROOT) == wheel
