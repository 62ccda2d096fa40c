"""The floor: the smallest honest workflow that makes the same calls, with the same inputs, results and summaries.

It does what the measured request does and nothing else. It cannot say what it waits for, has no search attributes but
those of its start, and knows no problem, no probe, no straggler, no cancellation, no second signer's turn and no
continue-as-new. What the real workflow costs above it is the price of exactly these. That the calls are the same is
tested (test_floor.py); inputs that tell of the past are made with the same pure functions, all at once.
"""

from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.follow_up import options
    from workflows.model.notices import Delivery
    from workflows.model.planning import Agenda, Moment, MomentKind, Planning
    from workflows.model.provider import CreateOrder, Observation, ProviderEvent
    from workflows.model.settlement import Settled
    from workflows.names import PROVIDER_EVENT
    from workflows.ports import Handoff, Planner, PushService, SignatureService
    from workflows.signature import recipients
    from workflows.signature.inputs import SignatureRequest
    from workflows.signature.progress import Progress
    from workflows.signature.record import settled_record

FLOOR: Final = "SignatureRequestFloor"
_NOW: Final = timedelta()


@workflow.defn(name=FLOOR)
class FloorWorkflow:
    """Send, plan, announce, remind at each planned instant, wait for the signature, read, hand off."""

    @workflow.init
    def __init__(self, request: SignatureRequest) -> None:
        self._request = request
        self._brief = request.brief
        self._progress = Progress.begin(request.brief, workflow.now())

    @workflow.run
    async def run(self, request: SignatureRequest) -> Settled:
        """The happy path, straight down."""
        await self._create()
        agenda = await self._plan()
        await self._announce()
        for at, moments in _instants(agenda, MomentKind.REMIND):
            await workflow.sleep(max(at - workflow.now(), _NOW), summary=_words(moments[0]))
            await self._remind(moments)
        escalation_at, alerts = _instants(agenda, MomentKind.ESCALATE)[0]
        await workflow.wait_condition(
            lambda: self._progress.unread, timeout=escalation_at - workflow.now(), timeout_summary=_words(alerts[0])
        )
        await self._observe()
        return await self._hand_off()

    @workflow.signal(name=PROVIDER_EVENT, description="Core Signature says that something happened; it is then read")
    def provider_event(self, event: ProviderEvent) -> None:
        """Remember that the document should be read."""
        self._progress = self._progress.notify_of(event)

    async def _create(self) -> None:
        seen = await workflow.execute_activity_method(
            SignatureService.create,
            CreateOrder(brief=self._brief, now=workflow.now()),
            summary="create at Core Signature",
            **options.CREATE,
        )
        self._progress = self._progress.observe(seen, workflow.now())

    async def _plan(self) -> Agenda:
        now = workflow.now()
        planning = Planning(
            brief=self._brief,
            policy=self._request.policy,
            due=self._request.due,
            window_from=self._progress.window_from or now,
            turns=self._progress.signatures.turns,
            now=now,
        )
        agenda = await workflow.execute_local_activity_method(
            Planner.plan, planning, summary="plan the next steps", **options.PLAN_LOCALLY
        )
        self._progress = self._progress.planned(agenda, workflow.now())
        return agenda

    async def _announce(self) -> None:
        notices = recipients.announcement(self._brief, self._progress)
        delivery = Delivery(brief=self._brief, notices=notices, due_at=self._progress.due_at, now=workflow.now())
        await self._deliver(delivery, options.NOTIFY, ())

    async def _remind(self, moments: tuple[Moment, ...]) -> None:
        delivery = Delivery(
            brief=self._brief,
            notices=recipients.nudges(self._brief, moments),
            due_at=self._progress.due_at,
            document=self._progress.document,
            now=workflow.now(),
        )
        await self._deliver(delivery, options.NUDGE, moments)

    async def _deliver(self, delivery: Delivery, how: options.ActivityOptions, planned: tuple[Moment, ...]) -> None:
        summary = ", ".join(f"{notice.stage} → {notice.person}" for notice in delivery.notices)
        report = await workflow.execute_activity_method(PushService.deliver, delivery, summary=summary, **how)
        read_at = workflow.now() if report.seen else self._progress.read_at
        lines = recipients.explained(report.delivered, planned)
        self._progress = self._progress.replace(read_at=read_at).told(lines, workflow.now())

    async def _observe(self) -> None:
        observation = Observation(roster=self._brief.roster, document=self._progress.document or "")
        seen = await workflow.execute_activity_method(
            SignatureService.observe, observation, summary="read the document", **options.OBSERVE
        )
        self._progress = self._progress.observe(seen, workflow.now())

    async def _hand_off(self) -> Settled:
        progress = recipients.open_hand_off(self._request, self._progress)
        batch = recipients.hand_off_batch(self._brief, progress, workflow.now())
        run_id = workflow.info().first_execution_run_id
        batch = batch.replace(record=settled_record(self._request, progress, run_id, batch.settled.at))
        summary = "tell " + ", ".join(call.target.target for call in batch.calls)
        await workflow.execute_activity_method(Handoff.hand_off, batch, summary=summary, **options.HAND_OFF)
        return batch.settled


def _instants(agenda: Agenda, kind: MomentKind) -> list[tuple[datetime, tuple[Moment, ...]]]:
    moments = [moment for moment in agenda.moments if moment.kind is kind]
    return [(at, tuple(together)) for at, together in groupby(moments, key=lambda moment: moment.at)]


def _words(moment: Moment) -> str:
    return f"{moment.stage} for {moment.person}: {moment.why}"
