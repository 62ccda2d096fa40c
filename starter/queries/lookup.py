"""The state of a request: from its workflow by query while it runs, else from the settled record; without a worker from
Temporal's memo and search attributes.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import StoreFailure
from activities.people.ids import position_of
from activities.records.app_pushes import PushOfDevice
from activities.records.evidence import KeptFileName, SignedDocument
from activities.records.store import Store
from activities.records.user_texts import amendments_of, pages_of, together
from activities.temporal import executions
from activities.temporal.executions import Description, RunStatus
from starter.errors import Refusal
from starter.queries.filters import followed_up, id_of
from starter.temporal import pollers
from starter.temporal.connection import Context
from workflows import names
from workflows.follow_up.record import amended, completed
from workflows.follow_up.view import stamp
from workflows.kinds import Kind, WorkflowName, kinds, named
from workflows.model.commands import KnownBy, Problem
from workflows.model.evidence import KeptFile, KeptFiles
from workflows.model.notifications import AppEvent
from workflows.model.records import SettledRecord
from workflows.model.subject import Code, Status
from workflows.model.timeline import EventType, TimelineEntry
from workflows.model.views import (
    AnyShow,
    Attention,
    AttentionCode,
    FollowUpShow,
    NextAction,
    NextStep,
    RequestShow,
    Shown,
    view_of,
)

_WORKER_ANSWERS_WITHIN: Final = timedelta(seconds=5)
_NOBODY_AFTER: Final = 1.0
"""Seconds before checking whether there is a worker: an answer mostly takes a tenth of that."""
_STARTER_WITHIN: Final = 1.0
"""Seconds to read who started it."""
_KNOWS_MORE: Final = "no worker answers that knows more"
_NO_WORKER: Final = (
    RPCStatusCode.CANCELLED,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.FAILED_PRECONDITION,
    RPCStatusCode.UNAVAILABLE,
)
_DOWNLOADED: Final = {
    KeptFileName.DOCUMENT: EventType.DOWNLOADED,
    KeptFileName.SIGNING_LOG: EventType.LOG_DOWNLOADED,
}
_PAUSED_WHY: Final = "somebody paused the workflow in Temporal: unpause it in the Web UI"
SYSTEMS: Final = {"core-signature": "Core Signature", "countersign": "Countersign", "temporal": "Temporal"}
"""Actors that are no persons; the same in every language."""
OUTCOMES: Final = (EventType.SIGNED, EventType.DONE, EventType.DECLINED, EventType.WAIVED)
"""Events that say how it ended."""
_CONFIRMED_BY: Final[Mapping[str, EventType]] = {
    EventType.CANCELLATION_ASKED: EventType.CANCELLED,
    EventType.HAND_OVER_ASKED: EventType.HANDED_OVER,
}
"""Commands, and the events that confirm them."""
_SOON: Final = timedelta(minutes=1)
"""A command confirmed later than this is an entry of its own."""


class UnknownFollowUp(Refusal):
    """Neither Temporal nor the records know it."""

    def __init__(self, workflow: WorkflowName, hint: str = "") -> None:
        super().__init__(f"no {workflow.kind} {workflow.id}: neither Temporal nor the records know it{hint}")
        self.workflow = workflow


@asynccontextmanager
async def suggesting(client: Client) -> AsyncIterator[None]:
    """Adds similar ids to `Unknown`."""
    try:
        yield
    except UnknownFollowUp as unknown:
        from starter.queries.filters import hint  # noqa: PLC0415  a list is what hardly any word needs

        raise UnknownFollowUp(unknown.workflow, await hint(client, unknown.workflow)) from None


async def show(context: Context, typed: str, *, in_full: bool = False) -> RequestShow:
    """Everything known of a request; `partial` if no worker answers. `Refusal` for an unknown id."""
    return await show_as(RequestShow, context, typed, in_full=in_full)


async def show_as(view: type[AnyShow], context: Context, typed: str, *, in_full: bool = False) -> AnyShow:
    """Everything known of one of the view's kind; see `show`."""
    return of_type(view, await show_of(view.of, context, typed, in_full=in_full))


async def show_of(kind: Kind, context: Context, typed: str, *, in_full: bool = False) -> Shown:
    """As `show`, for any kind."""
    async with suggesting(context.client):
        view = await find_best_view(context.client, context.store, WorkflowName(kind, id_of(kind, typed)))
    return await _with_app_events(context.store, await load_earlier_entries(context.store, view)) if in_full else view


