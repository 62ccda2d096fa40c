"""The campaign activities: freeze, batch, change, daily check, digests, settle (docs/campaigns.md). Histories hold
counts and positions only; every call is idempotent.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.campaign import member_status
from activities.campaign.batch import AT_ONCE, BATCH_LIMITS, BatchFacts, BatchJob, BatchLimits, build_workflow_input
from activities.campaign.population import NOBODY, Population, add_positions, caught_up, find_changes, owners_day
from activities.campaign.population import AudienceFile as GivenAudience
from activities.campaign.population import audience as audience_of
from activities.errors import DocumentDamaged, DocumentMissing
from activities.launch.launch import end_forgotten, end_terminated
from activities.people.directory import Company
from activities.people.person import Reachable, SignersFile
from activities.records.audiences import AUDIENCE_AT_MOST, AudienceAmendment, Member, MemberRow, repeated
from activities.records.outcomes import MemberLines, MemberOutcome, MemberState, MemberStatus
from activities.records.store import Store
from activities.records.user_texts import DAMAGED, ERASED, words_of
from activities.temporal.commands import send_command
from activities.temporal.failures import failing_as_application_errors, final_failure
from activities.temporal.leases import unbroken
from workflows.follow_up.notification_types import NotificationType
from workflows.kinds import Kind
from workflows.model.campaign import (
    CLOSED,
    AudienceChange,
    Batch,
    BatchResult,
    BatchWork,
    Campaign,
    CampaignOrder,
    ChangeKind,
    ChangeOrder,
    ChangeResult,
    Counts,
    DailyCheck,
    DailyCheckResult,
    FrozenAudience,
    OutcomeCounts,
    SettleOrder,
)
from workflows.model.commands import Cancellation
from workflows.model.messages import Message
from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder
from workflows.model.rejections import Rejection
from workflows.model.subject import Code
from workflows.names import notice_key
from workflows.ports import CampaignPeople, PushService

DIGESTS_BEFORE: Final = timedelta(days=2)
"""The last day, from then on managers hear who is missing."""
DIGESTS_AT_ONCE: Final = 50
"""Managers notified in one delivery."""
TELLING_SECONDS: Final = 300.0
"""Longest time for notifying managers in one check; continuing costs another count of all members."""
_CLOSED: Final = Cancellation(actor="countersign", reason=CLOSED)
_FAULTY: Final = (MemberStatus.FAILED, MemberStatus.ERROR)
_NEVER_ENDED: Final = MemberState(MemberStatus.FAILED, "was still open when the record was made")
_FORM: Final = 1
"""Of a campaign's record."""


class ManagerDigest(NamedTuple):
    """How many of a manager's people have not acknowledged, and how many are overdue."""

    manager: str
    people: int
    overdue: int


def missing_by_manager(missing: Mapping[tuple[str, str, date | None], int], today: date) -> list[ManagerDigest]:
    """By manager id, of those missing by status, manager and last day; people without a manager are left to the
    owner.
    """
    people, overdue = Counter[str](), Counter[str]()
    for (_, manager, due), count in missing.items():
        people[manager] += count
        overdue[manager] += count if due and due < today else 0
    return [ManagerDigest(manager, people[manager], overdue[manager]) for manager in sorted(people) if manager]


def digest_is_due(today: date, due: date) -> bool:
    """Whether managers are told of missing members, by the day that it is for the owner."""
    return today >= due - DIGESTS_BEFORE


def digests(campaign: Campaign, managers: Sequence[ManagerDigest], day: int) -> tuple[NotificationOrder, ...]:
    """One notice for each manager and day."""
    return tuple(
        _notice(campaign, f"{NotificationType.DIGEST}-{day}", digest.manager).replace(
            count=digest.people, overdue=digest.overdue
        )
        for digest in managers
    )


