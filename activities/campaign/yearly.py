"""Yearly campaigns: the series, the content given for each year, and the opening of each year's campaign.

Each year names its own document, version and effective date; last year's are never used again (docs/campaigns.md).
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from pydantic import ConfigDict, field_validator
from temporalio.client import Client

from activities.calendar.calendar import at_clock
from activities.campaign.intake import A_YEAR, CampaignFile, PreparedCampaign, opening_day
from activities.errors import DocumentMissing
from activities.files.fields import KindId, Name
from activities.files.reading import FileFaults, FileModel, PlainFile
from activities.files.yaml_lines import FieldPath
from activities.launch import launch as path
from activities.launch.doors import Intake
from activities.launch.intake import AskerWord, person_of
from activities.onboarding.content import PartContent
from activities.onboarding.file import ID_AT_MOST, SHORT_ID
from activities.people.directory import Directory, DirectoryFailure
from activities.people.person import Person
from activities.records.store import Store
from activities.temporal.failures import failing_as_application_errors
from workflows.kinds import Kind
from workflows.model.campaign import LATE_DAYS_AT_MOST, YEAR, Series, YearCheck, YearToOpen
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message
from workflows.ports import CampaignYears

STARTED_AHEAD: Final = timedelta(days=1)
"""A campaign is started a day before, so that it opens by its own clock, not by that of the looks."""


class YearContent(PartContent):
    """A year's file, its document's SHA-256, and its table, which is dropped once `started`."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    people: int
    table_sha256: str
    table: bytes | None
    started: bool = False

    @classmethod
    def from_prepared(cls, plain: Any, prepared: PreparedCampaign, table: bytes | None) -> Self:
        sha256, rows = prepared.workflow_input.campaign.document.sha256, prepared.rows
        documents = {plain["document"]["file"]: sha256} if sha256 else {}
        return cls(file=plain, documents=documents, people=len(rows.rows), table_sha256=rows.digest, table=table)

    @classmethod
    async def read(cls, store: Store, series: Series, year: int) -> Self | None:
        """The content of a year, None if none was given yet."""
        content = await store.audiences.year(series.schedule_id, year)
        return cls.model_validate_json(content) if content else None

    async def keep(self, store: Store, series: Series, year: int) -> None:
        """Store it; the document is already stored."""
        await store.audiences.keep_year(series.schedule_id, year, self.model_dump_json().encode())

    @property
    def once_started(self) -> Self:
        """The content as kept after the start."""
        return self.model_copy(update={"table": None, "started": True})


class _Title(FileModel):
    model_config = ConfigDict(extra="ignore")

    name: Name | None = None


class SeriesEntry(FileModel):
    """The fields of a campaign file that hold for all years; the rest is checked with each year's content."""

    model_config = ConfigDict(extra="ignore")

    id: Name
    kind: KindId = CampaignFile.model_fields["kind"].default
    owner: AskerWord
    yearly: Name
    opens: Any = None
    document: _Title = _Title()

    @field_validator("id")
    @classmethod
    def _of_its_year(cls, id: str) -> str:
        if YEAR not in id:
            raise FileFault.ID_WITHOUT_YEAR.error(year=YEAR)
        if not re.fullmatch(SHORT_ID, id.replace(YEAR, str(A_YEAR))) or not id.replace(YEAR, "").strip("-_"):
            raise FileFault.NO_ID_BESIDE_YEAR.error(most=ID_AT_MOST)
        return id

    @field_validator("yearly")
    @classmethod
    def _each_year(cls, yearly: str) -> str:
        opening_day(yearly, A_YEAR)
        return yearly

    @field_validator("opens")
    @classmethod
    def _follows(cls, opens: Any) -> None:
        if opens is not None:
            raise FileFault.FOLLOWS_FROM.error(fields="yearly")


def series_of(plain: PlainFile) -> Series:
    """The series of a file; `FileFaults` unless it can open each year."""
    entry = plain.validate(SeriesEntry)
    return Series(
        id=entry.id,
        kind=entry.kind,
        title=entry.document.name or entry.id,
        owner=person_of(entry.owner),
        yearly=entry.yearly,
    )


def opening_on(plain: PlainFile, day: date) -> PlainFile:
    """The year's file with this opening day."""
    return plain.saying({**plain.plain, "opens": day.isoformat()})