async def find_request_view(
    client: Client, store: Store, id: str, *, time_limit: timedelta = _WORKER_ANSWERS_WITHIN
) -> RequestShow:
    """The best answer about a request; raises `Unknown`."""
    return of_type(
        RequestShow, await find_best_view(client, store, WorkflowName(Kind.REQUEST, id), time_limit=time_limit)
    )


async def find_best_view(
    client: Client, store: Store, workflow: WorkflowName, *, time_limit: timedelta = _WORKER_ANSWERS_WITHIN
) -> Shown:
    """The best answer for any kind; raises `Unknown`, and `StoreFailure` if stored texts cannot be read."""
    view = await together(store, workflow.workflow_id, await _find_view(client, store, workflow, time_limit))
    view = await _with_app_events(store, await _with_starter(store, view))
    return await _with_downloads_and_revocations(store, view)


async def with_holds(store: Store, view: Shown) -> Shown:
    """With its legal holds and their reasons, which are for operators alone."""
    noted = list[TimelineEntry]()
    for hold in await store.holds.list_holds(view.type.workflow_id(view.id)):
        noted.append(_by_hand(hold.at, EventType.ON_HOLD, hold.by).replace(why=hold.reason, said=True))
        if hold.released_at:
            noted.append(_by_hand(hold.released_at, EventType.HOLD_RELEASED, hold.released_by or ""))
    return _add_entries(view, noted)


def resolve_position(view: Shown, typed: str) -> str:
    """The id at the position of `signer-2` in the file; other words unchanged."""
    position, ids = position_of(typed), view.people_in_file
    return ids[position - 1] if position and position <= len(ids) else typed


async def find_workflow_of_any_kind(context: Context, typed: str) -> WorkflowName:
    """The one with this id of any kind, or of this workflow id; `Refusal` for an id of several, or of none."""
    if named(typed):
        return followed_up(typed)
    possible = [WorkflowName(kind, id_of(kind, typed)) for kind in kinds()]
    known_ids = await context.store.starts.find_known([workflow.workflow_id for workflow in possible])
    described = await asyncio.gather(
        *(executions.find_run(context.client, workflow.workflow_id) for workflow in possible)
    )
    matches = [
        workflow for workflow, run in zip(possible, described, strict=True) if run or workflow.workflow_id in known_ids
    ]
    if not matches:
        async with suggesting(context.client):
            raise UnknownFollowUp(possible[0])
    if len(matches) > 1:
        raise Refusal(f"{typed} is the id of several: {', '.join(workflow.workflow_id for workflow in matches)}")
    return matches[0]


async def web_ui_page(context: Context, workflow: WorkflowName) -> str | None:
    """The Web UI's page with the answer of its present run; None if unknown."""
    if context.web_ui is None:
        return None
    run = await executions.find_run(context.client, workflow.workflow_id)
    return context.url(workflow.workflow_id, run.run_id) if run else None


async def recorded(store: Store, workflow: WorkflowName) -> Shown | None:
    """The settled record with its amendments, None if not settled."""
    workflow_id = workflow.workflow_id
    content = await store.records.read(workflow_id)
    if content is None:
        return None
    view = await together(store, workflow_id, SettledRecord.model_validate_json(content).show)
    full_view: Shown = amended(await load_earlier_entries(store, view), await amendments_of(store, workflow_id))
    signed = await store.evidence.signed(workflow_id)
    if signed is None:
        return full_view
    removed_at = signed.removed_at
    removed = [TimelineEntry(at=removed_at, happened=EventType.FILES_REMOVED)] if removed_at else []
    return _add_entries(full_view.with_files(*kept_of(signed)), removed)


def kept_of(signed: SignedDocument) -> tuple[KeptFiles, Problem | None]:
    """The files that are kept by now, and what is missing."""
    document, log = (
        KeptFile(sha256=file.sha256, bytes=file.bytes) if file else None for file in (signed.document, signed.log)
    )
    missing = signed.at and signed.why and Problem(code=Code.EVIDENCE, since=signed.at, says=signed.why)
    return KeptFiles(document=document, signing_log=log), missing or None


async def load_earlier_entries(store: Store, view: AnyShow) -> AnyShow:
    """With the older notices and events that were moved to the store."""
    if not view.has_pages:
        return view
    return completed(view, await pages_of(store, view.type.workflow_id(view.id)))


