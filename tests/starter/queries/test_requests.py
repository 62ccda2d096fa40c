"""The words about requests on a real server: the same story with a worker, without one, and after Temporal."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from activities.records.downloads import Download, LinkName, Way
from activities.records.ended import ListFilter
from activities.records.evidence import KeptFileName
from starter.cli import start_files
from starter.errors import Refusal
from starter.queries import commands, lookup
from starter.queries import lists as pages
from starter.queries.filters import followed_up, request_id
from starter.queries.lists import NAMED_AT_ONCE, RequestLine
from starter.temporal.connection import Context
from tests.faults.town import eventually
from tests.starter.queries.living import MSA, SOON, begin, desk_in, wait_for_view, wait_until_signer_told
from tests.workflows.fakes import World, refusal
from tests.workflows.stage import workers
from workflows import names
from workflows.kinds import Kind, WorkflowName
from workflows.model.commands import Cancellation, Question
from workflows.model.evidence import KeptFile
from workflows.model.hand_off import HandoffLine, HandoffState
from workflows.model.records import SettledRecord
from workflows.model.signature import ProviderEvent
from workflows.model.subject import Code, Status
from workflows.model.timeline import EventType, TimelineEntry
from workflows.model.views import RequestShow

pytestmark = pytest.mark.real_server

NOW = datetime(2026, 11, 26, 14, tzinfo=UTC)
EARLY = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=30")
AT_ONCE = ("--dynamic-config-value", "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=1")
NO_WORKER = timedelta(seconds=0.5)


async def wait_for_lines(context: Context, at_least: int, *, attention: bool) -> list[RequestLine]:
    """The list, once the server's visibility has caught up."""
    async with asyncio.timeout(SOON.total_seconds()):
        while True:
            lines = [line async for line in pages.everything(context, ListFilter(attention=attention))]
            if len(lines) >= at_least:
                return lines
            await asyncio.sleep(0.05)


async def record(context: Context, view: RequestShow) -> None:
    content = SettledRecord(fingerprint="f" * 64, run_id="r", show=view).model_dump_json(by_alias=True)
    await context.store.records.write(Kind.REQUEST.workflow_id(view.id), content.encode())


async def test_a_living_request_says_whom_it_waits_for(context: Context) -> None:
    async with workers(context.client, World()):
        await begin(context)
        view = await wait_until_signer_told(context)
    assert [waiting.person for waiting in view.waiting_for] == ["customer-signer"]
    assert not view.partial


async def test_an_id_and_a_whole_workflow_id_are_the_same_request(context: Context) -> None:
    async with workers(context.client, World()):
        await begin(context)
        await wait_until_signer_told(context)
        by_workflow_id = await start_files.show(context, "signature-request:msa-0042")
    assert by_workflow_id.id == "msa-0042"


def test_the_workflow_id_of_something_else_is_refused() -> None:
    with pytest.raises(Refusal, match='"customer-onboarding:acme" is no request'):
        request_id("customer-onboarding:acme")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("msa-0042", WorkflowName(Kind.REQUEST, "msa-0042")),
        ("signature-request:msa-0042", WorkflowName(Kind.REQUEST, "msa-0042")),
        ("task:acme.account", WorkflowName(Kind.TASK, "acme.account")),
        ("customer-onboarding:acme", WorkflowName(Kind.ONBOARDING, "acme")),
        ("acknowledgement-campaign:conduct", WorkflowName(Kind.CAMPAIGN, "conduct")),
    ],
)
def test_a_clock_is_named_by_a_request_s_id_or_any_workflow_id(typed: str, meant: WorkflowName) -> None:
    assert followed_up(typed) == meant


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("hand-off:msa-0042", "the id of a request, or one of signature-request:ID, task:ID, "),
        ("task:", "an id of 1-100 characters"),
        ("task:a/b", "an id of 1-100 characters"),
    ],
)
def test_what_has_no_clock_is_refused(typed: str, expected: str) -> None:
    with pytest.raises(Refusal, match=f"expected {expected}"):
        followed_up(typed)


@pytest.mark.parametrize("typed", ["../claims/msa-0042", "signature-request:a/b", "", "a" * 101, "a\n", "*"])
def test_what_cannot_be_an_id_is_refused_before_anything_is_read(typed: str) -> None:
    with pytest.raises(Refusal, match="is no request: expected an id of 1-100 characters"):
        request_id(typed)


async def test_without_a_worker_what_temporal_keeps_is_told_and_marked(context: Context) -> None:
    await begin(context)
    view = await lookup.find_request_view(context.client, context.store, "msa-0042", time_limit=NO_WORKER)
    assert view.partial
    assert (view.kind, view.document) == ("customer-contract", "Master services agreement")
    assert view.status is Status.CONVERTING
    assert view.next is not None and "countersign worker" in view.next.why


