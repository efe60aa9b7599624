"""`arlen migrate`: the runtime's command, by default in the development environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from arlen_cli.__main__ import main


def test_a_generated_migration_is_applied_once(
    shop: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "resource", "posts", "title:string"]) == 0
    assert len(list((shop / "db" / "migrations").glob("*_create_posts.sql"))) == 1
    for _ in range(2):
        assert main(["migrate", "--dsn", database_url]) == 0
    assert "_create_posts.sql" in capsys.readouterr().out
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM posts").fetchone() == (0,)


@pytest.mark.usefixtures("shop")
def test_an_unknown_flag_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["migrate", "--nonsense"])
    assert ended.value.code == 2
    assert "--nonsense" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        "migrate status",
        "db create",
        "sql check",
        "config",
        "routes",
        "serve --print-config",
        "console -c 1",
        "serve --check",
    ],
)
def test_every_command_works_in_a_folder_of_the_application(line: str, database_shop: Path) -> None:
    command = [sys.executable, "-m", "arlen_cli", *line.split()]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ARLEN_")}
    for folder in ("shop/controllers", "db/migrations"):
        done = subprocess.run(
            command, cwd=database_shop / folder, env=environ, capture_output=True, text=True, check=False
        )
        assert (done.returncode, "is not an Arlen application" in done.stderr) == (0, False), done.stderr
