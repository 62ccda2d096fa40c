"""The page of one request or task: where it stands, what happened, and what somebody may do about it."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.notifications.links import SigningLinks, at_desk, named_at_desk, use_of
from activities.people.language import phrase
from starter.boot.context import Context
from starter.errors import Refusal
from starter.queries import lookup
from starter.queries.commands import CommandRefused, NotAdmitted, NotConfirmed, NotRunning
from starter.queries.filters import is_request_id
from starter.queries.onboarding import composed, preview_link
from starter.temporal.connection import TemporalRefused
from starter.web.actions import (
    DECIDING,
    OF_MANAGERS,
    Action,
    ActionForm,
    asking,
    colleagues,
    steps,
    steps_for,
    takers,
    to_decide,
)
from starter.web.desk.access import Right, right_of
from starter.web.desk.answers import PeopleNames, RequestContext
from starter.web.desk.cards import NOT_THERE
from starter.web.desk.follow_up_words import FollowUpText, told
from starter.web.desk.sessions import Visitor
from starter.web.forms import why_not
from starter.web.pages.pages import Send
from starter.web.pages.visits import Look
from workflows.kinds import Kind, WorkflowName, kinds, referred
from workflows.model.commands import PartOutcome
from workflows.model.receipts import OperationState
from workflows.model.views import OnboardingShow, Shown, TaskShow

_WORKER_ANSWERS_WITHIN: Final = timedelta(seconds=2)
_LOOK_SECONDS: Final = 8.0
UNSURE: Final = phrase("We could not confirm this yet. Send it again: it is done only once.")
NOT_DONE: Final = phrase("This was not done: Temporal did not take it. Please try again in a minute.")
REFUSED: Final = 409
UNCONFIRMED: Final = 503
_ELSEWHERE: Final = (Kind.CAMPAIGN,)
"""Its page is of another kind (starter/web/desk/campaigns.py); what is done to it is done as to all others."""
_TO_OWN_PAGE: Final = {
    Kind.REQUEST: phrase("Open the document"),
    Kind.TASK: phrase("Open the task"),
    Kind.ONBOARDING: phrase("Open the onboarding"),
    Kind.CAMPAIGN: phrase("Open the campaign"),
}
_UNDER_WAY: Final = "under-way"
_LATE: Final = "late"
_NEWS: Final = {
    _UNDER_WAY: phrase("We have your request. It will be carried out as soon as possible."),
    _LATE: phrase("It was too late: the request has ended."),
}


@dataclass(frozen=True)
class FollowUpAccess:
    """A request or a task before somebody, and what they may with it."""

    what: WorkflowName
    shown: Shown
    right: Right
    people: frozenset[str] = frozenset()
    """Whose manager they are, near or far."""

    @property
    def steps(self) -> tuple[ActionForm, ...]:
        """What they can do now."""
        return steps(self.shown) if self.right is Right.EVERYTHING else steps_for(self.shown, self.people)

    @property
    def takers(self) -> tuple[str, ...]:
        """Whose place they may hand over."""
        everybody = self.right is Right.EVERYTHING
        return tuple(one for one in takers(self.shown) if everybody or one in self.people)

    def permits(self, step: ActionForm, form: dict[str, str] | None = None) -> bool:
        """Whether they may do this, by the rights table; whether it can still be done is for the workflow to say."""
        if self.right is Right.EVERYTHING:
            return True
        asked = {line.person for line in self.shown.lines} & self.people
        theirs = step.deed in OF_MANAGERS and bool(asked)
        of = (form or {}).get("signer")
        return theirs and (form is None or step.deed is Action.REMIND or of in asked)


@dataclass(frozen=True)
class RejectedForm:
    """A form that was sent and not carried out, why, and the status of the answer."""

    form: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    status: int = 200


class FollowUps:
    """`/desk/requests/{id}`, `/desk/tasks/{id}` and what can be done there."""

    def __init__(self, room: RequestContext, links: SigningLinks, send: Send) -> None:
        self._room = room
        self._answers = room.answers
        self._links = links
        self._send = send

    def routes(self) -> list[BaseRoute]:
        """Where these pages are."""
        visitors, acting = self._answers.visitors, self._answers.acting
        pages = {kind: f"/desk/{at_desk(WorkflowName(kind, '{id}'))}" for kind in kinds()}
        deciding = f"{pages[Kind.ONBOARDING]}/{{part}}/{{choice}}"
        return [
            Route(deciding, visitors(self.ask), methods=["GET"]),
            Route(deciding, acting(self.act), methods=["POST"]),
            *(Route(pages[kind], visitors(self.show), methods=["GET"]) for kind in kinds() if kind not in _ELSEWHERE),
            *(Route(f"{path}/{{deed}}", visitors(self.ask), methods=["GET"]) for path in pages.values()),
            *(Route(f"{path}/{{deed}}", acting(self.act), methods=["POST"]) for path in pages.values()),
        ]

    async def show(self, request: Request, visitor: Visitor) -> Response:
        """Everything that somebody may know of it."""
        seen = await self._seen(request, visitor)
        if seen is None:
            return await self._answers.inside(NOT_THERE, visitor)
        return self._answers.renderer.page(
            "follow_up.html",
            visitor.reader.language,
            frame=await self._answers.frame(visitor),
            it=await self._told(seen, visitor),
            deeds=[(one.path, self._say(visitor, one.asked.label), one.asked.grave) for one in seen.steps if one.deed],
            own=self._own_page(seen, visitor),
            preview=self._preview(seen),
            own_says=self._say(visitor, _TO_OWN_PAGE[(to_decide(seen.shown) or seen.what).kind]),
            done=news(request.query_params.get("done", ""), seen.what.kind, visitor),
        )

    async def ask(self, request: Request, visitor: Visitor) -> Response:
        """Ask whether it is meant, and for what else is needed."""
        seen, step = await self._seen(request, visitor), _step(request)
        if seen is None or step is None or not seen.permits(step):
            return await self._answers.inside(NOT_THERE, visitor)
        if step not in seen.steps:
            return self._answers.renderer.to_desk(at_desk(seen.what))
        return await self._asking(step, seen, visitor)

    async def act(self, request: Request, visitor: Visitor, form: dict[str, str]) -> Response:
        """Do it, once for each form however often it is sent."""
        seen, step = await self._seen(request, visitor), _step(request)
        if seen is None or step is None or not seen.permits(step, form):
            return await self._answers.inside(NOT_THERE, visitor)
        page, op = at_desk(seen.what), self._answers.guard.op(visitor.name, form)
        try:
            taker = await self._taker(seen, form.get("to", "")) if step.deed is Action.DELEGATE else None
            receipt = await self._send(seen.what.reference, step.wish(visitor.id, form, taker).replace(op=op), op)
        except CommandRefused as refused:
            return await self._asking(step, seen, visitor, RejectedForm(form, str(refused), REFUSED))
        except NotConfirmed:
            return await self._asking(step, seen, visitor, RejectedForm(form, UNSURE, UNCONFIRMED))
        except (NotAdmitted, TemporalRefused):
            return await self._asking(step, seen, visitor, RejectedForm(form, NOT_DONE, UNCONFIRMED))
        except NotRunning:
            return self._answers.renderer.to_desk(f"{page}?done={_LATE}")
        done = _UNDER_WAY if receipt.state is OperationState.OPEN else (step.deed or step.choice or _LATE)
        return self._answers.renderer.to_desk(f"{page}?done={done}")

    async def _taker(self, seen: FollowUpAccess, words: str) -> str | None:
        """The id of a colleague whom the task names, else of whoever of the directory is meant."""
        if words in colleagues(seen.shown):
            return words
        found = await self._room.directory.named(words)
        return found.id if found else None

    async def _seen(self, request: Request, visitor: Visitor) -> FollowUpAccess | None:
        """What is there, if it concerns them; raises what does not answer behind us."""
        what = _what(request)
        shown = await self._room.look(what.reference) if what and is_request_id(what.id) else None
        if what is None or shown is None:
            return None
        standing = await self._room.standings.of(visitor)
        right = right_of(visitor, standing, shown)
        return FollowUpAccess(what, shown, right, standing.below) if right is not Right.NOTHING else None

    async def _told(self, seen: FollowUpAccess, visitor: Visitor) -> FollowUpText:
        names = self._names(seen)
        titled = seen.right is not Right.LOOK or await self._room.kinds.lets_titles_be_read(seen.shown.kind)
        everything = seen.right is Right.EVERYTHING
        return await told(
            seen.shown,
            visitor,
            names.of,
            self._room.clock(),
            kind=await self._room.kinds.label(seen.shown.kind, visitor.reader.language),
            everything=everything,
            titled=titled,
            steps=seen.steps,
        )

    async def _asking(
        self, step: ActionForm, seen: FollowUpAccess, visitor: Visitor, sent: RejectedForm | None = None
    ) -> Response:
        sent = sent or RejectedForm()
        asked, say, names = step.asked, visitor.reader.language.say, self._names(seen)
        frame = await self._answers.frame(visitor)
        why = why_not(visitor.reader.language, sent.refusal) if sent.refusal else ""
        if sent.status == REFUSED:
            why = say("This was not done: {why}.", why=why)
        return self._answers.renderer.page(
            "act.html",
            visitor.reader.language,
            frame=frame,
            status=sent.status,
            it=await self._told(seen, visitor),
            part=_title_of(step.part, seen.shown),
            deed=step.path,
            **_field(step, seen.shown, visitor),
            label=say(asked.label),
            hint=say(asked.hint),
            force=say(asked.force) if asked.force else "",
            grave=asked.grave,
            question=seen.shown.question,
            takers=[(person, await names.of(person)) for person in seen.takers],
            colleagues=[(person, await names.of(person)) for person in colleagues(seen.shown)],
            form=sent.form,
            # What was not confirmed is sent again as the same change.
            token=sent.form["token"] if sent.status == UNCONFIRMED else frame.token,
            refusal=why,
        )

    def _names(self, seen: FollowUpAccess) -> PeopleNames:
        return PeopleNames(self._room.directory, seen.what.workflow_id)

    def _own_page(self, seen: FollowUpAccess, visitor: Visitor) -> str:
        """The way to their own page, for whoever is asked now; to where it is decided, of a task to decide."""
        if visitor.id not in takers(seen.shown) or seen.shown.status.ended:
            return ""
        if about := to_decide(seen.shown):
            return self._links.desk(about.reference)
        return self._links.link(seen.what.reference, visitor.id, use_of(seen.what.kind))

    def _preview(self, seen: FollowUpAccess) -> str:
        """The way to what the customer sees of their onboarding, for whoever may know everything of it."""
        shown = seen.shown if seen.right is Right.EVERYTHING else None
        if not isinstance(shown, OnboardingShow) or not shown.customer:
            return ""
        return preview_link(self._links, shown, now=self._room.clock()).link

    def _say(self, visitor: Visitor, text: str) -> str:
        return visitor.reader.language.say(text)


def _field(step: ActionForm, shown: Shown, visitor: Visitor) -> dict[str, Any]:
    """The text that is asked for, if one is."""
    say, needed = visitor.reader.language.say, step.why == "must" or step.deed is Action.ANSWER
    if step.why:
        return {"field": say("Why"), "needed": needed}
    answer = shown.answer if isinstance(shown, TaskShow) else None
    if step.deed is Action.DONE and answer:
        return {"field": answer.label, "needed": answer.required}
    labels = {Action.ANSWER: "Your answer", Action.DONE: "Your note", Action.UNBLOCK: "How can it go on?"}
    label = labels.get(step.deed) if step.deed else None
    return {"field": say(label) if label else "", "needed": needed}


def news(done: str, kind: Kind, visitor: Visitor) -> str:
    """What was just done, by the word that the address has for it; nothing for one that is none."""
    say = visitor.reader.language.say
    if done in (_UNDER_WAY, _LATE):
        return say(_NEWS[done])
    if kind is Kind.ONBOARDING and done in list(DECIDING):
        return say(DECIDING[PartOutcome(done)].done)
    return say(asking(Action(done), kind).done) if done in list(Action) else ""


def looker(context: Context) -> Look:
    """Asks the workflow, else what Temporal and the store have; raises what does not answer."""

    async def look(reference: str) -> Shown | None:
        what = referred(reference)
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                if what.kind is Kind.ONBOARDING:
                    return await composed(context.client, context.store, what.id)
                return await lookup.look_at(context.client, context.store, what, within=_WORKER_ANSWERS_WITHIN)
        except Refusal:
            return None

    return look


def _title_of(part: str, shown: Shown) -> str:
    stages = shown.stages if isinstance(shown, OnboardingShow) else ()
    return next((one.title for stage in stages for one in stage.parts if one.id == part), "")


def _what(request: Request) -> WorkflowName | None:
    return named_at_desk(request.url.path.removeprefix("/desk/"))


def _step(request: Request) -> ActionForm | None:
    what, params = _what(request), request.path_params
    if "part" in params:
        return (
            ActionForm.of_choice(PartOutcome(params["choice"]), params["part"])
            if params["choice"] in list(DECIDING)
            else None
        )
    deed = params["deed"]
    return ActionForm.of_deed(Action(deed), what.kind) if what and deed in list(Action) else None
