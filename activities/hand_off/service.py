"""The hand-off activity: delivers an ending to people, systems (signed HTTP calls) and workflows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from pydantic import ValidationError
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.documents.files import StoredFile
from activities.errors import DocumentMissing, StoreFailure
from activities.hand_off.archive import Archives
from activities.hand_off.downloads import DownloadLinks, kept_file
from activities.hand_off.http_call import Events, HttpTargets, data_of
from activities.hand_off.next_acknowledgement import remind_of_next
from activities.hand_off.people import HandOffNotifier, build_retryable_result, not_done, notice_of
from activities.hand_off.recording import count_settled, write_before, write_results
from activities.hand_off.target_health import TargetHealth
from activities.hand_off.workflows import NexusOperations, StartTargets
from activities.metrics import HAND_OFF_ATTEMPTS, TargetKind
from activities.people.directory import Directory, DirectoryFailure, UnknownGroup
from activities.records.settled import owner_in
from activities.records.store import Store
from activities.records.user_texts import amendments_of
from activities.temporal.executions import about_the_workflow
from activities.temporal.failures import failing_as_application_errors
from activities.temporal.leases import TurnLimits, Turns, unbroken
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.outbox import key_of, originals_and_last
from workflows.follow_up.record import amended, complete_record, notice_of_call, order_of
from workflows.kinds import Kind
from workflows.model.hand_off import AnyEnded, EndedFacts, HandoffCall, HandoffReport, HandoffResult, HandoffState, Told
from workflows.model.notifications import Notification, NotificationOutcome
from workflows.model.records import Amendment, HandoffBatch, RecordedHandOff, ReplayOrder, SettledRecord
from workflows.model.subject import Status, Subject
from workflows.ports import Handoff, PushService

WORKFLOW_CLOSED: Final = "workflow_closed"
SIGNAL_DEADLINE: Final = timedelta(seconds=10)
PACE: Final = TurnLimits(at_once=20, begin=15.0, end=75.0)
"""For the targets of a batch; group members have a separate pace within `end`."""

_HOPELESS: Final = (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.PERMISSION_DENIED)


_HAVE_IT = (NotificationOutcome.ACCEPTED, NotificationOutcome.WITHDRAWN)


@dataclass(frozen=True)
class EarlierRecipients:
    """Who was already told, by the settled record: a workflow that was reset ends a second time."""

    settled: AnyEnded | None
    later: Amendment

    @classmethod
    async def read(cls, store: Store, workflow_id: str) -> Self | None:
        """From the record and its amendments; None without a readable record."""
        content = await store.records.read(workflow_id)
        if content is None:
            return None
        try:
            record = SettledRecord.model_validate_json(content)
        except ValidationError:
            return None
        return cls(record.settled, await amendments_of(store, workflow_id))

    def continuing(self, batch: HandoffBatch) -> HandoffBatch:
        """The batch with the facts of the record, which wins, and an unused amendment number."""
        return batch.replace(
            settled=batch.settled and (self.settled or batch.settled),
            number=max(batch.number, self.later.number + 1),
            calls=tuple(map(self._without_those_reached, batch.calls)),
        )

    def results(self, batch: HandoffBatch) -> list[HandoffResult]:
        """The results of earlier calls; a call that is still to be made has none."""
        return [result for call in batch.calls if (result := self._result(call, batch.subject))]

    def _result(self, call: HandoffCall, subject: Subject) -> HandoffResult | None:
        if _is_news(call):
            return None
        target = call.target.target
        is_done = any(line.target == target and line.state is HandoffState.DONE for line in self.later.handoffs)
        was_told = is_done or self._has_notice(call, subject)
        return HandoffResult(target=target, ok=True, told_before=True) if was_told else None

    def _has_notice(self, call: HandoffCall, subject: Subject) -> bool:
        """Whether a person was notified by a call that has no line among the hand-offs."""
        # Several people hear that a target is dead; the call says who of them was reached.
        notice = notice_of_call(call, subject)
        if call.listed or notice is None or notice.stage == NotificationType.UNDELIVERED:
            return False
        return any(
            notification.key == notice.key and notification.outcome in _HAVE_IT
            for notification in self.later.notifications
        )

    def _without_those_reached(self, call: HandoffCall) -> HandoffCall:
        if _is_news(call) or not (call.target.group or call.target.person):
            return call
        stage = call.stage or NotificationType.SETTLED
        have = (notification.person for notification in self.later.notifications if _has(notification, stage))
        return call.replace(reached=tuple(dict.fromkeys((*call.reached, *have))))


def _has(notification: Notification, stage: str) -> bool:
    return notification.stage == stage and notification.outcome is NotificationOutcome.ACCEPTED


def _is_news(call: HandoffCall) -> bool:
    """Whether the call tells what the record does not: a requested replay, an escalation."""
    return bool(call.replay or call.escalated)


class HandOffService(Handoff):
    """`document_url` builds the provider's URL from a uuid; `policies` is the catalogue's path, with onboarding files
    beside it; `links` go into calls, `archives` write where the settings allow it; `oncall` is alerted of dead targets.
    """

    def __init__(
        self,
        *,
        push: PushService,
        downstream: HttpTargets,
        directory: Directory,
        temporal: Client,
        store: Store,
        document_url: Callable[[str], str],
        policies: Path,
        links: DownloadLinks | None = None,
        archives: Archives | None = None,
        oncall: str = "",
        pace: TurnLimits = PACE,
    ) -> None:
        self._downstream = downstream
        self._temporal = temporal
        self._store = store
        self._document_url = document_url
        self._pace = pace
        self._directory = directory
        self._people = HandOffNotifier(push, directory, oncall)
        self._events = Events(directory, store, links)
        self._operations = NexusOperations(temporal)
        self._health = TargetHealth(store, push, oncall)
        self._starts = StartTargets(temporal, store, directory, policies)
        self._archives = archives or Archives(store, ())

    async def hand_off(self, batch: HandoffBatch) -> HandoffReport:
        batch, workflow_id = complete_record(batch), batch.subject.workflow_id
        with failing_as_application_errors():
            first = await write_before(self._store, batch, self._directory)
            signed = batch.settled is not None and batch.settled.outcome is Status.SIGNED
            if first and batch.record is not None:
                count_settled(batch.record.show, first)
            if first and signed and batch.subject.type.spec.document:
                await remind_of_next(self._temporal, batch.subject)
            is_repeated = not first and any(not call.replay for call in batch.calls)
            told_before = await EarlierRecipients.read(self._store, workflow_id) if is_repeated else None
        turns = Turns(self._pace)
        return await unbroken(self._hand_off(batch, told_before, turns), turns.stop)

    async def read(self, replay: ReplayOrder) -> RecordedHandOff:
        workflow_id = replay.named.workflow_id
        with failing_as_application_errors():
            content = await self._store.records.read(workflow_id)
            later = await amendments_of(self._store, workflow_id)
        if content is None:
            return RecordedHandOff()
        record = SettledRecord.model_validate_json(content)
        lines = originals_and_last(amended(record.show, later).handoffs)
        return RecordedHandOff(order=order_of(record, later), lines=lines, batches=later.number)

    async def _hand_off(
        self, batch: HandoffBatch, told_before: EarlierRecipients | None, turns: Turns
    ) -> HandoffReport:
        """A target that was not begun in time has no result: it stays due for the next batch."""
        if told_before is not None:
            batch = told_before.continuing(batch)
        link = self._document_url(batch.document) if batch.document else None
        results = told_before.results(batch) if told_before else []
        known_targets = {result.target for result in results}
        calls = tuple(call for call in batch.calls if call.target.target not in known_targets)
        turn_results = await turns.call_each(calls, lambda call: self._result(call, batch, _news(call, batch, link)))
        report = HandoffReport(results=(*results, *turn_results.results), number=batch.number if told_before else 0)
        if calls:
            report = report.replace(recorded=await self._amend_record(batch, report))
            await self._learn(batch, report)
        return report

    async def _learn(self, batch: HandoffBatch, report: HandoffReport) -> None:
        by_target = {result.target: result for result in report.results}
        pairs = ((call, by_target.get(call.target.target)) for call in batch.calls)
        told_calls = [(call, result) for call, result in pairs if result is not None and not result.told_before]
        for call, result in told_calls:
            HAND_OFF_ATTEMPTS.add(way=_way(call), outcome=_outcome(result))
        try:
            await self._health.learn(told_calls, batch.at or _news(batch.calls[0], batch, None).at)
        except Exception:  # A failure to store target health must not lose the results.
            activity.logger.exception("nothing was learnt of targets")

    async def _amend_record(self, batch: HandoffBatch, report: HandoffReport) -> bool:
        """Store the batch's results; False on failure."""
        try:
            await write_results(self._store, batch, report, batch.at or _news(batch.calls[0], batch, None).at)
        except Exception as failure:  # Remote stores raise any exception; the results must not be lost.
            activity.logger.error("hand-off not recorded yet", extra={"says": type(failure).__name__})
            return False
        return True

    async def _result(self, call: HandoffCall, batch: HandoffBatch, news: Told) -> HandoffResult:
        """The result of one target; its failure must not lose the results of others."""
        try:
            if reason := await self._health.refusal(call.target):
                return HandoffResult(target=call.target.target, ok=False, held=True, why=reason)
            return await self._tell(call, batch, news)
        except UnknownGroup as failure:
            return not_done(call, str(failure), is_final=True)
        except (DirectoryFailure, StoreFailure) as failure:
            return not_done(call, str(failure))
        except ApplicationError as failure:
            return build_retryable_result(call, failure)
        except Exception as bug:
            activity.logger.exception("hand-off to %s failed", call.target.target)
            return not_done(call, f"our fault: {type(bug).__name__}")

    async def _tell(self, call: HandoffCall, batch: HandoffBatch, news: Told) -> HandoffResult:
        target, subject = call.target, batch.subject
        if target.start or target.nexus or target.workflow or target.archive:
            return await self._reach(call, subject, news)
        if target.url:
            id = key_of(target, subject.reference)
            body = await self._events.body(target, id, subject, news, batch.at or news.at)
            attached = await self._document(subject) if target.attach and isinstance(news, EndedFacts) else None
            return await self._downstream.call(target, id, body, attached)
        if target.group:
            return await self._people.to_group(call, target.group, batch, news)
        notice = notice_of_call(call, subject) or notice_of(subject, "", news)
        if notice.stage == NotificationType.UNDELIVERED:
            return await self._people.alert_of_dead_target(call, batch, news, notice)
        return await self._people.notify(call, batch, news, (notice,))

    async def _document(self, subject: Subject) -> StoredFile | None:
        """The signed document, None while it is not kept and after its erasure."""
        try:
            return await kept_file(self._store, subject.workflow_id)
        except DocumentMissing:
            return None

    async def _reach(self, call: HandoffCall, subject: Subject, news: Told) -> HandoffResult:
        """Call a target that is a workflow, an onboarding, a Nexus operation or an archive."""
        target = call.target
        if target.archive:
            return await self._archives.write(target, target.archive, subject, news)
        if target.start:
            return await self._starts.start(target, target.start, subject, news)
        if target.nexus:
            return await self._operations.call(target, target.nexus, subject, news)
        return await self._signal(call, target.workflow or "", subject, news)

    async def _signal(self, call: HandoffCall, workflow: str, subject: Subject, news: Told) -> HandoffResult:
        spec = subject.type.spec
        signal = spec.settled if isinstance(news, EndedFacts) else spec.escalated
        try:
            handle = self._temporal.get_workflow_handle(workflow)
            await handle.signal(signal, data_of(news), rpc_timeout=SIGNAL_DEADLINE)
        except RPCError as error:
            if about_the_workflow(error):
                # An onboarding that has ended needs no report of the parts that it ended itself.
                is_expected = _is_whole_of(workflow, subject)
                return HandoffResult(
                    target=call.target.target, ok=is_expected, gone=not is_expected, why=WORKFLOW_CLOSED
                )
            return not_done(call, f"Temporal: {error.status.name}", is_final=error.status in _HOPELESS)
        return HandoffResult(target=call.target.target, ok=True)


def _way(call: HandoffCall) -> TargetKind:
    target = call.target
    ways = {
        TargetKind.HTTP: target.url,
        TargetKind.WORKFLOW: target.workflow,
        TargetKind.START: target.start,
        TargetKind.NEXUS: target.nexus,
    }
    return next(
        (way for way, address in ways.items() if address), TargetKind.GROUP if target.group else TargetKind.PERSON
    )


def _outcome(result: HandoffResult) -> str:
    if result.ok:
        return "done"
    return "held" if result.held else "gone" if result.gone else "failed"


def _is_whole_of(workflow: str, subject: Subject) -> bool:
    """Whether `workflow` is the onboarding of which the subject is a part."""
    return workflow == Kind.ONBOARDING.workflow_id(owner_in(subject.id) or "")


def _news(call: HandoffCall, batch: HandoffBatch, link: str | None) -> Told:
    """The content for a target, with the default link if it has none."""
    news = call.escalated or batch.settled
    if news is None:
        raise ValueError(f"{call.target.target} is to hear of an ending, and nothing has ended")
    return news if news.link else news.replace(link=link)
