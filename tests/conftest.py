"""What all tests share: the fixtures that applications get too."""

from __future__ import annotations

pytest_plugins = ["arlen_runtime.testing.plugin"]
