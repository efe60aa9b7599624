"""Versions: of what is installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest

from arlen_cli.versions import version_of


def test_it_is_the_installed_version() -> None:
    assert version_of("arlen") == version("arlen")


def test_what_is_not_installed_has_none() -> None:
    with pytest.raises(PackageNotFoundError):
        version_of("no-such-distribution")
