"""The page of a campaign: all of it for its owner, missing people for their manager."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.campaign.member_status import MemberOutcome, by, worst_first
from activities.campaign.population import owners_day
from activities.notifications.links import at_desk
from activities.people.language import Language
from starter.queries.campaign import CampaignPicture, pictured
from starter.queries.campaign_page import campaign_chart
from starter.queries.campaign_people import SHOWN_AT_MOST, ManagedMembers, MissingMember, MissingPeople, looked_at
from starter.queries.filters import is_request_id
from starter.queries.lookup import of_type
from starter.web.actions import Who
from starter.web.desk.access import Right, right_of, steps_of
from starter.web.desk.answers import PeopleNames, RequestContext
from starter.web.desk.cards import NOT_THERE
from starter.web.desk.follow_up_words import FollowUpText, told
from starter.web.desk.follow_ups import news
from starter.web.desk.sessions import Visitor
from starter.web.forms import NotDone, Send, WhyNot, attempted
from starter.web.looks import RecentLooks
from starter.web.status import Chip, Of, chip_of, ending
from workflows.kinds import Kind, WorkflowName
from workflows.model.campaign import Counts
from workflows.model.commands import ReminderNow
from workflows.model.views import CampaignShow

PICTURES_AT_MOST: Final = 2
"""Campaigns cached for some seconds."""
PICTURE_SECONDS: Final = 10.0
CHARTS_AT_MOST: Final = 20
"""Cached, each in a language."""
DEPARTMENTS_AT_MOST: Final = 50
"""Shown; the rest are counted."""
REMINDED_AT_ONCE: Final = 10
"""Requests reminded at a time."""
REMINDING_SECONDS_AT_MOST: Final = 20.0
"""For one click: browsers and proxies wait about half a minute."""
_REFUSED: Final = 409
_DIGITS: Final = 6


@dataclass(frozen=True)
class CampaignAccess:
    """A campaign, whole or the visitor's people."""

    shown: CampaignShow
    people: MissingPeople
    everything: bool

    @property
    def path(self) -> str:
        return at_desk(WorkflowName(Kind.CAMPAIGN, self.shown.id))


@dataclass(frozen=True)
class MissingRow:
    """Somebody who has not acknowledged."""

    person: str
    name: str
    state: Chip
    since: str
    due: str
    overdue: bool
    can_be_reminded: bool


@dataclass
class RemindedCount:
    """Reminders asked for and done, and the first refusal."""

    asked: int
    done: int = 0
    refusal: str = ""
    status: int = 200

    def met(self, why: NotDone, language: Language) -> None:
        """Note a failure; the worst is shown."""
        if why.status > self.status:
            self.refusal, self.status = why.says(language), why.status


