"""The style sheet loads nothing from outside."""

from __future__ import annotations

from arlen_runtime.error_pages.style import POLICY, STYLE


def test_the_sheet_loads_nothing_and_the_policy_allows_nothing_else() -> None:
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert "</" not in STYLE
    assert "unsafe" not in POLICY
    assert "script-src" not in POLICY
