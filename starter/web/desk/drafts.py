"""What people begin at the desk: a draft in steps, of which the last shows what would happen and sends it.

Every page works without a script. A draft is sent by the one start path, under an id that is made of the draft's: sent
twice, from two windows, it is started once.
"""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.errors import DocumentMissing
from activities.files.reading import Fault, FileFaults
from activities.launch.doors import AdmittedStart, NotPermitted
from activities.launch.intake import asker_named
from activities.launch.launch import BrokenOff, IdTaken
from activities.notifications.links import at_desk
from activities.people.language import phrase
from activities.records.drafts import Draft, TooManyDrafts
from starter.web.api.problems import ApiProblem
from starter.web.api.starting import GivenDocuments, StartBody, StartIntake
from starter.web.desk.draft_forms import DraftForm, FilledStep, Step, title_of, value_of
from starter.web.desk.fixed_screens import NOT_THERE, TOO_MANY_DRAFTS
from starter.web.desk.people_fields import PeopleFields
from starter.web.desk.plan_words import fault_text
from starter.web.desk.responses import RequestContext
from starter.web.desk.sessions import Visitor
from starter.web.http.bodies import PostedDocuments
from starter.web.rights import RoleCaller, may_ask_as
from starter.web.screens.rendering import Renderer
from workflows.kinds import WorkflowName, named
from workflows.model.commands import KnownBy
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message

_ID: Final = re.compile(r"[0-9a-f]{12}")
_NEWS: Final = {"changed": phrase("It was changed in another window meanwhile: this is how it stands now.")}
_NO_PLAN: Final[Mapping[str, Any]] = {"calendars": (), "channels": (), "stages": ()}
"""Of a draft with something wrong in it that has no field."""
_NO_MEMBER: Final = FileFault.NOT_YOUR_GROUP.to_message()


@dataclass(frozen=True)
class Checked:
    """The file that a draft is by now: ready to be started, or its faults by path."""

    admitted: AdmittedStart | None
    faults: Mapping[str, Message] = field(default_factory=dict)

    @property
    def ready(self) -> AdmittedStart | None:
        return None if self.faults else self.admitted


@dataclass(frozen=True)
class NewButton:
    """What somebody may begin."""

    path: str
    label: str


@dataclass(frozen=True)
class DraftRow:
    """A draft on the first page."""

    path: str
    heading: str
    title: str
    changed: str


