"""`countersign people …`: commands about people of the directory."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from cyclopts import Parameter
from pydantic import AwareDatetime
from rich.console import Group, RenderableType
from rich.text import Text

from activities.people.absences import AbsenceRefused, WantedAbsence
from activities.people.devices import KnownDevice
from activities.people.file_directory import FileDirectory
from activities.records.devices import device_hash
from activities.records.ended import ListFilter
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli import tables
from starter.cli.arguments import As, AsJson
from starter.cli.known_people import claimed_actor
from starter.cli.operations import due_of, is_due
from starter.cli.printing import patience, print_answer
from starter.cli.terminal import Facts, Instant, Rows, ZoneLine
from starter.config.settings import Need
from starter.errors import Refusal
from starter.queries import lists, lookup
from starter.queries.absences import AbsenceLine, Absences, AbsencesShow
from starter.queries.filters import LIVING
from starter.queries.lists import RequestLine
from starter.temporal.connection import Context, opened
from starter.web.desk.sessions import sign_out_everywhere
from workflows.follow_up.view import is_needless, outcome_words
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


async def person_show(
    context: Context, directory: FileDirectory, id: str, *, now: datetime | None = None
) -> PersonShow:
    """Raises `UnknownPerson`. Notices need a worker, the rest does not."""
    now = now or datetime.now(UTC)
    person = await directory.person(id)
    found = await lists.page(context, ListFilter(person=id, statuses=LIVING), size=WAITING_AT_MOST, now=now)
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
        absences=(await Absences(context, directory).show(id, now)).absences,
        devices=tuple(DeviceLine.of(one, now) for one in await directory.known_devices(person)),
        waiting=found.lines,
        waiting_in_all=found.total,
        notices=_notices(id, asked),
    )


async def _shown(context: Context, request: str) -> RequestShow:
    return await lookup.look(context.client, context.store, request, within=_ANSWERS_WITHIN)


def _notices(person: str, requests: Iterable[RequestShow]) -> tuple[NotificationLine, ...]:
    lines = [
        NotificationLine(at=one.at, request=shown.id, stage=one.stage, channel=one.channel, outcome=outcome_words(one))
        for shown in requests
        for one in shown.notifications
        if one.person == person and not is_needless(one)
    ]
    return tuple(sorted(lines, key=lambda line: line.at, reverse=True)[:NOTICES_AT_MOST])


async def show(person: Annotated[str, Parameter(help="An id of the directory.")], /, *, json: AsJson = False) -> None:
    """Show how somebody is reached, when they work, what waits for them, and their last notifications.

    Devices are shown by the hashes that timelines use, never by their tokens.

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
        facts.add("absent", absence.words, "yellow")
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
    """List somebody's devices: those of the people file and those that your app has registered.

    Each is shown by the hash that timelines use, never by its address.

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


async def away(
    person: Annotated[str, Parameter(help="An id of the directory.")],
    /,
    *,
    until: Annotated[str, Parameter(validator=is_due)],
    from_: Annotated[str, Parameter("--from", validator=is_due)] = "today",
    to: str | None = None,
    kinds: Annotated[tuple[str, ...], Parameter("--kinds", consume_multiple=True)] = (),
    as_: As = None,
    json: AsJson = False,
) -> None:
    """Enter an absence. It counts beside those of the people file, takes the place of one that was entered for exactly
    the same days and kinds, and what waits for them is planned anew at once.

    Parameters
    ----------
    until
        The last day, such as 2026-12-31, friday or +14d; an instant with its offset is exact.
    from_
        The first day; default: today.
    to
        Who acts meanwhile: an id of the directory; default: their delegate of the people file.
    kinds
        Kinds of the catalogue for which they are away; default: all.
    json
        Print `{person, away, absences[{id, begins, ends, acts, kinds, entered_by, entered_at, told, told_at}]}`.
    """
    settings = ready(Need.PEOPLE)
    actor, now = claimed_actor(settings, as_), datetime.now(UTC)
    wanted = WantedAbsence(due_of(from_, now), due_of(until, now), to, kinds)
    known = clients.catalogue(settings).kinds if kinds else ()
    async with opened(settings) as context:
        directory = clients.directory(settings, context.store)
        try:
            found = await Absences(context, directory).enter(person, wanted, actor, now, kinds=known)
        except AbsenceRefused as refused:
            raise Refusal(f"nothing was changed: {refused.field}: {refused}") from None
    print_answer(found, _absences_view(found), as_json=json)


async def back(
    person: Annotated[str, Parameter(help="An id of the directory.")],
    /,
    *,
    id: str = "",
    as_: As = None,
    json: AsJson = False,
) -> None:
    """End absences that were entered: what waits for them is planned anew at once. What was handed over stays so, and
    absences of the people file stay.

    Parameters
    ----------
    id
        Only this one, by the id that `away` and `person show` print.
    json
        Print what `away` prints.
    """
    settings = ready(Need.PEOPLE)
    actor, now = claimed_actor(settings, as_), datetime.now(UTC)
    async with opened(settings) as context:
        directory = clients.directory(settings, context.store)
        found = await Absences(context, directory).end(person, actor, now, id)
    print_answer(found, _absences_view(found), as_json=json)


def _absences_view(found: AbsencesShow) -> RenderableType:
    if not found.absences:
        return Text(f"{found.person} has no absence")
    rows = Rows("absence", "from", "until", "acts", "kinds", "entered by", whole=("absence",))
    for one in found.absences:
        kinds, by = ", ".join(one.kinds) or "all", one.entered_by or "the people file"
        rows.add(one.id or "", Instant(one.begins), Instant(one.ends), one.acts or "", kinds, by)
    return Group(rows, ZoneLine())