def own_edition(plain: PlainFile, content: YearContent, last: YearContent | None) -> None:
    """`FileFaults` unless the document is this year's: with version and effective date, and unlike last year's."""
    document, last_document = plain.plain["document"], last.file["document"] if last else {}
    faults: list[tuple[FieldPath, Message]] = []
    for name in ("version", "effective"):
        if not document.get(name):
            faults.append((("document", name), FileFault.NO_DOCUMENT_OF_YEAR.to_message()))
        elif document[name] == last_document.get(name):
            faults.append((("document", name), FileFault.FILE_OF_LAST_YEAR.to_message(file=document[name])))
    if last and set(content.documents.values()) & set(last.documents.values()):
        faults.append((("document", "file"), FileFault.DOCUMENT_OF_LAST_YEAR.to_message()))
    if faults:
        raise plain.faults(faults)


@dataclass(frozen=True)
class Openings:
    """When a series opens its campaigns, in the owner's time zone."""

    series: Series
    owner: Person

    def first_year(self, earliest_at: datetime) -> int:
        """The year of the first opening on or after the day of an instant."""
        day = earliest_at.astimezone(self.owner.tz).date()
        return day.year if opening_day(self.series.yearly, day.year) >= day else day.year + 1

    def opens_at(self, year: int) -> datetime:
        day = opening_day(self.series.yearly, year)
        return at_clock(day, self.owner.working_hours[0], self.owner.tz).astimezone(UTC)

    def day(self, year: int, instant: datetime) -> date:
        """The day on which a year's campaign can open at an instant: its own, or a later one."""
        return max(opening_day(self.series.yearly, year), instant.astimezone(self.owner.tz).date())


@dataclass
class CampaignYearsService(CampaignYears):
    """`policies` is the catalogue, read anew for each opening."""

    client: Client
    store: Store
    directory: Directory
    policies: Path

    async def open(self, order: YearToOpen) -> YearCheck:
        with failing_as_application_errors():
            await self._forget_given_up(order.series, order.now.date())
            openings = Openings(order.series, await self.directory.person(order.series.owner))
            year = await self._year(openings, order)
            content, last = await YearContent.read(self.store, order.series, year), order.last
            outcome = YearCheck(
                year=year,
                opens_at=openings.opens_at(year),
                given=content is not None,
                told=last.told if last and last.year == year else (),
            )
            if content is None or order.now < outcome.opens_at - STARTED_AHEAD:
                return outcome
            try:
                return outcome.replace(campaign=await self._start(openings, year, content, order.now))
            except (FileFaults, path.IdTaken, path.BrokenOff, DocumentMissing, DirectoryFailure) as refused:
                return outcome.replace(refused=refused.in_short if isinstance(refused, FileFaults) else str(refused))

    async def _forget_given_up(self, series: Series, today: date) -> None:
        """Drop the content, with its people, of years that can open no more, also if the owner has left."""
        for year in (today.year - 1, today.year):
            if opening_day(series.yearly, year) + timedelta(days=LATE_DAYS_AT_MOST + 1) < today:
                content = await YearContent.read(self.store, series, year)
                if content and not content.started:
                    await self.store.audiences.keep_year(series.schedule_id, year, b"")

    async def _year(self, openings: Openings, order: YearToOpen) -> int:
        """The year to open: one whose day is over while it waits or has content, else the next."""
        late, last = openings.first_year(order.now - timedelta(days=LATE_DAYS_AT_MOST)), order.last
        if last and last.year == late and last.campaign is None and last.opens_at <= order.now:
            return late
        content = await YearContent.read(self.store, order.series, late)
        return late if content and not content.started else openings.first_year(order.now)

    async def _start(self, openings: Openings, year: int, content: YearContent, now: datetime) -> str:
        """The workflow id of the campaign with this content, which was perhaps started before."""
        id = openings.series.campaign_id(year)
        if content.started:
            return Kind.CAMPAIGN.workflow_id(id)
        plain, documents = (
            opening_on(content.plain(id), openings.day(year, now)),
            await content.read_documents(self.store),
        )
        intake = Intake.from_policies_file(self.policies, self.directory)
        admitted = await intake.check(Kind.CAMPAIGN, plain, documents, now=now, table=content.table)
        started = await admitted.start(self.client, self.store)
        await content.once_started.keep(self.store, openings.series, year)
        return started.workflow_id