async def test_where_nobody_asks_for_work_it_is_told_long_before_a_worker_would_be_late(context: Context) -> None:
    await begin(context)
    async with asyncio.timeout(SOON.total_seconds()):
        view = await lookup.find_request_view(context.client, context.store, "msa-0042", time_limit=2 * SOON)
    assert view.partial and view.says.startswith("No worker answers")


async def test_a_worker_that_takes_its_time_is_waited_for(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_NOBODY_AFTER", 0.0)
    async with workers(context.client, World()):
        await begin(context)
        view = await wait_until_signer_told(context)
    assert not view.partial


async def test_the_record_of_what_has_ended_is_told_with_a_worker_or_without(context: Context) -> None:
    world = World()
    async with workers(context.client, world):
        await begin(context)
        await commands.make(context, "msa-0042", Cancellation(reason="not needed", actor="legal-desk"))
        view = await start_files.show(context, "msa-0042")
    await record(context, view)
    recorded_view = await lookup.find_request_view(context.client, context.store, "msa-0042", time_limit=NO_WORKER)
    assert recorded_view == view and not recorded_view.partial


async def test_a_request_that_temporal_has_forgotten_is_told_from_its_record(context: Context) -> None:
    view = RequestShow(id="old", kind="customer-contract", status=Status.SIGNED, says="Signed long ago")
    await record(context, view)
    assert await start_files.show(context, "old") == view


async def test_of_an_unknown_request_the_near_ones_are_named(context: Context) -> None:
    for name in ("msa-0042", "msa-0043", "offer-7"):
        await begin(context, name)
    assert await eventually(lambda: _counted(context, "WorkflowType = 'SignatureRequest'", 3))
    message = "no request msa-42: neither Temporal nor the records know it, did you mean msa-00"
    with pytest.raises(Refusal, match=f"{message}4[23] or msa-004[23]\\?$"):
        await lookup.show(context, "msa-42")
    with pytest.raises(Refusal, match=f"{message}4[23] or msa-004[23]\\?$"):
        await commands.make(context, "msa-42", Cancellation(reason="not needed", actor="legal-desk"))


async def test_an_unknown_request_is_one_clear_line(context: Context) -> None:
    with pytest.raises(Refusal, match="no request nowhere: neither Temporal nor the records know it"):
        await start_files.show(context, "nowhere")


async def test_a_workflow_that_somebody_terminated_does_not_pretend_to_go_on(context: Context) -> None:
    async with workers(context.client, World()):
        await begin(context)
        # With its notices told it waits, and before it waits it tells the list where it stands.
        await wait_for_view(context, lambda view: view.notifications)
        await context.client.get_workflow_handle("signature-request:msa-0042").terminate("by hand")
        view = await start_files.show(context, "msa-0042")
        [line] = await wait_for_lines(context, 1, attention=True)
    assert view.says.startswith("The workflow was terminated and does nothing more")
    assert (view.next, view.waiting_for, view.choices) == (None, (), ())
    assert (line.id, line.status, line.trouble) == (MSA, view.status, "terminated")


async def test_what_was_signed_stays_signed_whatever_became_of_its_workflow(context: Context) -> None:
    """Its hand-offs may be missing."""
    handle = await context.client.start_workflow(
        names.SIGNATURE_REQUEST,
        id=Kind.REQUEST.workflow_id(MSA),
        task_queue=names.WORKFLOW_QUEUE,
        search_attributes=TypedSearchAttributes([SearchAttributePair(names.STATUS, Status.SIGNED)]),
    )
    await handle.terminate("by hand")
    [line] = await wait_for_lines(context, 1, attention=True)
    assert (line.status, line.trouble) == ("signed", "terminated")


async def test_list_and_show_have_one_word_for_a_request_that_never_ran(context: Context) -> None:
    handle = await context.client.start_workflow(
        names.SIGNATURE_REQUEST, id=Kind.REQUEST.workflow_id(MSA), task_queue=names.WORKFLOW_QUEUE
    )
    await handle.terminate("by hand")
    [line] = await wait_for_lines(context, 1, attention=True)
    view = await lookup.find_request_view(context.client, context.store, MSA, time_limit=NO_WORKER)
    assert (line.status, view.status) == ("converting", Status.CONVERTING)


async def test_a_workflow_that_somebody_started_under_another_id_hides_no_other(context: Context) -> None:
    await begin(context)
    await context.client.start_workflow(names.SIGNATURE_REQUEST, id="by hand/1", task_queue=names.WORKFLOW_QUEUE)
    assert {line.id for line in await wait_for_lines(context, 2, attention=False)} == {MSA, "by hand/1"}


async def test_a_workflow_that_was_reset_is_one_line_and_in_no_trouble(context: Context) -> None:
    async with workers(context.client, World()):
        await begin(context)
        await wait_until_signer_told(context)
        handle = context.client.get_workflow_handle(Kind.REQUEST.workflow_id(MSA))
        await reset_workflow(context, (await handle.describe()).run_id)
        assert await eventually(lambda: _counted(context, "ExecutionStatus = 'Terminated'", 1))
        assert await eventually(lambda: _counted(context, "ExecutionStatus = 'Running'", 1))
        assert [line.trouble async for line in pages.everything(context, ListFilter(attention=False))] == [None]
        assert [line async for line in pages.everything(context, ListFilter(attention=True))] == []


async def reset_workflow(context: Context, run_id: str) -> None:
    await context.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=context.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=Kind.REQUEST.workflow_id(MSA), run_id=run_id),
            reason="by hand",
            request_id="reset",
            workflow_task_finish_event_id=4,
        )
    )


