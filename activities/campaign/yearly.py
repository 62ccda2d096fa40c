"""Yearly campaigns: the series, each year's content, and the opening. Each year has its own document, version and
effective date; last year's are never used again (docs/campaigns.md).
"""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from pydantic import ConfigDict, SecretStr, field_validator
from temporalio.client import Client

from activities.calendar.wall_clock import at_clock
from activities.campaign.intake import A_YEAR, CampaignFile, PreparedCampaign, opening_day, prepare_campaign
from activities.documents.errors import DocumentMissing
from activities.files.fields import Id, KindId, Name
from activities.files.reading import FileFaults, FileModel, PlainFile
from activities.files.yaml_lines import FieldPath
from activities.launch import launch as path
from activities.onboarding.content import PartContent
from activities.onboarding.file import ID_AT_MOST, SHORT_ID
from activities.people.directory import Directory, DirectoryFailure
from activities.people.person import Person
from activities.policies.catalogue import Catalogue
from activities.records.rows import StoragePrefix
from activities.records.store import Store
from activities.temporal.failures import failing_as_application_errors
from workflows.kinds import Kind
from workflows.model.campaign import YEAR, Series, YearGivenUp, YearSeen, YearToOpen
from workflows.ports import CampaignYears

AHEAD: Final = timedelta(days=30)
"""How long before the opening the owner is told of missing content."""
LATE_DAYS_AT_MOST: Final = 182
"""How late a year is still opened; after that, next year's opening is nearer."""


class YearContent(PartContent):
    """A year's file, its document's SHA-256, and its table, which is dropped after the opening. A year that was given
    up has no content.
    """

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    people: int
    table_sha256: str
    table: bytes | None

    @classmethod
    def of(cls, plain: Any, prepared: PreparedCampaign, table: bytes | None) -> Self:
        document = prepared.given.campaign.document
        return cls(
            file=plain,
            documents={plain["document"]["file"]: document.sha256} if document.sha256 else {},
            people=len(prepared.rows.rows),
            table_sha256=prepared.rows.digest,
            table=table,
        )

    @classmethod
    async def read(cls, store: Store, series: Series, year: int) -> Self | None:
        """The content of a year, None if not given yet."""
        content = await store.read_year(StoragePrefix.of(series.schedule_id), year)
        return cls.model_validate_json(content) if content else None

    async def keep(self, store: Store, series: Series, year: int) -> None:
        """Store it; the document is already stored."""
        await store.keep_year(StoragePrefix.of(series.schedule_id), year, self.model_dump_json().encode())

    @staticmethod
    async def forget(store: Store, series: Series, year: int) -> None:
        """Drop a year's content, with the people of its table."""
        await store.keep_year(StoragePrefix.of(series.schedule_id), year, b"")

    @property
    def opened(self) -> Self:
        """The content as kept after the opening."""
        return self.model_copy(update={"table": None})


class _Title(FileModel):
    model_config = ConfigDict(extra="ignore")

    name: Name | None = None


class SeriesEntry(FileModel):
    """Fields of a campaign file that hold for all years; the rest is checked with each year's content."""

    model_config = ConfigDict(extra="ignore")

    id: Name
    kind: KindId = CampaignFile.model_fields["kind"].default
    owner: Id
    yearly: Name
    opens: Any = None
    document: _Title = _Title()

    @field_validator("id")
    @classmethod
    def _of_its_year(cls, id: str) -> str:
        if YEAR not in id:
            raise ValueError(f"needs {YEAR}, so that each year has its own: code-of-conduct-{YEAR}")
        if not re.fullmatch(SHORT_ID, id.replace(YEAR, str(A_YEAR))) or not id.replace(YEAR, "").strip("-_"):
            raise ValueError(f"must be 1-{ID_AT_MOST} characters of A-Z a-z 0-9 _ - beside the year")
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
            raise ValueError("follows from yearly: leave it out")


def series_of(plain: PlainFile) -> Series:
    """`FileFaults` unless the file can open each year."""
    said = plain.validate(SeriesEntry)
    return Series(id=said.id, kind=said.kind, title=said.document.name or said.id, owner=said.owner, yearly=said.yearly)


def opening_on(plain: PlainFile, day: date) -> PlainFile:
    return plain.saying({**plain.plain, "opens": day.isoformat()})


