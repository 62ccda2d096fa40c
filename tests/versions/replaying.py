"""The replay corpus against code that is not the released one."""

from collections.abc import AsyncIterator

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter

from deploy.rollout import replays
from tests.versions.changed import WorkflowCode
from tests.workflows import corpus
from workflows.names import SIGNATURE_REQUEST


async def refused_by(code: WorkflowCode) -> list[Exception]:
    """What `code` has against the histories of the corpus, each whole."""
    results = replays(_histories(), pydantic_data_converter, (code,))
    return [failure async for _, failure in results if failure is not None]


async def _histories() -> AsyncIterator[WorkflowHistory]:
    for path in sorted(corpus.FOLDER.glob("*.json.gz")):
        if not path.name.startswith("bad-") and _is_of_a_request(history := corpus.load(path)):
            yield history


def _is_of_a_request(history: WorkflowHistory) -> bool:
    """The changed code of these tests is that of requests."""
    started = history.events[0].workflow_execution_started_event_attributes
    return started.workflow_type.name == SIGNATURE_REQUEST
