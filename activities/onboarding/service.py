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
from activities.launch.doors import Clock, Intake, Sources, admit, wall_clock
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
from activities.temporal.clock import moved_on
from activities.temporal.commands import ANSWERS_WITHIN, send_command, try_command
from activities.temporal.failures import failing_as_application_errors, passing_failure
from workflows import names
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.view import PEOPLE_AT_MOST
from workflows.kinds import Kind, WorkflowName, named
from workflows.model.commands import Cancellation, Done, Subscription
from workflows.model.notifications import NoticeAction
from workflows.model.onboarding import (
    PartBegun,
    PartKind,
    PartSeen,
    PartsSeen,
    PartsToEnd,
    PartsToLookAt,
    PartsToStart,
    PartToStart,
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


@dataclass(frozen=True)
class _Begun(path.StartResult):
    """A started or recognised part; `asked` are those it asks first."""

    asked: tuple[str, ...] = ()


@dataclass
class OnboardingPartsService(OnboardingParts):
    """Starts parts by the one start path; `policies` is the catalogue, read anew for each order."""

    client: Client
    store: Store
    directory: Directory
    policies: Path
    now: Clock = wall_clock

    async def start(self, order: PartsToStart) -> PartsSeen:
        """Starts one after the other, since each may have a document in memory. Then moves all clocks, and asks the
        parts that existed before, concurrently.
        """
        workflow_id = order.workflow_id
        with failing_as_application_errors():
            content = await OnboardingContent.read(self.store, workflow_id, order.content)
            sources = await self._sources()
            ahead = await self._rehearsed(order)
            found = [await self._start(order, one, content, sources, ahead) for one in order.parts]
            away = [one for one in found if isinstance(one, StoreAway)]
            if len(away) == len(found) > 0:
                raise away[0]
            living = [one for one in found if isinstance(one, path.StartResult)]
            if ahead:
                await asyncio.gather(*(self._begin(one.workflow_id, ahead) for one in living if one.created))
            seen = await asyncio.gather(*(self._subscribe(order, one.workflow_id) for one in living if not one.created))
        return PartsSeen(
            parts=tuple(one for one in (*found, *seen) if isinstance(one, PartSeen)),
            away=tuple(part.id for part, one in zip(order.parts, found, strict=True) if isinstance(one, StoreAway)),
            begun=tuple(PartBegun(id=one.id, asked=one.asked) for one in living if isinstance(one, _Begun)),
        )

    async def _sources(self) -> Sources:
        try:
            return await Intake.of(self.policies, self.directory, self.now).sources()
        except FileFaults as faults:
            raise passing_failure(Code.PLANNING, f"the catalogue is faulty: {faults.in_short}") from None

    async def _start(
        self, order: PartsToStart, part: PartToStart, content: OnboardingContent, sources: Sources, ahead: timedelta
    ) -> PartSeen | path.StartResult | StoreAway:
        """The started part, why it is refused, or that the store is unavailable."""
        try:
            return await self._started(order, part, content, sources, ahead)
        except path.IdTaken as taken:
            return await self._asked(order, part) or _refused(part, str(taken), resumable=False)
        except (path.NotItsOwn, path.BrokenOff) as refused:
            return _refused(part, str(refused), resumable=isinstance(refused, path.BrokenOff) and refused.left)
        except StoreAway as away:
            return away
        except StoreFailure as lost:
            return _refused(part, str(lost), resumable=part.again)

    async def _started(
        self, order: PartsToStart, part: PartToStart, content: OnboardingContent, sources: Sources, ahead: timedelta
    ) -> PartSeen | path.StartResult:
        kept, what = await self._content(order, part, content)
        try:
            joined = await self._checked(order, part, content, (kept, what), sources)
            parent = order.workflow_id
            started = await admit(joined).start(self.client, self.store, parent=parent, again=part.again, delay=ahead)
            return _Begun(**vars(started), asked=joined.given.first_turn[:PEOPLE_AT_MOST])
        except (FileFaults, DocumentMissing, DocumentDamaged) as faults:
            # It may have been started while its content was valid: by an earlier attempt, or alone.
            says = faults.in_short if isinstance(faults, FileFaults) else str(faults)
            try:
                known = WorkflowName(what.runs_as or Kind.TASK, part.id)
                return await path.recognise(self.client, self.store, known, kept.fingerprint, faults)
            except (FileFaults, DocumentMissing, DocumentDamaged):
                return _refused(part, says, resumable=part.again)
            except path.BrokenOff as broken:
                return _refused(part, says, resumable=broken.left)

    async def _checked(
        self,
        order: PartsToStart,
        part: PartToStart,
        content: OnboardingContent,
        of: tuple[PartContent, PartKind],
        sources: Sources,
    ) -> PreparedPart:
        """A part ready to start from the content and kind in `of`; raises the faults of its file or document."""
        kept, what = of
        sources = replace(sources, documents=await kept.read_documents(self.store))
        return _joined(await prepare_part(what, kept.plain(part.id), sources), order, part, kept, content)

    async def _asked(self, order: PartsToStart, part: PartToStart) -> path.StartResult | None:
        """The decision task started by an earlier attempt, recognised even if its text differs by now."""
        if part.after is None:
            return None
        what = WorkflowName(Kind.TASK, part.id)
        found = await runs.found(self.client, what.workflow_id)
        if found is None or found.known.get(names.PARENT) != order.workflow_id:
            return None
        return path.StartResult(what.id, what.workflow_id, found.run_id, created=False)

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
        return await moved_on(self.client)(workflow_id)

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
        why = " ".join(filter(None, (say(_ended_as(part), fault=part.says), await self._reasons(part))))
        text = f"{title}: {why}\n\n{say(_PLEASE_DECIDE)}"
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
        shown = SettledRecord.model_validate_json(content).show if content else None
        given = shown.reasons.values() if shown else ()
        words = await words_of_all(self.store, workflow_id, given)
        return " ".join(words[reason] for reason in given if words[reason] not in (ERASED, DAMAGED))

    async def _subscribe(self, order: PartsToStart, workflow_id: str) -> PartSeen | None:
        """Subscribe the onboarding to a part that already existed; how it ended, if it has."""
        wanted = Subscription(actor=_BY, workflow=order.workflow_id)
        if says := await try_command(self.client, workflow_id, wanted, order.onboarding):
            activity.logger.warning("part not subscribed to", extra={"workflow": workflow_id, "says": says})
        return await self._look_at(workflow_id)

    async def read(self, parts: PartsToLookAt) -> PartsSeen:
        with failing_as_application_errors():
            seen = await asyncio.gather(*(self._look_at(id) for id in parts.parts))
        return PartsSeen(parts=tuple(one for one in seen if one is not None))

    async def _look_at(self, workflow_id: str) -> PartSeen | None:
        what = named(workflow_id)
        if what is None:
            return None
        if content := await self.store.records.read(workflow_id):
            return _ended(what.id, SettledRecord.model_validate_json(content).show)
        found = await runs.found(self.client, workflow_id)
        left = found is None or found.status is runs.RunStatus.TERMINATED
        return PartSeen(id=what.id, broken=True, resumable=left) if found is None or found.status.broken_off else None

    async def end(self, parts: PartsToEnd) -> None:
        wanted = (
            Done(actor=parts.actor, note=parts.reason, decided=True)
            if parts.done
            else Cancellation(actor=parts.actor, reason=parts.reason, told=parts.told)
        )
        with failing_as_application_errors():
            await asyncio.gather(*(self._end(id, wanted, parts) for id in parts.parts))

    async def _end(self, workflow_id: str, wanted: Done | Cancellation, parts: PartsToEnd) -> None:
        found, begun_by = await runs.found(self.client, workflow_id), parts.begun_by
        if found is None and parts.begun and isinstance(wanted, Cancellation):
            agreements = {Kind.REQUEST.workflow_id(one.id): one for one in parts.begun.parts}
            if (part := agreements.get(workflow_id)) and not await self.store.records.read(workflow_id):
                await self._end_forgotten(parts.begun, part, wanted)
        if found is None or (begun_by and found.known.get(names.PARENT) != begun_by):
            return
        if found.status.broken_off and isinstance(wanted, Cancellation):
            await end_terminated(self.client, self.store, workflow_id, wanted, self.now())
        elif says := await send_command(self.client, workflow_id, wanted, _BY):
            activity.logger.info("part not ended", extra={"workflow": workflow_id, "says": says})

    async def _end_forgotten(self, order: PartsToStart, part: PartToStart, wanted: Cancellation) -> None:
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
        if isinstance(given := checked.given, SignatureInput):
            # Nobody is asked any more: the message stays in the erasable store.
            given = given.replace(brief=given.brief.replace(message=None))
            by = order.workflow_id
            await end_forgotten(self.client, self.store, given, wanted, self.now(), parent=by)


def _ahead(now: datetime | None, here: datetime) -> timedelta:
    """How far the onboarding's clock is ahead of ours; zero if its time is only that of the scheduling."""
    ahead = now - here if now else timedelta()
    return ahead if ahead > _CLOCKS_DIFFER else timedelta()


def _joined(
    prepared: PreparedPart, order: PartsToStart, part: PartToStart, kept: PartContent, content: OnboardingContent
) -> PreparedPart:
    """The part with what the onboarding adds outside its fingerprint: subscription, notification budget, origin, the
    customer's name in its title, and the subject of a decision task.
    """
    given = prepared.given
    others = tuple(one for one in given.subscribers if one != order.workflow_id)
    told = given.policy.tell_requester
    # The owner follows the onboarding: a part's start is news only if its own file wants it.
    policy = given.policy.replace(tell_requester=told.replace(started=told.started and kept.tells_of_its_start))
    changes: dict[str, Any] = {"subscribers": (*others, order.workflow_id), "quiet": order.quiet}
    if not isinstance(prepared, PreparedRequest):
        decides = ToDecide(onboarding=order.onboarding, part=part.part) if part.after else None
        task = prepared.given.task
        task = task.replace(title=content.add_customer(task.title), depth=order.depth, decides=decides)
        return replace(prepared, given=prepared.given.replace(task=task, policy=policy, **changes))
    policy = policy.replace(handoff=(*policy.handoff, *_teams(policy, order.told)))
    brief = prepared.request.brief
    brief = brief.replace(title=content.add_customer(brief.title), depth=order.depth)
    return replace(prepared, request=prepared.request.replace(brief=brief, policy=policy, **changes))


def _teams(policy: Policy, told: tuple[str, ...]) -> Iterator[Target]:
    """The teams that the agreement's own policy does not notify."""
    known = {target.person for target in policy.handoff} | {target.target for target in policy.handoff}
    return (Target(target=person, person=person) for person in told if person not in known)


def _title_of(content: PartContent, part: str) -> object:
    document = content.file.get("document")
    named_after = document.get("name") if isinstance(document, dict) else None
    return content.file.get("title") or named_after or part


def _ended_as(part: PartToStart) -> str:
    if part.status and part.what.runs_as:
        return words_for(NotificationType.SETTLED, NoticeAction.OPEN, part.status, of=part.what.runs_as).body
    return _NOT_STARTED if part.says else _BROKEN_OFF


def _ended(id: str, shown: Shown) -> PartSeen:
    declined = next((line.person for line in shown.lines if line.state == SignerState.DECLINED), None)
    return PartSeen(id=id, status=shown.status, by=declined)


def _refused(part: PartToStart, says: str, *, resumable: bool) -> PartSeen:
    return PartSeen(id=part.id, says=says[:_SAYS_AT_MOST], resumable=resumable)