def own_edition(plain: PlainFile, content: YearContent, last: YearContent | None) -> None:
    """`FileFaults` unless the document has a version and effective date, and differs from last year's."""
    document, before = plain.plain["document"], last.file["document"] if last else {}
    faults: list[tuple[FieldPath, str]] = []
    for name in ("version", "effective"):
        if not document.get(name):
            faults.append((("document", name), "is missing: each year names its own"))
        elif document[name] == before.get(name):
            faults.append((("document", name), f"{document[name]} is that of last year"))
    if last and set(content.documents.values()) & set(last.documents.values()):
        faults.append((("document", "file"), "has the document of last year in it"))
    if faults:
        raise plain.faults(faults)


@dataclass(frozen=True)
class Openings:
    """When a series opens its campaigns, in the owner's time zone."""

    series: Series
    owner: Person

    def first_year(self, since: datetime) -> int:
        """The year of the first opening on or after the day of `since`."""
        day = since.astimezone(self.owner.tz).date()
        return day.year if opening_day(self.series.yearly, day.year) >= day else day.year + 1

    def opens_at(self, year: int) -> datetime:
        day = opening_day(self.series.yearly, year)
        return at_clock(day, self.owner.working_hours[0], self.owner.tz).astimezone(UTC)

    def day(self, year: int, at: datetime) -> date:
        """The day on which a year's campaign can open at `at`: its own, or a later one."""
        return max(opening_day(self.series.yearly, year), at.astimezone(self.owner.tz).date())


@dataclass
class CampaignYearsService(CampaignYears):
    """`policies` is the catalogue, read anew for each opening; `secret` as in `prepare_campaign`."""

    client: Client
    store: Store
    directory: Directory
    policies: Path
    secret: SecretStr | None = None

    async def open(self, asked: YearToOpen) -> YearSeen:
        """A late campaign opens on the day of the first attempt, so that all attempts agree."""
        with failing_as_application_errors():
            await self._forget_last(asked)
            openings = Openings(asked.series, await self.directory.person(asked.series.owner))
            year = openings.first_year(asked.since)
            content, opens_at = await YearContent.read(self.store, asked.series, year), openings.opens_at(year)
            seen = YearSeen(
                year=year,
                opens_at=opens_at,
                tell_at=opens_at - AHEAD,
                ends_at=opens_at + timedelta(days=LATE_DAYS_AT_MOST),
                given=content is not None,
            )
            if content is None or asked.now < opens_at:
                return seen
            try:
                return seen.replace(campaign=await self._opened(openings, year, content, asked.now))
            except (FileFaults, path.IdTaken, path.BrokenOff, DocumentMissing, DirectoryFailure) as refused:
                return seen.replace(refused=refused.in_short if isinstance(refused, FileFaults) else str(refused))

    async def forget(self, given_up: YearGivenUp) -> None:
        with failing_as_application_errors():
            await YearContent.forget(self.store, given_up.series, given_up.year)

    async def _forget_last(self, asked: YearToOpen) -> None:
        """Drop the people of last year's table, also if the owner has left. A given-up opening left none; a cancelled
        one may have been started anew.
        """
        since = asked.since.date()
        for year in (since.year - 1, since.year):
            over = opening_day(asked.series.yearly, year) + timedelta(days=LATE_DAYS_AT_MOST + 1) < since
            last = await YearContent.read(self.store, asked.series, year) if over else None
            if last and last.table is not None:
                await YearContent.forget(self.store, asked.series, year)

    async def _opened(self, openings: Openings, year: int, content: YearContent, now: datetime) -> str:
        """The workflow id of the opened campaign."""
        id = openings.series.campaign_id(year)
        if content.table_sha256 and content.table is None:
            return Kind.CAMPAIGN.workflow_id(id)
        plain = opening_on(content.plain(id), openings.day(year, now))
        prepared = await prepare_campaign(
            plain,
            catalogue=await asyncio.to_thread(Catalogue.read, self.policies),
            directory=self.directory,
            now=now,
            documents=await content.read_documents(self.store),
            secret=self.secret,
            table=content.table,
        )
        started = await path.start(self.client, self.store, prepared)
        if content.table is not None:
            await content.opened.keep(self.store, openings.series, year)
        return started.workflow_id
