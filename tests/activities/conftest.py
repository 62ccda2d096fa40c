"""A desk for each test of a file that asks for a signature."""

from pathlib import Path

import pytest

from tests.activities.launch.papers import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """With everything that a request needs."""
    return Desk(tmp_path)
