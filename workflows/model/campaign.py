"""Models of a campaign: document, frozen audience, window, changes of the audience, batch jobs, yearly series."""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime

from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.messages import Message
from workflows.model.policy import Policy
from workflows.model.signature import Document
from workflows.model.subject import Subject
from workflows.names import OPENING_PREFIX

CLOSED: Final = "the campaign was closed"
"""Why a request is ended that waited when its campaign closed."""


class Joiners(StrEnum):
    """What happens to a person who joins the audience's group during the campaign."""

    ADD = "add"
    IGNORE = "ignore"


class Leavers(StrEnum):
    """What happens to a person who leaves the group or the directory."""

    DROP = "drop"
    KEEP = "keep"


class AudienceSource(Model):
    """The audience before it is frozen: a directory group, or rows in the store by their SHA-256."""

    group: str | None = None
    rows: str | None = None


class Campaign(Subject):
    """A campaign as requested; its requester is its owner.

    `due` is the last day of the window, `grace` a number of days after it, `within` the number of days for a person who
    joins. `asking` is the policy of each request; the campaign's own policy names the targets of its end.
    """

    type: Kind = Kind.CAMPAIGN
    document: Document
    source: AudienceSource
    opens_at: AwareDatetime
    due: date
    grace: int = 0
    joiners: Joiners = Joiners.IGNORE
    within: int = 14
    leavers: Leavers = Leavers.KEEP
    message: str | None = None
    """What the owner writes to everybody, by its reference: the text is in the store."""
    asking: Policy
    report_columns: tuple[str, ...] = ("name", "email")
    """What the report says of who somebody is, beside their id."""

    @property
    def subject(self) -> Subject:
        return Subject(**{name: getattr(self, name) for name in Subject.model_fields})


class FrozenAudience(Model):
    """The audience at the opening, in the store under `sha256`; `errors` counts the rows that cannot be asked."""

    sha256: str
    rows: int
    errors: int
    at: AwareDatetime


class BatchWork(StrEnum):
    """What a batch job does with each member."""

    START = "start"
    END = "end"
    EXTEND = "extend"
    REMIND = "remind"


class ChangeKind(StrEnum):
    """Why the audience or its dates changed after the opening."""

    JOINED = "joined"
    LEFT = "left"
    EXEMPT = "exempt"
    EXTENDED = "extended"
    AGAIN = "again"

    @property
    def work(self) -> BatchWork:
        """The batch work that follows from the change."""
        match self:
            case ChangeKind.JOINED | ChangeKind.AGAIN:
                return BatchWork.START
            case ChangeKind.EXTENDED:
                return BatchWork.EXTEND
            case _:
                return BatchWork.END


class AudienceChange(Model):
    """A change that a person requested or the daily check found; `number` counts the changes of the campaign.

    `person` is set for a change of one member; the people of other changes are in the store. `reason` is the
    requester's text.
    """

    number: int
    what: ChangeKind
    by: str
    at: AwareDatetime
    person: str | None = None
    due: date | None = None
    reason: str = ""


class CampaignOrder(Model):
    """Input of every campaign activity: the campaign and its present audience.

    `changed` is the SHA-256 of the last change, which names the one before it, down to the frozen rows.
    """

    campaign: Campaign
    frozen: FrozenAudience | None = None
    changed: str | None = None
    changes: int = 0
    asked: int = 0
    """How many of the frozen audience were asked at the opening."""
    changes_asked: int = 0
    """The last change whose people were all asked."""
    fingerprint: str
    now: AwareDatetime

    @property
    def workflow_id(self) -> str:
        return self.campaign.workflow_id


class Batch(Model):
    """Continue a batch job behind the member at `after`, in audience order; for a `change`, with its people only.

    `actor` and `reason` go to each request; `reminder` is the number of the reminder that was asked for, `force` also
    for those who were notified within the hour.
    """

    order: CampaignOrder
    work: BatchWork
    after: int = 0
    change: int | None = None
    reminder: int = 0
    force: bool = False
    actor: str = "countersign"
    reason: str = ""
    until: AwareDatetime | None = None
    """Nobody is begun from then on."""


class BatchResult(Model):
    """How far a batch came: `after` is the index of the last member; counts of members `done` and `refused`.

    `over` after the last member; `full` when it stopped because Core Signature takes no more requests for now.
    """

    after: int
    done: int = 0
    refused: int = 0
    over: bool = False
    full: bool = False


class ChangeOrder(Model):
    """Write a change and its people to the store; idempotent."""

    order: CampaignOrder
    change: AudienceChange


class DailyCheck(Model):
    """The daily check: who joined or left, what managers and the owner hear today.

    `day` counts from the opening; `weekly` on the day of the owner's report.
    """

    order: CampaignOrder
    day: int
    due: date
    """The last day of the members at the opening, in the owner's zone: managers hear from two days before it; people
    who join after it are not asked.
    """
    after: str = ""
    """The manager who was told last."""
    weekly: bool = False


