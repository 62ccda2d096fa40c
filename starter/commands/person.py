"""`countersign person show`: somebody of the directory, as follow-up sees them."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from cyclopts import Parameter
from rich.console import Group, RenderableType
from rich.text import Text

from starter import clients, tables
from starter.commands.arguments import AsJson
from starter.commands.printing import patience, print_answer
from starter.context import opened
from starter.needs import Need
from starter.person import DeviceLine, PersonShow, person_show
from starter.rows import Rows
from starter.startup import ready
from starter.terminal import Facts, Instant, ZoneLine
from workflows.follow_up.show import stamp


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
    print_answer(found, Group(*_told(found)), as_json=json)


def _told(found: PersonShow) -> Iterator[RenderableType]:
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
    """A line for each device, with why nothing is sent to it."""
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
