"""A new request at the desk: the document, the signers in their order, time and message, and the plan."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

from activities.people.language import phrase
from activities.records.drafts import Draft
from starter.plan import calendar
from starter.web.bodies import PostedDocuments
from starter.web.desk.document_field import DocumentField
from starter.web.desk.draft_forms import Content, DraftForm, Filled, Step, lines_of, put, with_fields
from starter.web.desk.people_fields import IN_FULL, languages, person_in_full
from starter.web.desk.plan_view import PlanView
from starter.web.desk.sessions import Visitor
from workflows.kinds import Kind
from workflows.model.subject import Participant, Role

SIGNERS: Final = "signers"
_DOCUMENT: Final = Step(
    "document",
    phrase("Document"),
    "draft_document.html",
    ("kind", "document"),
    whole={"document": "document.file"},
)
_SIGNERS: Final = Step("signers", phrase("Signers"), "draft_signers.html", (SIGNERS,))
_TIME: Final = Step("time", phrase("Time and message"), "draft_time.html", ("due", "message"))
_PLAN: Final = Step("plan", phrase("Plan"), "draft_plan.html")
_ROLES: Final[Mapping[Role, str]] = {
    Role.SIGN: phrase("signs"),
    Role.APPROVE: phrase("approves"),
    Role.COPY: phrase("gets a copy"),
}
_SIGNED_AFTER: Final = "2d"
EARLIER_AT_MOST: Final = 5
"""Signers before the last ones for whom a second calendar is made: each is one more plan."""


class RequestForm(DraftForm):
    kind = Kind.REQUEST
    heading = phrase("New request")
    steps = (_DOCUMENT, _SIGNERS, _TIME, _PLAN)
    asker = "requester"

    @property
    def _document(self) -> DocumentField:
        return DocumentField(self.drafts, self.megabytes)

    async def fill(self, step: Step, draft: Draft, posted: PostedDocuments, visitor: Visitor) -> Filled:
        match step.name:
            case _DOCUMENT.name:
                return await self._with_document(draft, posted)
            case _SIGNERS.name:
                return await self._with_signers(draft, posted, visitor)
            case _:
                content = with_fields(dict(draft.content), posted.fields, "due")
                put(content, "message", lines_of(posted.fields.get("message", "")))
                return Filled(content, draft.files)

    async def shown(self, step: Step, draft: Draft, visitor: Visitor) -> Mapping[str, Any]:
        say, language = visitor.reader.language.say, visitor.reader.language
        if step.name == _DOCUMENT.name:
            return {**await self.choices(visitor), **self._document.shown(draft, language)}
        if step.name == _SIGNERS.name:
            signers = signers_of(draft.content)
            rows = [await self.people.row(one, visitor) for one in signers]
            together = [n > 0 and one.get("order") == signers[n - 1].get("order") for n, one in enumerate(signers)]
            roles = [(role.value, say(label)) for role, label in _ROLES.items()]
            return {"rows": rows, "together": together, "roles": roles, "languages": languages()}
        return {}

    async def preview(self, prepared: Any, visitor: Visitor) -> Mapping[str, Any]:
        at, directory = self.starts.clock(), self.starts.directory
        plan = await calendar.plan(prepared, directory, at, _signing(prepared.request.brief.people), None)
        return await PlanView(visitor, self.people.names).of_request(plan, prepared.signers)

    async def _with_document(self, draft: Draft, posted: PostedDocuments) -> Filled:
        content = with_fields(dict(draft.content), posted.fields, "kind", "document.name", "document.template")
        return await self._document.taken(draft, content, posted)

    async def _with_signers(self, draft: Draft, posted: PostedDocuments, visitor: Visitor) -> Filled:
        content, fields = copy.deepcopy(dict(draft.content)), posted.fields
        signers = [_filled(one, f"{SIGNERS}[{n}]", fields) for n, one in enumerate(signers_of(content))]
        together = [f"{SIGNERS}[{n}].together" in fields for n in range(len(signers))]
        act, _, about = fields.get("do", "").partition(":")
        faults, found, at = dict[str, str](), dict[str, Any](), ""
        match act:
            case "find" | "enter" if fields.get("find", "").strip():
                found = await self.people.find(fields["find"])
                if one := found.get("only"):
                    act, about = "add", one
            case "full":
                signers.append(person_in_full(visitor))
                at = f"{SIGNERS}[{len(signers) - 1}].name"
            case "remove" | "up" | "down" | "move":
                signers, together, at = _moved(act, about, signers, together)
        if act == "add":
            found = {}
            if about in (one.get("person") for one in signers):
                faults["find"] = f"{about} is a signer of this request already"
            elif await self.people.known(about):
                signers.append({"person": about, "role": Role.SIGN.value})
        put(content, SIGNERS, _in_order(signers, [*together, False]))
        return Filled(content, draft.files, faults, found, at)


def _signing(people: Sequence[Participant]) -> dict[str, str]:
    """Those who have to act before the last ones are asked, of whom the plan shows as well what it is if they do; none
    if they are many.
    """
    last = max(one.order for one in people if one.role is not Role.COPY)
    earlier = [one.person for one in people if one.order < last and one.role is not Role.COPY]
    return dict.fromkeys(earlier, _SIGNED_AFTER) if len(earlier) <= EARLIER_AT_MOST else {}


def signers_of(content: Mapping[str, Any]) -> list[Content]:
    return list(content.get(SIGNERS) or ())


def _filled(signer: Content, path: str, fields: Mapping[str, str]) -> Content:
    """A signer with what was posted of them."""
    names = ("role",) if "person" in signer else ("role", *IN_FULL)
    made = dict(signer)
    for name in names:
        if (text := fields.get(f"{path}.{name}")) is not None:
            put(made, name, " ".join(text.split()))
    # Somebody in full whose fields are all empty is one still.
    return made if "person" in signer else {"name": "", **made}


def _moved(
    act: str, about: str, signers: Sequence[Content], together: Sequence[bool]
) -> tuple[list[Content], list[bool], str]:
    """The signers after a press on a button of one; `move` has two places. Nonsense changes nothing."""
    numbers = [int(one) for one in about.split(":") if one.isdecimal() and len(one) <= 3]
    order, pairs = list(signers), list(together)
    if not numbers or numbers[0] >= len(order):
        return order, pairs, ""
    here = numbers[0]
    to = {"up": here - 1, "down": here + 1, "remove": here}.get(act, numbers[-1])
    if not 0 <= to < len(order):
        return order, pairs, f"{act}:{here}"
    one = order.pop(here)
    if act == "remove":
        pairs.pop(here)
        return order, pairs, ""
    order.insert(to, one)
    return order, pairs, f"{act if act != 'move' else 'up'}:{to}"


def _in_order(signers: Sequence[Content], together: Sequence[bool]) -> list[Content]:
    """Each with its number; those who are asked together have the same one."""
    order, made = 0, []
    for number, one in enumerate(signers):
        order += not (number and together[number])
        made.append({**{key: value for key, value in one.items() if key != "order"}, "order": order})
    return made
