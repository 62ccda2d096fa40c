"""What a campaign is: one document, a frozen audience, a window; and the walks over the audience that its life is."""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime

from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.policy import Policy
from workflows.model.signature import Document
from workflows.model.subject import Subject
from workflows.names import OPENING_PREFIX

CLOSED: Final = "the campaign was closed"
"""Why a request is ended that waited when its campaign closed."""


class Joiners(StrEnum):
    """What becomes of somebody who comes into the audience's group while the campaign runs."""

    ADD = "add"
    IGNORE = "ignore"


class Leavers(StrEnum):
    """What becomes of somebody who leaves it, or the directory."""

    DROP = "drop"
    KEEP = "keep"


class AudienceSource(Model):
    """Who the audience is before it is frozen: a group of the directory, or rows in the store, by their SHA-256."""

    group: str | None = None
    rows: str | None = None


class Campaign(Subject):
    """A campaign as it was asked for; its requester is its owner, and it asks nobody itself: its requests do.

    `due` is the last day of the window, `grace` how many days after it somebody may still be late; `within` is how many
    days somebody has who joins. `asking` is the policy of each request, the campaign's own says who hears of its end.
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
        """What everyone needs to know who tells people about it."""
        return Subject(**{name: getattr(self, name) for name in Subject.model_fields})


class FrozenAudience(Model):
    """The audience as it was at the opening: the store has it under `sha256`; `errors` of its rows cannot be asked."""

    sha256: str
    rows: int
    errors: int
    at: AwareDatetime


class BatchWork(StrEnum):
    """What a walk over the audience does with each of those it is for."""

    START = "start"
    END = "end"
    EXTEND = "extend"


class ChangeKind(StrEnum):
    """Why the audience, or its time, is not what it was at the opening."""

    JOINED = "joined"
    LEFT = "left"
    EXEMPT = "exempt"
    EXTENDED = "extended"
    AGAIN = "again"

    @property
    def work(self) -> BatchWork:
        """What follows from it for the people it is about."""
        match self:
            case ChangeKind.JOINED | ChangeKind.AGAIN:
                return BatchWork.START
            case ChangeKind.EXTENDED:
                return BatchWork.EXTEND
            case _:
                return BatchWork.END


class AudienceChange(Model):
    """A change that somebody wants, or that the daily look found, with its number in the campaign's history.

    `person` is whom it is about (exempt); of a joining, a leaving or a retry the store knows the people. `reason` is
    the words of whoever wants it.
    """

    number: int
    what: ChangeKind
    by: str
    at: AwareDatetime
    person: str | None = None
    due: date | None = None
    reason: str = ""


class CampaignOrder(Model):
    """What every activity of a campaign is told: the campaign, and what its audience is by now.

    `changed` is the SHA-256 of the last change, which has that of the one before it, and so on to the frozen rows.
    """

    campaign: Campaign
    frozen: FrozenAudience | None = None
    changed: str | None = None
    changes: int = 0
    asked: int = 0
    """How many of the frozen audience were seen to at the opening."""
    changes_asked: int = 0
    """The last change whose people were all asked."""
    fingerprint: str
    now: AwareDatetime

    @property
    def workflow_id(self) -> str:
        """The campaign's."""
        return self.campaign.workflow_id


class Batch(Model):
    """Go on with a walk behind the member at `after`, in the order of the audience; of a `change` those it is about.

    `actor` and `reason` are of whoever wants it, for what is told to each request.
    """

    order: CampaignOrder
    work: BatchWork
    after: int = 0
    change: int | None = None
    actor: str = "countersign"
    reason: str = ""
    until: AwareDatetime | None = None
    """Nobody is begun from then on."""


class BatchResult(Model):
    """How far a walk came: the place of the last member it has seen to, how many it did something for or could not.

    `over` once it has seen to everybody; `full` when it ended because no more requests may wait for Core Signature.
    """

    after: int
    done: int = 0
    refused: int = 0
    over: bool = False
    full: bool = False


class ChangeOrder(Model):
    """Write a change down, with the people it is about; a repetition writes the same."""

    order: CampaignOrder
    change: AudienceChange