class Campaigns:
    def __init__(self, room: RequestContext, send: Send, seconds: Callable[[], float]) -> None:
        self._room = room
        self._answers = room.answers
        self._send = send
        self._mine = ManagedMembers(room.context.store)
        self._pictures = RecentLooks(self._picture, seconds, PICTURES_AT_MOST, fresh=PICTURE_SECONDS)
        self._charts = RecentLooks(self._drawn, seconds, CHARTS_AT_MOST, fresh=PICTURE_SECONDS)

    def routes(self) -> list[BaseRoute]:
        path = f"/desk/{at_desk(WorkflowName(Kind.CAMPAIGN, '{id}'))}"
        return [
            Route(path, self._answers.visitors(self.show), methods=["GET"]),
            Route(f"{path}/remind", self._answers.acting(self.remind), methods=["POST"]),
        ]

    async def show(self, request: Request, visitor: Visitor) -> Response:
        seen = await self._seen(request, visitor)
        if seen is None:
            return await self._answers.inside(NOT_THERE, visitor)
        return await self._page(
            seen, visitor, _place(request.query_params.get("from", "")), said=_said(request, visitor)
        )

    async def remind(self, request: Request, visitor: Visitor, form: dict[str, str]) -> Response:
        """Remind one missing person, or all shown."""
        seen = await self._seen(request, visitor)
        if seen is None:
            return await self._answers.inside(NOT_THERE, visitor)
        begin, person = _place(form.get("from", "")), form.get("person")
        lines = [line for line in seen.people.missing if line.person == person] if person else _some(seen.people, begin)
        if person and not lines and all(line.person != person for line in seen.people.lines):
            return await self._answers.inside(NOT_THERE, visitor)
        op = self._answers.guard.op(visitor.name, form)
        reminded = await self._remind(await looked_at(self._room.context.client, lines[:SHOWN_AT_MOST]), visitor, op)
        if reminded.refusal and not reminded.done:
            return await self._page(seen, visitor, begin, reminded, token=form["token"])
        return self._answers.renderer.to_desk(f"{seen.path}?from={begin}&reminded={reminded.done}&of={reminded.asked}")

    async def _remind(self, missing: Sequence[MissingMember], visitor: Visitor, op: str) -> RemindedCount:
        """Some at a time; stops when nobody answers in time."""
        asked = [one.line.request for one in missing if one.can_be_reminded]
        found = RemindedCount(len(asked))
        try:
            async with asyncio.timeout(REMINDING_SECONDS_AT_MOST):
                for first in range(0, len(asked), REMINDED_AT_ONCE):
                    some = asked[first : first + REMINDED_AT_ONCE]
                    await asyncio.gather(*(self._remind_one(request, visitor, op, found) for request in some))
                    if found.status > _REFUSED:
                        break
        except TimeoutError:
            found.met(NotDone(WhyNot.UNSURE), visitor.reader.language)
        return found

    async def _remind_one(self, request: str, visitor: Visitor, op: str, found: RemindedCount) -> None:
        sent = await attempted(self._send(request, ReminderNow(actor=visitor.id, op=op), op, watched=False), request)
        if not isinstance(sent, NotDone):
            found.done += 1
        elif sent.fault is WhyNot.ENDED:
            found.asked -= 1
        else:
            found.met(sent, visitor.reader.language)

    async def _seen(self, request: Request, visitor: Visitor) -> CampaignAccess | None:
        """None when it does not concern the visitor."""
        what = WorkflowName(Kind.CAMPAIGN, request.path_params["id"])
        shown = await self._room.look(what.reference) if is_request_id(what.id) else None
        if shown is None:
            return None
        shown = of_type(CampaignShow, shown)
        standing = await self._room.standings.of(visitor)
        if right_of(visitor, standing, shown) is Right.EVERYTHING:
            whole = await self._pictures(what.reference, what.reference)
            return CampaignAccess(whole.shown, MissingPeople(whole.lines), everything=True) if whole else None
        people = await self._mine.of(shown, visitor.id, frozenset(standing.reports))
        return CampaignAccess(shown, people, everything=False) if people else None

    async def _picture(self, reference: str) -> CampaignPicture | None:
        shown, context = await self._room.look(reference), self._room.context
        return await pictured(context.client, context.store, of_type(CampaignShow, shown)) if shown else None

    async def _drawn(self, asked: str) -> Markup:
        """The chart for `<language> <campaign>`."""
        code, _, reference = asked.partition(" ")
        whole, now = await self._pictures(reference, reference), self._room.clock()
        if whole is None:
            return Markup()
        ahead = None if whole.shown.status.ended else now
        svg = await asyncio.to_thread(campaign_chart, whole.shown, whole.lines, language=Language.of(code), now=ahead)
        # It is ours, and has neither styles nor scripts.
        return Markup(svg)  # noqa: S704

    async def _page(
        self, seen: CampaignAccess, visitor: Visitor, begin: int, reminded: RemindedCount | None = None, **more: str
    ) -> Response:
        """A form whose reminder is unsure keeps its `token`."""
        people, language, frame = seen.people, visitor.reader.language, await self._answers.frame(visitor)
        names = PeopleNames(self._room.directory, Kind.CAMPAIGN.workflow_id(seen.shown.id))
        some = await looked_at(self._room.context.client, _some(people, begin))
        deeds = tuple(steps_of(seen.shown, Who.OWNER)) if seen.everything else ()
        today = await owners_day(seen.shown.requester, self._room.clock(), self._room.directory)
        return self._answers.renderer.page(
            "campaign.html",
            visitor.reader.language,
            frame=frame,
            status=reminded.status if reminded else 200,
            it=await self._told(seen, visitor, names),
            everything=seen.everything,
            sentences=_sentences(seen, visitor),
            so_far=(people.done, people.wanted),
            rows=[await self._row(one, visitor, names, today) for one in some],
            missing=len(people.missing),
            begin=begin,
            shown_at_most=SHOWN_AT_MOST,
            looked_at=len(people.lines) if people.more else 0,
            deeds=[(one.address, language.say(one.spec.label), one.spec.grave) for one in deeds],
            refusal=reminded.refusal if reminded else "",
            said=more.get("said", ""),
            token=more.get("token") or frame.token,
            **await self._whole(seen, visitor),
        )

    async def _whole(self, seen: CampaignAccess, visitor: Visitor) -> dict[str, Any]:
        """Figures for those with all rights."""
        shown = seen.shown if seen.everything else None
        groups = worst_first(by(seen.people.lines, "department")) if shown else ()
        departments = [group for group in groups if group.counts.wanted]
        asked = f"{visitor.reader.language.code} {Kind.CAMPAIGN.workflow_id(seen.shown.id)}"
        return {
            "chart": await self._charts(f"{asked} {shown.counted_at}", asked) if shown else "",
            "counts": _counts(shown.counts, visitor) if shown else [],
            "as_of": visitor.reader.moment(shown.counted_at) if shown and shown.counted_at else "",
            "departments": departments[:DEPARTMENTS_AT_MOST],
            "other_departments": max(0, len(departments) - DEPARTMENTS_AT_MOST),
        }

    async def _told(self, seen: CampaignAccess, visitor: Visitor, names: PeopleNames) -> FollowUpText:
        titled = seen.everything or await self._room.kinds.lets_titles_be_read(seen.shown.kind)
        return await told(
            seen.shown,
            visitor,
            names.of,
            self._room.clock(),
            kind=await self._room.kinds.label(seen.shown.kind, visitor.reader.language),
            everything=seen.everything,
            titled=titled,
        )

    async def _row(self, one: MissingMember, visitor: Visitor, names: PeopleNames, today: date) -> MissingRow:
        reader, now, line = visitor.reader, self._room.clock(), one.line
        due = reader.shortly(one.due_at, now) if one.due_at else line.due
        since = reader.shortly(one.since, now) if one.since else ""
        state = chip_of(Of.MEMBER, one.state, reader.language)
        name = await names.in_full(line.person, line.request)
        return MissingRow(line.person, name, state, since, due, one.overdue(now, today), one.can_be_reminded)