@pytest.mark.long
async def test_a_request_whose_tasks_fail_is_in_attention(tmp_path: Path) -> None:
    async with desk_in(tmp_path, *AT_ONCE) as context, workers(context.client, World()):
        await begin(context)
        await context.client.start_workflow(
            names.SIGNATURE_REQUEST,
            {"no": "request"},
            id=Kind.REQUEST.workflow_id("poison"),
            task_queue=names.WORKFLOW_QUEUE,
        )
        [line] = await wait_for_lines(context, 1, attention=True)
    assert (line.id, line.trouble) == ("poison", "stuck")


@pytest.mark.long
async def test_attention_lists_only_what_needs_a_person(context: Context) -> None:
    world = World()
    world.signatures.failures.append(refusal(Code.UNAUTHORISED))
    async with workers(context.client, world):
        await begin(context, "troubled")
        troubled = await wait_for_lines(context, 1, attention=True)
        await begin(context, "well")
        everything = await wait_for_lines(context, 2, attention=False)
        attention = await wait_for_lines(context, 1, attention=True)
        counted = (await pages.page(context, ListFilter(attention=False), size=1)).total
    assert [(line.id, line.problem) for line in troubled] == [("troubled", "unauthorised")]
    assert {line.id for line in everything} == {"troubled", "well"}
    assert {line.kind for line in everything} == {"customer-contract"}
    assert attention == troubled
    assert counted == 2


async def test_dead_hand_offs_are_in_attention_long_after_temporal_has_forgotten_the_request(context: Context) -> None:
    names_of = [f"old-{number:03}" for number in range(NAMED_AT_ONCE + 1)]
    lines = (HandoffLine(target="finance", state=HandoffState.DEAD, attempts=10, at=NOW),)
    for name in names_of:
        fields = {"document": "Terms", "requester": "office", "due_at": NOW} if name == names_of[-1] else {}
        await record(context, RequestShow(id=name, kind="customer-contract", status=Status.SIGNED, **fields))
        await context.store.records.amend(Kind.REQUEST.workflow_id(name), 1, b"{}", lines)
    await record(context, RequestShow(id="of-escalation", kind="customer-contract", status=Status.SIGNED))
    of_escalation = (lines[0].replace(target="finance/escalated-1"),)
    await context.store.records.amend(Kind.REQUEST.workflow_id("of-escalation"), 1, b"{}", of_escalation)
    await context.store.records.amend(Kind.REQUEST.workflow_id("still-open"), 1, b"{}", lines)
    attention_lines = [line async for line in pages.everything(context, ListFilter(attention=True))]
    first = await pages.page(context, ListFilter(attention=True), size=1)
    assert (first.total, first.lines[0].document) == (len(names_of), "Terms")
    assert [(line.document, line.requester, line.due_at) for line in attention_lines[:2]] == [
        ("Terms", "office", NOW),
        ("", "", None),
    ]
    assert [line.id for line in attention_lines] == names_of[::-1], "newest first"
    assert {(line.status, line.attention) for line in attention_lines} == {("signed", "handoff_dead")}
    assert [line.id async for line in pages.everything(context, ListFilter(attention=True, requester="office"))] == [
        names_of[-1]
    ]
    assert (await pages.page(context, ListFilter(), size=1)).total == len(names_of) + 1
    attention_by_id = {line.id: line.attention async for line in pages.everything(context, ListFilter())}
    assert attention_by_id == {**dict.fromkeys(names_of, "handoff_dead"), "of-escalation": None}, "each list says so"


