"""Everyone downstream of what has ended: people by push, systems by signed HTTP call, others by Temporal itself."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

import workflows.follow_up.stages as stages
from activities.campaigns.next_one import remind_of_next
from activities.downstream import Downstream
from activities.events import Events, data_of
from activities.failures import failing_as_application_errors
from activities.in_turn import Pace, Turns, unbroken
from activities.ledger_pages import keep
from activities.operations import Operations
from activities.own_words import apart
from activities.people import Directory, DirectoryFailure, UnknownGroup
from activities.rpc_errors import about_the_workflow
from activities.starts import Starts
from activities.store import Home, RecordConflict, Store, StoreFailure, owner_in
from activities.target_health import TargetHealth
from workflows.follow_up.deliveries import AT_MOST
from workflows.follow_up.handoff import key_of, originals_and_last
from workflows.follow_up.record import amended, amendment, dead_after, order_of
from workflows.follow_up.stages import Stage
from workflows.kinds import Kind
from workflows.model.notices import Delivered, Delivery, Notice, NoticeAction, Outcome
from workflows.model.planning import Reason
from workflows.model.records import Amendment, HandoffBatch, Recall, Recalled, SettledRecord
from workflows.model.settlement import Ended, HandoffCall, HandoffReport, HandoffResult, Told
from workflows.model.subject import Status, Subject
from workflows.names import notice_key
from workflows.ports import Handoff, PushService

WORKFLOW_CLOSED: Final = "workflow_closed"
NOBODY: Final = "nobody_to_tell"
SEE_LEDGER: Final = "the notifications say why"
SIGNAL_DEADLINE: Final = timedelta(seconds=10)
PACE: Final = Pace(at_once=20, begin=15.0, end=75.0)
"""For the targets of a batch; a group's members have a pace of their own within `end`."""

_HOPELESS: Final = (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.PERMISSION_DENIED)
_PASSES: Final = (Reason.UNREACHABLE, Reason.UNAUTHORISED, Reason.PUSH_MISMATCH, Reason.DIRECTORY)


