"""`arlen run`, in processes of their own because it imports an application."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.cli.tool_process import run_tool

ONE_FILE = """\
from arlen_runtime import App, Config, Routes, text

def routes(r: Routes) -> None:
    r.get("/", lambda ctx: text("hello"), name="home")

def create(config: Config) -> App:
    return App(config, routes)
"""

SHOW = """\
import json, os, sys
print(json.dumps({"argv": sys.argv, "path": sys.path[0], "app": type(app).__name__, "environment": config.environment,
    "pg": pg and pg.query_value("select 1"), "root": os.environ["ARLEN_APP_ROOT"], "env": os.environ["ARLEN_ENV"],
    "url": os.environ.get("ARLEN_DATABASE_URL", "")}))
"""

run = partial(run_tool, "run")


@pytest.fixture
def lite(tmp_path: Path) -> Path:
    """Create an application of one file, without a database."""
    folder = tmp_path / "lite"
    folder.mkdir()
    (folder / "app.py").write_text(ONE_FILE)
    return folder


def test_a_script_gets_the_application_its_database_and_the_environment(database_shop: Path, tmp_path: Path) -> None:
    (tmp_path / "show.py").write_text(SHOW)
    done = run(database_shop / "shop" / "controllers", str(tmp_path / "show.py"), "a", "--env", "b")
    shown = json.loads(done.stdout)
    assert done.returncode == 0
    assert shown.pop("url").startswith("postgresql://arlen@/arlen_development?host=")
    assert shown == {
        "argv": [str(tmp_path / "show.py"), "a", "--env", "b"],
        "path": str(database_shop),
        "app": "App",
        "environment": "development",
        "pg": 1,
        "root": str(database_shop),
        "env": "development",
    }


def test_a_module_of_the_application_runs_as_main(lite: Path) -> None:
    (lite / "jobs").mkdir()
    (lite / "jobs" / "nightly.py").write_text(
        "import sys\nprint(__name__, __package__, sys.argv[1:], app.url_for('home'))"
    )
    (lite / "jobs" / "__main__.py").write_text("print('all', config.environment)")
    assert run(lite, "jobs.nightly", "x").stdout == "__main__ jobs ['x'] /\n"
    assert run(lite, "--env", "test", "jobs").stdout == "all test\n"


def test_a_script_imports_what_lies_beside_it_and_the_application_first(lite: Path, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("x = 1")
    (tmp_path / "app.py").write_text("raise SystemExit('the wrong app.py')")
    (tmp_path / "script.py").write_text("import app, beside\nprint(app.__file__)")
    assert run(lite, "../script.py").stdout == f"{lite / 'app.py'}\n"


def test_input_output_and_status_are_those_of_the_script(lite: Path) -> None:
    (lite / "copy.py").write_text("import sys\nsys.stdout.write(sys.stdin.read().upper())\nsys.exit(7)")
    done = run(lite, "copy.py", text="one\ntwo")
    assert (done.returncode, done.stdout, done.stderr) == (7, "ONE\nTWO", "")


def test_an_error_of_the_script_is_its_traceback(lite: Path) -> None:
    (lite / "broken.py").write_text("from arlen_runtime import NotFound\n\nraise NotFound('no such book')\n")
    done = run(lite, "broken.py")
    assert done.returncode == 1
    first, *_, last = done.stderr.splitlines()
    assert (first, last) == ("Traceback (most recent call last):", "arlen_runtime.errors.NotFound: no such book")
    assert "arlen_cli" not in done.stderr


def test_an_interrupt_ends_it_with_130(lite: Path) -> None:
    (lite / "wait.py").write_text("import signal\nprint('ready', flush=True)\nsignal.pause()\n")
    command = [sys.executable, "-m", "arlen_cli", "run", "wait.py"]
    with subprocess.Popen(command, cwd=lite, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "")


def test_threads_of_a_script_can_use_the_database_until_they_end(database_shop: Path, tmp_path: Path) -> None:
    (tmp_path / "threads.py").write_text(
        "import threading\n"
        "main = threading.current_thread()\n"
        "def work():\n"
        "    main.join()\n"
        "    print(pg.query_value('select 2'))\n"
        "threading.Thread(target=work).start()\n"
    )
    done = run(database_shop, str(tmp_path / "threads.py"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


@pytest.mark.parametrize("word", ["create table t (x int)", "select set_config('x.y', '1', false)"])
def test_read_only_refuses_what_writes_and_says_so(word: str, database_shop: Path, tmp_path: Path) -> None:
    (tmp_path / "write.py").write_text(f"print(pg.execute({word!r}))")
    writes = word.startswith("create")
    done = run(database_shop, "--read-only", str(tmp_path / "write.py"))
    assert done.stderr.startswith("arlen run: every transaction is read-only")
    assert ("read-only transaction [25006]" in done.stderr, done.returncode) == (writes, int(writes))


def test_read_only_holds_in_transactions_and_for_programs_that_the_script_starts(
    database_shop: Path, tmp_path: Path
) -> None:
    (tmp_path / "child.py").write_text(
        "import subprocess, sys\n"
        "with pg.transaction():\n"
        "    print(pg.query_value('show transaction_read_only'))\n"
        "code = 'import os, psycopg; print(psycopg.connect(os.environ[\"ARLEN_DATABASE_URL\"])'"
        "    '.execute(\"show transaction_read_only\").fetchone()[0])'\n"
        "sys.stdout.flush()\n"
        "subprocess.run([sys.executable, '-c', code], check=True)\n"
    )
    assert run(database_shop, "--read-only", str(tmp_path / "child.py")).stdout == "on\non\n"


@pytest.mark.parametrize("name", ["production", "staging"])
def test_real_data_must_be_named_on_the_command_line(name: str, lite: Path) -> None:
    (lite / "config" / "environments").mkdir(parents=True)
    (lite / "config" / "environments" / f"{name}.toml").touch()
    (lite / "show.py").write_text(SHOW)
    refused = run(lite, "show.py", environ={"ARLEN_ENV": name})
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"arlen run: the environment is {name}, because ARLEN_ENV says so.")
    assert refused.stderr.endswith(f"add --env {name}\n")
    meant = run(lite, "--env", name, "show.py", environ={"ARLEN_ENV": name})
    assert json.loads(meant.stdout)["environment"] == name


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("nothing.py", "there is no file nothing.py"),
        ("no/such", "there is no file no/such"),
        ("nothing", "there is no file and no module nothing to run"),
        ("nothing.at.all", "there is no file and no module nothing.at.all to run"),
        ("empty", "there is no file and no module empty to run (a package needs a __main__.py)"),
    ],
)
def test_what_is_not_there_is_wrong_use(word: str, message: str, lite: Path) -> None:
    (lite / "empty").mkdir()
    (lite / "empty" / "__init__.py").touch()
    done = run(lite, word)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"arlen run: {message}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_here\n", "app.py:1: ModuleNotFoundError: No module named 'nothing_here'"),
        ("\n\ndef x(:\n", "app.py:3: invalid syntax"),
        ("def create(config):\n    return 1 / 0\n", "app.py:2: ZeroDivisionError: division by zero"),
        ("import json\njson.loads('{')\n", "app.py:2: json.decoder.JSONDecodeError: "),
        ("raise SystemExit('stop')\n", "app.py:1: SystemExit: stop"),
    ],
)
def test_an_application_that_does_not_load_is_one_line_with_the_place(source: str, reason: str, lite: Path) -> None:
    (lite / "app.py").write_text(source)
    (lite / "script.py").write_text("print('ran')")
    done = run(lite, "script.py")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"arlen run: the application does not load: {reason}")


def test_a_wsgi_application_is_its_callable(lite: Path) -> None:
    (lite / "app.py").write_text("def create(environ, start_response):\n    return []\n")
    (lite / "script.py").write_text("print(app.__name__, pg, config.environment)")
    assert run(lite, "script.py").stdout == "create None development\n"


def test_it_needs_neither_typer_nor_copier(lite: Path) -> None:
    (lite / "script.py").write_text("import sys\nprint({'typer', 'copier', 'pytest'} & set(sys.modules))")
    assert run(lite, "script.py").stdout == "set()\n"
