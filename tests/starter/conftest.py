"""What the tests of commands and pages share."""

from pathlib import Path

import pytest

from starter.temporal.connection import Context
from tests.starter.queries.living import desk_at


@pytest.fixture
async def context(dev_server: str, tmp_path: Path) -> Context:
    """A desk before an empty namespace."""
    return await desk_at(dev_server, tmp_path)