class DraftPages:
    """`forms` are in the order of their buttons; `renderer` has the script that only these pages run."""

    def __init__(
        self,
        shared: RequestContext,
        renderer: Renderer,
        starts: StartIntake,
        people: PeopleFields,
        forms: Sequence[DraftForm],
    ) -> None:
        self._shared = shared
        self._responses = shared.responses
        self._renderer = renderer
        self._starts = starts
        self._people = people
        self._forms = {str(form.kind): form for form in forms}
        self._drafts = shared.context.store.drafts

    def routes(self) -> list[BaseRoute]:
        visitors, drafting = self._responses.visitors, self._responses.drafting
        draft = "/desk/drafts/{what}/{id}"
        return [
            Route("/desk/new/{what}", visitors(self.new), methods=["GET"]),
            Route("/desk/find/people", visitors(self.find), methods=["GET"]),
            Route(f"{draft}/discard", drafting(self.discard), methods=["POST"]),
            Route(f"{draft}/{{step}}", visitors(self.show), methods=["GET"]),
            Route(f"{draft}/{{step}}", drafting(self.post), methods=["POST"]),
        ]

    async def buttons(self, visitor: Visitor) -> tuple[NewButton, ...]:
        """For what somebody may begin."""
        say = visitor.reader.language.say
        forms = [(kind, form) for kind, form in self._forms.items() if await form.startable(visitor)]
        return tuple(NewButton(f"new/{kind}", say(form.heading)) for kind, form in forms)

    async def rows(self, visitor: Visitor, now: datetime) -> tuple[DraftRow, ...]:
        """Their drafts that can still be sent."""
        say, drafts = visitor.reader.language.say, await self._drafts.list_drafts(visitor.id)
        return tuple(
            DraftRow(
                f"drafts/{draft.type}/{draft.id}/{form.steps[0].name}",
                say(form.heading),
                title_of(draft),
                visitor.reader.shortly(draft.changed_at, now),
            )
            for draft in drafts
            if (form := self._forms.get(draft.type))
        )

    async def new(self, request: Request, visitor: Visitor) -> Response:
        """Nothing is kept before something is posted."""
        form = self._forms.get(request.path_params["what"])
        if form is None or not await form.startable(visitor):
            return await self._responses.inside(NOT_THERE, visitor)
        return await self._page(form, form.steps[0], self._blank(form, visitor, secrets.token_hex(6)), visitor)

    async def find(self, request: Request, visitor: Visitor) -> Response:
        """The directory is shown to those who may begin something."""
        if not await self.buttons(visitor):
            return await self._responses.inside(NOT_THERE, visitor)
        answer = await self._people.answer(request, visitor)
        answer.headers.update(self._responses.renderer.headers)
        return answer

    async def show(self, request: Request, visitor: Visitor) -> Response:
        form, draft = await self._find_draft(request, visitor)
        step = _step(form, request)
        if form is None or draft is None or step is None:
            return await self._responses.inside(NOT_THERE, visitor)
        if draft.started:
            return self._to_started(draft.started)
        if step is form.steps[-1]:
            return await self._plan(form, draft, visitor, request.query_params.get("news", ""))
        faults = dict[str, Message]()
        if "check" in request.query_params:
            faults |= (await self._checked(form, draft, visitor)).faults
        if "large" in request.query_params:
            limit = self._starts.settings.signature.max_upload_mb
            faults["document.file"] = FileFault.UPLOAD_TOO_LARGE.to_message(most=limit)
        filled = FilledStep(dict(draft.content), draft.files, faults, {}, request.query_params.get("at", ""))
        news = _NEWS.get(request.query_params.get("news", ""), "")
        return await self._page(form, step, draft, visitor, filled, news=news)

    async def post(self, request: Request, visitor: Visitor, posted: PostedDocuments | None) -> Response:
        form, draft = await self._find_draft(request, visitor)
        step = _step(form, request)
        if form is None or draft is None or step is None:
            return await self._responses.inside(NOT_THERE, visitor)
        if draft.started:
            return self._to_started(draft.started)
        if posted is None or posted.fields.get("version", "") != str(draft.version):
            return self._redirect_to_step(draft, step.name, "news=changed" if posted else "large=1")
        if step is form.steps[-1]:
            return await self._send(request, form, draft, visitor, posted)
        try:
            return await self._fill(form, step, draft, visitor, posted)
        except TooManyDrafts:
            return await self._responses.inside(TOO_MANY_DRAFTS, visitor)

    async def discard(self, request: Request, visitor: Visitor, posted: PostedDocuments | None) -> Response:
        _, draft = await self._find_draft(request, visitor)
        if draft is not None and posted is not None and not draft.started:
            await self._drafts.discard(draft.id, visitor.id)
        return self._responses.renderer.to_desk()

    async def _fill(
        self, form: DraftForm, step: Step, draft: Draft, visitor: Visitor, posted: PostedDocuments
    ) -> Response:
        """Take over what was posted, then go on, or show the step once more."""
        filled = await form.fill(step, draft, posted, visitor)
        saved = await self._save_draft(draft._replace(content=filled.content, files=filled.files))
        if saved is None:
            return self._redirect_to_step(draft, step.name, "news=changed")
        match _act(posted):
            case "save":
                return self._saved()
            case "back":
                return self._redirect_to_step(saved, _find_previous_step(form, step).name)
            case "next" if not filled.values:
                return await self._go_on(form, step, saved, visitor, filled)
        if filled.values or filled.faults:
            return await self._page(form, step, saved, visitor, filled, status=422 if filled.faults else 200)
        return self._redirect_to_step(saved, step.name, f"at={filled.at}" if filled.at else "")

    async def _go_on(self, form: DraftForm, step: Step, draft: Draft, visitor: Visitor, filled: FilledStep) -> Response:
        """To the next step, if this one is right."""
        file_faults = (await self._checked(form, draft, visitor)).faults
        faults = {path: fault for path, fault in file_faults.items() if step.has(path)} | dict(filled.faults)
        if not faults:
            return self._redirect_to_step(draft, _find_next_step(form, step).name)
        return await self._page(form, step, draft, visitor, replace(filled, faults=faults), status=422)

    async def _save_draft(self, draft: Draft) -> Draft | None:
        """The draft as it is kept; None if it was changed or sent meanwhile. Raises `TooManyDrafts`."""
        now = self._shared.clock()
        if draft.version == 0:
            await self._drafts.begin(draft._replace(changed_at=now))
        return draft._replace(version=draft.version + 1) if await self._drafts.save(draft, now) else None

    async def _checked(self, form: DraftForm, draft: Draft, visitor: Visitor) -> Checked:
        role = await self._shared.roles.role_of(visitor.id)
        documents = GivenDocuments(self._starts.settings.signature.max_upload_mb)
        for name, draft_file in draft.files.items():
            try:
                documents.content[name] = await self._drafts.content(draft_file)
            except DocumentMissing:
                documents.content[name] = FileFault.FILE_GONE.to_message()
        body = StartBody(form.file(draft, visitor), documents)
        try:
            admitted = await self._starts.check(form.kind, body, RoleCaller(role, KnownBy.SIGN_IN.actor(visitor.id)))
        except NotPermitted as refused:
            is_theirs = may_ask_as(role, refused.requester)
            return Checked(
                None, {"kind": FileFault.MAY_NOT_START.to_message()} if is_theirs else {form.asker: _NO_MEMBER}
            )
        except FileFaults as faults:
            is_theirs = may_ask_as(role, asker_named(body.plain, form.asker))
            return Checked(
                None, dict(_at_their_fields(faults.faults)) | ({} if is_theirs else {form.asker: _NO_MEMBER})
            )
        except ApiProblem as problem:
            return Checked(None, {field_fault.field: field_fault.message for field_fault in problem.errors})
        overdue = admitted.prepared.overdue
        return Checked(admitted, dict(_at_their_fields(overdue.faults)) if overdue else {})

    async def _plan(
        self,
        form: DraftForm,
        draft: Draft,
        visitor: Visitor,
        news: str = "",
        *,
        status: int = 200,
        missing: Mapping[str, Message] = MappingProxyType({}),
    ) -> Response:
        """The last step, or the first one with something wrong in it."""
        checked = await self._checked(form, draft, visitor)
        for step in form.steps:
            if any(map(step.has, checked.faults)):
                return self._redirect_to_step(draft, step.name, "check=1")
        plan_values = await form.preview(checked.ready.prepared, visitor) if checked.ready else _NO_PLAN
        filled = FilledStep(dict(draft.content), draft.files, {**checked.faults, **missing})
        step, message = form.steps[-1], _NEWS.get(news, "")
        return await self._page(form, step, draft, visitor, filled, news=message, status=status, plan=plan_values)

    async def _send(
        self, request: Request, form: DraftForm, draft: Draft, visitor: Visitor, posted: PostedDocuments
    ) -> Response:
        act = posted.fields.get("do", "")
        if act != "send":
            return (
                self._redirect_to_step(draft, _find_previous_step(form, form.steps[-1]).name)
                if act == "back"
                else self._saved()
            )
        if wait := await self._responses.too_often(request, visitor):
            return wait
        admitted = (await self._checked(form, draft, visitor)).ready
        if admitted is None:
            return await self._plan(form, draft, visitor)
        if missing := await form.unconfirmed(admitted.prepared, posted.fields):
            return await self._plan(form, draft, visitor, status=422, missing=missing)
        workflow_name = WorkflowName(form.kind, admitted.prepared.workflow_input.subject.id)
        try:
            await admitted.start(self._shared.context.client, self._shared.context.store)
        except FileFaults:
            return await self._plan(form, draft, visitor)
        except (IdTaken, BrokenOff):
            pass  # It was sent from another window, as it was there: that is shown.
        await self._drafts.sent(draft, workflow_name.workflow_id, self._shared.clock())
        return self._to_started(workflow_name.workflow_id)

    async def _page(
        self,
        form: DraftForm,
        step: Step,
        draft: Draft,
        visitor: Visitor,
        filled: FilledStep | None = None,
        *,
        news: str = "",
        status: int = 200,
        plan: Mapping[str, Any] | None = None,
    ) -> Response:
        language, filled = visitor.reader.language, filled or FilledStep(dict(draft.content), draft.files)
        draft = draft._replace(content=filled.content, files=filled.files)
        faults = {
            step.defaults.get(path, path): fault_text(language, message) for path, message in filled.faults.items()
        }
        current_position = form.steps.index(step)
        return self._renderer.page(
            step.template,
            language,
            frame=await self._responses.frame(visitor),
            status=status,
            heading=language.say(form.heading),
            step=step,
            last=step is form.steps[-1],
            track=[
                (form_step.name, language.say(form_step.title), _step_class(n, current_position))
                for n, form_step in enumerate(form.steps)
            ],
            address=f"drafts/{draft.type}/{draft.id}",
            draft=draft,
            content=filled.content,
            title=title_of(draft),
            value=lambda path: value_of(filled.content, path),
            faults=faults,
            elsewhere={path: text for path, text in faults.items() if not step.has(path)},
            news=language.say(news) if news else "",
            found=filled.values,
            at=filled.at,
            **await form.template_values(step, draft, visitor),
            **(plan or {}),
        )

    async def _find_draft(self, request: Request, visitor: Visitor) -> tuple[DraftForm | None, Draft | None]:
        """A draft of the visitor; a blank one under an id that nothing was posted to yet."""
        form, id = self._forms.get(request.path_params["what"]), request.path_params["id"]
        if form is None or not _ID.fullmatch(id) or not await form.startable(visitor):
            return form, None
        draft = await self._drafts.read(id, visitor.id)
        if draft is None:
            return form, self._blank(form, visitor, id)
        return form, draft if draft.type == form.kind else None

    def _blank(self, form: DraftForm, visitor: Visitor, id: str) -> Draft:
        return Draft(id, visitor.id, str(form.kind), {}, 0, self._shared.clock())

    def _redirect_to_step(self, draft: Draft, step: str, query: str = "") -> Response:
        path = f"drafts/{draft.type}/{draft.id}/{step}"
        return self._responses.renderer.to_desk(f"{path}?{query}" if query else path)

    def _saved(self) -> Response:
        return self._responses.renderer.to_desk()

    def _to_started(self, workflow_id: str) -> Response:
        workflow_name = named(workflow_id)
        return self._responses.renderer.to_desk(f"{at_desk(workflow_name)}?done=sent" if workflow_name else "")


def _at_their_fields(faults: Sequence[Fault]) -> Iterator[tuple[str, Message]]:
    """By path, the first one last; somebody in full who lacks something lacks it in each of its fields."""
    for fault in reversed(faults):
        if fault.message.code == FileFault.PERSON_LACKS:
            missing = str(fault.message.values["missing"]).split(", ")
            yield from ((f"{fault.path}.{field}", FileFault.MISSING.to_message()) for field in missing)
        else:
            yield fault.path, fault.message


def _step(form: DraftForm | None, request: Request) -> Step | None:
    name = request.path_params["step"]
    return next((step for step in form.steps if step.name == name), None) if form else None


def _act(posted: PostedDocuments) -> str:
    """The button; the key Enter in a field is the one beside it, else the way on."""
    act = posted.fields.get("do", "next")
    return "next" if act == "enter" and not posted.fields.get("find", "").strip() else act


def _find_previous_step(form: DraftForm, step: Step) -> Step:
    return form.steps[max(0, form.steps.index(step) - 1)]


def _find_next_step(form: DraftForm, step: Step) -> Step:
    return form.steps[form.steps.index(step) + 1]


def _step_class(number: int, current_position: int) -> str:
    return "here" if number == current_position else "good" if number < current_position else ""
