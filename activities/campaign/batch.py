"""A resumable batch job over a campaign's members: asks, ends, extends or reminds requests at the provider's rate."""

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.campaign.member_status import MemberVisibility
from activities.files.reading import FileFaults
from activities.launch import launch
from activities.launch.doors import admit
from activities.launch.launch import end_forgotten, end_terminated
from activities.people.ids import stands_in_full
from activities.people.person import Reachable, SignersFile
from activities.records.audiences import Member
from activities.records.store import Store
from activities.temporal import executions
from activities.temporal.commands import send_if_open
from workflows.follow_up.input import FollowUpInput
from workflows.kinds import Kind
from workflows.model.campaign import Batch, BatchResult, BatchWork, Campaign, CampaignOrder
from workflows.model.commands import Cancellation, Extension, ReminderCommand
from workflows.model.signature import SignatureBrief
from workflows.model.subject import Participant, Role
from workflows.signature.state import SignatureInput

MEMBERS_AT_MOST: Final = 1_000
"""Members processed by one activity."""
BATCH_SECONDS: Final = 150.0
"""Longest run of one activity: other campaigns may wait that long for its slot. Each costs the campaign six events, and
reaches 150 people at one call a second.
"""
AHEAD_AT_MOST: Final = 50
"""Requests of one campaign that may wait for Core Signature. Urgent requests overtake those that wait in Temporal, not
those that a worker has begun: they were created after 53 s with 200 waiting, after 5 s with 50, on a busy laptop, and
the campaign was no slower.
"""
AT_ONCE: Final = 25
"""Members processed concurrently, after which the position is reported to Temporal."""
_COMMANDS_A_SECOND: Final = 50
"""Requests ended, extended or reminded; their calls to Core Signature wait in its queue."""
_CHECK_EVERY: Final = 1.0
"""Seconds."""
PATIENCE: Final = 10
"""Checks for room without progress, after which the batch gives its slot away."""
_PROGRESS: Final = 3


@dataclass(frozen=True)
class MemberRequest:
    """A `PreparedStart` whose document the campaign has stored; `message` is the owner's text."""

    workflow_input: SignatureInput
    person: Reachable | None = field(default=None, repr=False)
    """Set for a person described in full in the table."""
    message: str = ""
    overdue: FileFaults | None = None

    async def store_input(self, store: Store) -> SignatureInput:
        workflow_id, digest = Kind.REQUEST.workflow_id(self.workflow_input.brief.id), self.workflow_input.fingerprint
        signers = SignersFile.dump_signers([self.person], [self.workflow_input.brief.people[0].person])
        stored_texts = await store.keep_input(workflow_id, digest, signers, {"message": self.message})
        return self.workflow_input.replace(brief=self.workflow_input.brief.replace(message=stored_texts.get("message")))

    async def store_for_pages(self, store: Store, workflow_input: FollowUpInput) -> None: ...


def request_of(
    campaign: Campaign, fingerprint: str, member: Member, person: Reachable | None, message: str = ""
) -> MemberRequest:
    """A member's request; a person described in full is stored as its first signer."""
    signer = Participant(person=member.person, role=Role.SIGN)
    brief = SignatureBrief(
        id=member.request(campaign.id),
        kind=campaign.kind,
        title=campaign.title,
        document=campaign.document,
        requester=campaign.requester,
        notify_all=campaign.notify_all,
        people=(signer,),
        lock_screen=campaign.lock_screen,
        in_person=True,
    )
    digest = member.fingerprint(fingerprint)
    request = SignatureInput(
        brief=brief, policy=campaign.asking, due=member.due, fingerprint=digest, told_together=True
    )
    return MemberRequest(request, person, message)


def build_workflow_input(order: CampaignOrder, member: Member, person: Reachable | None) -> SignatureInput:
    """The input of a member's request without workflow and record. Stores nothing: erased people stay erased."""
    return request_of(order.campaign, order.fingerprint, member, person).workflow_input


@dataclass(frozen=True)
class BatchLimits:
    members: int = MEMBERS_AT_MOST
    seconds: float = BATCH_SECONDS
    ahead: int = AHEAD_AT_MOST
    patience: int = PATIENCE


BATCH_LIMITS: Final = BatchLimits()


@dataclass(frozen=True)
class BatchFacts:
    """Data beside the order: people described in full, and the owner's message. `reason` is why a single member has
    longer.
    """

    visibility: MemberVisibility
    people: Mapping[str, Reachable] = field(default_factory=dict)
    message: str = ""
    reason: str = ""