class DailyCheck(Model):
    """The daily look: who has joined or left since, what managers and the owner are to hear today.

    `day` counts from the opening; `weekly` when the owner gets their line.
    """

    order: CampaignOrder
    day: int
    due: date
    """The last day of whoever was there at the opening: who comes after it is not asked any more."""
    after: str = ""
    """The manager who was told last."""
    digest: bool = False
    weekly: bool = False


class ChangeResult(Model):
    """What became of a change: how many people it is about, nobody when it is `refused` in words.

    `sha256` is what it is kept under; `new` of the people were never in the audience before; `due` is the last day that
    anybody has by now.
    """

    change: AudienceChange | None = None
    sha256: str = ""
    people: int = 0
    new: int = 0
    refused: str = ""
    due: date | None = None


class DailyCheckResult(Model):
    """What the daily look has found and done; not `over`: go on behind `after`. The counts are as of so long `ago`."""

    changes: tuple[ChangeResult, ...] = ()
    counts: "Counts"
    after: str = ""
    over: bool = True
    ago: timedelta = timedelta()


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
    def total(self) -> int:
        """Everybody."""
        return sum(dict(self).values())

    @property
    def wanted(self) -> int:
        """Those who are to acknowledge: without whoever need not, and rows that name nobody who could."""
        return self.total - self.exempt - self.dropped - self.errors

    @property
    def open(self) -> int:
        """Those who may still acknowledge."""
        return self.not_told + self.told + self.opened

    @property
    def done(self) -> int:
        """Those who have."""
        return self.acknowledged + self.late

    @property
    def faulty(self) -> int:
        """Those whom nobody could ask, by a fault of the file or of the provider."""
        return self.errors + self.failed

    @property
    def amiss(self) -> int:
        """Those who were to acknowledge and have not: in time, by their own will, or because nobody could ask them."""
        return self.faulty + self.expired + self.declined + self.not_started + self.open


class SettleOrder(Model):
    """Walk the whole audience and say how each of it stands by the records; the list is written once nobody is open.

    `expected` is how many people the workflow knows of: where it is another number, nothing is written. Nobody is asked
    any more. With `final` the list is written although some are open, who count as failed.
    """

    order: CampaignOrder
    expected: int
    final: bool = False


class OutcomeCounts(Model):
    """How everybody stands; `outcomes` is the SHA-256 of the line of each, and the population then and now."""

    counts: Counts
    outcomes: str | None = None
    came: int = 0
    left: int = 0
    people_now: int | None = None
    """Of the group, as the directory has it now; None for an audience that is no group."""


DailyCheckResult.model_rebuild()


def last_day_before(over_at: datetime) -> date:
    """The day that everybody reads, wherever they are, of what is over when a day is over everywhere on earth."""
    return over_at.astimezone(UTC).date() - timedelta(days=1)


YEAR: Final = "{year}"
"""What the file of a yearly campaign says where each year's has the year."""


class Series(Model):
    """A campaign that opens each year on a day; its `id` and `title` say `{year}` where each year's say the year."""

    id: str
    kind: str
    title: str
    owner: str
    yearly: str
    """Month and day."""

    @property
    def schedule_id(self) -> str:
        """What Temporal knows it by: the id without the year."""
        return f"{OPENING_PREFIX}:{self.id.replace(YEAR, '').strip('-_')}"

    def campaign_id(self, year: int) -> str:
        """The campaign of a year."""
        return self.id.replace(YEAR, str(year))


class YearToOpen(Model):
    """Open the first year from the day of `since` on, if its day has come by `now` and its content is there."""

    series: Series
    since: AwareDatetime
    now: AwareDatetime


class YearSeen(Model):
    """When a year's campaign opens, from when on its owner is told what is missing, and when it is given up.

    `campaign` is the workflow id of what was opened with the content that was `given`, `refused` why nothing was.
    """

    year: int
    opens_at: AwareDatetime
    tell_at: AwareDatetime
    ends_at: AwareDatetime
    given: bool = False
    campaign: str | None = None
    refused: str = ""


class YearGivenUp(Model):
    """A year of a series that is not opened any more."""

    series: Series
    year: int


class ContentGiven(Model):
    """Signal `content_given`: the store has what a year is to open with, or has something else."""

    year: int
