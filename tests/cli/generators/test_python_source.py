"""Python source: what Python reads is read, anything else is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_cli.generators.python_source import SourceError, locate, own_files, read_source

VALID = {
    "plain": (b"x = 1\n", "utf-8"),
    "empty": (b"", "utf-8"),
    "a BOM": (b"\xef\xbb\xbfx = 1\n", "utf-8-sig"),
    "a declaration": (b"# coding: latin-1\nx = '\xe9'\n", "iso-8859-1"),
    "a declaration on line 2": (b"#!/usr/bin/python\n# -*- coding: cp1252 -*-\nx = '\x80'\n", "cp1252"),
    "CR LF": (b"x = 1\r\ny = '\xc3\xa9'\r\n", "utf-8"),
    "a form feed": (b"x = 1\n\x0cy = 2\n", "utf-8"),
    "an invalid escape": (b"x = '\\d'\n", "utf-8"),
    "tabs": (b"if 1:\n\tx = 1\n", "utf-8"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("why", VALID)
def test_what_python_reads_is_read_and_written_in_its_encoding(why: str) -> None:
    content, encoding = VALID[why]
    source = read_source("shop/routes.py", content)
    assert source.encoding == encoding
    assert source.encode(source.text) == content


INVALID = {
    "a mistake": (b"x = 1\ndef y(:\n", "2: invalid syntax"),
    "an open string": (b"x = 1\ny = 'z\n", "2: unterminated string literal (detected at line 2)"),
    "a merge conflict": (b"x = 1\n<<<<<<< HEAD\ny = 1\n=======\n", "2: it contains an unresolved merge conflict"),
    "a rest of a merge": (b"x = 1\ny = 1\n>>>>>>> branch\n", "3: it contains an unresolved merge conflict"),
    "tabs among spaces": (b"if 1:\n\tx = 1\n        y = 2\n", "3: inconsistent use of tabs and spaces in indentation"),
    "an indentation": (b"x = 1\n  y = 1\n", "2: unexpected indent"),
    "a return outside": (b"x = 1\n\nreturn x\n", "3: 'return' outside function"),
    "a NUL": (b"x = 1\ny\0 = 2\n", "2: it contains a NUL byte"),
    "UTF-16": ("x = 1\n".encode("utf-16"), "1: it contains a NUL byte"),
    "latin-1 on line 1": (b"x = '\xe9'\n", "1: byte 0xe9 is not valid utf-8"),
    "latin-1 in a late comment": (b"x = 1\n" * 5 + b"# \xe9\n", "6: byte 0xe9 is not valid utf-8"),
    "latin-1 behind a BOM": (b"\xef\xbb\xbfx = 1\ny = '\xe9'\n", "2: byte 0xe9 is not valid utf-8"),
    "more than its declaration": (b"# coding: ascii\nx = '\xe9'\n", "2: byte 0xe9 is not valid ascii"),
    "an unknown declaration": (b"# coding: klingon\nx = 1\n", "1: unknown encoding: klingon"),
    "a declaration behind a BOM": (b"\xef\xbb\xbf# coding: latin-1\nx = 1\n", "1: encoding problem: utf-8"),
    "brackets without end": (b"x = " + b"-" * 100_000 + b"1\n", "1: it is nested too deeply for Python"),
}


@pytest.mark.parametrize("why", INVALID)
def test_anything_else_is_refused_with_its_line(why: str) -> None:
    content, place = INVALID[why]
    with pytest.raises(SourceError) as caught:
        read_source("shop/routes.py", content)
    assert str(caught.value) == f"shop/routes.py:{place}; nothing was written"
    assert caught.value.status == 1


def test_the_files_of_an_application_are_not_those_of_packages(tmp_path: Path) -> None:
    for path in ("shop/app.py", "env/lib/site-packages/x.py", ".venv/x.py", "node_modules/x.py", "tests/test_a.py"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    (tmp_path / "shop" / ".#app.py").symlink_to("an-editor-has-it@here")
    (tmp_path / "shop" / "lost.py").symlink_to("nowhere")
    assert [file.relative_to(tmp_path).as_posix() for file in own_files(tmp_path)] == ["shop/app.py", "tests/test_a.py"]


def test_an_error_in_an_installed_package_is_located_in_the_application(tmp_path: Path) -> None:
    package = tmp_path / "env" / "lib" / "site-packages" / "lib.py"
    package.parent.mkdir(parents=True)
    package.write_text("def fail():\n    raise ValueError('no')\n")
    (tmp_path / "app.py").write_text("\n\nfail()\n")
    names: dict[str, object] = {}
    exec(compile(package.read_text(), str(package), "exec"), names)  # noqa: S102 - a module of the test
    with pytest.raises(ValueError, match="no") as caught:
        exec(compile((tmp_path / "app.py").read_text(), str(tmp_path / "app.py"), "exec"), names)  # noqa: S102 - see above
    assert locate(caught.value, tmp_path) == ("app.py:3: ValueError: no", False)
