"""The page of a campaign: all of it for its owner, missing people for their manager."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from activities.campaign.population import owners_day
from activities.notifications.links import at_desk
from activities.people.language import Language
from starter.errors import Refusal
from starter.queries import campaign, campaign_report
from starter.queries.campaign_page import pieces
from starter.queries.campaign_report import CampaignReport
from starter.queries.charts import campaign_chart
from starter.queries.filters import is_request_id
from starter.queries.lookup import of_type
from starter.web.acting.actions import ACTIONS, Action
from starter.web.acting.forms import Send
from starter.web.acting.messages import message_text
from starter.web.desk.access import LABELS, ActionForm, FollowUpAccess, View, list_address
from starter.web.desk.fixed_screens import NOT_THERE
from starter.web.desk.follow_up_text import FollowUpText, build_text
from starter.web.desk.follow_ups import done_message
from starter.web.desk.lists import BYTE_ORDER_MARK
from starter.web.desk.responses import PeopleNames, RequestContext
from starter.web.desk.sessions import Visitor
from starter.web.desk.together import Carried, carry_out
from starter.web.downloads import PersonalFiles
from starter.web.rights import ReaderRole, Right, Rights, Standing
from starter.web.screens.rendering import Tab
from starter.web.screens.status import Chip, StateOwner, chip_of, ending_sentences, problems_of
from starter.web.screens.view_reader import ViewCache
from workflows.kinds import Kind, WorkflowName
from workflows.model.campaign import Counts
from workflows.model.commands import ReminderNow
from workflows.model.views import AttentionCode, CampaignShow

PICTURES_AT_MOST: Final = 2
"""Campaigns cached for some seconds."""
PICTURE_SECONDS: Final = 10.0
CHARTS_AT_MOST: Final = 20
"""Cached, each in a language."""
DEPARTMENTS_AT_MOST: Final = 50
"""Shown; the rest are counted."""
_DIGITS: Final = 6
_MEDIA_TYPES: Final = {"csv": "text/csv; charset=utf-8", "html": "text/html; charset=utf-8"}


async def _spreadsheet(found: CampaignReport) -> AsyncIterator[str]:
    yield BYTE_ORDER_MARK
    async for piece in found.table():
        yield piece


_FORMS: Final[Mapping[str, Callable[[CampaignReport], AsyncIterator[str]]]] = {"csv": _spreadsheet, "html": pieces}


@dataclass(frozen=True)
class CampaignAccess:
    """A campaign, whole or the visitor's people."""

    shown: CampaignShow
    people: campaign.MissingPeople
    rights: Rights
    role: ReaderRole

    @property
    def everything(self) -> bool:
        return Right.WHOLE in self.rights

    @property
    def may_remind(self) -> bool:
        return Right.REMIND in self.rights.all | self.rights.theirs

    @property
    def steps(self) -> tuple[ActionForm, ...]:
        return FollowUpAccess(WorkflowName(Kind.CAMPAIGN, self.shown.id), self.shown, self.rights, self.role).steps

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


