"""A campaign of each year: what its file says of all of them, what was given for one, its opening (docs/campaigns.md).

Each year names its own document, version and effective date; nothing opens with those of the year before.
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
"""So long before the opening its content is looked for, and its owner told if it is missing."""
LATE_DAYS_AT_MOST: Final = 182
"""So long after its day it is still opened late: from then on the opening of the next year is nearer."""


class YearContent(PartContent):
    """What a year opens with: the file with the year in it, the SHA-256 of its document, its table, of so many people.

    Once it has opened there is no table any more: whom that names is kept with the campaign. Of a year that was given
    up nothing is left.
    """

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    people: int
    table_sha256: str
    table: bytes | None

    @classmethod
    def of(cls, plain: Any, prepared: PreparedCampaign, table: bytes | None) -> Self:
        """Of a file that was checked."""
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
        """What was given for a year, None while nothing was."""
        content = await store.read_year(StoragePrefix.of(series.schedule_id), year)
        return cls.model_validate_json(content) if content else None

    async def keep(self, store: Store, series: Series, year: int) -> None:
        """Give it; the document is in the store by then."""
        await store.keep_year(StoragePrefix.of(series.schedule_id), year, self.model_dump_json().encode())

    @staticmethod
    async def forget(store: Store, series: Series, year: int) -> None:
        """It opens nothing any more, and whom its table names nobody keeps on."""
        await store.keep_year(StoragePrefix.of(series.schedule_id), year, b"")

    @property
    def opened(self) -> Self:
        """What is kept of it once it has opened."""
        return self.model_copy(update={"table": None})


class _Title(FileModel):
    model_config = ConfigDict(extra="ignore")

    name: Name | None = None


class SeriesEntry(FileModel):
    """What of a campaign file is of all years; the rest is checked with the content of each."""

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
    """What a file says of all years; `FileFaults` unless it can open each year."""
    said = plain.validate(SeriesEntry)
    return Series(id=said.id, kind=said.kind, title=said.document.name or said.id, owner=said.owner, yearly=said.yearly)


def opening_on(plain: PlainFile, day: date) -> PlainFile:
    """The file of a year, of a campaign that opens on that day."""
    return plain.saying({**plain.plain, "opens": day.isoformat()})


def own_edition(plain: PlainFile, content: YearContent, last: YearContent | None) -> None:
    """`FileFaults` unless its document is this year's: with version and effective date, and nothing of last year."""
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
    """When the campaigns of a series open: by their owner's clock."""

    series: Series
    owner: Person

    def first_year(self, since: datetime) -> int:
        """The year of the first opening that is not before the day of an instant."""
        day = since.astimezone(self.owner.tz).date()
        return day.year if opening_day(self.series.yearly, day.year) >= day else day.year + 1

    def opens_at(self, year: int) -> datetime:
        """The instant at which a year's campaign opens."""
        day = opening_day(self.series.yearly, year)
        return at_clock(day, self.owner.working_hours[0], self.owner.tz).astimezone(UTC)

    def day(self, year: int, at: datetime) -> date:
        """The day on which a campaign of a year opens that can do so at an instant: its own, or a later one."""
        return max(opening_day(self.series.yearly, year), at.astimezone(self.owner.tz).date())


@dataclass
class CampaignYearsService(CampaignYears):
    """See the port; `policies` is the catalogue, read anew for each opening, `secret` as in `prepare_campaign`."""

    client: Client
    store: Store
    directory: Directory
    policies: Path
    secret: SecretStr | None = None

    async def open(self, asked: YearToOpen) -> YearSeen:
        """See the port; one that is late opens on the day of the first attempt, so that all attempts say the same."""
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
        """See the port."""
        with failing_as_application_errors():
            await YearContent.forget(self.store, given_up.series, given_up.year)

    async def _forget_last(self, asked: YearToOpen) -> None:
        """Whom the table of a year that is over names nobody keeps on, whether or not its owner is still there.

        Of an opening that gave up nothing is left by then; one that was cancelled may have been begun again.
        """
        since = asked.since.date()
        for year in (since.year - 1, since.year):
            over = opening_day(asked.series.yearly, year) + timedelta(days=LATE_DAYS_AT_MOST + 1) < since
            last = await YearContent.read(self.store, asked.series, year) if over else None
            if last and last.table is not None:
                await YearContent.forget(self.store, asked.series, year)

    async def _opened(self, openings: Openings, year: int, content: YearContent, now: datetime) -> str:
        """The workflow id of the campaign that this content has opened."""
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
