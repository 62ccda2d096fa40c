"""The replay corpus: histories of released code. It only grows, because open runs are what a deploy breaks.

`make histories` runs the stories once more and keeps the histories that are not in the corpus yet.
"""

import gzip
import os
from functools import cache
from pathlib import Path
from typing import Any, Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle, WorkflowHistory

STOPS: Final = 2
"""Of each history in every run of the tests; `tests/chaos/test_replay.py` stops at all waits."""
FOLDER = Path(__file__).parents[1] / "histories"


async def record(name: str, handle: WorkflowHandle[Any, Any]) -> None:
    """Keep the history of a finished story when asked to by `RECORD_HISTORIES`; an existing one is never replaced."""
    path = FOLDER / f"{name}.json.gz"
    if not name or not os.environ.get("RECORD_HISTORIES") or path.exists():
        return
    history = await handle.fetch_history()
    path.write_bytes(gzip.compress(history.to_json().encode(), mtime=0))


@cache
def load(path: Path) -> WorkflowHistory:
    """A history of the corpus; read once, for many replay it and none changes it."""
    return WorkflowHistory.from_json(path.name.removesuffix(".json.gz"), gzip.decompress(path.read_bytes()).decode())


def waits(history: WorkflowHistory) -> list[WorkflowHistory]:
    """The history as it was at each wait of the workflow: what an open run looks like to a new worker."""
    cuts = [
        index
        for index, event in enumerate(history.events)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED and index > 2
    ]
    return [WorkflowHistory(history.workflow_id, history.events[:cut]) for cut in cuts]


def stops(history: WorkflowHistory) -> list[WorkflowHistory]:
    """At most `STOPS` of its waits, the last one among them and the others spread before it."""
    all_waits = waits(history)
    return (
        [all_waits[len(all_waits) * number // STOPS - 1] for number in range(1, STOPS + 1)]
        if len(all_waits) > STOPS
        else all_waits
    )