def _some(people: MissingPeople, begin: int) -> list[MemberOutcome]:
    return people.missing[begin : begin + SHOWN_AT_MOST]


def _place(text: str) -> int:
    """The first row of the page, 0 for nonsense."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else 0


def _said(request: Request, visitor: Visitor) -> str:
    query, language = request.query_params, visitor.reader.language
    if "reminded" not in query:
        return news(query.get("done", ""), Kind.CAMPAIGN, visitor)
    done, asked = _place(query["reminded"]), _place(query.get("of", ""))
    said = language.say_count("{count} person is being reminded.", "{count} people are being reminded.", done)
    others = language.say("The others were told within the hour, or have acknowledged meanwhile.")
    return f"{said} {others}" if asked > done else said


def _sentences(seen: CampaignAccess, visitor: Visitor) -> tuple[str, ...]:
    shown, people, reader = seen.shown, seen.people, visitor.reader
    say_count, done, everybody = reader.language.say_count, people.done, people.wanted
    if shown.frozen is None and not shown.status.ended:
        return (reader.language.say("It opens on {when}.", when=reader.instant(shown.opens_at)),)
    if seen.everything:
        how = say_count(
            "{count} of {all} has acknowledged.", "{count} of {all} have acknowledged.", done, all=everybody
        )
    else:
        how = say_count(
            "{count} of your {all} people has acknowledged.",
            "{count} of your {all} people have acknowledged.",
            done,
            all=everybody,
        )
    if shown.status.ended:
        return (how, *ending(shown.status, reader.language, Kind.CAMPAIGN))
    last = reader.language.say("The last day is {date}.", date=reader.date(shown.due))
    late = reader.language.say("Late acknowledgements are accepted until {date}.", date=reader.date(shown.last_day))
    return (how, last, late) if shown.last_day > shown.due else (how, last)


def _counts(counts: Counts, visitor: Visitor) -> list[tuple[str, int]]:
    return [(chip_of(Of.MEMBER, name, visitor.reader.language).text, count) for name, count in counts if count]
