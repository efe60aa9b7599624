"""New applications: complete under their name, or not there at all."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from arlen_cli.errors import Conflicts, ToolError, UsageError
from arlen_cli.generators import application
from arlen_cli.generators.application import RESERVED_PACKAGES, new_application, refuse_name
from arlen_runtime.config.load import load
from arlen_runtime.propane.ipc.source_tree import IGNORED


def test_a_full_application_has_all_its_parts(pristine: Path) -> None:
    for part in (
        "shop/app.py",
        "shop/routes.py",
        "shop/controllers/home.py",
        "shop/templates/layouts/application.html",
        "config/app.toml",
        "config/environments/production.toml",
        "db/migrations",
        "public/app.css",
        "tests/conftest.py",
        "pyproject.toml",
        "README.md",
        "AGENTS.md",
        "Dockerfile",
        "compose.yaml",
        "deploy/shop.service",
        "deploy/nginx.conf",
        ".github/workflows/ci.yml",
        ".gitignore",
        ".env.example",
        ".env.production.example",
    ):
        assert (pristine / part).exists(), part


def test_no_template_syntax_is_left(pristine: Path) -> None:
    for path in pristine.rglob("*"):
        assert ".tmpl" not in path.name
        assert "[[" not in path.name
        if path.is_file() and path.suffix != ".whl":
            text = path.read_text()
            assert "[[ " not in text, path
            assert "[% " not in text, path


def test_expressions_of_workflows_and_pages_are_kept(pristine: Path) -> None:
    assert "${{ github.ref }}" in (pristine / ".github" / "workflows" / "ci.yml").read_text()
    assert "{{ url_for('home') }}" in (pristine / "shop" / "templates" / "shared" / "header.html").read_text()


def test_it_pins_the_version_that_made_it(pristine: Path) -> None:
    assert f'"arlen=={version("arlen")}"' in (pristine / "pyproject.toml").read_text()


@pytest.mark.parametrize("name", ["true", "pg_shop", "root"])
def test_its_containers_work_with_any_name(name: str, tmp_path: Path) -> None:
    """A keyword of YAML, a reserved role of PostgreSQL, a user of the image."""
    new_application(str(tmp_path / name))
    compose = (tmp_path / name / "compose.yaml").read_text()
    assert f'POSTGRES_USER: app\n      POSTGRES_DB: "{name}"\n' in compose
    assert f"postgresql://app:change-me@db:5432/{name}\n" in (tmp_path / name / ".env.production.example").read_text()
    assert "USER app\n" in (tmp_path / name / "Dockerfile").read_text()


def test_it_does_not_import_the_tool(pristine: Path) -> None:
    for path in pristine.rglob("*.py"):
        assert "arlen_cli" not in path.read_text()


def test_the_journal_records_how_it_was_created(pristine: Path) -> None:
    (run,) = (pristine / ".arlen" / "runs").iterdir()
    entry = json.loads(run.read_text())
    assert (entry["generator"], entry["arguments"]) == ("new", ["shop"])


def test_lite_is_one_file(tmp_path: Path) -> None:
    changes = new_application(str(tmp_path / "tiny"), lite=True, wheel=False)
    assert [change.path for change in changes] == ["README.md", "app.py"]
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == {"README.md", "app.py"}


@pytest.mark.parametrize("lite", [False, True])
@pytest.mark.parametrize("wheel", [False, True])
def test_it_has_the_wheel_that_its_files_install_or_neither(lite: bool, wheel: bool, tmp_path: Path) -> None:  # noqa: FBT001 - test parameters
    changes = new_application(str(tmp_path / "shop"), lite=lite, wheel=wheel)
    wheels = [change.path for change in changes if change.path.startswith("wheels/")]
    assert wheels == ([f"wheels/arlen-{version('arlen')}-py3-none-any.whl"] if wheel else [])
    texts = {change.path: (change.after or b"").decode() for change in changes if change.path not in wheels}
    installs = [line for text in texts.values() for line in re.findall("pip install .*", text)]
    assert len(installs) == (1 if lite else 5)
    assert all(("wheels/*.whl" in line) == wheel for line in installs)
    assert any("wheels" in text for text in texts.values()) == wheel


def test_by_default_a_tool_from_an_index_leaves_the_wheel_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "is_from_index", lambda _arlen: True)
    assert not [change for change in new_application(str(tmp_path / "shop")) if "wheels" in change.path]
    assert [change for change in new_application(str(tmp_path / "two"), wheel=True) if "wheels" in change.path]


def test_uv_installs_the_wheel_too(pristine: Path) -> None:
    source = tomllib.loads((pristine / "pyproject.toml").read_text())["tool"]["uv"]["sources"]["arlen"]
    assert (pristine / source["path"]).is_file()


def test_git_keeps_the_wheel_whatever_the_user_ignores_everywhere(shop: Path, tmp_path: Path) -> None:
    everywhere = tmp_path / "ignore"
    everywhere.write_text("wheels/\n*.whl\n")
    git = ["git", "-c", f"core.excludesFile={everywhere}"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    listed = subprocess.run([*git, "ls-files", "wheels"], capture_output=True, text=True, check=True).stdout
    assert listed.split() == [path.relative_to(shop).as_posix() for path in (shop / "wheels").iterdir()]


def test_pretend_writes_nothing_and_lists_the_same_files(tmp_path: Path) -> None:
    pretended = new_application(str(tmp_path / "shop"), pretend=True)
    assert list(tmp_path.iterdir()) == []
    assert new_application(str(tmp_path / "shop")) == pretended


def test_copier_settings_of_the_user_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "settings.yml"
    settings.write_text("defaults:\n  name: leaked\n  version: leaked\n  kind: lite\n")
    monkeypatch.setenv("COPIER_SETTINGS_PATH", str(settings))
    new_application(str(tmp_path / "shop"))
    assert (tmp_path / "shop" / "shop" / "app.py").exists()
    assert "leaked" not in (tmp_path / "shop" / "pyproject.toml").read_text()


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(umask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        new_application(str(tmp_path / "shop"))
    finally:
        os.umask(before)
    files = {path.stat().st_mode & 0o777 for path in (tmp_path / "shop").rglob("*") if path.is_file()}
    assert files == {mode}


BAD_NAMES = {
    "my-app": "try my_app",
    "MyApp": "try myapp",
    "2fast": "try fast",
    "größe": "lower-case letters",
    "a b": "try a_b",
    "_x": "try x",
    "x_": "try x",
    "shop__": "try shop",
    "class": "Python keyword",
    "json": "module of the Python standard library",
    "x" * 41: "longer than 40",
    **RESERVED_PACKAGES,
}


@pytest.mark.parametrize("name", sorted(BAD_NAMES))
def test_a_bad_name_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=BAD_NAMES[name]):
        new_application(str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(IGNORED))
def test_a_folder_that_the_watcher_ignores_cannot_be_a_package_name(name: str) -> None:
    with pytest.raises(UsageError):
        refuse_name(name)


@pytest.mark.parametrize("page", ["shop/templates/dist/index.html", "shop/controllers/dist.py"])
@pytest.mark.usefixtures("shop")
def test_git_does_not_ignore_generated_files(page: str) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    assert subprocess.run(["git", "check-ignore", "-q", "dist/shop.whl"], check=False).returncode == 0
    assert subprocess.run(["git", "check-ignore", "-q", page], check=False).returncode == 1


@pytest.mark.parametrize("name", sorted(sys.stdlib_module_names))
def test_no_module_of_the_standard_library_can_be_shadowed(name: str) -> None:
    with pytest.raises(UsageError):
        refuse_name(name)


def collect_requirements(
    requirements: Iterable[str], extras: Iterable[str], extras_by_name: dict[str, set[str]]
) -> None:
    """Collect the required distributions recursively, each with its extras that were visited."""
    for requirement in map(Requirement, requirements):
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        seen = extras_by_name.setdefault(canonicalize_name(requirement.name), set())
        if {"", *requirement.extras} <= seen:
            continue
        seen |= {"", *requirement.extras}
        with suppress(PackageNotFoundError):  # not installed on this platform
            collect_requirements(requires(requirement.name) or (), requirement.extras, extras_by_name)


def test_no_package_that_the_application_needs_can_be_shadowed(pristine: Path) -> None:
    project = tomllib.loads((pristine / "pyproject.toml").read_text())["project"]
    extras_by_name: dict[str, set[str]] = {}
    collect_requirements([*project["dependencies"], *project["optional-dependencies"]["dev"]], (), extras_by_name)
    distributions = packages_distributions()
    modules = {
        name
        for name, packages in distributions.items()
        if any(canonicalize_name(package) in extras_by_name for package in packages)
    }
    assert {"pluggy", "typing_extensions"} <= modules
    assert {name for name in modules if re.fullmatch("[a-z][a-z0-9_]*", name)} <= RESERVED_PACKAGES.keys()


@pytest.mark.parametrize("name", ["shop", "blog2", "my_app", "a"])
def test_valid_names_are_accepted(name: str) -> None:
    refuse_name(name)


@pytest.mark.parametrize("existing", ["folder", "file", "link"])
def test_an_existing_path_is_left_alone(existing: str, tmp_path: Path) -> None:
    target = tmp_path / "shop"
    if existing == "folder":
        target.mkdir()
    elif existing == "file":
        target.write_text("mine")
    else:
        target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(Conflicts, match="already exists"):
        new_application(str(target))
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_parent_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="does not exist"):
        new_application(str(tmp_path / "missing" / "shop"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel names a temporary file; root may write anywhere, so the refusal is made here."""

    def refuse(**_options: object) -> None:
        raise OSError(30, "Read-only file system", str(tmp_path / ".shop.x1y2"))

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(ToolError, match=f"^{re.escape(str(tmp_path))} cannot be written: Read-only file system; noth"):
        new_application(str(tmp_path / "shop"))


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_path: str, _text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(application, "check", fail)
    with pytest.raises(ToolError, match="No space left"):
        new_application(str(tmp_path / "shop"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_nothing_behind(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "check", lambda _path, _text: signal.raise_signal(number))
    with pytest.raises((SystemExit, KeyboardInterrupt)):
        new_application(str(tmp_path / "shop"))
    assert list(tmp_path.iterdir()) == []


def test_files_that_appear_during_the_run_are_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def intrude(_path: str, _text: str) -> None:
        (tmp_path / "shop").mkdir(exist_ok=True)
        (tmp_path / "shop" / "mine.txt").write_text("mine")

    monkeypatch.setattr(application, "check", intrude)
    with pytest.raises(ToolError, match="could not be written"):
        new_application(str(tmp_path / "shop"))
    assert [path.name for path in tmp_path.rglob("*")] == ["shop", "mine.txt"]


def test_an_api_has_no_pages_and_no_static_files(tmp_path: Path) -> None:
    paths = {change.path for change in new_application(str(tmp_path / "shop"), api=True, wheel=False)}
    assert {"shop/app.py", "shop/controllers/home.py", "tests/test_home.py", "Dockerfile"} <= paths
    assert [path for path in paths if path.startswith(("public/", "shop/templates/"))] == []
    shop = tmp_path / "shop"
    assert tomllib.loads((shop / "config" / "app.toml").read_text())["app"]["api_only"] is True
    mentions = [path for path in paths if re.search("public/|templates/", (shop / path).read_text())]
    assert [path for path in mentions if not path.startswith((".arlen/", ".github/"))] == []


def test_an_api_of_one_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--lite and --api do not go together"):
        new_application(str(tmp_path / "shop"), lite=True, api=True)


def test_the_example_of_variables_is_for_development(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(shop / ".env.example", shop / ".env")
    for name in ("ARLEN_DATABASE_URL", "ARLEN_PORT"):
        monkeypatch.delenv(name, raising=False)
    for environment in ("development", "test"):
        config = load(shop, environment, os.environ)
        assert (config.database.url, config.server.port, config.sources.warning) == ("", 3000, "")
    with (shop / ".env").open("a") as file:
        file.write(re.sub("^# (?=ARLEN)", "", (shop / ".env.example").read_text(), flags=re.MULTILINE))
    assert load(shop, "development", os.environ).database.url == "postgresql://localhost:5432/shop"
    assert load(shop, "production", os.environ).database.url == ""


def test_git_ignores_variables_and_keeps_their_examples(shop: Path) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    names = [".env", ".env.production", ".env.example", ".env.production.example"]
    ignored = subprocess.run(["git", "check-ignore", *names], capture_output=True, text=True, check=False).stdout
    assert ignored.split() == names[:2]
    assert all((shop / name).is_file() for name in names[2:])
