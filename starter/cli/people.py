"""`countersign people …`: commands about people of the directory."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from cyclopts import Parameter
from pydantic import AwareDatetime
from rich.console import Group, RenderableType
from rich.text import Text

from activities.people.devices import KnownDevice
from activities.people.directory import Directory
from activities.people.person import Person
from activities.records.devices import device_hash
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli import tables
from starter.cli.arguments import AsJson
from starter.cli.printing import patience, print_answer
from starter.cli.terminal import Facts, Instant, Rows, ZoneLine
from starter.config.settings import Need
from starter.queries import lists, lookup
from starter.queries.filters import LIVING, Wanted
from starter.queries.lists import RequestLine
from starter.temporal.connection import Context, opened
from starter.web.desk.sessions import sign_out_everywhere
from workflows.follow_up.view import is_needless, outcome_words, stamp
from workflows.model.base import Model
from workflows.model.views import RequestShow

WAITING_AT_MOST: Final = 10
"""Requests listed, and queried for the person's notices."""
NOTICES_AT_MOST: Final = 10
_ANSWERS_WITHIN: Final = timedelta(seconds=5)


class DeviceLine(Model):
    """`device` is the hash used in the notification log."""

    device: str
    kind: str
    """`token` or `fid`: the kind of its address."""
    platform: str
    registered_at: AwareDatetime | None
    seen_at: AwareDatetime | None
    reachable: bool
    """Not known to be invalid."""
    unseen: bool
    """Its app was not seen for long: mail is sent as well."""
    gone: str | None
    """Why it is invalid."""
    gone_at: AwareDatetime | None

    @classmethod
    def of(cls, known: KnownDevice, now: datetime) -> "DeviceLine":
        one = known.device
        return cls(
            device=device_hash(one.value),
            kind=one.kind,
            platform=one.platform,
            registered_at=one.registered,
            seen_at=one.seen,
            reachable=known.gone is None,
            unseen=one.unseen(now),
            gone=known.gone,
            gone_at=known.gone_at,
        )


class AbsenceLine(Model):
    """An absence: its first instant, and the first one after it."""

    begins: AwareDatetime
    ends: AwareDatetime


class NotificationLine(Model):
    """A notice to the person."""

    at: AwareDatetime
    request: str
    stage: str
    channel: str
    outcome: str


class PersonShow(Model):
    """The answer of `person show`."""

    id: str
    zone: str
    locale: str
    hours: str
    days: str
    calendar: str | None
    manager: str | None
    delegate: str | None
    groups: tuple[str, ...]
    absences: tuple[AbsenceLine, ...]
    """Present and future ones."""
    devices: tuple[DeviceLine, ...]
    waiting: tuple[RequestLine, ...]
    """Most urgent first."""
    waiting_in_all: int
    notices: tuple[NotificationLine, ...]
    """The last ones of the waiting requests, newest first."""


async def person_show(context: Context, directory: Directory, id: str, *, now: datetime | None = None) -> PersonShow:
    """Raises `UnknownPerson`. Notices need a worker, the rest does not."""
    now = now or datetime.now(UTC)
    person = await directory.person(id)
    found = await lists.page(context, Wanted(person=id, statuses=LIVING), size=WAITING_AT_MOST, now=now)
    asked = await asyncio.gather(*(_shown(context, line.id) for line in found.lines))
    return PersonShow(
        id=person.id,
        zone=person.zone,
        locale=person.locale,
        hours=person.hours,
        days=person.days,
        calendar=person.calendar,
        manager=person.manager,
        delegate=person.delegate,
        groups=person.groups,
        absences=tuple(_absences(person, now)),
        devices=tuple(DeviceLine.of(one, now) for one in await directory.known_devices(person)),
        waiting=found.lines,
        waiting_in_all=found.total,
        notices=_notices(id, asked),
    )


async def _shown(context: Context, request: str) -> RequestShow:
    return await lookup.look(context.client, context.store, request, within=_ANSWERS_WITHIN)


def _absences(person: Person, now: datetime) -> Iterable[AbsenceLine]:
    for absence in person.absent:
        begins, ends = absence.span(person.tz)
        if ends > now:
            yield AbsenceLine(begins=begins, ends=ends)


def _notices(person: str, requests: Iterable[RequestShow]) -> tuple[NotificationLine, ...]:
    lines = [
        NotificationLine(at=one.at, request=shown.id, stage=one.stage, channel=one.channel, outcome=outcome_words(one))
        for shown in requests
        for one in shown.notifications
        if one.person == person and not is_needless(one)
    ]
    return tuple(sorted(lines, key=lambda line: line.at, reverse=True)[:NOTICES_AT_MOST])