class BatchJob:
    """One activity's part of a batch."""

    def __init__(self, client: Client, store: Store, batch: Batch, facts: BatchFacts, limits: BatchLimits) -> None:
        self._client = client
        self._store = store
        self._batch, self._order = batch, batch.order
        self._facts = facts
        self._limits = limits
        self._began_at = time.monotonic()
        self._ends_at = self._began_at + limits.seconds
        # The server's clock, which is the campaign's: this worker's may be off.
        self._given_out = activity.info().started_time if activity.in_activity() else datetime.now(UTC)
        self._stopped = asyncio.Event()
        self._full = False
        self._position, self._done_count, self._refused = _progress(batch)

    def stop(self) -> None:
        """Begin no more; running calls finish."""
        self._stopped.set()

    async def run(self, members: Sequence[Member], member_count: int) -> BatchResult:
        """Process these members, which follow the start position, `member_count` in all; raises errors of commands and
        starts.
        """
        first = self._batch.after
        while self._position < first + len(members) and not self._is_to_end:
            chunk = members[self._position - first : self._position - first + AT_ONCE]
            if self._batch.work is BatchWork.START and not await self._has_room(len(chunk)):
                break
            began, outcomes = time.monotonic(), await self._process(chunk)
            self._count(outcomes, len(chunk))
            if self._batch.work is not BatchWork.START:
                sent_count = len(outcomes) - outcomes.count(None)
                await self._pause(began + sent_count / _COMMANDS_A_SECOND - time.monotonic())
        is_over = self._position >= member_count
        return BatchResult(
            after=self._position, done=self._done_count, refused=self._refused, over=is_over, full=self._full
        )

    def _count(self, outcomes: Sequence[bool | None], processed_count: int) -> None:
        self._position += processed_count
        self._done_count += outcomes.count(True)
        self._refused += outcomes.count(False)
        self._report_position()

    def _report_position(self) -> None:
        if activity.in_activity():
            activity.heartbeat(self._position, self._done_count, self._refused)

    @property
    def _is_to_end(self) -> bool:
        ending = activity.in_activity() and activity.is_worker_shutdown()
        # Workers may have been unavailable while there was time to begin.
        now = time.monotonic()
        ends_at = self._batch.until
        late = ends_at is not None and self._given_out + timedelta(seconds=now - self._began_at) >= ends_at
        return self._stopped.is_set() or ending or late or now >= self._ends_at

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), max(seconds, 0))

    async def _has_room(self, request_count: int) -> bool:
        # Wait until few enough requests wait for Core Signature. False if the activity has to end first, or is `full`
        # because none of them was created for a while.
        least, in_vain = self._limits.ahead + 1, 0
        while not self._is_to_end:
            waiting = await self._facts.visibility.waiting(self._order.campaign.id)
            if waiting + request_count <= self._limits.ahead:
                return True
            least, in_vain = min(least, waiting), 0 if waiting < least else in_vain + 1
            if in_vain >= self._limits.patience:
                self._full = True
                return False
            await self._pause(_CHECK_EVERY)
        return False

    async def _process(self, members: Sequence[Member]) -> list[bool | None]:
        """For each member: True if something was done, False if refused, None if there was nothing to do."""
        if self._batch.work is BatchWork.START:
            return await _all([self._start(member) for member in members])
        requests = {self._workflow_id(member): member for member in members if not member.row.says}
        ended_ids = await self._store.outcomes.of_ended(tuple(requests))
        open_members = [member for id, member in requests.items() if id not in ended_ids]
        if self._batch.work is not BatchWork.END:
            open_members = [member for member in open_members if member.is_asked]
        return await _all([self._send_command(member) for member in open_members])

    async def _start(self, member: Member) -> bool | None:
        if not member.is_asked:
            return None
        person = self._facts.people.get(member.person)
        if person is None and stands_in_full(member.person):
            return False  # Erased meanwhile: their address is unknown.
        order = self._order
        prepared = request_of(order.campaign, order.fingerprint, member, person, self._facts.message)
        try:
            is_restart = self._batch.change is not None  # A terminated request is started anew with its open document.
            await admit(prepared).start(self._client, self._store, parent=order.workflow_id, is_restart=is_restart)
        except (launch.IdTaken, launch.ForeignPartId, launch.BrokenOff) as refused:
            activity.logger.warning("member not asked", extra={"row": member.row.number, "why": type(refused).__name__})
            return False
        except RPCError as error:
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise
            # The server refuses this one only: the others must not wait for it.
            activity.logger.warning("member not asked", extra={"row": member.row.number, "why": error.status.name})
            return False
        # Includes those asked by an earlier attempt that could not report them.
        return True

    def _workflow_id(self, member: Member) -> str:
        return Kind.REQUEST.workflow_id(member.request(self._order.campaign.id))

    async def _send_command(self, member: Member) -> bool | None:
        batch = self._batch
        workflow_id = self._workflow_id(member)
        command: Cancellation | Extension | ReminderCommand
        match batch.work:
            case BatchWork.END:
                command = Cancellation(actor=batch.actor, reason=batch.reason)
            case BatchWork.REMIND:
                command = ReminderCommand(actor=batch.actor, force=batch.force)
            case _:
                command = Extension(actor=batch.actor, due=member.due, reason=self._facts.reason)
        op = f"campaign-{batch.change or batch.reminder}"
        accepted = await send_if_open(self._client, workflow_id, command, op)
        if accepted is None and isinstance(command, Cancellation):
            return await self._end(member, workflow_id, command) or None
        return accepted

    async def _end(self, member: Member, workflow_id: str, cancellation: Cancellation) -> bool:
        order, person = self._order, self._facts.people.get(member.person)
        campaign_workflow = order.workflow_id
        if await end_terminated(
            self._client, self._store, workflow_id, cancellation, order.now, begun_by=campaign_workflow
        ):
            return True
        if not member.seen_to(order) or await executions.find_run(self._client, workflow_id) is not None:
            return False
        request_input = build_workflow_input(order, member, person)
        return await end_forgotten(
            self._client, self._store, request_input, cancellation, order.now, parent=campaign_workflow
        )


def _progress(batch: Batch) -> tuple[int, int, int]:
    """Where to continue, by the heartbeat of an earlier attempt."""
    heartbeat = activity.info().heartbeat_details if activity.in_activity() else ()
    position, done_count, refused = heartbeat if len(heartbeat) == _PROGRESS else (batch.after, 0, 0)
    return max(position, batch.after), done_count, refused


async def _all(calls: Sequence[Coroutine[Any, Any, bool | None]]) -> list[bool | None]:
    """The results, once all calls have ended; then raises the first failure. A start left running could not be
    ended.
    """
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
