"""`countersign people …`: commands about people of the directory."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from pydantic import AwareDatetime
from rich.console import Group, RenderableType
from rich.text import Text

from activities.people.absences import AbsenceRefused, WantedAbsence
from activities.people.company_directory import CompanyDirectory
from activities.people.devices import KnownDevice
from activities.people.person import PeopleFile
from activities.people.pushed import derive, imported_people
from activities.records.devices import device_hash
from activities.records.ended import ListFilter
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli import tables
from starter.cli.actors import find_actor
from starter.cli.arguments import As, AsJson
from starter.cli.operations import due_of, is_due
from starter.cli.printing import patience, print_answer
from starter.cli.terminal import FactTable, PrintedInstant, Rows, ZoneLine
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
    """`token`, `fid` or `web` (a browser): the kind of its address."""
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
    def from_device(cls, registered: KnownDevice, now: datetime) -> "DeviceLine":
        device = registered.device
        return cls(
            device=device_hash(device.value),
            kind=device.kind,
            platform=device.platform,
            registered_at=device.registered,
            seen_at=device.last_seen_at,
            reachable=registered.invalid_reason is None,
            unseen=device.unseen(now),
            gone=registered.invalid_reason,
            gone_at=registered.gone_at,
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
    context: Context, directory: CompanyDirectory, id: str, *, now: datetime | None = None
) -> PersonShow:
    """Raises `UnknownPerson`. Notices need a worker, the rest does not."""
    now = now or datetime.now(UTC)
    person = await directory.person(id)
    page = await lists.page(context, ListFilter(person=id, statuses=LIVING), size=WAITING_AT_MOST, now=now)
    views = await asyncio.gather(*(_look_at(context, line.id) for line in page.lines))
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
        devices=tuple(DeviceLine.from_device(device, now) for device in await directory.known_devices(person)),
        waiting=page.lines,
        waiting_in_all=page.total,
        notices=_notices(id, views),
    )


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
        view = await person_show(context, clients.directory(settings, context.store), person)
    print_answer(view, Group(*_view(view)), as_json=json)


def device_rows(devices: Iterable[DeviceLine]) -> Rows:
    """A row for each device, with why nothing is sent to it."""
    rows = Rows("device", "kind", "platform", "registered", "seen", "", whole_columns=("device",))
    for line in devices:
        dates = [PrintedInstant(instant) if instant else "" for instant in (line.registered_at, line.seen_at)]
        rows.add(line.device, line.kind, line.platform, *dates, _how_it_is(line))
    return rows


def _how_it_is(line: DeviceLine) -> Text:
    if line.gone is not None:
        return Text(f"given up: {line.gone}", "red")
    return Text("not seen for 30 days", "yellow") if line.unseen else Text("")


class PersonDevices(Model):
    """The answer of `people devices`."""

    person: str
    devices: tuple[DeviceLine, ...]


async def devices(
    person: Annotated[str, Parameter(help="An id of the directory.")], /, *, json: AsJson = False
) -> None:
    """List somebody's devices: from the people file, from your app, and browsers.

    Each is shown by the hash that timelines use, never by its address.

    Parameters
    ----------
    json
        Print `{person, devices[{device, kind, platform, registered_at, seen_at, reachable, unseen, gone, gone_at}]}`.
    """
    settings = ready(Need.PEOPLE)
    directory = clients.directory(settings, clients.store(settings))
    recipient = await directory.person(person)
    lines = tuple(
        DeviceLine.from_device(device, datetime.now(UTC)) for device in await directory.known_devices(recipient)
    )
    content = (
        device_rows(lines) if lines else Text(f"{recipient.id} has no device: nothing is pushed to them", "yellow")
    )
    print_answer(PersonDevices(person=recipient.id, devices=lines), content, as_json=json)


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
    recipient = await clients.directory(settings, store).person(person)
    await sign_out_everywhere(store, recipient.id)
    print_answer(
        SignedOut(person=recipient.id), Text(f"{recipient.id} is signed out of the desk everywhere"), as_json=json
    )


class ImportedFile(Model):
    """The answer of `people import`."""

    people: int
    left: int
    kept_out: int


async def import_(file: Annotated[Path, Parameter(help="A people file.")], /, *, json: AsJson = False) -> None:
    """Keep a people file in the database, in place of the one before. It adds what the company's directory does not
    push: zone, hours, calendar, delegate, language. Who only the former file had has left.

    Parameters
    ----------
    json
        Print `{people, left, kept_out}`; `kept_out` are those whom the company's directory removed.
    """
    settings = ready(Need.PEOPLE)
    if not settings.people_in_database:
        raise Refusal("people are read from a file here: set COUNTERSIGN_PEOPLE=database to keep them in the database")
    directory = clients.store(settings).directory
    people = (await asyncio.to_thread(PeopleFile.read, file)).people
    ids = await directory.ids_by_address([person.email.casefold() for person in people])
    report = await directory.keep_imported(imported_people(people, ids), derive, datetime.now(UTC))
    message = f"{report.people:,} people of {file.name} are in the database"
    message += f"; {report.left:,} others have left" if report.left else ""
    message += f"; {report.kept_out:,} were removed by the company's directory, and stay out" if report.kept_out else ""
    answer = ImportedFile(people=report.people, left=report.left, kept_out=report.kept_out)
    print_answer(answer, Text(message), as_json=json)


class ConfirmedExodus(Model):
    """The answer of `people confirm`."""

    confirmed: int


async def confirm(*, json: AsJson = False) -> None:
    """Confirm that all those people left who left at once.

    Parameters
    ----------
    json
        Print `{confirmed}`: how many people.
    """
    confirmed = await clients.store(ready(Need.PEOPLE)).directory.confirm_exodus()
    message = f"{confirmed:,} people have left"
    print_answer(ConfirmedExodus(confirmed=confirmed), Text(message if confirmed else "Nobody is held"), as_json=json)


async def enter_absence(
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
    actor, now = (await find_actor(settings, as_)).recorded, datetime.now(UTC)
    absence = WantedAbsence(due_of(from_, now), due_of(until, now), to, kinds)
    known_kinds = clients.catalogue(settings).kinds if kinds else ()
    async with opened(settings) as context:
        directory = clients.directory(settings, context.store)
        try:
            view = await Absences(context, directory).enter(person, absence, actor, now, kinds=known_kinds)
        except AbsenceRefused as refused:
            raise Refusal(f"nothing was changed: {refused.field}: {refused}") from None
    print_answer(view, _absences_view(view), as_json=json)


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
    actor, now = (await find_actor(settings, as_)).recorded, datetime.now(UTC)
    async with opened(settings) as context:
        directory = clients.directory(settings, context.store)
        view = await Absences(context, directory).end(person, actor, now, id)
    print_answer(view, _absences_view(view), as_json=json)


async def _look_at(context: Context, request: str) -> RequestShow:
    return await lookup.find_request_view(context.client, context.store, request, time_limit=_ANSWERS_WITHIN)


def _notices(person: str, requests: Iterable[RequestShow]) -> tuple[NotificationLine, ...]:
    lines = [
        NotificationLine(
            at=notification.at,
            request=view.id,
            stage=notification.stage,
            channel=notification.channel,
            outcome=outcome_words(notification),
        )
        for view in requests
        for notification in view.notifications
        if notification.person == person and not is_needless(notification)
    ]
    return tuple(sorted(lines, key=lambda line: line.at, reverse=True)[:NOTICES_AT_MOST])


def _view(view: PersonShow) -> Iterator[RenderableType]:
    yield _facts(view)
    devices = device_rows(view.devices)
    yield from (Text(""), devices) if devices else (Text("\nNo device: nothing is pushed to them", "yellow"),)
    yield from (Text(""), tables.of_list(view.waiting)) if view.waiting else (Text("\nNothing waits for them"),)
    if further := view.waiting_in_all - len(view.waiting):
        yield Text(f"and {further:,} more: countersign request list --person {view.id}", "dim")
    notices = Rows("told", "request", "stage", "outcome", whole_columns=("request",))
    for notice in view.notices:
        notices.add(PrintedInstant(notice.at), notice.request, notice.stage, f"{notice.channel}: {notice.outcome}")
    if notices:
        yield from (Text(""), notices)
    if not view.waiting:
        yield ZoneLine()


def _facts(view: PersonShow) -> FactTable:
    facts = FactTable()
    facts.add("person", view.id)
    facts.add("works", " ".join(filter(None, (view.days, view.hours, view.zone, view.calendar))))
    for absence in view.absences:
        facts.add("absent", absence.describe, "yellow")
    for name, value in (("manager", view.manager), ("delegate", view.delegate), ("language", view.locale)):
        if value:
            facts.add(name, value)
    if view.groups:
        facts.add("groups", ", ".join(view.groups))
    return facts


def _absences_view(view: AbsencesShow) -> RenderableType:
    if not view.absences:
        return Text(f"{view.person} has no absence")
    rows = Rows("absence", "from", "until", "acts", "kinds", "entered by", whole_columns=("absence",))
    for absence in view.absences:
        kinds, author = ", ".join(absence.kinds) or "all", absence.entered_by or "the people file"
        rows.add(
            absence.id or "",
            PrintedInstant(absence.begins),
            PrintedInstant(absence.ends),
            absence.acts or "",
            kinds,
            author,
        )
    return Group(rows, ZoneLine())
