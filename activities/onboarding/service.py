"""The onboarding port: starts, reads and ends the parts of an onboarding (docs/onboarding.md)."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import TimeSkipper

from activities.errors import DocumentDamaged, DocumentMissing, StoreAway, StoreFailure
from activities.files.reading import FileFaults
from activities.launch import launch as path
from activities.launch.doors import CheckContext, Clock, Intake, admit, wall_clock
from activities.launch.intake import asked_of, person_of
from activities.launch.launch import end_forgotten, end_terminated
from activities.launch.request_file import PreparedRequest
from activities.notifications.words import words_for
from activities.onboarding.content import OnboardingContent, PartContent, read_part
from activities.onboarding.intake import PreparedPart, prepare_part
from activities.people.directory import Directory
from activities.people.language import phrase
from activities.people.reader import language_of
from activities.records.store import Store
from activities.records.user_texts import DAMAGED, ERASED, words_of_all
from activities.temporal import executions as runs
from activities.temporal.clock import make_moved_clock_check
from activities.temporal.commands import ANSWERS_WITHIN, send_command, try_command
from activities.temporal.failures import failing_as_application_errors, passing_failure
from workflows import names
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.view import PEOPLE_AT_MOST
from workflows.kinds import Kind, WorkflowName, named
from workflows.model.commands import Cancellation, Subscription, TaskCompletion
from workflows.model.notifications import NoticeAction
from workflows.model.onboarding import (
    PartKind,
    PartSnapshot,
    PartSnapshots,
    PartsToEnd,
    PartsToLookAt,
    PartsToStart,
    PartToStart,
    StartedPart,
)
from workflows.model.policy import Policy, Target
from workflows.model.records import SettledRecord
from workflows.model.signature import SignerState
from workflows.model.subject import Code, ToDecide
from workflows.model.views import Shown
from workflows.onboarding.state import DECISION
from workflows.ports import OnboardingParts
from workflows.signature.state import SignatureInput

_CLOCKS_DIFFER: Final = timedelta(minutes=5)
_JUST_AFTER: Final = timedelta(seconds=10)
"""Longer than a part's first work takes: a part still at it may be moved to its first reminder."""
_SAYS_AT_MOST: Final = 300
_BY: Final = "countersign"
_DECIDE: Final = phrase("Decide: {title}")
_PLEASE_DECIDE: Final = phrase(
    "Please decide: send it again, go on without it, or stop the onboarding. "
    "If it needs another file, pass this on to whoever runs Countersign."
)
_NOT_STARTED: Final = phrase("It could not be started: {fault}.")
_BROKEN_OFF: Final = phrase("It was broken off.")


