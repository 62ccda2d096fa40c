"""The report of a campaign: every member once, as table, JSON, or page. After the end it depends on the outcomes alone:
equal bytes forever, except names, which can be erased (`--no-names`).
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from heapq import nsmallest
from json import dumps, loads
from typing import Any, Final

from pydantic import AwareDatetime

from activities.errors import did_you_mean
from activities.files.table import text
from activities.people.directory import Directory, DirectoryFailure
from activities.people.ids import stands_in_full
from activities.records.outcomes import MemberOutcome, MemberStatus, OutcomeTally
from activities.records.store import Store
from activities.records.user_texts import ERASED, words_of
from starter.errors import Refusal
from starter.queries import campaign
from starter.queries.campaign import CampaignPicture, Curve
from starter.temporal.connection import Context
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.rejections import Rejection
from workflows.model.views import CampaignShow

DEFAULT: Final = ("name", "email")
COLUMNS: Final = (
    *("person", "request", "status", "sent_at", "signed_at", "late", "reminders", "reason"),
    *("row", "department", "manager", "due"),
)
"""Outside contract: they stay, in this order; more may follow."""
_INSTANTS: Final = ("sent_at", "signed_at", "due")


@dataclass(frozen=True)
class NameColumns:
    """Columns of names, and their cells by id; empty for `--no-names`."""

    columns: tuple[str, ...] = ()
    names_by_person: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    async def add(self, people: Iterable[str], directory: Directory | None) -> None:
        """Those of the directory."""
        for person in people if directory else ():
            if directory and person and person not in self.names_by_person and not stands_in_full(person):
                with suppress(DirectoryFailure):
                    self.names_by_person[person] = self._cells(vars(await directory.person(person)))

    def add_table(self, content: bytes) -> None:
        """The people of a table, without erased ones; they were validated when they were stored."""
        self.names_by_person.update((id, self._cells(person)) for id, person in loads(content)["signers"].items())

    def _cells(self, person: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(person.get(name) or "") for name in self.columns)

    def cells(self, person: str) -> dict[str, str]:
        """A member's cells: `(erased)` for a person of the table who was erased."""
        member_names = self.names_by_person.get(person)
        if member_names is None:
            return dict.fromkeys(self.columns, ERASED if stands_in_full(person) else "")
        return dict(zip(self.columns, member_names, strict=True))


NO_NAMES: Final = NameColumns()


async def names_of(store: Store, campaign: str, columns: tuple[str, ...]) -> NameColumns:
    """Names of the people in a campaign's table."""
    names, content = NameColumns(columns), await store.people.read(Kind.CAMPAIGN.workflow_id(campaign))
    if content:
        await asyncio.to_thread(names.add_table, content)
    return names


async def member_of(store: Store, view: CampaignShow, typed: str, directory: Directory | None) -> str:
    """The id of a member, by that id or their e-mail address; `Refusal` for whom the audience does not have.

    Of a campaign that has not opened, and where the audience cannot be read, the worker finds that out.
    """
    if view.frozen is None or view.campaign is None:
        return typed
    campaign, audiences = view.campaign.workflow_id, store.audiences
    if not (await audiences.head(campaign))[0] or await audiences.of_person(campaign, typed):
        return typed
    typed_email, ids = typed.strip().casefold(), dict[str, None]()
    names = await names_of(store, view.id, ("email",))
    async for members in audiences.members(campaign):
        member_ids = dict.fromkeys(member.person for member in members if member.person)
        if "@" in typed:
            await names.add(member_ids, directory)
            for id in member_ids:
                if names.cells(id)["email"].casefold() == typed_email:
                    return id
        ids |= member_ids
    refusal = Rejection.NOT_IN_AUDIENCE.to_message(person=typed)
    raise Refusal(f"nothing was changed: {refusal}{did_you_mean(typed, tuple(ids))}")


class ReportHead(Model):
    """The document, owner, window, and hashes of the records. `as_of` is the time of the counts while it is open."""

    id: str
    document: str
    version: str
    effective: date | None
    approver: str | None
    owner: str
    opens_at: AwareDatetime
    due: date
    closes_at: AwareDatetime | None
    status: str
    as_of: AwareDatetime | None
    document_sha256: str | None
    audience_sha256: str | None
    outcomes_sha256: str | None


@dataclass(frozen=True)
class CampaignReport:
    """A campaign's members some at a time, with the texts of people in place of references."""

    view: CampaignShow
    head: ReportHead
    tally: OutcomeTally
    curve: Curve | None
    population: dict[str, Any] | None
    changes: Sequence[dict[str, Any]]
    batches: Callable[[], AsyncIterator[Sequence[MemberOutcome]]]
    names: NameColumns = NO_NAMES

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's, with names behind the id."""
        person, *other_columns = COLUMNS
        return (person, *self.names.columns, *other_columns)

    def plain_line(self, line: MemberOutcome) -> dict[str, Any]:
        value_by_column = {**_known_columns(line), **self.names.cells(line.person)}
        return {
            name: value_by_column[name] or None if name in _INSTANTS else value_by_column[name] for name in self.columns
        }

    def cells(self, lines: Sequence[MemberOutcome]) -> Iterator[tuple[str, ...]]:
        for line in lines:
            value_by_column = {**_known_columns(line), "late": "true" if line.late else "false"}
            person, *other_cells = [
                "" if value_by_column[name] is None else str(value_by_column[name]) for name in COLUMNS
            ]
            yield (person, *self.names.cells(line.person).values(), *other_cells)

    @property
    def plain_head(self) -> dict[str, Any]:
        return {
            "campaign": self.head.model_dump(mode="json"),
            "counts": self.tally.counts.model_dump(mode="json"),
            "population": self.population,
            "changes": list(self.changes),
        }

    async def table(self, end: str = "\r\n") -> AsyncIterator[str]:
        """As CSV, in pieces."""
        yield text([self.columns], end=end)
        async for lines in self.batches():
            yield text(self.cells(lines), end=end)

    async def json(self) -> AsyncIterator[str]:
        """As JSON, in pieces."""
        # Encoded at once: the streaming encoder is four times slower.
        yield dumps(self.plain_head, ensure_ascii=False)[:-1] + ', "lines": ['
        comma = ""
        async for lines in self.batches():
            yield comma + dumps([self.plain_line(line) for line in lines], ensure_ascii=False)[1:-1]
            comma = ", "
        yield "]}\n"


