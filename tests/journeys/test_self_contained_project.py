"""A generated project in an empty environment, with an index whose arlen is another package.

The commands are those of the generated README, workflow and Dockerfile, run as they are printed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import yaml

from arlen_cli.generators.application import new_application
from tests.journeys.image_build import ImageBuild, copy_context
from tests.journeys.test_demo import free_port

STEP_SECONDS = 600
PATIENCE_SECONDS = 60.0
ACTIVATE = ". .venv/bin/activate\n"

DECOY = {
    "arlen_runtime/__init__.py": "raise ImportError('this arlen comes from the index')\n",
    "arlen-{version}.dist-info/METADATA": "Metadata-Version: 2.1\nName: arlen\nVersion: {version}\n"
    "Provides-Extra: scaffold\nProvides-Extra: embedded\n",
    "arlen-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "arlen-{version}.dist-info/RECORD": "",
}


def environ_of_a_new_user(folder: Path) -> dict[str, str]:
    """Return the environment of a shell in which `python3` is the Python of these tests."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("python3", "python"):
        (programs / name).symlink_to(Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}"))
    kept = ("PIP_", "UV_", "SSL_", "LANG", "LC_", "HOME", "http", "no_proxy", "REQUESTS_")
    environ = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    ours = str(Path(sys.prefix, "bin"))
    path = [entry for entry in os.environ["PATH"].split(os.pathsep) if entry != ours]
    return environ | {"PATH": os.pathsep.join([str(programs), *path]), "PYTHONUNBUFFERED": "1"}


