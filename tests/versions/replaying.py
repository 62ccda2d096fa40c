"""The replay corpus against code that is not the released one."""

from collections.abc import AsyncIterator
from functools import cache
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter

from deploy.rollout import replays
from tests.versions.changed import WorkflowCode
from tests.workflows import corpus
from workflows.names import SIGNATURE_REQUEST

_MANY: Final = 12
"""Enough to see that a break is seen: today's code replays the others too, in `tests/workflows/test_replay.py`."""
_WAITS: Final = 3
"""Timers of a history in which somebody is reminded: with fewer only the conversion is waited for."""


async def refused_by(code: WorkflowCode) -> list[Exception]:
    """What `code` has against the shortest histories of requests that waited for people, each whole."""
    results = replays(_histories(), pydantic_data_converter, (code,))
    return [failure async for _, failure in results if failure is not None]


async def _histories() -> AsyncIterator[WorkflowHistory]:
    for history in _shortest():
        yield history


@cache
def _shortest() -> list[WorkflowHistory]:
    good = (path for path in corpus.FOLDER.glob("*.json.gz") if not path.name.startswith("bad-"))
    of_requests = filter(_is_of_a_request, map(corpus.load, good))
    waited = (history for history in of_requests if _timers(history) >= _WAITS)
    return sorted(waited, key=lambda history: (len(history.events), history.workflow_id))[:_MANY]


def _timers(history: WorkflowHistory) -> int:
    return sum(event.event_type == EventType.EVENT_TYPE_TIMER_STARTED for event in history.events)


def _is_of_a_request(history: WorkflowHistory) -> bool:
    """The changed code of these tests is that of requests."""
    started = history.events[0].workflow_execution_started_event_attributes
    return started.workflow_type.name == SIGNATURE_REQUEST
