"""Versions of installed distributions."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest

from arlen_cli.versions import version_of


def test_it_is_the_installed_version() -> None:
    assert version_of("arlen") == version("arlen")


def test_a_missing_distribution_has_no_version() -> None:
    with pytest.raises(PackageNotFoundError):
        version_of("no-such-distribution")
