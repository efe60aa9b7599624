"""A process without free descriptors, for the tests of code that opens files."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fixtures import DescriptorsLeft


@contextmanager
def _leave(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [os.open("/dev/null", os.O_RDONLY) for _ in range(count + 1)]
    for descriptor in free[:count]:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[count], hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(free[count])


@pytest.fixture
def descriptors_left() -> DescriptorsLeft:
    """Return a context manager that leaves this process `count` free descriptors."""
    return _leave
