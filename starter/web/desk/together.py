"""What is ticked in a list: reminded, extended or cancelled together, after one confirmation that names all of it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.notifications.links import named_at_desk
from activities.people.language import Language, phrase
from starter.queries.commands import CommandRefused
from starter.queries.filters import is_request_id
from starter.web.acting.actions import ACTIONS, Action, PostedForm
from starter.web.acting.forms import FailureReason, FormFailure, Send, send_form
from starter.web.desk.access import ActionForm, FollowUpAccess, View, list_address
from starter.web.desk.fixed_screens import NOT_THERE
from starter.web.desk.follow_ups import FollowUps, usual_due
from starter.web.desk.responses import PeopleNames, RequestContext
from starter.web.desk.sessions import Visitor
from starter.web.rights import in_turn
from workflows.kinds import WorkflowName
from workflows.model.commands import AnyCommand

TICKED_AT_MOST: Final = 50
"""A page of a list."""
AT_ONCE: Final = 10
"""Commands that are sent at a time."""
SECONDS_AT_MOST: Final = 20.0
"""For one click: browsers and proxies wait about half a minute."""
NAMED_AT_MOST: Final = 5
"""People whom the confirmation names of one follow-up."""
_REFUSED: Final = 409
LABELS: Final = {
    Action.REMIND: ACTIONS[Action.REMIND].label,
    Action.EXTEND: ACTIONS[Action.EXTEND].label,
    Action.CANCEL: phrase("Cancel for good"),
}
TOGETHER: Final = tuple(LABELS)


@dataclass
class BulkResult:
    """Commands asked for and done, and why others were not; `refusal` and `status` are of the worst."""

    order_count: int
    done_count: int = 0
    refusal: str = ""
    status: int = 200
    refused: dict[str, str] = field(default_factory=dict)
    """Sentences by reference."""

    def add_refusal(self, reference: str, failure: FormFailure, language: Language) -> None:
        self.refused[reference] = failure.phrase_in(language)
        if failure.status > self.status:
            self.refusal, self.status = failure.phrase_in(language), failure.status


async def carry_out(orders: Sequence[tuple[str, AnyCommand]], send: Send, op: str, language: Language) -> BulkResult:
    """Send commands by reference, some at a time; stops when nobody answers in time. What has ended does not count."""
    result = BulkResult(len(orders))

    async def send_order(reference: str, command: AnyCommand) -> None:
        sent = await send_form(send(reference, command.replace(op=op), op, watched=False), reference)
        if not isinstance(sent, FormFailure):
            result.done_count += 1
        elif sent.fault is FailureReason.ENDED:
            result.order_count -= 1
        else:
            result.add_refusal(reference, sent, language)

    try:
        async with asyncio.timeout(SECONDS_AT_MOST):
            for first in range(0, len(orders), AT_ONCE):
                await asyncio.gather(*(send_order(*order) for order in orders[first : first + AT_ONCE]))
                if result.status > _REFUSED:
                    break
    except TimeoutError:
        result.add_refusal("", FormFailure(FailureReason.UNSURE), language)
    return result


@dataclass(frozen=True)
class TickedRow:
    """One line of the confirmation; `why` it was not done, if so."""

    title: str
    path: str
    people: str
    """Whom it waits for."""
    why: str = ""


class BulkCommands:
    def __init__(self, shared: RequestContext, follow_ups: FollowUps, send: Send) -> None:
        self._shared = shared
        self._responses = shared.responses
        self._follow_ups = follow_ups
        self._send = send

    def routes(self) -> list[BaseRoute]:
        path = "/desk/together/{action}"
        return [
            Route(path, self._responses.visitors(self.ask), methods=["GET"]),
            Route(path, self._responses.acting(self.act), methods=["POST"]),
        ]

    async def ask(self, request: Request, visitor: Visitor) -> Response:
        action, query = _action(request), request.query_params
        if action is None:
            return await self._responses.inside(NOT_THERE, visitor)
        ticked = await self._ticked(query.getlist("ticked"), action, visitor)
        return await self._page(action, ticked, visitor, back=query.get("back", ""))

    async def act(self, request: Request, visitor: Visitor, form: dict[str, str]) -> Response:
        action, back = _action(request), form.get("back", "")
        if action is None:
            return await self._responses.inside(NOT_THERE, visitor)
        ticked = await self._ticked(form.get("ticked", "").split(), action, visitor)
        posted, op = PostedForm(visitor.id, form), self._responses.guard.op(visitor.name, form)
        try:
            orders = [(access.what.reference, ACTIONS[action].command(posted)) for access in ticked.possible]
        except CommandRefused as refused:
            failure = FormFailure(FailureReason.REFUSED, refused.message)
            return await self._page(
                action, ticked, visitor, form, back=back, refusal=failure.phrase_in(visitor.reader.language)
            )
        carried = await carry_out(orders, self._send, op, visitor.reader.language)
        if carried.refused:
            return await self._page(action, ticked, visitor, form, back=back, carried=carried)
        return self._responses.renderer.to_desk(_with_news(back, action, carried.done_count))

    async def _ticked(self, paths: Iterable[str], action: Action, visitor: Visitor) -> "TickedRows":
        names = dict.fromkeys(name for path in paths if (name := named_at_desk(path)) and is_request_id(name.id))
        ticked, accesses = list(names)[:TICKED_AT_MOST], list[FollowUpAccess]()
        for first in range(0, len(ticked), AT_ONCE):
            accessed = await asyncio.gather(
                *(self._follow_ups.access_of(name, visitor) for name in ticked[first : first + AT_ONCE])
            )
            accesses += [access for access in accessed if access is not None]
        return TickedRows(action, tuple(accesses))

    async def _page(
        self,
        action: Action,
        ticked: "TickedRows",
        visitor: Visitor,
        form: Mapping[str, str] = MappingProxyType({}),
        *,
        back: str,
        refusal: str = "",
        carried: BulkResult | None = None,
    ) -> Response:
        """The confirmation; after a press, with what was not done."""
        language, spec, frame = visitor.reader.language, ACTIONS[action], await self._responses.frame(visitor)
        refused = carried.refused if carried else {}
        unsure = carried is not None and carried.status > _REFUSED
        all_again = carried is None or unsure
        remaining = [access for access in ticked.possible if all_again or access.what.reference in refused]
        return self._responses.renderer.page(
            "together.html",
            language,
            frame=frame,
            status=carried.status if carried else _REFUSED if refusal else 200,
            action=action.value,
            label=language.say(LABELS[action]),
            hint=language.say(spec.hint),
            field=language.say(spec.field) if spec.field else "",
            needed=spec.is_needed,
            force=language.say(spec.force) if spec.force else "",
            grave=spec.grave,
            rows=[await self._row(access, visitor, refused) for access in remaining],
            people=len({person for access in remaining for person in in_turn(access.view)}),
            impossible=[await self._row(access, visitor, {}) for access in ticked.impossible],
            done=carried.done_count if carried else 0,
            ticked=" ".join(access.path for access in (remaining if all_again else [])),
            due=form.get("due") or usual_due((access.view for access in remaining), self._shared.clock()),
            form=form,
            back=list_address(back),
            token=form["token"] if unsure else frame.token,
            refusal=carried.refusal if carried else refusal,
        )

    async def _row(self, access: FollowUpAccess, visitor: Visitor, refused: Mapping[str, str]) -> TickedRow:
        names = PeopleNames(self._shared.directory, access.what.workflow_id)
        waiting, say = in_turn(access.view), visitor.reader.language.say
        people = [await names.name_of(person) for person in waiting[:NAMED_AT_MOST]]
        if len(waiting) > NAMED_AT_MOST:
            people.append(say("others"))
        title = await self._follow_ups.title(access, visitor)
        return TickedRow(
            title, access.path, visitor.reader.language.enumerate(people), refused.get(access.what.reference, "")
        )


@dataclass(frozen=True)
class TickedRows:
    """What was ticked and may be seen by the visitor."""

    action: Action
    accesses: tuple[FollowUpAccess, ...]

    @property
    def possible(self) -> tuple[FollowUpAccess, ...]:
        return tuple(access for access in self.accesses if self._step(access.what) in access.steps)

    @property
    def impossible(self) -> tuple[FollowUpAccess, ...]:
        return tuple(access for access in self.accesses if self._step(access.what) not in access.steps)

    def _step(self, name: WorkflowName) -> ActionForm | None:
        return ActionForm.from_address(self.action, name.kind)


def news_of(query: Mapping[str, str], language: Language) -> str:
    """What a list says after a press, empty without one."""
    action = next((candidate for candidate in TOGETHER if candidate == query.get("together")), None)
    digits = query.get("done", "")
    if action is None or not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(TICKED_AT_MOST))):
        return ""
    count = int(digits)
    match action:
        case Action.REMIND:
            return language.say_count(
                "A reminder of {count} is on its way.", "Reminders of {count} are on their way.", count
            )
        case Action.EXTEND:
            return language.say_count(
                "The due date of {count} was moved.", "The due dates of {count} were moved.", count
            )
        case _:
            return language.say_count("{count} is being cancelled.", "{count} are being cancelled.", count)


def _action(request: Request) -> Action | None:
    return next((action for action in TOGETHER if action == request.path_params["action"]), None)


def _with_news(back: str, action: Action, count: int) -> str:
    view, _, query = list_address(back).partition("?")
    return f"{view or View.WAITING}?{urlencode([*parse_qsl(query), ('together', action.value), ('done', str(count))])}"