class Fanout(Handoff):
    """`document_url` makes the provider's address of a document from its uuid; `oncall` also hears of dead targets.

    `policies` is the catalogue, beside which the files of onboardings are that targets start.
    """

    def __init__(
        self,
        *,
        push: PushService,
        downstream: Downstream,
        directory: Directory,
        temporal: Client,
        store: Store,
        document_url: Callable[[str], str],
        policies: Path,
        oncall: str = "",
        pace: Pace = PACE,
    ) -> None:
        self._push = push
        self._downstream = downstream
        self._directory = directory
        self._temporal = temporal
        self._store = store
        self._document_url = document_url
        self._oncall = oncall
        self._pace = pace
        self._events = Events(directory, store)
        self._operations = Operations(temporal)
        self._health = TargetHealth(store, push, oncall)
        self._starts = Starts(temporal, store, directory, policies)

    async def hand_off(self, batch: HandoffBatch) -> HandoffReport:
        """See the port."""
        with failing_as_application_errors():
            await keep(self._store, batch.subject.workflow_id, batch.page)
            if batch.record is not None:
                await self._write(Home.of(batch.subject.workflow_id), batch.record)
                if batch.subject.type is Kind.REQUEST and batch.settled and batch.settled.outcome is Status.SIGNED:
                    await remind_of_next(self._temporal, batch.subject)
        turns = Turns(self._pace)
        return await unbroken(self._hand_off(batch, turns), turns.stop)

    async def recall(self, ended: Recall) -> Recalled:
        """See the port."""
        home = Home.of(ended.named.workflow_id)
        with failing_as_application_errors():
            content = await self._store.read_record(home)
            found = await self._store.read_amendments(home)
        if content is None:
            return Recalled()
        amendments = [Amendment.model_validate_json(one) for one in found]
        record = SettledRecord.model_validate_json(content)
        lines = originals_and_last(amended(record.show, amendments).handoffs)
        return Recalled(
            order=order_of(record, amendments), lines=lines, batches=max((one.number for one in amendments), default=0)
        )

    async def _hand_off(self, batch: HandoffBatch, turns: Turns) -> HandoffReport:
        """A target that was not begun in time has no result: it stays due, and is called in the next batch."""
        link = self._document_url(batch.document) if batch.document else None
        told = await turns.each(batch.calls, lambda call: self._result(call, batch.subject, _news(call, batch, link)))
        report = HandoffReport(results=tuple(told.results))
        if batch.calls:
            await self._amend_record(batch, report)
            await self._learn(batch, report)
        return report

    async def _learn(self, batch: HandoffBatch, report: HandoffReport) -> None:
        by_target = {result.target: result for result in report.results}
        told = ((call, by_target[call.target.target]) for call in batch.calls if call.target.target in by_target)
        try:
            await self._health.learn(told, batch.at or _news(batch.calls[0], batch, None).at)
        except Exception:  # how a target is must not cost the workflow the results
            activity.logger.exception("nothing was learnt of targets")

    async def _write(self, home: Home, record: SettledRecord) -> None:
        kept = record.replace(show=await apart(self._store, home, record.show))
        try:
            await self._store.write_record(home, kept.model_dump_json(by_alias=True).encode())
        except RecordConflict as conflict:
            # Settled twice, as after a reset: the first record stays the truth, and somebody should look.
            activity.logger.error("settled record conflicts", extra={"says": str(conflict)})

    async def _amend_record(self, batch: HandoffBatch, report: HandoffReport) -> None:
        """Keep what became of the batch; a store that is away must not cost the workflow the results."""
        changed = amendment(batch, report, batch.at or _news(batch.calls[0], batch, None).at)
        dead = dead_after(batch, changed.handoffs)
        content = changed.model_dump_json(by_alias=True).encode()
        home = Home.of(batch.subject.workflow_id)
        try:
            if dead is not None:
                await self._store.note_dead(home, dead.model_dump_json().encode())
            if dead is not None and not dead.handoffs:
                await self._store.forget_dead(home)
            await self._store.write_amendment(home, batch.number, content)
        except Exception as failure:  # remote stores raise what they like, and the results must not be lost
            activity.logger.error("hand-off not recorded", extra={"says": type(failure).__name__})

    async def _result(self, call: HandoffCall, subject: Subject, told: Told) -> HandoffResult:
        """The result of one target; whatever goes wrong with it must not cost the others theirs."""
        try:
            if why := await self._health.refusal(call.target):
                return HandoffResult(target=call.target.target, ok=False, held=True, why=why)
            return await self._tell(call, subject, told)
        except UnknownGroup as failure:
            return _not_done(call, str(failure), gone=True)
        except (DirectoryFailure, StoreFailure) as failure:
            return _not_done(call, str(failure))
        except ApplicationError as failure:
            return _refused(call, failure)
        except Exception as bug:
            activity.logger.exception("hand-off to %s failed", call.target.target)
            return _not_done(call, f"our fault: {type(bug).__name__}")

    async def _tell(self, call: HandoffCall, subject: Subject, told: Told) -> HandoffResult:
        target = call.target
        if target.start or target.nexus or target.workflow:
            return await self._reach(call, subject, told)
        if target.url:
            id = key_of(target, subject.reference)
            return await self._downstream.call(target, id, await self._events.body(target, id, subject, told))
        if target.group:
            return await self._push_to_group(call, target.group, subject, told)
        notice = call.notice or _notice(subject, target.person or "", told)
        if notice.stage == Stage.UNDELIVERED:
            return await self._alert(call, subject, told, notice)
        return await self._push_to(call, subject, told, (notice,))

    async def _reach(self, call: HandoffCall, subject: Subject, told: Told) -> HandoffResult:
        """The result of a target that is reached by Temporal itself."""
        target = call.target
        if target.start:
            return await self._starts.start(target, target.start, subject, told)
        if target.nexus:
            return await self._operations.call(target, target.nexus, subject, told)
        return await self._signal(call, target.workflow or "", subject, told)

    async def _signal(self, call: HandoffCall, workflow: str, subject: Subject, told: Told) -> HandoffResult:
        names = subject.type.names
        signal = names.settled if isinstance(told, Ended) else names.escalated
        try:
            handle = self._temporal.get_workflow_handle(workflow)
            await handle.signal(signal, data_of(told), rpc_timeout=SIGNAL_DEADLINE)
        except RPCError as error:
            if about_the_workflow(error):
                # An onboarding that has ended needs no word of what it has ended itself.
                ended = _is_whole_of(workflow, subject)
                return HandoffResult(target=call.target.target, ok=ended, gone=not ended, why=WORKFLOW_CLOSED)
            return _not_done(call, f"Temporal: {error.status.name}", gone=error.status in _HOPELESS)
        return HandoffResult(target=call.target.target, ok=True)

    async def _push_to_group(self, call: HandoffCall, group: str, subject: Subject, told: Told) -> HandoffResult:
        """Tell the members whom no earlier call has reached: one bad phone rings nobody else's again.

        So many in a call: a large group is told in several of one attempt, and judged with the last.
        """
        everyone = tuple(_notice(subject, person, told) for person in await self._directory.group(group))
        missing = tuple(notice for notice in everyone if notice.key not in call.reached)
        untried = tuple(notice for notice in missing if notice.person not in call.missed)
        now = untried[:AT_MOST]
        if not missing:
            return HandoffResult(target=call.target.target, ok=True)
        try:
            report = await self._push.deliver(Delivery(subject=subject, notices=now, outcome=_outcome(told)))
            result, left = _pushed(call, report.delivered, report.retry_after), report.open_notices
        except ApplicationError as failure:
            result, left = _refused(call, failure), ()
        if left or len(untried) > len(now):
            return _to_be_continued(call, result, [one for one in now if one.key not in left])
        told_before = len(everyone) - len(missing)
        return _in_group(_with_the_missed(call, result), len(everyone), told_before)

    async def _alert(self, call: HandoffCall, subject: Subject, told: Told, notice: Notice) -> HandoffResult:
        """Tell the requester, and the person on call, that somebody will never hear of the ending."""
        people = dict.fromkeys(filter(None, (notice.person, self._oncall)))
        everyone = [notice.replace(person=one, key=notice_key(subject.id, notice.stage, one)) for one in people]
        missing = tuple(one for one in everyone if one.key not in call.reached)
        if not missing:
            return HandoffResult(target=call.target.target, ok=True)
        return await self._push_to(call, subject, told, missing)

    async def _push_to(
        self, call: HandoffCall, subject: Subject, told: Told, notices: tuple[Notice, ...]
    ) -> HandoffResult:
        outcome = None if notices[0].stage == Stage.UNDELIVERED else _outcome(told)
        report = await self._push.deliver(Delivery(subject=subject, notices=notices, outcome=outcome))
        return _pushed(call, report.delivered, report.retry_after)


