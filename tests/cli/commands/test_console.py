"""`arlen console`, in processes of their own because it imports an application."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.cli.tool_process import run_tool

console = partial(run_tool, "console")


def dialog(folder: Path, *typed: str, **environ: str) -> str:
    """Type a line at each prompt of a console on a terminal; return what it shows."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "arlen_cli", "console"]
    variables = os.environ | {"TERM": "dumb", "HOME": str(folder), "PYTHON_BASIC_REPL": "1"} | environ
    lines = [f"{line}\n" for line in typed] + ["\x04"]
    written = b""
    with subprocess.Popen(command, cwd=folder, stdin=follower, stdout=follower, stderr=follower, env=variables):
        os.close(follower)
        try:
            while block := os.read(leader, 65536):
                written += block
                if lines and written.endswith(b">>> "):  # what is typed before the prompt is lost
                    os.write(leader, lines.pop(0).encode())
        except OSError:  # Linux reports the end of a terminal as EIO
            pass
    os.close(leader)
    return written.decode().replace("\r", "")


def test_the_names_are_at_hand(database_shop: Path) -> None:
    code = "print(type(app).__name__, config.environment, pg.query_value('select 1'), client.get('/').status, url_for('home'))"
    done = console(database_shop / "shop", "-c", code)
    assert (done.returncode, done.stdout) == (0, "App development 1 200 /\n")


def test_code_on_standard_input_runs_without_prompts(database_shop: Path) -> None:
    done = console(database_shop, text="x = 1\nfor y in range(2):\n    print(x + y)\nraise SystemExit(4)\n")
    assert (done.returncode, done.stdout, done.stderr) == (4, "1\n2\n", "")


@pytest.mark.parametrize("code", ["1 / 0", "x y"])
def test_an_error_in_the_code_is_status_1_and_its_traceback(code: str, database_shop: Path) -> None:
    done = console(database_shop, "-c", code)
    assert done.returncode == 1
    assert 'File "<string>", line 1' in done.stderr
    assert "arlen_cli" not in done.stderr


def test_read_only_refuses_to_write(database_shop: Path) -> None:
    done = console(database_shop, "--read-only", "-c", "pg.execute('create table t (x int)')")
    assert done.stderr.startswith("arlen console: every transaction is read-only")
    assert "[25006]" in done.stderr


def test_read_only_is_refused_where_it_would_have_no_effect(shop: Path) -> None:
    path = shop / "shop" / "app.py"
    source = path.read_text()
    assert "ALNPg.from_section(config.database" in source
    path.write_text(source.replace("ALNPg.from_section(config.database", "ALNPg.from_section(Config_database()"))
    path.write_text(
        path.read_text() + "\n\ndef Config_database():\n"
        "    import os\n    from dataclasses import replace\n"
        "    from arlen_runtime.testing import load_config\n    from pathlib import Path\n"
        "    section = load_config(Path(os.environ['ARLEN_APP_ROOT']), 'test', {}).database\n"
        "    return replace(section, url=os.environ['ARLEN_DATABASE_URL'].partition(' options=')[0])\n"
    )
    done = console(shop, "--read-only", "-c", "print('ran')")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--read-only has no effect here" in done.stderr


def test_production_is_named_on_the_command_line(shop: Path) -> None:
    done = console(shop, "-c", "1", environ={"ARLEN_ENV": "production"})
    assert done.returncode == 2
    assert "add --env production" in done.stderr


def test_a_terminal_gets_a_prompt_and_a_line_about_what_is_loaded(database_shop: Path) -> None:
    shown = dialog(database_shop, "print(url_for('home') * 3)")
    assert "shop, environment development. At hand: app, config, pg, client, url_for." in shown
    assert ">>> " in shown
    assert "\n///\n" in shown


def test_ipython_is_used_if_it_is_installed(database_shop: Path, tmp_path: Path) -> None:
    (tmp_path / "IPython.py").write_text("def start_ipython(argv, user_ns): print(argv, user_ns['config'].name)\n")
    assert "['--no-banner'] shop\n" in dialog(database_shop, PYTHONPATH=str(tmp_path))