def run(script: str, folder: Path, environ: Mapping[str, str]) -> str:
    """Run shell commands in a folder; each must succeed. Return what they print."""
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=STEP_SECONDS,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def served(script: str, folder: Path, environ: Mapping[str, str]) -> Iterator[httpx.Client]:
    """Run a script whose last command serves, until the block ends; yield a client of it."""
    port = free_port()
    process = subprocess.Popen(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={**environ, "ARLEN_PORT": str(port)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    output: list[str] = []
    try:
        for line in process.stdout:
            output.append(line)
            if "generation_ready" in line:
                break
        assert process.poll() is None, "".join(output)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client:
            yield client
    finally:
        with suppress(ProcessLookupError):  # it has failed, which is reported
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)


def sections(page: Path) -> dict[str, str]:
    """Return the indented lines, which are commands, of each section of a page."""
    parts = re.split(r"^#+ (.*)\n", page.read_text(), flags=re.MULTILINE)[1:]
    return {
        title: "\n".join(line.strip() for line in text.splitlines() if line.startswith("    ")) + "\n"
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


def copy_of(project: Path, folder: Path) -> Path:
    """Copy the files that git would have: no environment, no data of the embedded server."""
    ignore = shutil.ignore_patterns(".venv", "pg*", "__pycache__", "*.egg-info", ".*_cache")
    return Path(shutil.copytree(project, folder, ignore=ignore))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return environ_of_a_new_user(tmp_path)


@pytest.fixture
def index(tmp_path: Path, environ: dict[str, str]) -> dict[str, str]:
    """Add an index whose arlen has the same version; return the variables of pip and uv."""
    folder = tmp_path / "index" / "arlen"
    folder.mkdir(parents=True)
    name = f"arlen-{version('arlen')}-9-py3-none-any.whl"
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, text in DECOY.items():
            archive.writestr(path.format(version=version("arlen")), text.format(version=version("arlen")))
    (folder / "index.html").write_text(f'<a href="{quote(name)}">{name}</a>')
    url = folder.parent.as_uri()
    settings = [line.partition("=") for line in run("python3 -m pip config list", tmp_path, environ).splitlines()]
    extra = [value.strip("'\"") for key, _, value in settings if key.endswith("extra-index-url")]
    return environ | {"PIP_EXTRA_INDEX_URL": " ".join([*extra, url]), "UV_EXTRA_INDEX_URL": url}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    new_application(str(tmp_path / "shop"), wheel=True)
    return tmp_path / "shop"


def origin_of_arlen(folder: Path, environ: Mapping[str, str], python: str = ".venv/bin/python") -> str:
    """Return the file that an environment has installed arlen from."""
    program = "from importlib.metadata import distribution as d; print(d('arlen').read_text('direct_url.json'))"
    return str(json.loads(run(f'{python} -c "{program}"', folder, environ))["url"]).rpartition("/")[2]


def test_the_project_passes_on_the_wheel_that_it_has(project: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    """The tool is the one in the wheel; its dependencies are those of these tests."""
    (wheel,) = (project / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    packages = [str(tmp_path / "site"), *(path for path in sys.path if path.endswith("site-packages"))]
    tool = {**environ, "PYTHONPATH": os.pathsep.join(packages)}
    run("python3 -m arlen_cli new again", tmp_path, tool)
    (passed_on,) = (tmp_path / "again" / "wheels").iterdir()
    assert (passed_on.name, passed_on.read_bytes()) == (wheel.name, wheel.read_bytes())


def test_the_image_gets_the_wheel_and_no_secrets(project: Path, tmp_path: Path) -> None:
    (project / ".env").write_text("ARLEN_DATABASE_URL=postgresql://app:secret@db/shop\n")
    copy_context(project, tmp_path / "context")
    names = {path.relative_to(tmp_path / "context").parts[0] for path in (tmp_path / "context").rglob("*")}
    copied = {word for line in (project / "Dockerfile").read_text().splitlines() for word in line.split()[1:-1]}
    assert {"wheels", "shop", "config", "db", "public", "pyproject.toml", "README.md"} <= names & copied
    assert not names & {".env", ".git", ".venv", ".arlen", "tests"}


@pytest.mark.soak
def test_the_commands_of_the_readme_work_as_printed(project: Path, index: dict[str, str]) -> None:
    commands = sections(project / "README.md")
    assert list(commands)[1:5] == ["Getting started", "Generators", "Database", "Checks"]
    with served(commands["Getting started"], project, index) as client:
        assert "Welcome to shop" in client.get("/").text
        run(ACTIVATE + commands["Generators"], project, index)
    with served(f"{ACTIVATE}arlen serve\n", project, index) as client:
        assert client.get("/posts").status_code == 200
    assert origin_of_arlen(project, index).startswith("arlen-")
    assert "-9-" not in origin_of_arlen(project, index)
    for section in ("Database", "Checks"):
        run(ACTIVATE + commands[section], project, index)
    run(f"{ACTIVATE}pip check\npython -m pip wheel --quiet --no-deps wheels/*.whl --wheel-dir out\n", project, index)
    assert (project / ".venv" / "bin" / "arlen").exists()


@pytest.mark.soak
def test_the_readme_deploys(project: Path, index: dict[str, str], url: str) -> None:
    commands = sections(project / "README.md")["Deployment"]
    example = "postgresql://user:password@host/shop"
    assert example in commands
    with served(commands.replace(example, f"'{url}'"), project, index) as client:
        assert client.get("/readyz").status_code == 200
    assert "copier" not in run(f"{ACTIVATE}pip list", project, index)


@pytest.mark.soak
def test_uv_installs_the_same(project: Path, index: dict[str, str], tmp_path: Path) -> None:
    run(f"python3 -m venv {tmp_path / 'uv'} && {tmp_path / 'uv'}/bin/pip install --quiet uv", tmp_path, index)
    environ = {**index, "PATH": f"{tmp_path / 'uv' / 'bin'}{os.pathsep}{index['PATH']}"}
    (command,) = re.findall(r"`(uv sync .*?)`", (project / "README.md").read_text())
    run(f"{command}\nuv pip check\npytest\nruff check\nmypy\n", project, environ)
    assert "-9-" not in origin_of_arlen(project, environ)
    by_uv_pip = copy_of(project, tmp_path / "by_uv_pip")
    install = next(line for line in sections(project / "README.md")["Getting started"].splitlines() if "pip" in line)
    run(f"uv venv\n{ACTIVATE}uv {install}\narlen --version\n", by_uv_pip, environ)
    assert "-9-" not in origin_of_arlen(by_uv_pip, environ)


@pytest.mark.soak
def test_the_workflow_passes_step_by_step(project: Path, index: dict[str, str]) -> None:
    workflow = yaml.safe_load((project / ".github" / "workflows" / "ci.yml").read_text())
    steps = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in workflow["jobs"].items()}
    assert steps["image"] == ["docker build ."]
    run("python3 -m venv .venv", project, index)
    environ = {**index, "PATH": f"{project / '.venv' / 'bin'}{os.pathsep}{index['PATH']}"}
    for step in steps["check"]:
        run(step, project, environ)
    assert "-9-" not in origin_of_arlen(project, environ)


@pytest.mark.soak
def test_the_image_is_built_and_serves(project: Path, index: dict[str, str], url: str, tmp_path: Path) -> None:
    def run_in_folder(command: str, folder: Path, variables: dict[str, str]) -> None:
        run(command, folder, {**index, **variables})

    (tmp_path / "build").mkdir()
    image = ImageBuild(project, tmp_path / "build", run_in_folder)
    path = image.environ.pop("PATH").replace("$PATH", index["PATH"])
    environ = {**index, **image.environ, "PATH": path, "ARLEN_DATABASE_URL": url}
    migrate = yaml.safe_load((project / "compose.yaml").read_text())["services"]["migrate"]["command"]
    run(quoted(migrate), image.folder, environ)
    with served(f"exec {quoted(image.command)}", image.folder, environ) as client:
        assert client.get("/readyz").status_code == 200
        assert image.environ["ARLEN_PORT"] in image.health_check[-1]
        health_check = [
            word.replace(f":{image.environ['ARLEN_PORT']}/", f":{client.base_url.port}/") for word in image.health_check
        ]
        run(quoted(health_check), image.folder, environ)


def quoted(words: Sequence[str]) -> str:
    """Return a command in exec form as shell text."""
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)


@pytest.mark.soak
def test_the_readme_of_one_file_works_as_printed(tmp_path: Path, index: dict[str, str]) -> None:
    new_application(str(tmp_path / "tiny"), lite=True, wheel=True)
    commands = sections(tmp_path / "tiny" / "README.md")["tiny"]
    with served(commands, tmp_path / "tiny", index) as client:
        assert "Hello, world" in client.get("/").text
    run(f"{ACTIVATE}pip check\ncd ..\narlen new larger\n", tmp_path / "tiny", index)
    assert [path.name for path in (tmp_path / "larger" / "wheels").iterdir()] == [
        f"arlen-{version('arlen')}-py3-none-any.whl"
    ]