def progress(campaign: Campaign, missing: int, total: int, day: int) -> NotificationOrder:
    """The owner's weekly notice."""
    return _notice(campaign, f"{NotificationType.PROGRESS}-{day}", campaign.requester).replace(
        count=missing, total=total
    )


async def send_notices(
    push: PushService, campaign: Campaign, notices: tuple[NotificationOrder, ...], now: datetime
) -> None:
    """Send notices without retry: tomorrow there is another digest, and a push service that is down delays no campaign.
    Stops once the attempt is cancelled.
    """
    unsent = notices
    try:
        while unsent and not is_cancelled():
            report = await push.deliver(Delivery(subject=campaign.subject, notices=unsent, others_told=True, now=now))
            unsent = tuple(notice for notice in unsent if notice.key in report.open_notices)
    except ApplicationError as failure:
        activity.logger.warning("people not told of a campaign", extra={"people": len(unsent), "why": failure.type})


def is_cancelled() -> bool:
    """Whether the attempt was cancelled; a delivery that finished nevertheless does not tell."""
    return activity.in_activity() and activity.is_cancelled()


async def of_directory(directory: Company, managers: Sequence[ManagerDigest]) -> list[ManagerDigest]:
    """The managers whom the directory has: a table may contain anything."""
    places = await directory.places([digest.manager for digest in managers])
    return [digest for digest in managers if digest.manager in places]