@dataclass
class OnboardingPartsService(OnboardingParts):
    """Starts parts by the one start path; `policies` is the catalogue, read anew for each order."""

    client: Client
    store: Store
    directory: Directory
    policies: Path
    now: Clock = wall_clock

    async def start(self, order: PartsToStart) -> PartSnapshots:
        """Starts one after the other, since each may have a document in memory. Then moves all clocks, and asks the
        parts that existed before, concurrently.
        """
        workflow_id = order.workflow_id
        with failing_as_application_errors():
            content = await OnboardingContent.read(self.store, workflow_id, order.content)
            sources = await self._sources()
            ahead = await self._rehearsed(order)
            results = [await self._start(order, part, content, sources, ahead) for part in order.parts]
            failures = [result for result in results if isinstance(result, StoreAway)]
            if len(failures) == len(results) > 0:
                raise failures[0]
            living = [result for result in results if isinstance(result, path.StartResult)]
            if ahead:
                await asyncio.gather(*(self._begin(part.workflow_id, ahead) for part in living if part.created))
            ended_parts = await asyncio.gather(
                *(self._subscribe(order, part.workflow_id) for part in living if not part.created)
            )
        return PartSnapshots(
            parts=tuple(outcome for outcome in (*results, *ended_parts) if isinstance(outcome, PartSnapshot)),
            away=tuple(
                part.id for part, result in zip(order.parts, results, strict=True) if isinstance(result, StoreAway)
            ),
            begun=tuple(
                StartedPart(id=part.id, asked=part.first_asked) for part in living if isinstance(part, _StartedPart)
            ),
        )

    async def _sources(self) -> CheckContext:
        try:
            return await Intake.from_policies_file(self.policies, self.directory, self.now).read_check_context()
        except FileFaults as faults:
            raise passing_failure(Code.PLANNING, f"the catalogue is faulty: {faults.in_short}") from None

    async def _start(
        self,
        order: PartsToStart,
        part: PartToStart,
        content: OnboardingContent,
        sources: CheckContext,
        ahead: timedelta,
    ) -> PartSnapshot | path.StartResult | StoreAway:
        """The started part, why it is refused, or that the store is unavailable."""
        try:
            return await self._start_part(order, part, content, sources, ahead)
        except path.IdTaken as conflict:
            return await self._find_decision_task(order, part) or _build_refused_snapshot(
                part, str(conflict), resumable=False
            )
        except (path.ForeignPartId, path.BrokenOff) as refused:
            return _build_refused_snapshot(
                part, str(refused), resumable=isinstance(refused, path.BrokenOff) and refused.is_restartable
            )
        except StoreAway as failure:
            return failure
        except StoreFailure as lost:
            return _build_refused_snapshot(part, str(lost), resumable=part.again)

    async def _start_part(
        self,
        order: PartsToStart,
        part: PartToStart,
        content: OnboardingContent,
        sources: CheckContext,
        ahead: timedelta,
    ) -> PartSnapshot | path.StartResult:
        part_content, part_kind = await self._content(order, part, content)
        try:
            joined = await self._checked(order, part, content, (part_content, part_kind), sources)
            parent = order.workflow_id
            started = await admit(joined).start(
                self.client, self.store, parent=parent, is_restart=part.again, delay=ahead
            )
            return _StartedPart(**vars(started), first_asked=joined.workflow_input.first_turn[:PEOPLE_AT_MOST])
        except (FileFaults, DocumentMissing, DocumentDamaged) as faults:
            # It may have been started while its content was valid: by an earlier attempt, or alone.
            explanation = faults.in_short if isinstance(faults, FileFaults) else str(faults)
            try:
                workflow_name = WorkflowName(part_kind.runs_as or Kind.TASK, part.id)
                return await path.recognise(self.client, self.store, workflow_name, part_content.fingerprint, faults)
            except (FileFaults, DocumentMissing, DocumentDamaged):
                return _build_refused_snapshot(part, explanation, resumable=part.again)
            except path.BrokenOff as broken:
                return _build_refused_snapshot(part, explanation, resumable=broken.is_restartable)

    async def _checked(
        self,
        order: PartsToStart,
        part: PartToStart,
        content: OnboardingContent,
        content_and_kind: tuple[PartContent, PartKind],
        sources: CheckContext,
    ) -> PreparedPart:
        """A part ready to start from its content and kind; raises the faults of its file or document."""
        part_content, part_kind = content_and_kind
        sources = replace(sources, documents=await part_content.read_documents(self.store))
        return _add_onboarding_context(
            await prepare_part(part_kind, part_content.plain(part.id), sources), order, part, part_content, content
        )

    async def _find_decision_task(self, order: PartsToStart, part: PartToStart) -> path.StartResult | None:
        """The decision task started by an earlier attempt, recognised even if its text differs by now."""
        if part.after is None:
            return None
        workflow_name = WorkflowName(Kind.TASK, part.id)
        run = await runs.find_run(self.client, workflow_name.workflow_id)
        if run is None or run.search_attributes.get(names.PARENT) != order.workflow_id:
            return None
        return path.StartResult(workflow_name.id, workflow_name.workflow_id, run.run_id, created=False)

    async def _rehearsed(self, order: PartsToStart) -> timedelta:
        """How far a rehearsal has moved the onboarding's clock, zero if only the worker's clock is off. An activity
        gets its workflow's time from the server: only its own clock shows the difference, and only the server tells
        which clock is moved.
        """
        if not (ahead := _ahead(order.now, self.now())) or await self._was_moved(order.workflow_id):
            return ahead
        activity.logger.error("the clock of this worker is behind", extra={"seconds": int(ahead.total_seconds())})
        return timedelta()

    async def _was_moved(self, workflow_id: str) -> bool:
        return await make_moved_clock_check(self.client)(workflow_id)

    async def _begin(self, workflow_id: str, ahead: timedelta) -> None:
        """Move a part's clock to the rehearsal's time; on failure it begins by itself."""
        move = TimeSkipper(self.client).fast_forward(self.client.get_workflow_handle(workflow_id), ahead + _JUST_AFTER)
        with suppress(RPCError, TimeoutError):
            await asyncio.wait_for(move, ANSWERS_WITHIN.total_seconds())

    async def _content(
        self, order: PartsToStart, part: PartToStart, content: OnboardingContent
    ) -> tuple[PartContent, PartKind]:
        if part.after is not None:
            return await self._decision(order, part, content), PartKind.TASK
        if part.content is None:
            return content.parts[part.part], part.what
        return await read_part(self.store, order.workflow_id, part.content), part.what

    async def _decision(self, order: PartsToStart, part: PartToStart, content: OnboardingContent) -> PartContent:
        """The task to decide about a part, in the owner's language, with the reason of its ending."""
        title = str(_title_of(content.parts[part.part], part.part))
        say = (await language_of(self.directory, person_of(content.owner), order.workflow_id)).say
        ending = " ".join(filter(None, (say(_ended_as(part), fault=part.says), await self._reasons(part))))
        text = f"{title}: {ending}\n\n{say(_PLEASE_DECIDE)}"
        return PartContent(
            file={
                "kind": DECISION,
                "title": say(_DECIDE, title=title)[:200],
                "text": text[:4000],
                "who": asked_of(content.owner),
                "owner": content.deputy,
            }
        )

    async def _reasons(self, part: PartToStart) -> str:
        kind = part.what.runs_as
        if kind is None or part.after is None:
            return ""
        workflow_id = kind.workflow_id(part.after)
        content = await self.store.records.read(workflow_id)
        view = SettledRecord.model_validate_json(content).show if content else None
        reasons = view.reasons.values() if view else ()
        text_by_reason = await words_of_all(self.store, workflow_id, reasons)
        return " ".join(text_by_reason[reason] for reason in reasons if text_by_reason[reason] not in (ERASED, DAMAGED))

    async def _subscribe(self, order: PartsToStart, workflow_id: str) -> PartSnapshot | None:
        """Subscribe the onboarding to a part that already existed; how it ended, if it has."""
        subscription = Subscription(actor=_BY, workflow=order.workflow_id)
        if refusal := await try_command(self.client, workflow_id, subscription, order.onboarding):
            activity.logger.warning("part not subscribed to", extra={"workflow": workflow_id, "says": refusal})
        return await self._look_at(workflow_id)

    async def read(self, parts: PartsToLookAt) -> PartSnapshots:
        with failing_as_application_errors():
            parts_seen = await asyncio.gather(*(self._look_at(id) for id in parts.parts))
        return PartSnapshots(parts=tuple(part for part in parts_seen if part is not None))

    async def _look_at(self, workflow_id: str) -> PartSnapshot | None:
        workflow_name = named(workflow_id)
        if workflow_name is None:
            return None
        if content := await self.store.records.read(workflow_id):
            return _build_ended_part(workflow_name.id, SettledRecord.model_validate_json(content).show)
        run = await runs.find_run(self.client, workflow_id)
        is_restartable = run is None or run.status is runs.RunStatus.TERMINATED
        return (
            PartSnapshot(id=workflow_name.id, broken=True, resumable=is_restartable)
            if run is None or run.status.broken_off
            else None
        )

    async def end(self, parts: PartsToEnd) -> None:
        command = (
            TaskCompletion(actor=parts.actor, note=parts.reason, decided=True)
            if parts.done
            else Cancellation(actor=parts.actor, reason=parts.reason, told=parts.told)
        )
        with failing_as_application_errors():
            await asyncio.gather(*(self._end(id, command, parts) for id in parts.parts))

    async def _end(self, workflow_id: str, command: TaskCompletion | Cancellation, parts: PartsToEnd) -> None:
        run, begun_by = await runs.find_run(self.client, workflow_id), parts.begun_by
        if run is None and parts.begun and isinstance(command, Cancellation):
            agreements = {Kind.REQUEST.workflow_id(part.id): part for part in parts.begun.parts}
            if (part := agreements.get(workflow_id)) and not await self.store.records.read(workflow_id):
                await self._end_forgotten(parts.begun, part, command)
        if run is None or (begun_by and run.search_attributes.get(names.PARENT) != begun_by):
            return
        if run.status.broken_off and isinstance(command, Cancellation):
            await end_terminated(self.client, self.store, workflow_id, command, self.now())
        elif refusal := await send_command(self.client, workflow_id, command, _BY):
            activity.logger.info("part not ended", extra={"workflow": workflow_id, "says": refusal})

    async def _end_forgotten(self, order: PartsToStart, part: PartToStart, cancellation: Cancellation) -> None:
        # End the document of an agreement without workflow and record, by its stored content. Content that is erased or
        # invalid by now is only logged: a retry would not help.
        sources = await self._sources()
        try:
            content = await OnboardingContent.read(self.store, order.workflow_id, order.content)
            checked = await self._checked(order, part, content, await self._content(order, part, content), sources)
        except StoreAway:
            raise
        except (FileFaults, StoreFailure) as lost:
            activity.logger.error("forgotten part not ended", extra={"part": part.id, "says": type(lost).__name__})
            return
        if isinstance(request_input := checked.workflow_input, SignatureInput):
            # Nobody is asked any more: the message stays in the erasable store.
            request_input = request_input.replace(brief=request_input.brief.replace(message=None))
            onboarding_workflow = order.workflow_id
            await end_forgotten(
                self.client, self.store, request_input, cancellation, self.now(), parent=onboarding_workflow
            )


