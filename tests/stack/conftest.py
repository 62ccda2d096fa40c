"""What the stories of the stack share; the stack itself is shared with the browser stories (tests/conftest.py)."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.stack.everywhere")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"
