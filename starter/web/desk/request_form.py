"""A new request at the desk: the document, signers and reviewers in their order, time and message, the plan."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from activities.launch.intake import GroupRule
from activities.people.language import phrase
from activities.records.drafts import Draft
from starter.plan import calendar
from starter.web.desk.document_field import DocumentField
from starter.web.desk.draft_forms import DraftForm, FilledStep, Step, lines_of, put, with_fields
from starter.web.desk.people_fields import languages
from starter.web.desk.people_in_order import PeopleInOrder
from starter.web.desk.plan_view import PlanView
from starter.web.desk.sessions import Visitor
from starter.web.http.bodies import PostedDocuments
from workflows.kinds import Kind
from workflows.model.file_faults import FileFault
from workflows.model.subject import Participant, Role

_DOCUMENT: Final = Step(
    "document",
    phrase("Document"),
    "draft_document.html",
    ("kind", "document", "requester"),
    defaults={"document": "document.file"},
)
_SIGNERS: Final = Step("signers", phrase("Signers"), "draft_signers.html", ("signers",))
_REVIEW: Final = Step("review", phrase("Review"), "draft_reviewers.html", ("reviewers",))
_TIME: Final = Step("time", phrase("Time and message"), "draft_time.html", ("due", "message"))
_PLAN: Final = Step("plan", phrase("Plan"), "draft_plan.html")
_ROLES: Final[Mapping[Role, str]] = {
    Role.SIGN: phrase("signs"),
    Role.APPROVE: phrase("approves"),
    Role.COPY: phrase("gets a copy"),
}
_RULES: Final[Mapping[GroupRule, str]] = {
    GroupRule.FIRST: phrase("one of them is enough"),
    GroupRule.ALL: phrase("each of them approves it"),
}
_SIGNED_AFTER: Final = "2d"
EARLIER_AT_MOST: Final = 5
"""Signers before the last ones for whom a second calendar is made: each is one more plan."""


class RequestForm(DraftForm):
    kind = Kind.REQUEST
    heading = phrase("New request")
    steps = (_DOCUMENT, _SIGNERS, _REVIEW, _TIME, _PLAN)
    asker = "requester"

    @property
    def _signers(self) -> PeopleInOrder:
        return PeopleInOrder(self.people, "signers", {"role": Role.SIGN.value}, FileFault.SIGNER_TWICE)

    @property
    def _reviewers(self) -> PeopleInOrder:
        return PeopleInOrder(self.people, "reviewers", {}, FileFault.REVIEWER_TWICE, groups=True)

    @property
    def _document(self) -> DocumentField:
        return DocumentField(self.drafts, self.megabytes)

    async def fill(self, step: Step, draft: Draft, posted: PostedDocuments, visitor: Visitor) -> FilledStep:
        match step.name:
            case _DOCUMENT.name:
                return await self._with_document(draft, posted)
            case _SIGNERS.name:
                return await self._signers.filled(draft, posted.fields, visitor)
            case _REVIEW.name:
                return await self._reviewers.filled(draft, posted.fields, visitor)
            case _:
                content = with_fields(dict(draft.content), posted.fields, "due")
                put(content, "message", lines_of(posted.fields.get("message", "")))
                return FilledStep(content, draft.files)

    async def template_values(self, step: Step, draft: Draft, visitor: Visitor) -> Mapping[str, Any]:
        language = visitor.reader.language
        match step.name:
            case _DOCUMENT.name:
                return {**await self.choices(visitor), **self._document.template_values(draft, language)}
            case _SIGNERS.name:
                roles = [(role.value, language.say(label)) for role, label in _ROLES.items()]
                signer_values = await self._signers.template_values(draft.content, visitor)
                return {**signer_values, "roles": roles, "languages": languages()}
            case _REVIEW.name:
                rules = [(rule.value, language.say(label)) for rule, label in _RULES.items()]
                signer_values = await self._reviewers.template_values(draft.content, visitor)
                rounds = await self.kinds.rounds_of_review(draft.content.get("kind", ""))
                return {**signer_values, "rules": rules, "rounds": rounds}
        return {}

    async def preview(self, prepared: Any, visitor: Visitor) -> Mapping[str, Any]:
        now, directory, brief = self.starts.clock(), self.starts.directory, prepared.request.brief
        plan = await calendar.plan(prepared, directory, now, _signing(brief.people), None)
        view = PlanView(visitor, self.people.names)
        return await view.of_request(plan, prepared.signers, reviewed=bool(brief.reviewers))

    async def _with_document(self, draft: Draft, posted: PostedDocuments) -> FilledStep:
        paths = ("kind", self.asker, "document.name", "document.template")
        content = with_fields(dict(draft.content), posted.fields, *paths)
        return await self._document.fill_in(draft, content, posted)


def _signing(people: Sequence[Participant]) -> dict[str, str]:
    """Those who have to act before the last ones are asked, of whom the plan shows as well what it is if they do; none
    if they are many.
    """
    last = max(participant.order for participant in people if participant.role is not Role.COPY)
    earlier = [
        participant.person for participant in people if participant.order < last and participant.role is not Role.COPY
    ]
    return dict.fromkeys(earlier, _SIGNED_AFTER) if len(earlier) <= EARLIER_AT_MOST else {}
