"""The replay corpus: histories of released code. It only grows, because open runs are what a deploy breaks.

`make histories` runs the stories once more and keeps the histories that are not in the corpus yet.
"""

import gzip
import os
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle, WorkflowHistory

_STOPS_AT_MOST = 8
FOLDER = Path(__file__).parents[1] / "histories"


async def record(name: str, handle: WorkflowHandle[Any, Any]) -> None:
    """Keep the history of a finished story when asked to by `RECORD_HISTORIES`; an existing one is never replaced."""
    path = FOLDER / f"{name}.json.gz"
    if not name or not os.environ.get("RECORD_HISTORIES") or path.exists():
        return
    history = await handle.fetch_history()
    path.write_bytes(gzip.compress(history.to_json().encode(), mtime=0))


def load(path: Path) -> WorkflowHistory:
    """A history of the corpus."""
    return WorkflowHistory.from_json(path.name.removesuffix(".json.gz"), gzip.decompress(path.read_bytes()).decode())


def stops(history: WorkflowHistory) -> list[WorkflowHistory]:
    """The history as it was while the workflow was waiting: what an open run looks like to a new worker.

    Of a history with many waits, `_STOPS_AT_MOST` spread over its length.
    """
    cuts = [
        index
        for index, event in enumerate(history.events)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED and index > 2
    ]
    spread = cuts[:: max(1, len(cuts) // _STOPS_AT_MOST)]
    return [WorkflowHistory(history.workflow_id, history.events[:cut]) for cut in spread]