class ChangeResult(Model):
    """Result of a change: `sha256` in the store, number of people (0 if `refused`), how many are `new` in the
    audience, and `due`, the latest day of any member.
    """

    change: AudienceChange | None = None
    sha256: str = ""
    people: int = 0
    new: int = 0
    refused: Message | None = None
    due: date | None = None


class DailyCheckResult(Model):
    """Findings of the daily check; if not `over`, continue behind `after`. The counts are `ago` old."""

    changes: tuple[ChangeResult, ...] = ()
    counts: "Counts"
    after: str = ""
    over: bool = True
    ago: timedelta = timedelta()


_COUNT_WORDS: Final = {"told": "asked", "not_told": "not asked yet", "errors": "in wrong rows"}


class Counts(Model):
    """How everybody who ever was in the audience stands; each is counted once (outside contract: `counts`)."""

    not_told: int = 0
    told: int = 0
    opened: int = 0
    acknowledged: int = 0
    late: int = 0
    declined: int = 0
    expired: int = 0
    cancelled: int = 0
    failed: int = 0
    exempt: int = 0
    dropped: int = 0
    errors: int = 0
    not_started: int = 0

    @property
    def in_words(self) -> tuple[tuple[str, int], ...]:
        """The counts that are not 0, each with its name for operators."""
        return tuple((_COUNT_WORDS.get(name, name.replace("_", " ")), count) for name, count in self if count)

    @property
    def total(self) -> int:
        return sum(dict(self).values())

    @property
    def required_count(self) -> int:
        """Members who are to acknowledge: total without exempt members and rows that name nobody."""
        return self.total - self.exempt - self.dropped - self.errors

    @property
    def open(self) -> int:
        """Members who can still acknowledge."""
        return self.not_told + self.told + self.opened

    @property
    def done_count(self) -> int:
        """Members who acknowledged."""
        return self.acknowledged + self.late

    @property
    def faulty(self) -> int:
        """Members who could not be asked because of an error of the file or the provider."""
        return self.errors + self.failed

    @property
    def amiss(self) -> int:
        """Members who did not acknowledge in time, declined, or could not be asked."""
        return self.faulty + self.expired + self.declined + self.not_started + self.open


class SettleOrder(Model):
    """Count the outcomes of the audience by the records; write the outcome list once nobody is open.

    With another number than `expected` nothing is written. With `final` the list is written in any case, and open
    members count as failed.
    """

    order: CampaignOrder
    expected: int
    final: bool = False


class OutcomeCounts(Model):
    """Outcome counts; `outcomes` is the SHA-256 of the list; `came` and `left` compare the population then and now."""

    counts: Counts
    outcomes: str | None = None
    came: int = 0
    left: int = 0
    people_now: int | None = None
    """Of the group, as the directory has it now; None for an audience that is no group."""


DailyCheckResult.model_rebuild()


def last_day_before(over_at: datetime) -> date:
    """The last day that people read for something that is over when that day is over everywhere on earth."""
    return over_at.astimezone(UTC).date() - timedelta(days=1)


YEAR: Final = "{year}"
"""What the file of a yearly campaign says where each year's has the year."""


class Series(Model):
    """A yearly campaign; `id` and `title` contain `{year}` where each year has its own."""

    id: str
    kind: str
    title: str
    owner: str
    yearly: str
    """Month and day."""

    @property
    def schedule_id(self) -> str:
        """The id of its Temporal Schedule: the id without the year."""
        return f"{OPENING_PREFIX}:{self.id.replace(YEAR, '').strip('-_')}"

    def campaign_id(self, year: int) -> str:
        return self.id.replace(YEAR, str(year))


AHEAD: Final = timedelta(days=30)
"""How long before the opening its owner is told that content is missing."""
LATE_DAYS_AT_MOST: Final = 182
"""How long after its day a campaign still opens late; after that the opening of the next year is nearer."""


class YearCheck(Model):
    """A look at a yearly campaign: the year to open, and why it was not opened.

    `given` says whether its content is stored, `campaign` is the workflow id that was started, `refused` why nothing
    could be started, `told` the stages of which the owner was notified.
    """

    year: int
    opens_at: AwareDatetime
    given: bool = False
    campaign: str | None = None
    refused: str = ""
    told: tuple[str, ...] = ()

    @property
    def given_up_at(self) -> datetime:
        return self.opens_at + timedelta(days=LATE_DAYS_AT_MOST)

    def is_given_up(self, now: datetime) -> bool:
        return self.campaign is None and now >= self.given_up_at

    def is_missing(self, now: datetime) -> bool:
        """Whether it is near and cannot open with what was given."""
        ready = self.campaign or (self.given and not self.refused)
        return not ready and self.opens_at - AHEAD <= now < self.given_up_at


class YearToOpen(Model):
    """Open the year that is due at `now`, if its content is stored; `last` is the look before."""

    series: Series
    now: AwareDatetime
    last: YearCheck | None = None