@dataclass
class CampaignPeopleService(CampaignPeople):
    client: Client
    store: Store
    directory: Company
    push: PushService
    limits: BatchLimits = BATCH_LIMITS
    visibility: member_status.MemberVisibility | None = None

    def __post_init__(self) -> None:
        self._visibility = self.visibility or member_status.TemporalMemberVisibility(self.client)
        self._standings = member_status.MemberStatuses(self.client, self.store, self._visibility)

    async def freeze(self, order: CampaignOrder) -> FrozenAudience:
        campaign = order.campaign
        with _failing():
            await self.directory.up_to_date()
            frozen = await audience_of(campaign.source, await self._read_audience_file(campaign), self.directory)
            if len(frozen) > AUDIENCE_AT_MOST:
                raise final_failure(Code.REFUSED, f"{len(frozen):,} people are more than {AUDIENCE_AT_MOST:,}")
            sha256 = await self.store.audiences.freeze(frozen)
            errors = sum(bool(row.says) for row in frozen)
            audience = FrozenAudience(sha256=sha256, rows=len(frozen), errors=errors, at=order.now)
            await self.store.audiences.up_to_date(order.replace(frozen=audience))
        return audience

    async def _read_audience_file(self, campaign: Campaign) -> GivenAudience:
        """The content of its table or list."""
        if campaign.source.rows is None:
            return NOBODY
        return GivenAudience(await self.store.audiences.rows(campaign.source.rows), await self._in_full(campaign))

    async def _in_full(self, campaign: Campaign) -> Mapping[str, Reachable]:
        """People described in full, by id."""
        if campaign.source.group is not None:
            return {}
        # Read each time: people erased meanwhile must not be asked.
        content = await self.store.people.read(campaign.workflow_id)
        signers_file = await asyncio.to_thread(SignersFile.model_validate_json, content) if content else None
        return signers_file.signers if signers_file else {}

    async def run_batch(self, batch: Batch) -> BatchResult:
        with _failing():
            campaign = batch.order.campaign
            members, member_count = await self.store.audiences.members_of(batch, self.limits.members)
            people, message = await self._in_full(campaign), await self._read_text(batch.order, campaign.message)
            facts = BatchFacts(self._visibility, people, message, await self._reason(batch))
            job = BatchJob(self.client, self.store, batch, facts, self.limits)
            return await unbroken(job.run(members, member_count), job.stop)

    async def _read_text(self, order: CampaignOrder, reference: str | None) -> str:
        """The user text of a reference, empty if erased."""
        if not reference:
            return ""
        text = await words_of(self.store, order.workflow_id, reference)
        return "" if text in (ERASED, DAMAGED) else text

    async def _reason(self, batch: Batch) -> str:
        """Why one member has until later; why everybody has is told in the campaign alone."""
        if batch.work is not BatchWork.EXTEND or not batch.change:
            return ""
        change = (await self.store.audiences.changes(batch.order))[batch.change - 1].change
        return await self._read_text(batch.order, change.reason) if change.person else ""

    async def change(self, changing: ChangeOrder) -> ChangeResult:
        order, change = changing.order, changing.change
        with _failing():
            await self.store.audiences.up_to_date(order)
            match change.what:
                case ChangeKind.EXEMPT | ChangeKind.EXTENDED if change.person:
                    return await self._of_one(order, change, change.person)
                case ChangeKind.AGAIN:
                    return await self._ask_again(order, change)
                case _:
                    return await self._store_change(order, change)

    async def _of_one(self, order: CampaignOrder, change: AudienceChange, person: str) -> ChangeResult:
        """Exempt one member, or give them until later."""
        member = await self.store.audiences.of_person(order.workflow_id, person)
        if member is None:
            return ChangeResult(refused=Rejection.NOT_IN_AUDIENCE.to_message(person=person))
        if member.removal is not None:
            return ChangeResult(refused=Rejection.OUT_ALREADY.to_message(person=person, state=member.removal))
        [line] = await self.store.outcomes.running(order).at_places([member.position]).read()
        if line.has_acknowledged:
            return ChangeResult(refused=Rejection.HAS_ACTED.to_message(person=person, state="acknowledged"))
        if change.due and not line.open:
            return ChangeResult(
                refused=Rejection.NOT_OPEN.to_message(person=person, state=member.row.fault or line.status)
            )
        if change.due and change.due <= member.due:
            return ChangeResult(refused=Rejection.HAS_LATER.to_message(person=person, day=member.due))
        return await self._store_change(order, change, (member.row._replace(says=""),))

    async def _ask_again(self, order: CampaignOrder, change: AudienceChange) -> ChangeResult:
        """Ask again those with corrected rows or failed requests."""
        await caught_up(self.directory)
        lines = await self._standings.look_closely(order, await self._visibility.open_of(order.campaign.id))
        faulty, asked_ids = list[MemberOutcome](), set[str]()
        async for batch in lines.batches():
            faulty += [line for line in batch if line.status in _FAULTY]
            asked_ids |= {line.person for line in batch if line.status not in _FAULTY or member_status.is_refused(line)}
        failed = [line for line in faulty if change.person in (None, line.person)]
        if not failed:
            of_person = await lines.of_person(change.person) if change.person else []
            return ChangeResult(refused=_nobody_failed(change.person, of_person))
        people = await self._in_full(order.campaign)
        rows = (MemberRow(line.row, line.person, line.department, line.manager) for line in failed if line.person)
        mended = await add_positions(rows, people, self.directory)
        right = tuple(row for row in repeated(mended) if not row.says and row.person not in asked_ids)
        if not right:
            return ChangeResult(refused=Rejection.NOBODY_MENDED.to_message())
        left_ids = {line.person for line in faulty if member_status.is_left(line)}
        taken_up = tuple(row.person for row in right if row.person in left_ids)
        return await self._store_change(order, change, right, taken_up)

    async def _store_change(
        self,
        order: CampaignOrder,
        change: AudienceChange,
        rows: tuple[MemberRow, ...] = (),
        taken_up: tuple[str, ...] = (),
    ) -> ChangeResult:
        """Store the change after those that the order knows, its free text separately."""
        if change.reason:
            workflow_id = order.workflow_id
            reason = await self.store.texts.keep(workflow_id, f"change-{change.number}", change.reason)
            change = change.replace(reason=str(reason))
        sha256 = await self.store.audiences.write(order, AudienceAmendment(change, rows, order.changed, taken_up))
        return ChangeResult(change=change.replace(reason=""), sha256=sha256, people=len(rows), due=change.due)

    async def check(self, look: DailyCheck) -> DailyCheckResult:
        began = time.monotonic()
        with _failing():
            await self.store.audiences.up_to_date(look.order)
            lines = await self._standings.look_up(look.order)
            counts = (await lines.tally()).counts
            changes = () if look.after else await self._apply_moves(look, lines)
            last_notified = await self._notify_managers(look, lines, counts)
        ago = timedelta(seconds=time.monotonic() - began)
        return DailyCheckResult(changes=changes, counts=counts, after=last_notified, over=not last_notified, ago=ago)

    async def _apply_moves(self, look: DailyCheck, lines: MemberLines) -> tuple[ChangeResult, ...]:
        """Who joined and left since, as a chain of changes."""
        changes: list[ChangeResult] = []
        order = look.order
        members = self.store.audiences.members(order.workflow_id)
        for move in await find_changes(look, members, lines, self.directory):
            number = order.changes + 1
            change = AudienceChange(number=number, what=move.what, by="countersign", at=order.now, due=move.due)
            changed = await self._store_change(order, change, move.rows)
            changes.append(changed.replace(new=move.new))
            order = order.replace(changes=number, changed=changed.sha256)
        return tuple(changes)

    async def _notify_managers(self, look: DailyCheck, lines: MemberLines, counts: Counts) -> str:
        """The manager after whom to continue; empty if all were notified."""
        campaign, now, ends_at = look.order.campaign, look.order.now, time.monotonic() + TELLING_SECONDS
        if look.weekly and not look.after:
            line = progress(campaign, counts.open, counts.total, look.day)
            await send_notices(self.push, campaign, (line,), now)
        today = await owners_day(campaign.requester, now, self.directory)
        if not counts.open or not digest_is_due(today, look.due):
            return ""
        managers = missing_by_manager(await lines.missing(), today)
        digests_left = [
            digest for digest in await of_directory(self.directory, managers) if digest.manager > _last_notified(look)
        ]
        for begin in range(0, len(digests_left), DIGESTS_AT_ONCE):
            if begin and (is_cancelled() or activity.is_worker_shutdown() or time.monotonic() >= ends_at):
                return digests_left[begin - 1].manager
            chunk = digests_left[begin : begin + DIGESTS_AT_ONCE]
            await send_notices(self.push, campaign, digests(campaign, chunk, look.day), now)
            activity.heartbeat(chunk[-1].manager)
        return ""

    async def settle(self, settle: SettleOrder) -> OutcomeCounts:
        order = settle.order
        with _failing():
            audiences, campaign = self.store.audiences, order.campaign
            await audiences.verify(order)
            _balance(await audiences.up_to_date(order), settle.expected)
            open_members = await self._visibility.open_of(campaign.id)
            for request in sorted(open_members.refused):
                await self._end_unaccepted(request)
            let_go = replace(open_members, refused=frozenset())
            lines = await self._standings.look_closely(order, let_go, unseen=True)
            lines = await _never_ended(lines) if settle.final else await self._end_left(order, lines)
            counts = (await lines.tally()).counts
            if counts.open:
                return OutcomeCounts(counts=counts)
            # Read and verified once more: the record rests on what was frozen, whatever became of the members.
            _balance(await audiences.write_members(order), settle.expected)
            lines = lines.knowing(lines.states)
            if (await lines.tally()).counts != counts:
                return OutcomeCounts(counts=counts)
            changes = [amendment.change.model_dump(mode="json") for amendment in await audiences.changes(order)]
            population = await Population.compare(campaign, audiences.members(order.workflow_id), self.directory)
            head = {
                "version": _FORM,
                "campaign": campaign.id,
                "audience": order.frozen and order.frozen.sha256,
                "population": population and population.plain(campaign, order.frozen.rows if order.frozen else 0),
                "changes": changes,
            }
            outcomes = await self.store.outcomes.write(order.workflow_id, head, lines.batches())
        newcomer_count, leaver_count = (len(population.newcomers), len(population.leavers)) if population else (0, 0)
        return OutcomeCounts(
            counts=counts,
            outcomes=outcomes,
            came=newcomer_count,
            left=leaver_count,
            people_now=population and population.now,
        )

    async def _end_left(self, order: CampaignOrder, lines: MemberLines) -> MemberLines:
        """End some of the broken-off requests; their records show the result next time."""
        states, people = dict(lines.states), await self._in_full(order.campaign)
        left_ids = [
            id
            for id, state in (await lines.stated()).items()
            if member_status.is_broken_off(state) or member_status.is_lost(state)
        ]
        for begin in range(0, len(left_ids[: self.limits.members]), AT_ONCE):
            chunk = left_ids[begin : min(begin + AT_ONCE, self.limits.members)]
            members = await self.store.audiences.of_requests(order.workflow_id, chunk)
            ends = (self._end(order, members[id], states[id], people) for id in chunk)
            states |= dict(zip(chunk, await asyncio.gather(*ends), strict=True))
        return lines.knowing({**states, **dict.fromkeys(left_ids[self.limits.members :], member_status.GOES_ON)})

    async def _end(
        self, order: CampaignOrder, member: Member, state: MemberState, people: Mapping[str, Reachable]
    ) -> MemberState:
        """The state of a request that is being ended; unchanged if it cannot be."""
        campaign_workflow = order.workflow_id
        if member_status.is_broken_off(state):
            id = Kind.REQUEST.workflow_id(member.request(order.campaign.id))
            await end_terminated(self.client, self.store, id, _CLOSED, order.now, begun_by=campaign_workflow)
            return member_status.GOES_ON
        request_input = build_workflow_input(order, member, people.get(member.person))
        is_ended = await end_forgotten(
            self.client, self.store, request_input, _CLOSED, order.now, parent=campaign_workflow
        )
        return member_status.GOES_ON if is_ended else state

    async def _end_unaccepted(self, request: str) -> None:
        """End a request that Core Signature never accepted: it would retry forever."""
        await send_command(self.client, Kind.REQUEST.workflow_id(request), _CLOSED, "campaign-closed")


