"""`countersign campaign plan`: who is asked, what they hear, how many calls it takes, without server or network. All
members follow the calendar of one typical member, with the most common working days.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field

from activities.campaign import population as rows
from activities.campaign.batch import request_of
from activities.campaign.intake import PreparedCampaign
from activities.campaign.service import digest_is_due
from activities.core_signature.service import CALLS_ABOUT_BOUNCES, CALLS_TO_CREATE, CALLS_TO_READ
from activities.notifications.signer_mail import CALLS_TO_MAIL_AGAIN
from activities.people.directory import Company
from activities.people.person import Person, Reachable, SignersFile
from activities.records.audiences import Member, MemberRow
from starter.plan.calendar import PlanLine, PlannedDirectory, line_of
from starter.plan.rehearsal import Rehearsal, RehearsedEvent
from starter.temporal.rates import OF_RECEIVER
from workflows.campaign.state import CampaignState
from workflows.follow_up.notification_types import NotificationType, is_nudge
from workflows.model.base import Model
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message
from workflows.model.plan_reasons import PlanReason
from workflows.model.schedule import ActionType

OPENS: Final = "opens"
DUE: Final = "due"
CLOSES: Final = "closes"
EVERYBODY: Final = "everybody"
MANAGERS: Final = "managers"
_HOUR: Final = 3600
_STRIDE: Final = 500
"""Members looked up before others have their turn."""


class NotedRow(Model):
    """A member with a remark, by row."""

    row: int
    person: str
    says: str
    message: Message = Field(exclude=True)

    @classmethod
    def from_message(cls, row: MemberRow, message: Message) -> Self:
        return cls(row=row.number, person=row.person, says=message.english, message=message)


class AudiencePreview(Model):
    """`by_mail` are those without a valid device, whom Core Signature mails, `by_sms` those who have no e-mail address
    either; `errors` cannot be asked; `not_reached` are away until it closes.
    """

    rows: int
    asked: int
    by_phone: int
    by_mail: int
    by_sms: int
    managers: int
    errors: tuple[NotedRow, ...]
    not_reached: tuple[NotedRow, ...]


class CallEstimate(Model):
    """Calls to Core Signature until everybody is asked, in all if nobody acts, and how long they take."""

    document: str
    opening: int
    opening_hours: float
    if_nobody_acts: int
    hours: float
    megabytes: float
    """Uploaded bytes of the document."""


class CampaignPlan(Model):
    """The answer of `campaign plan`; lines are those of `like`, whose working days `alike` people share."""

    id: str
    kind: str
    document: str
    owner: str
    at: AwareDatetime
    opens_at: AwareDatetime
    due: date
    closes_at: AwareDatetime
    who: AudiencePreview
    like: str | None
    alike: int
    lines: tuple[PlanLine, ...]
    calls_a_second: float
    calls: tuple[CallEstimate, ...]

    @property
    def due_at(self) -> datetime:
        """The due date of the shown calendar, else the closing."""
        return next((line.at for line in self.lines if line.stage == DUE), self.closes_at)


async def plan(
    prepared: PreparedCampaign, directory: Company, starts_at: datetime, calls_a_second: float, zone: ZoneInfo | None
) -> CampaignPlan:
    """The plan of a checked campaign that starts at `starts_at`; `FileFaults` for one that is over by then."""
    if prepared.overdue is not None:
        raise prepared.overdue
    campaign = prepared.workflow_input.campaign
    audience = await _Audience.from_prepared(prepared, directory, max(starts_at, campaign.opens_at))
    typical, alike = audience.typical
    heard = await _member_events(typical, prepared, directory, audience.opens_at) if typical else []
    preview = await audience.preview_audience(directory)
    owner = await directory.person(campaign.requester)
    campaign_events = _campaign_events(prepared, audience, owner, preview.managers)
    happenings = sorted([*campaign_events, *heard], key=lambda happening: happening.at)
    local_zone = zone or (typical.person if typical else owner).tz
    return CampaignPlan(
        id=campaign.id,
        kind=campaign.kind,
        document=campaign.title,
        owner=campaign.requester,
        at=starts_at,
        opens_at=audience.opens_at,
        due=campaign.due,
        closes_at=audience.closes_at,
        who=preview,
        like=typical.row.person if typical else None,
        alike=alike,
        lines=tuple(line_of(happening, local_zone) for happening in happenings),
        calls_a_second=calls_a_second,
        calls=tuple(_estimates(audience, _nudges(heard), calls_a_second, campaign.document.size or 0)),
    )


class _AskedMember(NamedTuple):
    """A member who would be asked; `full` if described in the table."""

    row: MemberRow
    person: Person
    has_phone: bool
    full: Reachable | None

    @classmethod
    async def from_row(
        cls, row: MemberRow, prepared: PreparedCampaign, directory: Company, registered: frozenset[str]
    ) -> Self:
        if full := prepared.rows.people.get(row.person):
            return cls(row, Person(id=row.person, **full.set_fields), has_phone=False, full=full)
        person = await directory.person(row.person)
        may = bool(person.devices) or row.person in registered
        has_phone = may and bool(await directory.devices(person))
        return cls(row, person, has_phone=has_phone, full=None)

    @property
    def calendar(self) -> tuple[object, ...]:
        """What determines their working days."""
        return self.person.zone, self.person.calendar, self.person.hours, self.person.days


@dataclass(frozen=True)
class _Audience:
    """The audience as frozen now, and the time span in which absences matter."""

    rows: Sequence[MemberRow]
    members: Sequence[_AskedMember]
    opens_at: datetime
    closes_at: datetime

    @classmethod
    async def from_prepared(cls, prepared: PreparedCampaign, directory: Company, opens_at: datetime) -> Self:
        campaign = prepared.workflow_input.campaign
        frozen = await rows.audience(campaign.source, prepared.rows, directory)
        registered = await directory.registered()
        members, sound = list[_AskedMember](), [row for row in frozen if not row.says]
        for number, row in enumerate(sound):
            members.append(await _AskedMember.from_row(row, prepared, directory, registered))
            if number % _STRIDE == 0:
                await asyncio.sleep(0)
        return cls(frozen, members, opens_at, CampaignState.begin(campaign, opens_at).closes_at or opens_at)

    @property
    def by_phone(self) -> int:
        return sum(member.has_phone for member in self.members)

    @property
    def by_mail(self) -> int:
        return sum(bool(member.person.email) and not member.has_phone for member in self.members)

    @property
    def by_sms(self) -> int:
        return len(self.members) - self.by_phone - self.by_mail

    @property
    def typical(self) -> tuple[_AskedMember | None, int]:
        """A present member with the most common working days, and how many share them."""
        present_members = [member for member in self.members if not self._absences(member)] or self.members
        if not present_members:
            return None, 0
        [(calendar, _)] = Counter(member.calendar for member in present_members).most_common(1)
        alike = sum(member.calendar == calendar for member in self.members)
        return next(member for member in present_members if member.calendar == calendar), alike

    def _absences(self, member: _AskedMember) -> list[tuple[datetime, datetime]]:
        return [(begin, end) for begin, end in member.person.absences if begin < self.closes_at and end > self.opens_at]

    async def preview_audience(self, directory: Company) -> AudiencePreview:
        managers = await directory.places({member.row.manager for member in self.members if member.row.manager})
        return AudiencePreview(
            rows=len(self.rows),
            asked=len(self.members),
            by_phone=self.by_phone,
            by_mail=self.by_mail,
            by_sms=self.by_sms,
            managers=len(managers),
            errors=tuple(NotedRow.from_message(row, fault) for row in self.rows if (fault := row.fault)),
            not_reached=tuple(self._list_unreached()),
        )

    def _list_unreached(self) -> Iterator[NotedRow]:
        for member in self.members:
            for begin, end in self._absences(member):
                if begin <= self.opens_at and end >= self.closes_at:
                    last = end.astimezone(member.person.tz).date()
                    yield NotedRow.from_message(member.row, FileFault.AWAY_UNTIL.to_message(day=last))


async def _member_events(
    asked_member: _AskedMember, prepared: PreparedCampaign, directory: Company, opens_at: datetime
) -> list[RehearsedEvent]:
    """What a member who never acts would hear; the campaign reports the end."""
    campaign_request, member = prepared.workflow_input, Member(asked_member.row, prepared.workflow_input.campaign.due)
    request = request_of(
        campaign_request.campaign, campaign_request.fingerprint, member, asked_member.full
    ).workflow_input
    planned_directory = PlannedDirectory(
        directory, SignersFile.dump_signers([asked_member.full], [asked_member.row.person])
    )
    _, happened = await Rehearsal(request, opens_at, planned_directory, {}).play()
    due_at = (await Rehearsal(request, opens_at, planned_directory, {}).first_schedule()).due_at
    signer = request.brief.people[0].person
    theirs = [happening for happening in happened if happening.to == signer and happening.kind is not ActionType.EXPIRE]
    theirs.append(RehearsedEvent(due_at, DUE, signer, signer, (PlanReason.WINDOW_ENDS.to_message(),)))
    return [replace(happening, person=asked_member.row.person, to=asked_member.row.person) for happening in theirs]


def _nudges(heard: Sequence[RehearsedEvent]) -> int:
    return sum(is_nudge(happening.stage) and happening.suppressed is None for happening in heard)


def _campaign_events(
    prepared: PreparedCampaign, audience: _Audience, owner: Person, managers: int
) -> Iterator[RehearsedEvent]:
    """The campaign's own actions: opening, daily checks with notices, closing."""
    opens_at = audience.opens_at
    course = CampaignState.begin(prepared.workflow_input.campaign.replace(opens_at=opens_at), opens_at)
    yield RehearsedEvent(opens_at, OPENS, EVERYBODY, EVERYBODY, (PlanReason.AUDIENCE_FROZEN.to_message(),))
    while course.look_due_at < audience.closes_at:
        checked_at, day = course.look_due_at, course.daily.days + 1
        if course.weekly:
            weekly = (PlanReason.WEEKLY.to_message(),)
            yield RehearsedEvent(checked_at, f"{NotificationType.PROGRESS}-{day}", owner.id, owner.id, weekly)
        if managers and digest_is_due(checked_at.astimezone(owner.tz).date(), course.window.everybodys_due):
            of_their_people = (PlanReason.OF_THEIR_PEOPLE.to_message(),)
            yield RehearsedEvent(checked_at, f"{NotificationType.DIGEST}-{day}", MANAGERS, MANAGERS, of_their_people)
        course = course.update_part("daily", days=day)
    yield RehearsedEvent(audience.closes_at, CLOSES, owner.id, owner.id, (PlanReason.RECORD_MADE.to_message(),))


def _estimates(audience: _Audience, nudges: int, calls_a_second: float, size: int) -> Iterator[CallEstimate]:
    """Calls if the file is uploaded for each member, and for a template: as many, but no bytes."""
    asked_count, by_mail = len(audience.members), audience.by_mail
    opening = asked_count * CALLS_TO_CREATE  # Callbacks replace further reads.
    of_mail = CALLS_TO_READ + CALLS_ABOUT_BOUNCES + CALLS_TO_MAIL_AGAIN
    call_count = opening + nudges * ((asked_count - by_mail) * CALLS_TO_READ + by_mail * of_mail)
    an_hour = calls_a_second * (1 - OF_RECEIVER) * _HOUR
    for document, megabytes in (("file", asked_count * 4 * -(-size // 3) / 1e6), ("template", 0.0)):
        yield CallEstimate(
            document=document,
            opening=opening,
            opening_hours=round(opening / an_hour, 2),
            if_nobody_acts=call_count,
            hours=round(call_count / an_hour, 2),
            megabytes=round(megabytes, 1),
        )
