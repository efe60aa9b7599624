"""`arlen db`: the runtime's command, by default in the development environment."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from arlen_cli.__main__ import main
from arlen_runtime.alnpg.admin import databases


def test_a_generated_application_is_reset_and_seeded(
    shop: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "resource", "posts", "title:string"]) == 0
    assert main(["db", "reset", "--dsn", database_url]) == 0
    assert "Seeded from db/seeds.sql, statements: 0\n" in capsys.readouterr().out
    with (shop / "db" / "seeds.sql").open("a") as seeds:
        seeds.write("insert into posts (title) values ('first');\n")
    assert main(["db", "seed", "--dsn", database_url]) == 0
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select title from posts").fetchall() == [("first",)]
    assert main(["db", "drop", "--dsn", database_url]) == 0
    assert not databases.exists(database_url)


@pytest.mark.usefixtures("shop")
def test_an_unknown_action_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["db", "crate"])
    assert ended.value.code == 2
    assert "crate" in capsys.readouterr().err
