"""Settings that the source of an application declares as secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.config.secret_fields import secret_fields
from arlen_runtime.config.sections import AppSection, Config

SOURCE = """\
class Shop:
    currency: str = setting("EUR", "three letters")
    pin: str = setting("", "for the till", secret=True)
    shown: str = setting("", "no secret", secret=False)
    kept: str = setting("", "decided elsewhere", secret=IS_SECRET)
"""


@pytest.mark.parametrize(("target", "file"), [("shop.app:create", "shop/parts/mail.py"), ("", "app.py")])
def test_fields_are_found_in_the_package_or_the_module(target: str, file: str, tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(SOURCE)
    config = Config("test", tmp_path, app=AppSection(target=target), settings={"pin": "x"})
    assert secret_fields(config) == {"pin", "kept"}
    assert secret_fields(Config("test", tmp_path, app=AppSection(target=target))) == frozenset(), "nothing to mask"


@pytest.mark.parametrize("content", [b"secret = (", b"secret\0", b"\xff secret", b"secret = " + b"(" * 500])
def test_a_file_that_is_no_python_is_left_out(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "broken.py").write_bytes(content)
    (tmp_path / "shop" / "mail.py").write_text(SOURCE)
    config = Config("test", tmp_path, app=AppSection(target="shop.app:create"), settings={"pin": "x"})
    assert secret_fields(config) == {"pin", "kept"}


def test_an_application_without_sources_has_none(tmp_path: Path) -> None:
    assert secret_fields(Config("test", tmp_path, settings={"pin": "x"})) == frozenset()
