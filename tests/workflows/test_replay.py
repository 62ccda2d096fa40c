"""Every released history must replay with today's code, whole and stopped in waits.

Red here means: a workflow that is open in production would get stuck on a worker with this code. Put the change behind
`workflow.patched()` (workflows/patches.py) or take it back; never delete or re-record a history.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker._workflow_instance import _WorkflowLogicFlag
from temporalio.workflow import NondeterminismError

from starter.temporal.plugin import FURTHER, CountersignPlugin, workflows
from tests.markdown import ROOT
from tests.workflows import corpus
from tests.workflows.stage import TriesOnce
from workflows.model.commands import UPDATES

GOOD = sorted(path for path in corpus.FOLDER.glob("*.json.gz") if not path.name.startswith("bad-"))
BAD = sorted(corpus.FOLDER.glob("bad-*.json.gz"))


async def replay(
    histories: list[WorkflowHistory], *flags: _WorkflowLogicFlag, runner: WorkflowRunner | None = None
) -> list[Exception]:
    """What today's code has against these histories, with these changes of the SDK's own logic switched on."""

    async def iterate_histories() -> AsyncIterator[WorkflowHistory]:
        for history in histories:
            yield history

    replayer = Replayer(workflows=(), plugins=[CountersignPlugin()], workflow_runner=runner or TriesOnce())
    for flag in flags:
        replayer._set_default_workflow_logic_flag(flag, enabled=True)
    results = await replayer.replay_workflows(iterate_histories(), raise_on_replay_failure=False)
    return list(results.replay_failures.values())


@pytest.mark.long
@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name.removesuffix(".json.gz"))
async def test_the_sdk_s_coming_logic_would_get_no_open_run_stuck(path: Path) -> None:
    """Only a task that nobody has completed yet takes a flag up, so each stop is such a task.

    Without the sandbox, in which the same histories are replayed below: it takes half of the time and knows no flag.
    """
    stops = corpus.stops(corpus.load(path))
    failures = await replay(stops, *_WorkflowLogicFlag, runner=UnsandboxedWorkflowRunner())
    assert not failures, f"{path.name}: {failures}"


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name.removesuffix(".json.gz"))
async def test_released_histories_replay_whole_and_stopped_in_waits(path: Path) -> None:
    whole_history = corpus.load(path)
    failures = await replay([whole_history, *corpus.stops(whole_history)])
    assert not failures, f"{path.name}: {failures}"


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name.removesuffix(".json.gz"))
async def test_a_history_of_other_code_fails_so_the_guard_is_known_to_bite(path: Path) -> None:
    [failure] = await replay([corpus.load(path)])
    assert isinstance(failure, NondeterminismError)


def test_the_corpus_has_good_and_bad_histories() -> None:
    assert len(GOOD) >= 8
    assert BAD


def test_each_workflow_has_a_history() -> None:
    recorded_types = {
        corpus.load(path).events[0].workflow_execution_started_event_attributes.workflow_type.name for path in GOOD
    }
    workflow_types = {
        str(workflow._Definition.must_from_class(workflow_class).name)
        for workflow_class in workflows()
        if workflow_class not in FURTHER
    }
    assert workflow_types - recorded_types == set(), "record one where it is tested, and run: make histories"


def test_every_story_that_is_to_be_kept_was() -> None:
    """A story is recorded by `make histories`; until somebody types that, nothing of it is guarded."""
    stories = [path.read_text() for path in (ROOT / "tests" / "workflows").rglob("test_*.py")]
    named = {name for story in stories for name in re.findall(r'\brecord="([\w-]+)"', story)}
    assert named
    assert sorted(named - {path.name.removesuffix(".json.gz") for path in GOOD}) == [], "run: make histories"


def test_the_corpus_has_what_requests_of_years_depend_on() -> None:
    """Fresh runs, what they begin from, and every command that people may send."""
    facts = {fact for path in GOOD for fact in _facts(corpus.load(path))}
    assert facts >= {"goes on in a fresh run", "begun from what was carried over", *UPDATES.values()}


def _facts(history: WorkflowHistory) -> Iterator[str]:
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
            yield "goes on in a fresh run"
        elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
            [payload] = event.workflow_execution_started_event_attributes.input.payloads
            if json.loads(payload.data).get("carried"):
                yield "begun from what was carried over"
        elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
            yield event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name