async def load_report(
    context: Context, typed: str, *, names: bool = True, directory: Directory | None = None
) -> CampaignReport:
    """By an id as typed, as `of_picture`."""
    return await of_picture(
        context.store, await campaign.load_picture(context, typed), names=names, directory=directory
    )


async def of_picture(
    store: Store, picture: CampaignPicture, *, names: bool = True, directory: Directory | None = None
) -> CampaignReport:
    """`Refusal` if it would be incomplete, the document errors if it is not as it was written. With `names`, of the
    table or the `directory`.
    """
    view = picture.view
    _refuse_parts(view)
    if view.outcomes is not None:
        await store.outcomes.verify(view.outcomes)
    report = await build_report(store, picture)
    if not names:
        return report
    member_names = await names_of(store, view.id, view.campaign.report_columns if view.campaign else DEFAULT)

    async def named() -> AsyncIterator[Sequence[MemberOutcome]]:
        async for lines in report.batches():
            await member_names.add((line.person for line in lines), directory)
            yield lines

    return replace(report, names=member_names, batches=named)


async def build_report(store: Store, picture: CampaignPicture) -> CampaignReport:
    view, workflow_id = picture.view, Kind.CAMPAIGN.workflow_id(picture.view.id)
    changes = picture.changes
    if picture.order:
        changes = [
            stored_change.change.model_dump(mode="json")
            for stored_change in await store.audiences.changes(picture.order)
        ]
    spoken = [{**change, "reason": await words_of(store, workflow_id, change["reason"])} for change in changes]

    async def batches() -> AsyncIterator[Sequence[MemberOutcome]]:
        if picture.lines:
            async for lines in picture.lines.batches():
                yield await _spoken(store, workflow_id, lines)

    head = head_of(view)
    curve = await picture.drawn(head.as_of)
    return CampaignReport(view, head, await picture.tally(), curve, picture.population, spoken, batches)


def head_of(view: CampaignShow) -> ReportHead:
    return ReportHead(
        id=view.id,
        document=view.title,
        version=view.version,
        effective=view.effective,
        approver=view.approver,
        owner=view.requester,
        opens_at=view.opens_at,
        due=view.due,
        closes_at=view.closes_at,
        status=view.status,
        as_of=None if view.status.has_ended else view.counted_at,
        document_sha256=view.campaign and view.campaign.document.sha256,
        audience_sha256=view.frozen and view.frozen.sha256,
        outcomes_sha256=view.outcomes,
    )


async def audit_sample(
    batches: AsyncIterator[Sequence[MemberOutcome]], sample_size: int, seed: str
) -> list[MemberOutcome]:
    """A uniform random sample of at most `sample_size` lines; smaller samples of a seed are prefixes of larger ones."""
    best: list[MemberOutcome] = []
    async for lines in batches:
        best = nsmallest(sample_size, [*best, *lines], key=lambda line: _sampling_key(line, seed))
    return best


def _refuse_parts(view: CampaignShow) -> None:
    if view.partial and view.outcomes is None:
        raise Refusal(f"{view.id}: no worker answers that knows its audience: start `countersign worker`")


async def _spoken(store: Store, campaign: str, lines: list[MemberOutcome]) -> list[MemberOutcome]:
    """The lines with the texts of people, and what is wrong with rows in English."""
    places = [index for index, line in enumerate(lines) if "#" in line.reason and not line.fault]
    reason_texts = [words_of(store, _home(campaign, lines[index]), lines[index].reason) for index in places]
    text_by_index = dict(zip(places, await asyncio.gather(*reason_texts), strict=True))
    return [
        line._replace(reason=line.fault.english if line.fault else text_by_index.get(index, line.reason))
        for index, line in enumerate(lines)
    ]


def _home(campaign: str, line: MemberOutcome) -> str:
    """Where a reason is stored: with the campaign if it excludes a member, else with the request."""
    return (
        campaign
        if line.status in (MemberStatus.EXEMPT, MemberStatus.DROPPED)
        else Kind.REQUEST.workflow_id(line.request)
    )


def _known_columns(line: MemberOutcome) -> dict[str, Any]:
    """Times of notices and reminders come from the settled record, so before it there are none."""
    return {**line._asdict(), "reminders": None} if line.open else line._asdict()


def _sampling_key(line: MemberOutcome, seed: str) -> bytes:
    return hashlib.sha256(f"{seed}/{line.row}/{line.person}".encode()).digest()