def _notice(campaign: Campaign, stage: str, person: str) -> NotificationOrder:
    return NotificationOrder(
        key=notice_key(campaign.id, stage, person), stage=stage, person=person, action=NoticeAction.OPEN
    )


def _nobody_failed(person: str | None, lines: Sequence[MemberOutcome]) -> Message:
    if person is None:
        return Rejection.NOBODY_FAILED.to_message()
    if not lines:
        return Rejection.NOT_IN_AUDIENCE.to_message(person=person)
    return Rejection.NOT_FAILED.to_message(person=person, state=lines[0].status)


async def _never_ended(lines: MemberLines) -> MemberLines:
    states = dict(lines.states)
    async for batch in lines.batches(only_open=True):
        states |= {line.request: _NEVER_ENDED for line in batch if line.open}
    return lines.knowing(states)


def _balance(people: int, expected: int) -> None:
    if people != expected:
        raise final_failure(Code.UNBALANCED, f"the audience has {people:,} people and should have {expected:,}")


def _last_notified(look: DailyCheck) -> str:
    """The manager whom an earlier attempt notified last, else where the check continues."""
    heartbeat = activity.info().heartbeat_details if activity.in_activity() else ()
    return max(look.after, *heartbeat) if heartbeat else look.after


@contextmanager
def _failing() -> Iterator[None]:
    """Failures as retryable; lost or changed content of the campaign stops it."""
    with failing_as_application_errors():
        try:
            yield
        except (DocumentMissing, DocumentDamaged) as lost:
            raise final_failure(Code.UNBALANCED, str(lost)) from None
