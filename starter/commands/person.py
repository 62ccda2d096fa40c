"""`countersign person show`: somebody of the directory, as follow-up sees them."""

from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter
from rich.console import Group, RenderableType
from rich.text import Text

from starter import clients, tables
from starter.commands.arguments import AsJson
from starter.commands.printing import answer, patience
from starter.context import opened
from starter.needs import Need
from starter.person import PersonShow, person_show
from starter.startup import ready
from starter.terminal import Facts, Instant, Rows, ZoneLine
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
    answer(found, Group(*_told(found)), as_json=json)


def _told(found: PersonShow) -> Iterator[RenderableType]:
    yield _facts(found)
    devices = Rows("device", "platform", "", whole=("device",))
    for device in found.devices:
        devices.add(device.device, device.platform, Text("" if device.reachable else "given up", "red"))
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