async def test_a_request_with_dead_hand_offs_that_still_tries_others_is_listed_once(context: Context) -> None:
    world = World()
    world.handoff.closed_targets, world.handoff.down = {"hr"}, {"finance"}
    async with workers(context.client, world):
        await begin(context)
        await wait_until_signer_told(context)
        lines = (HandoffLine(target="hr", state=HandoffState.DEAD, attempts=1, at=NOW),)
        await record(context, RequestShow(id=MSA, kind="customer-contract", status=Status.SIGNED))
        await context.store.records.amend(Kind.REQUEST.workflow_id(MSA), 1, b"{}", lines)
        world.signatures.status = Status.SIGNED
        handle = context.client.get_workflow_handle(Kind.REQUEST.workflow_id(MSA))
        await handle.signal(names.PROVIDER_EVENT, ProviderEvent(id="e1", type="signed", at=NOW))
        await wait_for_view(context, lambda view: view.attention)
        assert await eventually(lambda: _counted(context, "CsProblem = 'handoff_dead'", 1))
        [line] = await wait_for_lines(context, 1, attention=True)
    assert (line.status, line.attention, line.problem) == ("signed", "handoff_dead", None)


async def test_an_open_question_is_found_by_the_list_and_told_without_a_worker(context: Context) -> None:
    async with workers(context.client, World()):
        await begin(context)
        await wait_until_signer_told(context)
        question = Question(person="customer-signer", text="Which annex?")
        await commands.send(context.client, MSA, question, "q")
        [line] = await wait_for_lines(context, 1, attention=True)
        view = await start_files.show(context, MSA)
    view_without_worker = await lookup.find_request_view(context.client, context.store, MSA, time_limit=NO_WORKER)
    assert (line.id, line.problem, line.attention) == (MSA, None, "question_open")
    assert (
        [attention.code for attention in view.attention]
        == [attention.code for attention in view_without_worker.attention]
        == ["question_open"]
    )
    assert view_without_worker.partial and view_without_worker.problem is None


@pytest.mark.long
async def test_a_request_that_went_on_in_fresh_runs_is_one_line(tmp_path: Path) -> None:
    async with desk_in(tmp_path, *EARLY) as context, workers(context.client, World()):
        await begin(context)
        await wait_until_signer_told(context)
        handle = context.client.get_workflow_handle(Kind.REQUEST.workflow_id(MSA))
        first = (await handle.describe()).run_id
        sent = 0
        while (await handle.describe()).run_id == first:
            sent += 1
            await handle.signal(names.PROVIDER_EVENT, ProviderEvent(id=f"event-{sent}", type="viewed", at=NOW))
        query = f"WorkflowId = '{handle.id}'"
        assert await eventually(lambda: _counted(context, query, 2))
        assert [line.id async for line in pages.everything(context, ListFilter(attention=False))] == [MSA]
        assert (await pages.page(context, ListFilter(attention=False), size=1)).total == 1


async def _counted(context: Context, query: str, at_least: int) -> bool:
    return (await context.client.count_workflows(query)).count >= at_least


def test_the_instants_of_the_answer_are_in_utc() -> None:
    line = RequestLine(id="a", kind="k", status="sent", due_at=datetime(2026, 12, 11, 17, tzinfo=UTC))
    assert '"due_at":"2026-12-11T17:00:00Z"' in line.model_dump_json()


async def test_what_is_downloaded_is_in_the_timeline_and_in_no_record(context: Context) -> None:
    home, kept_file = Kind.REQUEST.workflow_id("msa-0042"), KeptFile(sha256="ab" * 32, bytes=7)
    entry = TimelineEntry(at=NOW, happened=EventType.SIGNED, who="chair")
    fields = {"kind": "nda", "document": "Agreement", "status": Status.SIGNED, "says": "", "timeline": (entry,)}
    await record(context, RequestShow(id="msa-0042", signed_document=kept_file, **fields))
    for minutes, file, way in ((2, KeptFileName.SIGNING_LOG, Way.DESK), (1, KeptFileName.DOCUMENT, Way.PAGE)):
        download = Download(NOW + timedelta(minutes=minutes), "chair", file, way)
        await context.store.downloads.note(home, download)
    await context.store.downloads.issue(LinkName(home, "finance", KeptFileName.DOCUMENT), str, NOW, timedelta(days=7))
    await context.store.downloads.revoke(home, "claimed:legal (root@host)", NOW + timedelta(minutes=3))
    view = await start_files.show(context, "msa-0042", in_full=True)
    assert [(line.what, line.who, line.actor) for line in view.timeline] == [
        ("signed", "chair", None),
        ("document downloaded", "chair", None),
        ("signing log downloaded", "chair", None),
        ("download links of targets revoked", "legal", "claimed:legal (root@host)"),
    ]
    recorded = await lookup.recorded(context.store, WorkflowName(Kind.REQUEST, "msa-0042"))
    assert recorded and recorded.timeline == (entry,)
