"""One person as follow-up sees them: how they are reached, when they work, what waits for them, what they were told.

Nothing of it is their name, address or token: whoever looks knows whom they asked for.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import AwareDatetime

from activities.devices import KnownDevice
from activities.directory import Directory
from activities.person import Person
from activities.store.devices import device_hash
from starter import lookup
from starter.context import Context
from starter.listing import pages
from starter.listing.query import Wanted
from starter.listing.rows import RequestLine
from workflows.follow_up.show import is_needless, outcome_words
from workflows.model.base import Model
from workflows.model.views import RequestShow

WAITING_AT_MOST: Final = 10
"""Requests that are named, and asked for what they told the person."""
NOTICES_AT_MOST: Final = 10
_ANSWERS_WITHIN: Final = timedelta(seconds=5)


class DeviceLine(Model):
    """A device; `device` is the hash that stands in the ledger, too."""

    device: str
    kind: str
    """`token` or `fid`: what the push service calls its address."""
    platform: str
    registered_at: AwareDatetime | None
    seen_at: AwareDatetime | None
    reachable: bool
    """The push service still knows it, as far as was heard."""
    unseen: bool
    """Its app was not seen for so long that nobody can rely on it: it is sent to, and mail goes out besides."""
    gone: str | None
    """Why it is given up."""
    gone_at: AwareDatetime | None

    @classmethod
    def of(cls, known: KnownDevice, now: datetime) -> "DeviceLine":
        """The line of a device."""
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
    """A time in which they cannot act: its first instant, and the first one after it."""

    begins: AwareDatetime
    ends: AwareDatetime


class NotificationLine(Model):
    """Something that they were told."""

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
    """Those that are not over."""
    devices: tuple[DeviceLine, ...]
    waiting: tuple[RequestLine, ...]
    """What waits for them, the most urgent first."""
    waiting_in_all: int
    notices: tuple[NotificationLine, ...]
    """The last ones of the requests that wait for them, the newest first."""


async def person_show(context: Context, directory: Directory, id: str, *, now: datetime | None = None) -> PersonShow:
    """All of it; `UnknownPerson` for nobody of the directory. Notices need a worker, the rest does not."""
    now = now or datetime.now(UTC)
    person = await directory.person(id)
    found = await pages.page(context, Wanted(person=id), size=WAITING_AT_MOST, now=now)
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
