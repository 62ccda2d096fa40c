"""Every released history stopped at each of its waits; in every run of the tests it is stopped at a few of them."""

from pathlib import Path

import pytest

from tests.workflows import corpus
from tests.workflows.test_replay import GOOD, replay

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name.removesuffix(".json.gz"))
async def test_an_open_run_goes_on_from_whichever_wait_the_deploy_finds_it_in(path: Path) -> None:
    failures = await replay(corpus.waits(corpus.load(path)))
    assert not failures, f"{path.name}: {failures}"