async def show(person: Annotated[str, Parameter(help="An id of the directory.")], /, *, json: AsJson = False) -> None:
    """Say how somebody is reached, when they work, what waits for them, and what they were told last.

    Devices are named by the hashes that the ledger of notices has, never by their tokens.

    Parameters
    ----------
    json
        Print `{id, zone, locale, hours, days, calendar, manager, delegate, groups, absences, devices, waiting,
        waiting_in_all, notices}`.
    """
    settings = ready(Need.PEOPLE)
    async with opened(settings) as context, patience("asking the requests", quiet=json):
        found = await person_show(context, clients.directory(settings, context.store), person)
    print_answer(found, Group(*_view(found)), as_json=json)


def _view(found: PersonShow) -> Iterator[RenderableType]:
    yield _facts(found)
    devices = device_rows(found.devices)
    yield from (Text(""), devices) if devices else (Text("\nNo device: nothing is pushed to them", "yellow"),)
    yield from (Text(""), tables.of_list(found.waiting)) if found.waiting else (Text("\nNothing waits for them"),)
    if more := found.waiting_in_all - len(found.waiting):
        yield Text(f"and {more:,} more: countersign request list --person {found.id}", "dim")
    notices = Rows("told", "request", "stage", "outcome", whole=("request",))
    for notice in found.notices:
        notices.add(Instant(notice.at), notice.request, notice.stage, f"{notice.channel}: {notice.outcome}")
    if notices:
        yield from (Text(""), notices)
    if not found.waiting:
        yield ZoneLine()


def device_rows(devices: Iterable[DeviceLine]) -> Rows:
    """A row for each device, with why nothing is sent to it."""
    rows = Rows("device", "kind", "platform", "registered", "seen", "", whole=("device",))
    for one in devices:
        dates = [Instant(at) if at else "" for at in (one.registered_at, one.seen_at)]
        rows.add(one.device, one.kind, one.platform, *dates, _how_it_is(one))
    return rows


def _how_it_is(one: DeviceLine) -> Text:
    if one.gone is not None:
        return Text(f"given up: {one.gone}", "red")
    return Text("not seen for 30 days", "yellow") if one.unseen else Text("")


def _facts(found: PersonShow) -> Facts:
    facts = Facts()
    facts.add("person", found.id)
    facts.add("works", " ".join(filter(None, (found.days, found.hours, found.zone, found.calendar))))
    for absence in found.absences:
        facts.add("absent", f"{stamp(absence.begins)} to {stamp(absence.ends)}", "yellow")
    for name, value in (("manager", found.manager), ("delegate", found.delegate), ("language", found.locale)):
        if value:
            facts.add(name, value)
    if found.groups:
        facts.add("groups", ", ".join(found.groups))
    return facts


class PersonDevices(Model):
    """The answer of `people devices`."""

    person: str
    devices: tuple[DeviceLine, ...]


async def devices(
    person: Annotated[str, Parameter(help="An id of the directory.")], /, *, json: AsJson = False
) -> None:
    """List somebody's devices: those of the people file, and those that the company's app has registered.

    Each is named by the hash that the ledger of notices has, never by its address.

    Parameters
    ----------
    json
        Print `{person, devices[{device, kind, platform, registered_at, seen_at, reachable, unseen, gone, gone_at}]}`.
    """
    settings = ready(Need.PEOPLE)
    directory = clients.directory(settings, clients.store(settings))
    known = await directory.person(person)
    lines = tuple(DeviceLine.of(one, datetime.now(UTC)) for one in await directory.known_devices(known))
    shown = device_rows(lines) if lines else Text(f"{known.id} has no device: nothing is pushed to them", "yellow")
    print_answer(PersonDevices(person=known.id, devices=lines), shown, as_json=json)


class SignedOut(Model):
    """The answer of `people sign-out`."""

    person: str
    signed_out: bool = True


async def sign_out(
    person: Annotated[str, Parameter(help="An id of the directory.")], /, *, json: AsJson = False
) -> None:
    """End every session of somebody at the desk, in whatever browser; they can ask for a new one.

    Parameters
    ----------
    json
        Print `{person, signed_out}`.
    """
    settings = ready(Need.PEOPLE)
    store = clients.store(settings)
    known = await clients.directory(settings, store).person(person)
    await sign_out_everywhere(store, known.id)
    print_answer(SignedOut(person=known.id), Text(f"{known.id} is signed out of the desk everywhere"), as_json=json)