def of_type(expected: type[AnyShow], view: FollowUpShow) -> AnyShow:
    """The view that was asked for; TypeError for one of another kind."""
    if not isinstance(view, expected):
        raise TypeError(f"{type(view).__name__} where {expected.__name__} was asked for")
    return view


def needs_attention(code: str | None) -> bool:
    """Whether a `CsProblem` value is no problem, but needs an operator."""
    return code in list(AttentionCode)


def told_once(timeline: Sequence[TimelineEntry]) -> list[TimelineEntry]:
    """Without an outcome that repeats a decline, and without commands confirmed at once: what confirms one has its
    actor.
    """
    declined = any(entry.happened == EventType.DECLINED and not is_outcome(entry) for entry in timeline)
    commands, actors = set[int](), dict[int, str | None]()
    for number, entry in enumerate(timeline):
        if entry.happened in _CONFIRMED_BY and (confirmed := _confirmation(timeline, number)) is not None:
            commands.add(number)
            actors[confirmed] = entry.actor
    return [
        entry.replace(actor=actors.get(number, entry.actor))
        for number, entry in enumerate(timeline)
        if number not in commands and not (declined and entry.happened == EventType.DECLINED and is_outcome(entry))
    ]


def is_outcome(entry: TimelineEntry) -> bool:
    """Whether an entry says how it ended."""
    return entry.happened in OUTCOMES and (not entry.who or entry.who in SYSTEMS)


async def _with_starter(store: Store, view: Shown) -> Shown:
    """With who started it, unless the database is away."""
    with suppress(StoreFailure, TimeoutError):
        async with asyncio.timeout(_STARTER_WITHIN):
            return await store.starts.with_actor(view)
    return view


async def _with_app_events(store: Store, view: Shown) -> Shown:
    """With what the app reported of its notifications, unless the database is away. Of several of a stage the newest,
    which is on the screen.
    """
    if not any(line.devices for line in view.notifications):
        return view
    events: Mapping[PushOfDevice, tuple[AppEvent, ...]] = {}
    with suppress(StoreFailure):
        events = await store.app_pushes.list_events(view.type.workflow_id(view.id))
    remaining_events = dict(events)
    lines = [
        line.replace(
            devices=tuple(
                device.replace(events=remaining_events.pop(PushOfDevice(line.person, line.stage, device.device), ()))
                for device in line.devices
            )
        )
        for line in reversed(view.notifications)
    ]
    return view.replace(notifications=tuple(reversed(lines))) if events else view


async def _with_downloads_and_revocations(store: Store, view: Shown) -> Shown:
    """With the newest downloads of what is kept of it and the last revocation of its links, which are in neither its
    record nor its amendments.
    """
    if not view.kept_files.any:
        return view
    workflow_id = view.type.workflow_id(view.id)
    downloaded = [
        TimelineEntry(at=download.at, happened=_DOWNLOADED[download.file], who=download.who)
        for download in await store.downloads.list_downloads(workflow_id)
    ]
    revoked = {(link.revoked_at, link.revoked_by or "") for link in await store.downloads.links(workflow_id)}
    revocations = [
        _by_hand(revoked_at, EventType.LINKS_REVOKED, revoked_by) for revoked_at, revoked_by in revoked if revoked_at
    ]
    return _add_entries(view, [*downloaded, *revocations])


def _by_hand(happened_at: datetime, happened: EventType, actor: str) -> TimelineEntry:
    return TimelineEntry(at=happened_at, happened=happened, who=KnownBy.name_in(actor), actor=actor)


def _add_entries(view: Shown, noted: Iterable[TimelineEntry]) -> Shown:
    return view.replace(timeline=tuple(sorted([*view.timeline, *noted], key=lambda entry: entry.at)))


async def _find_view(client: Client, store: Store, workflow: WorkflowName, time_limit: timedelta) -> Shown:
    described = await executions.find_run(client, workflow.workflow_id)
    if described is None:
        return await _find_record(store, workflow)
    if described.status is RunStatus.PAUSED:
        return _mark_paused(await _describe_without_worker(store, workflow, described), described)
    settled_view = None if described.status.open else await recorded(store, workflow)
    view = (
        settled_view
        or await _ask_workflow(client, workflow, time_limit)
        or await _describe_without_worker(store, workflow, described)
    )
    return _mark_broken_off(view, described.status) if described.status.broken_off else view