def _is_whole_of(workflow: str, subject: Subject) -> bool:
    """Whether this is the onboarding that something is a part of."""
    return workflow == Kind.ONBOARDING.workflow_id(owner_in(subject.id) or "")


def _news(call: HandoffCall, batch: HandoffBatch, link: str | None) -> Told:
    """What a target hears, with a link where it has none of its own."""
    told = call.escalated or batch.settled
    if told is None:
        raise ValueError(f"{call.target.target} is to hear of an ending, and nothing has ended")
    return told if told.link else told.replace(link=link)


def _notice(subject: Subject, person: str, told: Told) -> Notice:
    stage = Stage.SETTLED if isinstance(told, Ended) else stages.news(told.number)
    return Notice(key=notice_key(subject.id, stage, person), stage=stage, person=person, action=NoticeAction.OPEN)


def _outcome(told: Told) -> Status | None:
    return told.outcome if isinstance(told, Ended) else None


def _pushed(call: HandoffCall, lines: Sequence[Delivered], retry_after: float) -> HandoffResult:
    """Done when everyone with a phone has it; a withdrawal also where there is nothing to take off a screen."""
    target = call.target.target
    withdrawal = call.notice is not None and call.notice.action is NoticeAction.WITHDRAW
    reached = withdrawal or any(line.outcome is Outcome.ACCEPTED for line in lines)
    missed = [line.why for line in lines if line.outcome not in (Outcome.ACCEPTED, Outcome.WITHDRAWN)]
    passing = next((why for why in missed if why in _PASSES), None)
    if passing:
        return HandoffResult(target=target, ok=False, why=passing, retry_after=retry_after, delivered=tuple(lines))
    why = next(iter(missed), None if reached else NOBODY)
    return HandoffResult(target=target, ok=reached, gone=not reached, why=why, delivered=tuple(lines))


def _to_be_continued(call: HandoffCall, result: HandoffResult, tried: Sequence[Notice]) -> HandoffResult:
    """The result of a call that has told some of a large group: whom it has missed, and whether that may pass."""
    told = {line.person for line in result.delivered if line.outcome is Outcome.ACCEPTED}
    missed = tuple(notice.person for notice in tried if notice.person not in told)
    return result.replace(
        ok=False,
        gone=False,
        more=True,
        missed=(*call.missed, *missed),
        passing=call.passing or (None if result.ok or result.gone else result.why),
    )


def _with_the_missed(call: HandoffCall, result: HandoffResult) -> HandoffResult:
    """The result of the last call of an attempt, which knows of the earlier ones."""
    if call.passing and (result.ok or result.gone):
        return result.replace(ok=False, gone=False, why=call.passing)
    return result


def _in_group(result: HandoffResult, members: int, told_before: int) -> HandoffResult:
    """The result of a group of which some were told before; it says how many were not reached."""
    told = told_before + sum(line.outcome is Outcome.ACCEPTED for line in result.delivered)
    if not told or told == members:
        return result
    return result.replace(partly=True, why=f"{members - told} of {members} not reached: {result.why or SEE_LEDGER}")


def _refused(call: HandoffCall, failure: ApplicationError) -> HandoffResult:
    pause = failure.next_retry_delay or timedelta()
    return _not_done(call, failure.message, retry_after=pause.total_seconds())


def _not_done(call: HandoffCall, why: str, *, gone: bool = False, retry_after: float = 0) -> HandoffResult:
    return HandoffResult(target=call.target.target, ok=False, gone=gone, why=why, retry_after=retry_after)
