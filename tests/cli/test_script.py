"""Running code as `__main__`, in processes of their own: the module replaces pytest's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = """\
import sys
from arlen_cli.script import execute, main_module
source = open(sys.argv[1], "rb").read()
sys.exit(execute(source, sys.argv[1], main_module({"answer": 42}, __file__=sys.argv[1])))
"""


def run(folder: Path, source: str | bytes) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_bytes(source.encode() if isinstance(source, str) else source)
    command = [sys.executable, "-c", RUNNER, str(script)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_code_is_the_module_main_with_the_names_as_globals(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "import __main__, pickle\nclass A: pass\npickle.dumps(A())\nprint(__name__, __main__.answer, __file__)",
    )
    assert (done.stdout, done.stderr) == (f"__main__ 42 {tmp_path / 'script.py'}\n", "")


@pytest.mark.parametrize(
    ("source", "status"),
    [("", 0), ("raise SystemExit", 0), ("import sys; sys.exit(7)", 7), ("import sys; sys.exit('x')", 1)],
)
def test_the_exit_status_is_that_of_the_code(source: str, status: int, tmp_path: Path) -> None:
    assert run(tmp_path, source).returncode == status


@pytest.mark.parametrize(
    "source", ["\n1 / 0", "def f(): 1 / 0\nf()", "\nraise BaseException('x')", "\ntry: 1 / 0\nexcept ValueError: pass"]
)
def test_a_traceback_begins_in_the_code_as_the_interpreter_prints_it(source: str, tmp_path: Path) -> None:
    done = run(tmp_path, source)
    plain = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, plain.stderr)


@pytest.mark.parametrize("source", ["def x(:", "return", b"# coding: latin-1\nx = '\xe9' +\n", b"\xff"])
def test_a_syntax_error_names_file_and_line_and_nothing_of_arlen(source: str | bytes, tmp_path: Path) -> None:
    done = run(tmp_path, source)
    assert done.returncode == 1
    assert "arlen_cli" not in done.stderr
    assert "SyntaxError" in done.stderr


def test_a_future_of_this_tool_does_not_reach_the_code(tmp_path: Path) -> None:
    assert run(tmp_path, "def f(x: int): pass\nprint(f.__annotations__['x'] is int)").stdout == "True\n"