@dataclass(frozen=True)
class _StartedPart(path.StartResult):
    """A started or recognised part; `asked` are those it asks first."""

    first_asked: tuple[str, ...] = ()


def _ahead(now: datetime | None, own_now: datetime) -> timedelta:
    """How far the onboarding's clock is ahead of ours; zero if its time is only that of the scheduling."""
    ahead = now - own_now if now else timedelta()
    return ahead if ahead > _CLOCKS_DIFFER else timedelta()


def _add_onboarding_context(
    prepared: PreparedPart,
    order: PartsToStart,
    part: PartToStart,
    part_content: PartContent,
    content: OnboardingContent,
) -> PreparedPart:
    """The part with what the onboarding adds outside its fingerprint: subscription, notification budget, origin, the
    customer's name in its title, and the subject of a decision task.
    """
    workflow_input = prepared.workflow_input
    subscribers = tuple(subscriber for subscriber in workflow_input.subscribers if subscriber != order.workflow_id)
    tell_requester = workflow_input.policy.tell_requester
    # The owner follows the onboarding: a part's start is news only if its own file wants it.
    policy = workflow_input.policy.replace(
        tell_requester=tell_requester.replace(started=tell_requester.started and part_content.tells_of_its_start)
    )
    changes: dict[str, Any] = {"subscribers": (*subscribers, order.workflow_id), "quiet": order.quiet}
    if not isinstance(prepared, PreparedRequest):
        decides = ToDecide(onboarding=order.onboarding, part=part.part) if part.after else None
        task = prepared.workflow_input.task
        task = task.replace(title=content.add_customer(task.title), depth=order.depth, decides=decides)
        return replace(prepared, workflow_input=prepared.workflow_input.replace(task=task, policy=policy, **changes))
    policy = policy.replace(handoff=(*policy.handoff, *_teams(policy, order.told)))
    brief = prepared.request.brief
    brief = brief.replace(title=content.add_customer(brief.title), depth=order.depth)
    return replace(prepared, request=prepared.request.replace(brief=brief, policy=policy, **changes))


def _teams(policy: Policy, team_members: tuple[str, ...]) -> Iterator[Target]:
    """The teams that the agreement's own policy does not notify."""
    notified = {target.person for target in policy.handoff} | {target.target for target in policy.handoff}
    return (Target(target=person, person=person) for person in team_members if person not in notified)


def _title_of(content: PartContent, part: str) -> object:
    document = content.file.get("document")
    named_after = document.get("name") if isinstance(document, dict) else None
    return content.file.get("title") or named_after or part


def _ended_as(part: PartToStart) -> str:
    if part.status and part.what.runs_as:
        return words_for(NotificationType.SETTLED, NoticeAction.OPEN, part.status, subject_kind=part.what.runs_as).body
    return _NOT_STARTED if part.says else _BROKEN_OFF


def _build_ended_part(id: str, view: Shown) -> PartSnapshot:
    declined = next((line.person for line in view.lines if line.state == SignerState.DECLINED), None)
    return PartSnapshot(id=id, status=view.status, by=declined)


def _build_refused_snapshot(part: PartToStart, message: str, *, resumable: bool) -> PartSnapshot:
    return PartSnapshot(id=part.id, says=message[:_SAYS_AT_MOST], resumable=resumable)
