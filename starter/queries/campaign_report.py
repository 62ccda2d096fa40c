"""The report of a campaign: every member once, as table, JSON, or page. After the end it depends on the outcomes alone:
equal bytes forever, except names, which can be erased (`--no-names`).
"""

import asyncio
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from heapq import nsmallest
from typing import Any, Final

from pydantic import AwareDatetime

from activities.campaign.audience import Audiences
from activities.campaign.member_status import AT_ONCE, MemberOutcome, MemberStatus, counted
from activities.errors import DocumentDamaged, DocumentMissing, did_you_mean
from activities.files import table
from activities.people.directory import Directory, DirectoryFailure
from activities.people.ids import stands_in_full
from activities.people.person import Reachable, SignersFile
from activities.records.store import Store
from activities.records.user_texts import ERASED, words_of
from starter.errors import Refusal
from starter.queries import campaign
from starter.queries.campaign import CampaignPicture
from starter.temporal.connection import Context
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.campaign import Counts
from workflows.model.rejections import Rejection
from workflows.model.views import CampaignShow

DEFAULT: Final = ("name", "email")


@dataclass(frozen=True)
class Names:
    """Columns of names, and their cells by id; empty for `--no-names`."""

    columns: tuple[str, ...] = ()
    known: Mapping[str, Reachable] = field(default_factory=dict, repr=False)

    def cells(self, person: str) -> dict[str, str]:
        """A member's cells: `(erased)` for a person of the table who was erased."""
        somebody = self.known.get(person)
        if somebody is None:
            return dict.fromkeys(self.columns, ERASED if stands_in_full(person) else "")
        return {name: str(getattr(somebody, name) or "") for name in self.columns}


NO_NAMES: Final = Names()


async def kept(store: Store, id: str) -> Mapping[str, Reachable]:
    """People described in full in a campaign's table, without erased ones."""
    content = await store.people.read(Kind.CAMPAIGN.workflow_id(id))
    return SignersFile.model_validate_json(content).signers if content else {}


async def names_of(store: Store, shown: CampaignShow, people: Iterable[str], directory: Directory | None) -> Names:
    """Names of a table's people from the store, of others from `directory`, if given."""
    columns = shown.campaign.report_columns if shown.campaign else DEFAULT
    known = dict(await kept(store, shown.id))
    for person in people if directory else ():
        if directory and person and not stands_in_full(person):
            try:
                known[person] = await directory.person(person)
            except DirectoryFailure:
                continue
    return Names(columns, known)


async def member_of(store: Store, shown: CampaignShow, typed: str, directory: Directory | None) -> str:
    """The id of a member, by that id or their e-mail address; `Refusal` for whom the audience does not have.

    Of a campaign that has not opened, and where the audience cannot be read, the worker finds that out.
    """
    if shown.frozen is None or shown.campaign is None:
        return typed
    try:
        audience = await Audiences(store).read(shown.campaign, shown.frozen.sha256, shown.changed)
    except (DocumentMissing, DocumentDamaged):
        return typed
    ids = tuple(dict.fromkeys(member.person for member in audience.members if member.person))
    if typed in ids:
        return typed
    wanted = typed.strip().casefold()
    known = (await names_of(store, shown, ids, directory)).known if "@" in typed else {}
    found = next((id for id in ids if id in known and known[id].email.casefold() == wanted), None)
    if found is None:
        says = Rejection.NOT_IN_AUDIENCE.says(person=typed)
        raise Refusal(f"nothing was changed: {says}{did_you_mean(typed, ids)}")
    return found


