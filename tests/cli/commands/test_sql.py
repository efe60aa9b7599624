"""`arlen sql`: generated code passes the check, and errors in it are reported."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from arlen_cli.__main__ import main

STATEMENTS = 200


def grow(shop: Path) -> None:
    """Generate a table, and copy its controller until the application has 200 statements."""
    assert main(["generate", "resource", "posts", "title:string", "body:text:optional", "price:decimal"]) == 0
    controllers = shop / "shop" / "controllers"
    text = (controllers / "posts.py").read_text()
    for number in range(STATEMENTS // text.count("ctx.pg.")):
        (controllers / f"posts{number}.py").write_text(text)


def test_200_statements_of_a_generated_application_are_checked_in_less_than_a_second(
    shop: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measure the CPU time of this process, which other load cannot lengthen.

    The server's part is a fraction of it.
    """
    grow(shop)
    assert main(["migrate", "--dsn", url]) == 0
    start = time.process_time()
    assert main(["sql", "check", "--dsn", url]) == 0
    assert time.process_time() - start < 1
    checked = capsys.readouterr().out.splitlines()[-1]
    assert checked.endswith(", wrong: 0")
    assert int(checked.split()[2].strip(",")) >= STATEMENTS


def test_an_error_in_a_generated_application_is_reported_with_its_line(
    shop: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "resource", "notes", "title:string", "body:text:optional"]) == 0
    assert main(["migrate", "--dsn", url]) == 0
    controller = shop / "shop" / "controllers" / "notes.py"
    text = controller.read_text()
    controller.write_text(text.replace("    body: str | None\n", "    body: str\n", 1))
    assert main(["sql", "check", "--dsn", url]) == 1
    output = capsys.readouterr().out
    line = 1 + text[: text.index("SELECT id, title, body")].count("\n")
    assert f"shop/controllers/notes.py:{line - 1}: Note.body is str, but the column can be NULL" in output


@pytest.mark.usefixtures("shop")
def test_an_unknown_flag_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sql", "check", "--agianst", "x"])
    assert ended.value.code == 2
    assert "did you mean --against?" in capsys.readouterr().err
