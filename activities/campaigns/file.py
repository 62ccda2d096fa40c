"""The campaign file as people write it (docs/campaigns.md)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from activities.calendars.wall_clock import length
from activities.campaigns import rows
from activities.campaigns.audience import AUDIENCE_AT_MOST
from activities.campaigns.rows import NOBODY, AudienceFile
from activities.files.fields import DayOrInstant, FileName, Id, KindId, Message, Name, Span, SpanOrNone
from activities.files.reading import FileFaults, FileModel, PlainFile
from activities.onboarding.file import ShortId
from activities.requests.checks import RequestChecks
from activities.requests.file import DocumentEntry
from activities.starting.checks import ConcernedPersons
from activities.starting.file import AskingFile, PersonId, right
from workflows.model.campaign import Joiners, Leavers
from workflows.model.yearly import YEAR

_WHOLE_DAYS: Final = re.compile(r"0d|[1-9][0-9]{0,3}[dw]")
A_YEAR: Final = 2027
"""Any that has no more days than others."""


@dataclass
class CampaignChecks(RequestChecks):
    """The knowledge behind the fields of one campaign file: its document, and its audience."""

    unknown: Mapping[str, str] = field(default_factory=dict)
    """Why a group that it names is none."""
    secret: SecretStr | None = None
    read: bytes | None = None
    """Its table, if that was read already."""
    given: AudienceFile = NOBODY

    @property
    def concerned(self) -> ConcernedPersons:
        """The owner; who is asked is checked row by row."""
        return ConcernedPersons(self.right.get("owner"), frozenset())

    def group(self, name: str) -> None:
        """Refuse a group that is not there."""
        if name in self.unknown:
            raise ValueError(self.unknown[name])

    def table(self, name: str) -> None:
        """Read the table that is named, beside the file."""
        try:
            self.given = rows.read(self.folder / Path(name), secret=self.secret, content=self.read)
        except FileFaults as faults:
            raise ValueError(faults.in_short) from None


def _checks(info: ValidationInfo) -> CampaignChecks:
    if not isinstance(info.context, CampaignChecks):
        raise TypeError("a campaign file is validated with CampaignChecks")
    return info.context


def whole_days(span: str | None) -> str | None:
    """A duration in days or weeks: a campaign's days are over for everybody at an hour of their own."""
    if span is not None and not _WHOLE_DAYS.fullmatch(span):
        raise ValueError("must be in whole days or weeks, such as 14d or 2w")
    return span


def days_of(span: str) -> int:
    """How many days that is."""
    return length(span).days


class EditionEntry(DocumentEntry):
    """The document, and what an auditor asks about it."""

    version: Name = ""
    effective: date | None = None
    approver: PersonId | None = None


class AudienceEntry(FileModel):
    """Who is asked: exactly one of a group, a table beside the file, or a list of ids."""

    group: Id | None = None
    file: FileName | None = None
    people: tuple[Id, ...] | None = Field(default=None, min_length=1, max_length=AUDIENCE_AT_MOST)

    @field_validator("group")
    @classmethod
    def _is_there(cls, group: str | None, info: ValidationInfo) -> str | None:
        if group is not None:
            _checks(info).group(group)
        return group

    @field_validator("file")
    @classmethod
    def _can_be_read(cls, file: str | None, info: ValidationInfo) -> str | None:
        if file is not None:
            _checks(info).table(file)
        return file

    @field_validator("people")
    @classmethod
    def _listed(cls, people: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if people is not None:
            _checks(info).given = rows.of_people(people)
        return people

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(one is not None for one in (self.group, self.file, self.people)) != 1:
            raise ValueError("needs exactly one of group, file, people")
        return self


class JoinersEntry(FileModel):
    """What becomes of whoever joins the group, and how long they have."""

    rule: Joiners
    within: Span | None = None

    _days = field_validator("within")(whole_days)


class CampaignFile(AskingFile):
    """A campaign: which document, for whom, from when on, for how long."""

    kind: KindId = "policy-acknowledgement"
    id: ShortId | None = None
    document: EditionEntry
    audience: AudienceEntry
    owner: PersonId
    opens: DayOrInstant | None = None
    window: Span | None = None
    grace: SpanOrNone | None = None
    joiners: JoinersEntry | None = None
    leavers: Leavers = Leavers.KEEP
    message: Message | None = None
    report_columns: tuple[Literal["name", "email", "zone", "locale", "phone"], ...] = Field(
        default=("name", "email"), max_length=5
    )
    yearly: Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")] | None = None

    _right_people = field_validator("owner")(right)
    _days = field_validator("window", "grace")(whole_days)

    @field_validator("opens")
    @classmethod
    def _is_near(cls, opens: date | datetime | None, info: ValidationInfo) -> date | datetime | None:
        if opens is not None:
            _checks(info).near(opens)
        return opens

    @field_validator("yearly")
    @classmethod
    def _day_of_each_year(cls, yearly: str | None, info: ValidationInfo) -> str | None:
        if yearly is not None:
            opening_day(yearly, A_YEAR)
            if info.data.get("opens", yearly) is None:  # The opening of a year says its day: nobody else opens one.
                raise ValueError("is opened by its schedule: `countersign campaign schedule FILE`")
        return yearly

    @field_validator("due")
    @classmethod
    def _none_of_its_own(cls, due: object) -> None:
        if due is not None:
            raise ValueError("follows from opens and window: leave it out")

    @model_validator(mode="after")
    def _joining_needs_a_group(self) -> Self:
        if self.joiners and self.joiners.rule is Joiners.ADD and self.audience.group is None:
            raise ValueError("joiners: add needs an audience that is a group: nobody joins a list")
        return self


def of_year(plain: PlainFile, year: int) -> PlainFile:
    """The file with the year in the places where it says `{year}`."""
    return plain.saying(_in_year(plain.plain, year))


def _in_year(plain: Any, year: int) -> Any:
    if isinstance(plain, dict):
        return {key: _in_year(value, year) for key, value in plain.items()}
    if isinstance(plain, list):
        return [_in_year(one, year) for one in plain]
    return plain.replace(YEAR, str(year)) if isinstance(plain, str) else plain


def opening_day(yearly: str, year: int) -> date:
    """The day on which a yearly campaign opens in a year; `ValueError` for one that not every year has."""
    try:
        return date.fromisoformat(f"{year}-{yearly}")
    except ValueError:
        raise ValueError("must be a day that each year has, as month and day: 12-01") from None
