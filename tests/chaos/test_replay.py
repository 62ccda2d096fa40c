"""Every released history stopped at each of its waits; in every run of the tests it is stopped at two of them."""

from pathlib import Path

import pytest
from temporalio.worker import UnsandboxedWorkflowRunner
from temporalio.worker._workflow_instance import _WorkflowLogicFlag

from tests.workflows import corpus
from tests.workflows.test_replay import GOOD, replay

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name.removesuffix(".json.gz"))
async def test_an_open_run_goes_on_from_whichever_wait_the_deploy_finds_it_in(path: Path) -> None:
    failures = await replay(corpus.waits(corpus.load(path)))
    assert not failures, f"{path.name}: {failures}"


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name.removesuffix(".json.gz"))
async def test_nor_would_the_sdk_s_coming_logic_stop_it_in_any_wait(path: Path) -> None:
    waits = corpus.waits(corpus.load(path))
    failures = await replay(waits, *_WorkflowLogicFlag, runner=UnsandboxedWorkflowRunner())
    assert not failures, f"{path.name}: {failures}"
