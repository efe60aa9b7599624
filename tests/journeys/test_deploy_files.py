"""The generated files for servers: nginx and systemd accept them, and the service starts."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import yaml

from arlen_cli.generators.application import new_application
from arlen_runtime.testing.server import RunningServer
from tests.journeys.test_demo import free_port

pytestmark = pytest.mark.deploy

PATIENCE_SECONDS = 30.0
MOST_EXPOSURE = 2.0

NAMES = ["shop", "true", "pg_shop", "mail", "default_server", "x" * 40]
"""Names that could be read as something else: a value, an option, a folder of the system."""

MAIN = "pid {folder}/nginx.pid; error_log {folder}/error.log; events {{}} http {{ access_log off; include {site}; }}"


@pytest.fixture(params=NAMES)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    new_application(str(tmp_path / request.param), wheel=False)
    return tmp_path / str(request.param)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    new_application(str(tmp_path / "shop"), wheel=False)
    return tmp_path / "shop"


def prepare_nginx(project: Path, folder: Path, ports: dict[str, int]) -> Path:
    """Write the main file of nginx that includes the generated site, and a certificate for it.

    Ports and paths of this machine replace those of the site; nothing else is changed.
    """
    names = ("-keyout", "privkey.pem", "-out", "fullchain.pem", "-subj", f"/CN={project.name}.example.com"[:64])
    openssl = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names]
    subprocess.run(openssl, cwd=folder, capture_output=True, check=True)
    text = (project / "deploy" / "nginx.conf").read_text()
    text = text.replace(f"/etc/letsencrypt/live/{project.name}.example.com", str(folder))
    for before, port in ports.items():
        text = re.sub(rf"\b{before}\b", str(port), text)
    (folder / "site.conf").write_text(text)
    (folder / "main.conf").write_text(MAIN.format(folder=folder, site=folder / "site.conf"))
    return folder / "main.conf"


def test_nginx_of_the_distribution_accepts_the_site(project: Path, tmp_path: Path) -> None:
    main = prepare_nginx(project, tmp_path, {"80": free_port(), "443": free_port()})
    done = subprocess.run(["nginx", "-t", "-c", str(main), "-e", "stderr"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "successful" in done.stderr


@contextmanager
def running_nginx(main: Path) -> Iterator[None]:
    """Run nginx until the block ends; it listens when its first process has left."""
    subprocess.run(["nginx", "-c", main, "-e", "stderr"], check=True, capture_output=True, timeout=PATIENCE_SECONDS)
    try:
        yield
    finally:
        subprocess.run(["nginx", "-c", main, "-e", "stderr", "-s", "stop"], check=True, capture_output=True)


def test_the_site_serves_the_application_by_http2_and_redirects_to_it(shop: Path, tmp_path: Path, url: str) -> None:
    with RunningServer(shop, "--workers", "1", environ={"ARLEN_DATABASE_URL": url}) as server:
        ports = {"80": free_port(), "443": free_port(), "3000": server.port}
        with running_nginx(prepare_nginx(shop, tmp_path, ports)):
            redirect = httpx.get(f"http://127.0.0.1:{ports['80']}/a?b=c", headers={"Host": "shop.example.com"})
            assert (redirect.status_code, redirect.headers["Location"]) == (301, "https://shop.example.com/a?b=c")
            address = f"https://shop.example.com:{ports['443']}/"
            options = ["--silent", "--cacert", "fullchain.pem", "--connect-to", "::127.0.0.1:", "--output", "page"]
            command = ["curl", *options, "--write-out", "%{http_version} %{response_code}", address]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
            assert done.stdout == "2 200"
            assert "Welcome to shop" in (tmp_path / "page").read_text()


def test_the_service_owns_no_name_of_the_system(project: Path) -> None:
    unit = settings_of(project / "deploy" / f"{project.name}.service")
    (user,) = unit["User"]
    assert re.fullmatch("app-[a-z0-9_]*[a-z0-9]", user)
    assert len(user) <= 31
    assert unit["RuntimeDirectory"] == unit["StateDirectory"] == [f"app-{project.name}"]


def test_systemd_finds_little_exposed(project: Path) -> None:
    unit = project / "deploy" / f"{project.name}.service"
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    match = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert match is not None, done.stdout
    assert float(match[1]) <= MOST_EXPOSURE


def test_systemd_reads_every_line_of_the_unit(project: Path) -> None:
    unit = project / "deploy" / f"{project.name}.service"
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if project.name in line]
    assert [line for line in ours if "is not executable" not in line] == [], "nothing is in /srv on this machine"
    assert len([line for line in ours if "is not executable" in line]) == len(ours) > 0


def settings_of(unit: Path) -> dict[str, list[str]]:
    """Return the lines of a unit by name; a name may stand more than once."""
    settings: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            settings.setdefault(name, []).append(value)
    return settings


AS_THE_SERVICE = """
mount -t tmpfs none /run && mkdir /run/{runtime}
mount -t tmpfs none /srv && mkdir /srv/shop
mount --bind {tree} /srv/shop && mount -o remount,ro,bind /srv/shop
cd {folder}
! touch /srv/shop/file 2>/dev/null
{before}
exec {start}
"""


def test_the_service_starts_while_its_files_are_read_only(shop: Path, url: str) -> None:
    """The unit's own commands run at the unit's own paths, in a mount namespace."""
    (shop / ".venv").symlink_to(sys.prefix)
    unit = settings_of(shop / "deploy" / "shop.service")
    script = AS_THE_SERVICE.format(
        tree=shop,
        runtime=unit["RuntimeDirectory"][0],
        folder=unit["WorkingDirectory"][0],
        before="\n".join(unit["ExecStartPre"]),
        start=unit["ExecStart"][0],
    )
    environ = {
        **dict(line.split("=", 1) for line in unit["Environment"]),
        "ARLEN_DATABASE_URL": url,
        "ARLEN_PORT": str(free_port()),
        "RUNTIME_DIRECTORY": f"/run/{unit['RuntimeDirectory'][0]}",
        "PATH": os.environ["PATH"],
    }
    become_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", *become_root, "--mount", "bash", "-e", "-c", script]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    lines: list[str] = []
    try:
        for line in process.stderr:
            lines.append(line)
            if "generation_ready" in line:
                break
        assert process.poll() is None, "".join(lines)
        assert httpx.get(f"http://127.0.0.1:{environ['ARLEN_PORT']}/readyz").status_code == 200
    finally:
        with suppress(ProcessLookupError):  # it has failed, which is reported
            os.killpg(process.pid, signal.SIGTERM)
        _, rest = process.communicate(timeout=PATIENCE_SECONDS)
    events = [json.loads(line) for line in [*lines, *rest.splitlines()]]
    assert [event for event in events if event["level"] == "error"] == []
    assert [event for event in events if event["event"] == "status_unavailable"] == []
    assert process.returncode == 0


def test_the_unit_starts_by_module_through_the_folder_of_the_application(shop: Path) -> None:
    unit = settings_of(shop / "deploy" / "shop.service")
    for line in (*unit["ExecStartPre"], *unit["ExecStart"]):
        words = shlex.split(line)
        assert words[:2] == ["/srv/shop/.venv/bin/python", "-m"]
        assert words[-2:] == ["--app-root", "/srv/shop"]


def test_every_file_of_a_machine_format_can_be_read(project: Path) -> None:
    for path in project.rglob("*.toml"):
        tomllib.loads(path.read_text())
    compose = yaml.safe_load((project / "compose.yaml").read_text())
    assert set(compose["services"]) == {"db", "migrate", "web"}
    assert compose["services"]["db"]["environment"]["POSTGRES_DB"] == project.name
    variables = dict(re.findall(r"^(\w+)=(.*)$", (project / ".env.production.example").read_text(), re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)", (project / "compose.yaml").read_text())) == set(variables)
