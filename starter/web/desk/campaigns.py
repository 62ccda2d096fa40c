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
from starter.web.desk.together import BulkResult, carry_out
from starter.web.downloads import PersonalFiles
from starter.web.rights import ReaderRole, Right, Rights, Standing
from starter.web.screens.rendering import Tab
from starter.web.screens.status import Chip, StateOwner, chip_of, ending_sentences, problems_of
from starter.web.screens.view_reader import ViewCache
from workflows.kinds import Kind, WorkflowName
from workflows.model.campaign import Counts
from workflows.model.commands import ReminderCommand
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


@dataclass(frozen=True)
class CampaignAccess:
    """A campaign, whole or the visitor's people."""

    view: CampaignShow
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
        return FollowUpAccess(WorkflowName(Kind.CAMPAIGN, self.view.id), self.view, self.rights, self.role).steps

    @property
    def path(self) -> str:
        return at_desk(WorkflowName(Kind.CAMPAIGN, self.view.id))


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
        access = await self._find_access(request, visitor)
        if access is None:
            return await self._responses.inside(NOT_THERE, visitor)
        query, message = request.query_params, _done_message(request, visitor)
        return await self._page(
            access, visitor, _parse_offset(query.get("from", "")), said=message, back=query.get("list", "")
        )

    async def remind(self, request: Request, visitor: Visitor, form: dict[str, str]) -> Response:
        """Remind one missing person, or all shown."""
        access = await self._find_access(request, visitor)
        if access is None or not access.may_remind:
            return await self._responses.inside(NOT_THERE, visitor)
        begin, person = _parse_offset(form.get("from", "")), form.get("person")
        lines = await (access.people.of_person(person) if person else access.people.missing(begin))
        if person and not lines:
            return await self._responses.inside(NOT_THERE, visitor)
        open_ones = [line for line in lines if line.open]
        op = self._responses.guard.op(visitor.name, form)
        reminded = await self._remind(await campaign.looked_at(self._shared.context.client, open_ones), visitor, op)
        if reminded.refusal and not reminded.done_count:
            return await self._page(access, visitor, begin, reminded, token=form["token"])
        return self._responses.renderer.to_desk(
            f"{access.path}?from={begin}&reminded={reminded.done_count}&of={reminded.order_count}"
        )

    async def report(self, request: Request, visitor: Visitor) -> Response:
        """The report with everybody's names, as the command writes it."""
        access, form = await self._find_access(request, visitor), request.url.path.rpartition(".")[2]
        picture = await self._whole_picture(access) if access and Right.TEXTS in access.rights else None
        if access is None or picture is None:
            return await self._responses.inside(NOT_THERE, visitor)
        try:
            report = await campaign_report.of_picture(
                self._shared.context.store, picture, directory=self._shared.directory
            )
        except Refusal:  # no worker answers that knows its audience
            return self._responses.renderer.to_desk(access.path)
        name = f"{access.view.id}.{form}"
        headers = {**self._responses.renderer.headers, "content-disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(_FORMS[form](report), media_type=_MEDIA_TYPES[form], headers=headers)

    async def _remind(self, missing: Sequence[campaign.MissingMember], visitor: Visitor, op: str) -> BulkResult:
        command = ReminderCommand(actor=visitor.id)
        orders = [(member.line.request, command) for member in missing if member.can_be_reminded]
        return await carry_out(orders, self._send, op, visitor.reader.language)

    async def _find_access(self, request: Request, visitor: Visitor) -> CampaignAccess | None:
        """None when it does not concern the visitor."""
        workflow_name = WorkflowName(Kind.CAMPAIGN, request.path_params["id"])
        view = await self._shared.look(workflow_name.reference) if is_request_id(workflow_name.id) else None
        if view is None:
            return None
        view = of_type(CampaignShow, view)
        role = await self._shared.roles.role_of(visitor.id)
        rights = await self._files.rights(role, view)
        if Right.WHOLE in rights:
            picture = await self._pictures(workflow_name.reference, workflow_name.reference)
            return await _everything(picture, rights, role) if picture else None
        people = await campaign.managed(self._shared.context.store, view, visitor.id, role.reports)
        return CampaignAccess(view, people, Rights.from_standings((Standing.ABOVE_ASKED,)), role) if people else None

    async def _whole_picture(self, access: CampaignAccess) -> campaign.CampaignPicture | None:
        reference = WorkflowName(Kind.CAMPAIGN, access.view.id).reference
        return await self._pictures(reference, reference)

    async def _picture(self, reference: str) -> campaign.CampaignPicture | None:
        view, context = await self._shared.look(reference), self._shared.context
        return await campaign.pictured(context.client, context.store, of_type(CampaignShow, view)) if view else None

    async def _drawn(self, key: str) -> Markup:
        """The chart for `<language> <campaign>`."""
        code, _, reference = key.partition(" ")
        picture, now = await self._pictures(reference, reference), self._shared.clock()
        if picture is None:
            return Markup()
        ahead = None if picture.view.status.has_ended else now
        curve, counts = await picture.drawn(ahead), (await picture.tally()).counts
        return campaign_chart(picture.view, curve, counts, language=Language.from_tag(code))

    async def _page(
        self, access: CampaignAccess, visitor: Visitor, begin: int, reminded: BulkResult | None = None, **options: str
    ) -> Response:
        """A form whose reminder is unsure keeps its `token`."""
        back = list_address(options.get("back", ""))
        people, language, frame = access.people, visitor.reader.language, await self._responses.frame(visitor)
        names = PeopleNames(self._shared.directory, Kind.CAMPAIGN.workflow_id(access.view.id))
        members = await campaign.looked_at(self._shared.context.client, await people.missing(begin))
        actions = access.steps if access.everything else ()
        exempts = any(form.action is Action.EXEMPT for form in actions)
        today = await owners_day(access.view.requester, self._shared.clock(), self._shared.directory)
        return self._responses.renderer.page(
            "campaign.html",
            visitor.reader.language,
            frame=frame,
            status=reminded.status if reminded else 200,
            follow_up=await self._build_text(access, visitor, names),
            list=Tab(back or View.CAMPAIGNS, language.say(LABELS[View((back or View.CAMPAIGNS).partition("?")[0])])),
            everything=access.everything,
            sentences=_sentences(access, visitor),
            so_far=(people.counts.done_count, people.counts.required_count),
            rows=[await self._row(member, access, visitor, names, today) for member in members],
            missing=people.count,
            ended=people.has_ended,
            exempt=language.say(ACTIONS[Action.EXEMPT].label) if exempts else "",
            begin=begin,
            shown_at_most=campaign.SHOWN_AT_MOST,
            looked_at=people.counts.total if people.has_more else 0,
            actions=[
                (form.address, language.say(form.spec.label), form.spec.grave)
                for form in actions
                if form.action is not Action.EXEMPT  # of one member, in their row
            ],
            refusal=reminded.refusal if reminded else "",
            said=options.get("said", ""),
            token=options.get("token") or frame.token,
            **await self._build_figures(access, visitor),
            **await self._not_asked(access, visitor, names),
        )

    async def _build_figures(self, access: CampaignAccess, visitor: Visitor) -> dict[str, Any]:
        """Figures for those with all rights."""
        view = access.view if access.everything else None
        groups = await access.people.departments() if view else ()
        departments = [group for group in groups if group.counts.required_count]
        chart_key = f"{visitor.reader.language.code} {Kind.CAMPAIGN.workflow_id(access.view.id)}"
        return {
            "chart": await self._charts(f"{chart_key} {view.counted_at}", chart_key) if view else "",
            "counts": _counts(view.counts, visitor) if view else [],
            "as_of": visitor.reader.instant_without_zone(view.counted_at) if view and view.counted_at else "",
            "departments": departments[:DEPARTMENTS_AT_MOST],
            "other_departments": max(0, len(departments) - DEPARTMENTS_AT_MOST),
        }

    async def _not_asked(self, access: CampaignAccess, visitor: Visitor, names: PeopleNames) -> dict[str, Any]:
        """The rows behind the problem that not everyone could be asked."""
        language = visitor.reader.language
        lines = await access.people.faulty() if access.everything else []
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
        hidden_count = access.people.counts.faulty - len(rows)
        return {"not_asked": rows, "not_asked_more": hidden_count, "not_asked_problem": problem}

    async def _build_text(self, access: CampaignAccess, visitor: Visitor, names: PeopleNames) -> FollowUpText:
        titled = access.everything or await self._shared.kinds.lets_titles_be_read(access.view.kind)
        return await build_text(
            access.view,
            visitor,
            names.name_of,
            self._shared.clock(),
            kind=await self._shared.kinds.label(access.view.kind, visitor.reader.language),
            rights=access.rights,
            titled=titled,
        )

    async def _row(
        self, member: campaign.MissingMember, access: CampaignAccess, visitor: Visitor, names: PeopleNames, today: date
    ) -> MissingRow:
        reader, now, line = visitor.reader, self._shared.clock(), member.line
        due = reader.shortly(member.due_at, now) if member.due_at else line.due
        since_text = reader.shortly(member.waiting_since, now) if member.waiting_since else ""
        state = chip_of(StateOwner.MEMBER, member.state, reader.language)
        name = await names.in_full(line.person, line.request)
        reminded = member.can_be_reminded and access.may_remind
        return MissingRow(line.person, name, state, since_text, due, member.overdue(now, today), reminded)


async def _spreadsheet(report: CampaignReport) -> AsyncIterator[str]:
    yield BYTE_ORDER_MARK
    async for piece in report.table():
        yield piece


_FORMS: Final[Mapping[str, Callable[[CampaignReport], AsyncIterator[str]]]] = {"csv": _spreadsheet, "html": pieces}


async def _everything(picture: campaign.CampaignPicture, rights: Rights, role: ReaderRole) -> CampaignAccess:
    counts = (await picture.tally()).counts
    people = campaign.MissingPeople(picture.lines, counts, has_ended=picture.view.status.has_ended)
    return CampaignAccess(picture.view, people, rights, role)


def _parse_offset(text: str) -> int:
    """The first row of the page, 0 for nonsense."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else 0


def _done_message(request: Request, visitor: Visitor) -> str:
    query, language = request.query_params, visitor.reader.language
    if "reminded" not in query:
        return done_message(query.get("done", ""), Kind.CAMPAIGN, visitor)
    done_count, order_count = _parse_offset(query["reminded"]), _parse_offset(query.get("of", ""))
    done_text = language.say_count(
        "{count} person is being reminded.", "{count} people are being reminded.", done_count
    )
    others_text = language.say("The others were told within the hour, or have acknowledged meanwhile.")
    return f"{done_text} {others_text}" if order_count > done_count else done_text


def _sentences(access: CampaignAccess, visitor: Visitor) -> tuple[str, ...]:
    view, people, reader = access.view, access.people, visitor.reader
    say_count, done_count, everybody = reader.language.say_count, people.counts.done_count, people.counts.required_count
    if view.frozen is None and not view.status.has_ended:
        return (reader.language.say("It opens on {when}.", when=reader.instant(view.opens_at)),)
    if access.everything:
        progress = say_count(
            "{count} of {all} has acknowledged.", "{count} of {all} have acknowledged.", done_count, all=everybody
        )
    else:
        progress = say_count(
            "{count} of your {all} people has acknowledged.",
            "{count} of your {all} people have acknowledged.",
            done_count,
            all=everybody,
        )
    if view.status.has_ended:
        return (progress, *ending_sentences(view.status, reader.language, Kind.CAMPAIGN))
    last = reader.language.say("The last day is {date}.", date=reader.date(view.due))
    late = reader.language.say("Late acknowledgements are accepted until {date}.", date=reader.date(view.last_day))
    return (progress, last, late) if view.last_day > view.due else (progress, last)


def _counts(counts: Counts, visitor: Visitor) -> list[tuple[str, int]]:
    return [(chip_of(StateOwner.MEMBER, name, visitor.reader.language).text, count) for name, count in counts if count]