async def _ask_workflow(client: Client, workflow: WorkflowName, time_limit: timedelta) -> Shown | None:
    """The workflow's answer, None without a worker, which shows early if nobody polls."""
    query = asyncio.create_task(_queried(client, workflow, time_limit))
    try:
        await asyncio.wait({query}, timeout=_NOBODY_AFTER)
        return await query if query.done() or await pollers.is_polled(client) else None
    finally:
        query.cancel()


async def _queried(client: Client, workflow: WorkflowName, time_limit: timedelta) -> Shown | None:
    handle = client.get_workflow_handle(workflow.workflow_id)
    try:
        view: Shown = await handle.query(names.SHOW, result_type=view_of(workflow.kind), rpc_timeout=time_limit)
    except WorkflowQueryFailedError:
        return None
    except ValidationError:
        raise
    except ValueError:
        return None  # Paused meanwhile: the rejection has a status that the SDK does not know.
    except RPCError as error:
        if error.status in _NO_WORKER:
            return None
        raise
    return view


async def _find_record(store: Store, workflow: WorkflowName) -> Shown:
    record = await recorded(store, workflow)
    if record is None:
        raise UnknownFollowUp(workflow)
    return record


async def _describe_without_worker(store: Store, workflow: WorkflowName, described: Description) -> Shown:
    if record := await recorded(store, workflow):
        return record.replace(partial=True)
    attributes = described.search_attributes
    kind = attributes.get(names.KIND) or ""
    status = Status(attributes.get(names.STATUS) or workflow.kind.spec.begins)
    facts = FollowUpShow(
        id=workflow.id,
        kind=kind,
        requester=attributes.get(names.REQUESTER) or "",
        status=status,
        problem=_problem(attributes.get(names.PROBLEM), described),
        attention=_attention(attributes.get(names.PROBLEM), described),
        next=NextAction(what=NextStep.WAIT, at=None, why="no worker answers: start `countersign worker`"),
        due_at=attributes.get(names.DUE_AT),
        says=f"No worker answers; when one last did, the {workflow.kind} was {status}",
        partial=True,
    )
    title = (await described.summary()).removeprefix(f"{kind}: ")
    return view_of(workflow.kind).outside(facts, title, attributes.get(names.STAGE) or "", described.started_at)


def _problem(code: str | None, described: Description) -> Problem | None:
    if code is None or needs_attention(code):
        return None
    return Problem(code=Code(code), since=described.started_at, says=_KNOWS_MORE)


def _attention(code: str | None, described: Description) -> tuple[Attention, ...]:
    if code is None or not needs_attention(code):
        return ()
    return (Attention(code=AttentionCode(code), since=described.started_at, says=_KNOWS_MORE),)


def _mark_broken_off(view: AnyShow, run_status: RunStatus) -> AnyShow:
    # Marks a broken-off one, whose last state would read as open.
    sentence = f"The workflow was {run_status} and does nothing more; before that: {view.says}"
    return view.replace(next=None, waiting_for=(), choices=(), says=sentence, trouble=run_status)


def _mark_paused(view: AnyShow, described: Description) -> AnyShow:
    """A paused workflow answers no query: what is known without it."""
    paused_since = described.paused_at or described.started_at
    sentence = (
        f"The workflow is paused in Temporal since {stamp(paused_since)}, so nobody is told anything; "
        f"it was {view.status}"
    )
    paused = Attention(code=AttentionCode.PAUSED, since=paused_since, says=_PAUSED_WHY)
    return view.replace(
        next=NextAction(what=NextStep.WAIT, at=None, why=_PAUSED_WHY),
        attention=(paused, *(reason for reason in view.attention if reason.code is not AttentionCode.PAUSED)),
        says=sentence,
        trouble=described.status,
    )


def _confirmation(timeline: Sequence[TimelineEntry], index: int) -> int | None:
    """Which entry confirms a command at once."""
    command = timeline[index]
    confirmations = (
        index_later
        for index_later, later in enumerate(timeline[index + 1 :], start=index + 1)
        if later.happened == _CONFIRMED_BY[command.happened]
        and (command.who, command.about, command.by) == (later.who, later.about, later.by)
        and later.at - command.at < _SOON
    )
    return next(confirmations, None)
