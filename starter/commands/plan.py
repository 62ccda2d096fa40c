"""`plan`: the calendar of whatever is to be started, before it is; or what would change of a living request."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter, Token

from activities.starting import path
from activities.store.store import Store
from starter import clients, many, requests
from starter.campaigns import starting as campaigns
from starter.commands.arguments import AsJson, Picture, RequestFile
from starter.commands.printing import note, print_answer
from starter.context import opened
from starter.error_types import Refusal
from starter.fast_forward import span
from starter.needs import Need
from starter.onboarding import starting
from starter.plan import calendar, comparison, tables
from starter.plan import campaign as audiences
from starter.plan import onboarding as journey
from starter.plan.ics import calendar_of, calendar_with
from starter.plan.svg import plan_picture
from starter.settings import Settings
from starter.startup import ready
from starter.terminal import Terminal


def _as_typed(parse: Callable[[str], object]) -> Callable[[Any, Any], None]:
    """A validator that refuses what cannot be parsed, in the words of the parser."""

    def check(_: object, typed: str | None) -> None:
        if typed is not None:
            parse(typed)

    return check


def _signing(_: object, tokens: Sequence[Token]) -> tuple[str, ...]:
    """A converter, because a validator would show all that was typed as a tuple of Python."""
    typed = tuple(token.value for token in tokens)
    calendar.signing(typed)
    return typed


def _instant(text: str) -> datetime:
    return calendar.sending_time(text, None, datetime.now(UTC))


Prepared = TypeVar("Prepared", bound=path.PreparedStart)
At = Annotated[str | None, Parameter(validator=_as_typed(_instant))]
Zone = Annotated[str | None, Parameter(validator=_as_typed(calendar.zone_of))]
Signs = Annotated[tuple[str, ...], Parameter(converter=_signing)]


async def plan(
    file: RequestFile,
    /,
    *,
    at: At = None,
    zone: Zone = None,
    signs: Signs = (),
    against: str | None = None,
    ics: Path | None = None,
    picture: Picture = None,
    json: AsJson = False,
) -> None:
    """Show everything that would happen, when and why, before anything is sent. Needs no server.

    Parameters
    ----------
    file
        A request in YAML or JSON; `-` reads standard input.
    at
        When it would be sent: `2026-11-02`, or `2026-11-02T09:00` on the clock of the zone; default: now.
    zone
        The zone in which times are shown; default: that of this machine (with --json, of whoever is told).
    signs
        Who signs how long after their turn came, such as `customer-signer@+2d`; may be repeated.
    against
        The id of a running request: show only what the due date and the policy of the file would change in it.
    ics
        Write the plan as a calendar file, too, to be laid over other calendars.
    picture
        Write its weeks as a picture, too: an SVG file, light or dark as its reader likes it.
    json
        Print the whole plan as JSON.
    """
    settings = ready(Need.PEOPLE)
    if against is not None:
        await _compare(settings, file, against, as_json=json)
        return
    there = calendar.zone_of(zone)
    sent_at = calendar.sending_time(at, there, datetime.now(UTC))
    prepared = await requests.read(settings, file, now=sent_at)
    directory = clients.directory(settings, Store(settings.store_url))
    found = await calendar.plan(prepared, directory, sent_at, calendar.signing(signs), there)
    print_answer(found, tables.of_plan(found, there), as_json=json)
    if ics is not None:
        await _write("calendar", ics, calendar_of(found))
    if picture is not None:
        await _write("picture", picture, plan_picture(found, there))
    elif not json and Terminal().is_terminal:
        note("--picture weeks.svg draws these weeks for people without a terminal")


Long = Annotated[str, Parameter(validator=_as_typed(span))]


async def onboarding(
    file: RequestFile,
    /,
    *,
    at: At = None,
    zone: Zone = None,
    signed_after: Long = "2d",
    done_after: Long = "2d",
    json: AsJson = False,
) -> None:
    """Show the whole calendar of an onboarding, its parts in their stages, before it is started. Needs no server.

    Parameters
    ----------
    file
        An onboarding in YAML or JSON; `-` reads standard input.
    at
        When it would be started: `2026-11-02`, or `2026-11-02T09:00` on the clock of the zone; default: now.
    zone
        The zone in which times are shown; default: that of this machine (with --json, of whoever is told).
    signed_after
        How long after their turn came everybody is assumed to sign, such as 4h, 2d or 1w.
    done_after
        How long after they were asked people are assumed to have done a task or a step.
    json
        Print the whole plan as JSON.
    """
    settings = ready(Need.PEOPLE)
    there = calendar.zone_of(zone)
    begins = calendar.sending_time(at, there, datetime.now(UTC))
    directory = clients.directory(settings, Store(settings.store_url))
    read = many.read_rows_files(
        settings, starting.preparing_onboarding(settings), [file], now=begins, directory=directory
    )
    prepared = _only(await read, file)
    assumed = journey.Assumed(signed_after=signed_after, done_after=done_after)
    found = await journey.plan(prepared, directory, begins, assumed, there)
    print_answer(found, tables.of_onboarding(found, there), as_json=json)


async def campaign(
    file: RequestFile, /, *, at: At = None, zone: Zone = None, ics: Path | None = None, json: AsJson = False
) -> None:
    """Show who would be asked and who not, what everybody would hear and when, what it takes. Needs no server.

    Parameters
    ----------
    file
        A campaign in YAML or JSON; `-` reads standard input.
    at
        When it would be started: `2026-11-02`, or `2026-11-02T09:00` on the clock of the zone; default: now.
    zone
        The zone in which times are shown; default: that of this machine (with --json, of whoever is told).
    ics
        Write the plan as a calendar file, too, to be laid over other calendars.
    json
        Print the whole plan as JSON, with every row that cannot be asked.
    """
    settings = ready(Need.PEOPLE)
    there = calendar.zone_of(zone)
    begins = calendar.sending_time(at, there, datetime.now(UTC))
    directory = clients.directory(settings, Store(settings.store_url))
    read = many.read_rows_files(
        settings, campaigns.preparing_campaign(settings), [file], now=begins, directory=directory
    )
    prepared = _only(await read, file)
    found = await audiences.plan(prepared, directory, begins, settings.signature.max_rps, there)
    print_answer(found, tables.of_campaign(found, there), as_json=json)
    if ics is not None:
        await _write("calendar", ics, calendar_with(found, found.lines))


def _only(prepared: Sequence[Prepared], file: str) -> Prepared:
    first, *others = prepared
    if others:
        kind = first.given.subject.type
        raise Refusal(f"{file} has {len(others) + 1} {kind}s: one plan is of one")
    return first


async def _write(what: str, path: Path, content: bytes) -> None:
    try:
        await asyncio.to_thread(path.write_bytes, content)
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}") from error
    note(f"{what}: {path}")


async def _compare(settings: Settings, file: str, against: str, *, as_json: bool) -> None:
    prepared = await requests.read(settings, file)
    async with opened(settings) as context:
        directory = clients.directory(settings, context.store)
        found = await comparison.compare(context, prepared, directory, against)
    print_answer(found, tables.of_difference(found), as_json=as_json)