COLUMNS: Final = (
    *("person", "request", "status", "sent_at", "signed_at", "late", "reminders", "reason"),
    *("row", "department", "manager", "due"),
)
"""Outside contract: they stay, in this order; more may follow."""
_INSTANTS: Final = ("sent_at", "signed_at", "due")


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
    """Lines and changes with the texts of people in place of references."""

    shown: CampaignShow
    head: ReportHead
    counts: Counts
    population: dict[str, Any] | None
    changes: Sequence[dict[str, Any]]
    lines: Sequence[MemberOutcome]
    names: Names = NO_NAMES

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's, with names behind the id."""
        person, *others = COLUMNS
        return (person, *self.names.columns, *others)

    def plain_line(self, line: MemberOutcome) -> dict[str, Any]:
        told = {**_known(line), **self.names.cells(line.person)}
        return {name: told[name] or None if name in _INSTANTS else told[name] for name in self.columns}

    def cells(self, lines: Sequence[MemberOutcome]) -> Iterator[tuple[str, ...]]:
        for line in lines:
            told = {**_known(line), **self.names.cells(line.person), "late": "true" if line.late else "false"}
            yield tuple("" if told[name] is None else str(told[name]) for name in self.columns)

    @property
    def plain(self) -> dict[str, Any]:
        return {
            "campaign": self.head.model_dump(mode="json"),
            "counts": self.counts.model_dump(mode="json"),
            "population": self.population,
            "changes": list(self.changes),
            "lines": [self.plain_line(line) for line in self.lines],
        }


async def of(context: Context, typed: str, *, names: bool = True, directory: Directory | None = None) -> CampaignReport:
    """By an id as typed; `Refusal` if it would be incomplete. With `names`, of the table or the `directory`."""
    picture = await campaign.of(context, typed)
    _refuse_parts(picture.shown)
    found = await made(context.store, picture)
    if not names:
        return found
    people = [line.person for line in found.lines]
    return replace(found, names=await names_of(context.store, picture.shown, people, directory))


def _refuse_parts(shown: CampaignShow) -> None:
    if shown.partial and shown.outcomes is None:
        raise Refusal(f"{shown.id}: no worker answers that knows its audience: start `countersign worker`")


async def made(store: Store, picture: CampaignPicture) -> CampaignReport:
    workflow_id = Kind.CAMPAIGN.workflow_id(picture.shown.id)
    lines = list(picture.lines)
    spoken = [place for place, line in enumerate(lines) if "#" in line.reason]
    for begin in range(0, len(spoken), AT_ONCE):
        some = spoken[begin : begin + AT_ONCE]
        words = await asyncio.gather(
            *(words_of(store, _home(workflow_id, lines[one]), lines[one].reason) for one in some)
        )
        for place, said in zip(some, words, strict=True):
            lines[place] = lines[place]._replace(reason=said)
    changes = [{**change, "reason": await words_of(store, workflow_id, change["reason"])} for change in picture.changes]
    return CampaignReport(picture.shown, head_of(picture.shown), counted(lines), picture.population, changes, lines)


def _home(campaign: str, line: MemberOutcome) -> str:
    """Where a reason is stored: with the campaign if it excludes a member, else with the request."""
    return (
        campaign
        if line.status in (MemberStatus.EXEMPT, MemberStatus.DROPPED)
        else Kind.REQUEST.workflow_id(line.request)
    )


def head_of(shown: CampaignShow) -> ReportHead:
    return ReportHead(
        id=shown.id,
        document=shown.title,
        version=shown.version,
        effective=shown.effective,
        approver=shown.approver,
        owner=shown.requester,
        opens_at=shown.opens_at,
        due=shown.due,
        closes_at=shown.closes_at,
        status=shown.status,
        as_of=None if shown.status.ended else shown.counted_at,
        document_sha256=shown.campaign and shown.campaign.document.sha256,
        audience_sha256=shown.frozen and shown.frozen.sha256,
        outcomes_sha256=shown.outcomes,
    )


def _known(line: MemberOutcome) -> dict[str, Any]:
    """Times of notices and reminders come from the settled record, so before it there are none."""
    return {**line._asdict(), "reminders": None} if line.open else line._asdict()


def print_table(report: CampaignReport) -> None:
    table.put(sys.stdout, report.columns, report.cells(report.lines), end="\n")


def audit_sample(lines: Iterable[MemberOutcome], many: int, seed: str) -> list[MemberOutcome]:
    """A uniform random sample of at most `many` lines; smaller samples of a seed are prefixes of larger ones."""
    return nsmallest(many, lines, key=lambda line: _place(line, seed))


def _place(line: MemberOutcome, seed: str) -> bytes:
    return hashlib.sha256(f"{seed}/{line.row}/{line.person}".encode()).digest()