class Campaigns:
    def __init__(self, shared: RequestContext, send: Send, files: PersonalFiles, seconds: Callable[[], float]) -> None:
        self._shared = shared
        self._responses = shared.responses
        self._send = send
        self._files = files
        self._pictures = ViewCache(self._picture, seconds, PICTURES_AT_MOST, fresh=PICTURE_SECONDS)
        self._charts = ViewCache(self._drawn, seconds, CHARTS_AT_MOST, fresh=PICTURE_SECONDS)

    def routes(self) -> list[BaseRoute]:
        path = f"/desk/{at_desk(WorkflowName(Kind.CAMPAIGN, '{id}'))}"
        return [
            Route(path, self._responses.visitors(self.show), methods=["GET"]),
            Route(f"{path}/remind-members", self._responses.acting(self.remind), methods=["POST"]),
            *(
                Route(f"{path}/report.{form}", self._responses.visitors(self.report), methods=["GET"])
                for form in _FORMS
            ),
        ]

    async def show(self, request: Request, visitor: Visitor) -> Response:
        seen = await self._seen(request, visitor)
        if seen is None:
            return await self._responses.inside(NOT_THERE, visitor)
        query, said = request.query_params, _done_message(request, visitor)
        return await self._page(
            seen, visitor, _parse_offset(query.get("from", "")), said=said, back=query.get("list", "")
        )

    async def remind(self, request: Request, visitor: Visitor, form: dict[str, str]) -> Response:
        """Remind one missing person, or all shown."""
        seen = await self._seen(request, visitor)
        if seen is None or not seen.may_remind:
            return await self._responses.inside(NOT_THERE, visitor)
        begin, person = _parse_offset(form.get("from", "")), form.get("person")
        lines = await (seen.people.of_person(person) if person else seen.people.missing(begin))
        if person and not lines:
            return await self._responses.inside(NOT_THERE, visitor)
        open_ones = [line for line in lines if line.open]
        op = self._responses.guard.op(visitor.name, form)
        reminded = await self._remind(await campaign.looked_at(self._shared.context.client, open_ones), visitor, op)
        if reminded.refusal and not reminded.done:
            return await self._page(seen, visitor, begin, reminded, token=form["token"])
        return self._responses.renderer.to_desk(
            f"{seen.path}?from={begin}&reminded={reminded.done}&of={reminded.asked}"
        )

    async def report(self, request: Request, visitor: Visitor) -> Response:
        """The report with everybody's names, as the command writes it."""
        seen, form = await self._seen(request, visitor), request.url.path.rpartition(".")[2]
        whole = await self._whole_picture(seen) if seen and Right.TEXTS in seen.rights else None
        if seen is None or whole is None:
            return await self._responses.inside(NOT_THERE, visitor)
        try:
            found = await campaign_report.of_picture(
                self._shared.context.store, whole, directory=self._shared.directory
            )
        except Refusal:  # no worker answers that knows its audience
            return self._responses.renderer.to_desk(seen.path)
        name = f"{seen.shown.id}.{form}"
        headers = {**self._responses.renderer.headers, "content-disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(_FORMS[form](found), media_type=_MEDIA_TYPES[form], headers=headers)

    async def _remind(self, missing: Sequence[campaign.MissingMember], visitor: Visitor, op: str) -> Carried:
        command = ReminderNow(actor=visitor.id)
        orders = [(one.line.request, command) for one in missing if one.can_be_reminded]
        return await carry_out(orders, self._send, op, visitor.reader.language)

    async def _seen(self, request: Request, visitor: Visitor) -> CampaignAccess | None:
        """None when it does not concern the visitor."""
        what = WorkflowName(Kind.CAMPAIGN, request.path_params["id"])
        shown = await self._shared.look(what.reference) if is_request_id(what.id) else None
        if shown is None:
            return None
        shown = of_type(CampaignShow, shown)
        role = await self._shared.roles.of(visitor.id)
        rights = await self._files.rights(role, shown)
        if Right.WHOLE in rights:
            whole = await self._pictures(what.reference, what.reference)
            return await _everything(whole, rights, role) if whole else None
        people = await campaign.managed(self._shared.context.store, shown, visitor.id, role.reports)
        return CampaignAccess(shown, people, Rights.of((Standing.ABOVE_ASKED,)), role) if people else None

    async def _whole_picture(self, seen: CampaignAccess) -> campaign.CampaignPicture | None:
        reference = WorkflowName(Kind.CAMPAIGN, seen.shown.id).reference
        return await self._pictures(reference, reference)

    async def _picture(self, reference: str) -> campaign.CampaignPicture | None:
        shown, context = await self._shared.look(reference), self._shared.context
        return await campaign.pictured(context.client, context.store, of_type(CampaignShow, shown)) if shown else None

    async def _drawn(self, asked: str) -> Markup:
        """The chart for `<language> <campaign>`."""
        code, _, reference = asked.partition(" ")
        whole, now = await self._pictures(reference, reference), self._shared.clock()
        if whole is None:
            return Markup()
        ahead = None if whole.shown.status.ended else now
        curve, counts = await whole.drawn(ahead), (await whole.tally()).counts
        return campaign_chart(whole.shown, curve, counts, language=Language.of(code))

    async def _page(
        self, seen: CampaignAccess, visitor: Visitor, begin: int, reminded: Carried | None = None, **more: str
    ) -> Response:
        """A form whose reminder is unsure keeps its `token`."""
        back = list_address(more.get("back", ""))
        people, language, frame = seen.people, visitor.reader.language, await self._responses.frame(visitor)
        names = PeopleNames(self._shared.directory, Kind.CAMPAIGN.workflow_id(seen.shown.id))
        some = await campaign.looked_at(self._shared.context.client, await people.missing(begin))
        deeds = seen.steps if seen.everything else ()
        exempts = any(one.action is Action.EXEMPT for one in deeds)
        today = await owners_day(seen.shown.requester, self._shared.clock(), self._shared.directory)
        return self._responses.renderer.page(
            "campaign.html",
            visitor.reader.language,
            frame=frame,
            status=reminded.status if reminded else 200,
            it=await self._told(seen, visitor, names),
            list=Tab(back or View.CAMPAIGNS, language.say(LABELS[View((back or View.CAMPAIGNS).partition("?")[0])])),
            everything=seen.everything,
            sentences=_sentences(seen, visitor),
            so_far=(people.counts.done, people.counts.wanted),
            rows=[await self._row(one, seen, visitor, names, today) for one in some],
            missing=people.count,
            ended=people.ended,
            exempt=language.say(ACTIONS[Action.EXEMPT].label) if exempts else "",
            begin=begin,
            shown_at_most=campaign.SHOWN_AT_MOST,
            looked_at=people.counts.total if people.more else 0,
            deeds=[
                (one.address, language.say(one.spec.label), one.spec.grave)
                for one in deeds
                if one.action is not Action.EXEMPT  # of one member, in their row
            ],
            refusal=reminded.refusal if reminded else "",
            said=more.get("said", ""),
            token=more.get("token") or frame.token,
            **await self._whole(seen, visitor),
            **await self._not_asked(seen, visitor, names),
        )

    async def _whole(self, seen: CampaignAccess, visitor: Visitor) -> dict[str, Any]:
        """Figures for those with all rights."""
        shown = seen.shown if seen.everything else None
        groups = await seen.people.departments() if shown else ()
        departments = [group for group in groups if group.counts.wanted]
        asked = f"{visitor.reader.language.code} {Kind.CAMPAIGN.workflow_id(seen.shown.id)}"
        return {
            "chart": await self._charts(f"{asked} {shown.counted_at}", asked) if shown else "",
            "counts": _counts(shown.counts, visitor) if shown else [],
            "as_of": visitor.reader.moment(shown.counted_at) if shown and shown.counted_at else "",
            "departments": departments[:DEPARTMENTS_AT_MOST],
            "other_departments": max(0, len(departments) - DEPARTMENTS_AT_MOST),
        }

    async def _not_asked(self, seen: CampaignAccess, visitor: Visitor, names: PeopleNames) -> dict[str, Any]:
        """The rows behind the problem that not everyone could be asked."""
        language = visitor.reader.language
        lines = await seen.people.faulty() if seen.everything else []
        [problem] = problems_of(language, None, AttentionCode.NOT_ASKED, None)
        rows = [
            {
                "row": line.row,
                "name": await names.in_full(line.person, line.request) if line.person else "",
                "state": chip_of(StateOwner.MEMBER, line.status, language),
                "says": message_text(language, line.fault) if line.fault else "",
            }
            for line in lines
        ]
        hidden_count = seen.people.counts.faulty - len(rows)
        return {"not_asked": rows, "not_asked_more": hidden_count, "not_asked_problem": problem}

    async def _told(self, seen: CampaignAccess, visitor: Visitor, names: PeopleNames) -> FollowUpText:
        titled = seen.everything or await self._shared.kinds.lets_titles_be_read(seen.shown.kind)
        return await build_text(
            seen.shown,
            visitor,
            names.of,
            self._shared.clock(),
            kind=await self._shared.kinds.label(seen.shown.kind, visitor.reader.language),
            rights=seen.rights,
            titled=titled,
        )

    async def _row(
        self, one: campaign.MissingMember, seen: CampaignAccess, visitor: Visitor, names: PeopleNames, today: date
    ) -> MissingRow:
        reader, now, line = visitor.reader, self._shared.clock(), one.line
        due = reader.shortly(one.due_at, now) if one.due_at else line.due
        since = reader.shortly(one.since, now) if one.since else ""
        state = chip_of(StateOwner.MEMBER, one.state, reader.language)
        name = await names.in_full(line.person, line.request)
        reminded = one.can_be_reminded and seen.may_remind
        return MissingRow(line.person, name, state, since, due, one.overdue(now, today), reminded)


async def _everything(whole: campaign.CampaignPicture, rights: Rights, role: ReaderRole) -> CampaignAccess:
    counts = (await whole.tally()).counts
    people = campaign.MissingPeople(whole.lines, counts, ended=whole.shown.status.ended)
    return CampaignAccess(whole.shown, people, rights, role)


def _parse_offset(text: str) -> int:
    """The first row of the page, 0 for nonsense."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else 0


def _done_message(request: Request, visitor: Visitor) -> str:
    query, language = request.query_params, visitor.reader.language
    if "reminded" not in query:
        return done_message(query.get("done", ""), Kind.CAMPAIGN, visitor)
    done, asked = _parse_offset(query["reminded"]), _parse_offset(query.get("of", ""))
    said = language.say_count("{count} person is being reminded.", "{count} people are being reminded.", done)
    others = language.say("The others were told within the hour, or have acknowledged meanwhile.")
    return f"{said} {others}" if asked > done else said


def _sentences(seen: CampaignAccess, visitor: Visitor) -> tuple[str, ...]:
    shown, people, reader = seen.shown, seen.people, visitor.reader
    say_count, done, everybody = reader.language.say_count, people.counts.done, people.counts.wanted
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
        return (how, *ending_sentences(shown.status, reader.language, Kind.CAMPAIGN))
    last = reader.language.say("The last day is {date}.", date=reader.date(shown.due))
    late = reader.language.say("Late acknowledgements are accepted until {date}.", date=reader.date(shown.last_day))
    return (how, last, late) if shown.last_day > shown.due else (how, last)


def _counts(counts: Counts, visitor: Visitor) -> list[tuple[str, int]]:
    return [(chip_of(StateOwner.MEMBER, name, visitor.reader.language).text, count) for name, count in counts if count]
