"""The page of one follow-up: status, timeline, and actions."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.core_signature.passwords import SignerPasswords
from activities.errors import StoreFailure
from activities.notifications.links import SigningLinks, at_desk, named_at_desk
from activities.people.directory import askers
from activities.people.language import phrase
from activities.records.downloads import Way
from starter.queries.commands import CommandRefused, refuse_own
from starter.queries.filters import is_request_id
from starter.queries.handed_links import LinkIssuer
from starter.queries.lookup import of_type, with_holds
from starter.queries.onboarding import PageLink, preview_link
from starter.web.acting.actions import Action, PostedForm, onboarding_to_decide
from starter.web.acting.forms import FailureReason, FormFailure, Send, send_form
from starter.web.acting.handing_over import TakenAddresses
from starter.web.acting.kinds import KIND_PAGES
from starter.web.acting.versions import FIELD, VERSION, Versions
from starter.web.desk.access import ActionForm, FollowUpAccess
from starter.web.desk.fixed_screens import NOT_THERE
from starter.web.desk.follow_up_text import PARTS_SHOWN_AT_MOST, FollowUpText, build_text
from starter.web.desk.people_fields import FOUND_AT_MOST
from starter.web.desk.responses import PeopleNames, RequestContext
from starter.web.desk.sessions import Visitor
from starter.web.downloads import FILE_PATHS, PersonalFiles
from starter.web.http.bodies import PostedDocuments
from starter.web.rights import Right, in_turn
from starter.web.screens.rendering import Tab
from starter.web.screens.screens import NO_FILE, NO_FILES, OfferedFiles, PersonRow
from starter.web.screens.status import link_use_of, proposed_people
from workflows.kinds import Kind, WorkflowName, kinds, named
from workflows.model.commands import LinkHandover
from workflows.model.receipts import OperationState, Receipt
from workflows.model.rejections import Rejection
from workflows.model.views import OnboardingShow, RequestShow, Shown, SignerLine

_DIGITS: Final = 4
"""Of the number of a version."""
_WORKER_ANSWERS_WITHIN: Final = timedelta(seconds=2)
USUAL_EXTENSION: Final = timedelta(weeks=1)
_UNDER_WAY: Final = "under-way"
_LATE: Final = "late"
_SENT: Final = "sent"
_NEWS: Final = {
    _SENT: phrase("It is on its way. Here you see what becomes of it."),
    _UNDER_WAY: phrase("We have your request. It will be carried out as soon as possible."),
    _LATE: phrase("It was too late: the request has ended."),
}


class FollowUps:
    def __init__(
        self,
        shared: RequestContext,
        links: SigningLinks,
        send: Send,
        files: PersonalFiles,
        versions: Versions,
        *,
        taken_addresses: TakenAddresses,
        passwords: SignerPasswords,
    ) -> None:
        self._passwords = passwords
        self._taken_addresses = taken_addresses
        self._shared = shared
        self._responses = shared.responses
        self._links = links
        self._send = send
        self._files = files
        self._versions = versions

    def routes(self) -> list[BaseRoute]:
        visitors, acting, drafting = self._responses.visitors, self._responses.acting, self._responses.drafting
        pages = {kind: f"/desk/{at_desk(WorkflowName(kind, '{id}'))}" for kind in kinds()}
        deciding = f"{pages[Kind.ONBOARDING]}/{{part}}/{{choice}}"
        documents = [pages[kind] for kind in kinds() if kind.spec.document]
        file_pages = [f"{page}/{path}" for page in documents for path in FILE_PATHS.values()]
        return [
            *(Route(path, visitors(self.download), methods=["GET"]) for path in file_pages),
            *(Route(f"{page}/{VERSION}/{{number}}", visitors(self.version), methods=["GET"]) for page in documents),
            *(Route(f"{page}/{Action.REVISE}", drafting(self.revise), methods=["POST"]) for page in documents),
            *(Route(f"{page}/{Action.LINK}", acting(self.hand_over_link), methods=["POST"]) for page in documents),
            Route(deciding, visitors(self.ask), methods=["GET"]),
            Route(deciding, acting(self.act), methods=["POST"]),
            *(Route(pages[kind], visitors(self.show), methods=["GET"]) for kind in kinds() if KIND_PAGES[kind].at_desk),
            *(Route(f"{path}/{{action}}", visitors(self.ask), methods=["GET"]) for path in pages.values()),
            *(Route(f"{path}/{{action}}", acting(self.act), methods=["POST"]) for path in pages.values()),
        ]

    async def show(self, request: Request, visitor: Visitor) -> Response:
        access = await self._read_access(request, visitor)
        if access is None:
            return await self._responses.inside(NOT_THERE, visitor)
        leading = [step for step in access.steps if step.action is Action.REVISE]
        return self._responses.renderer.page(
            "follow_up.html",
            visitor.reader.language,
            frame=await self._responses.frame(visitor),
            follow_up=await self._build_text(access, visitor),
            list=self._list_behind(access, visitor, request),
            actions=[
                (choice.address, self._say(visitor, choice.spec.label), choice.spec.grave)
                for choice in access.steps
                # A part to decide about offers to stop all of it already.
                if not choice.part
                and choice not in leading
                and not (choice.action is Action.CANCEL and any(step.part for step in access.steps))
            ],
            leading=next(((step.address, self._say(visitor, step.spec.label)) for step in leading), None),
            own=self._own_page(access, visitor),
            preview=self._preview(access),
            passwords=await self._list_passwords(access),
            files=await self._offered(access, visitor),
            own_says=self._say(visitor, KIND_PAGES[(onboarding_to_decide(access.view) or access.what).kind].own_page),
            done=done_message(request.query_params.get("done", ""), access.what.kind, visitor),
        )

    async def download(self, request: Request, visitor: Visitor) -> Response:
        access = await self._read_access(request, visitor)
        if access is None:
            return await self._responses.inside(NOT_THERE, visitor)
        if not (Right.DOWNLOAD in access.rights and access.view.kept_files.any):
            return await self._responses.inside(NO_FILE, visitor)
        answer = await self._files.answer(request, access.view, visitor.id, Way.DESK)
        return answer if isinstance(answer, Response) else await self._responses.inside(answer, visitor)

    async def version(self, request: Request, visitor: Visitor) -> Response:
        """A version of a document that is or was reviewed."""
        access, number = await self._read_access(request, visitor), request.path_params["number"]
        if access is None or Right.TEXTS not in access.rights or not number.isascii() or not number.isdecimal():
            return await self._responses.inside(NOT_THERE, visitor)
        view = of_type(RequestShow, access.view)
        answer = await self._files.version(request, view, visitor.id, Way.DESK, int(number[:_DIGITS]))
        return answer if isinstance(answer, Response) else await self._responses.inside(answer, visitor)

    async def revise(self, request: Request, visitor: Visitor, posted: PostedDocuments | None) -> Response:
        """Give a new version, once however often the form is sent; None is one that is too large."""
        access = await self._read_access(request, visitor)
        step = ActionForm.from_address(Action.REVISE, access.what.kind) if access else None
        if access is None or step is None or not access.permits(step):
            return await self._responses.inside(NOT_THERE, visitor)
        form = dict(posted.fields) if posted else {}
        sent = await send_form(self._revised(step, access, visitor, posted, form), access.what.reference)
        if isinstance(sent, FormFailure) and sent.fault is not FailureReason.ENDED:
            return await self._asking(step, access, visitor, form, sent)
        confirmation = _LATE if isinstance(sent, FormFailure) else step.address
        return self._responses.renderer.to_desk(f"{at_desk(access.what)}?done={confirmation}")

    async def _revised(
        self,
        step: ActionForm,
        access: FollowUpAccess,
        visitor: Visitor,
        posted: PostedDocuments | None,
        form: dict[str, str],
    ) -> Receipt:
        version = await self._versions.keep(posted)
        op = self._responses.guard.op(visitor.name, {**form, FIELD: version.sha256})
        command = step.spec.command(PostedForm(visitor.id, form, version=version))
        return await self._send(access.what.reference, command.replace(op=op), op)

    async def hand_over_link(self, request: Request, visitor: Visitor, form: dict[str, str]) -> Response:
        """The link, the same one however often the form is sent."""
        access = await self._read_access(request, visitor)
        step = ActionForm.from_address(Action.LINK, access.what.kind) if access else None
        if access is None or step is None or not access.permits(step):
            return await self._responses.inside(NOT_THERE, visitor)
        page = await send_form(self._handed_over(access, visitor, form), access.what.reference)
        if isinstance(page, FormFailure):
            if page.fault is FailureReason.ENDED:
                return self._responses.renderer.to_desk(f"{at_desk(access.what)}?done={_LATE}")
            return await self._asking(step, access, visitor, form, page)
        return self._responses.renderer.page(
            "handed_link.html",
            visitor.reader.language,
            frame=await self._responses.frame(visitor),
            follow_up=await self._build_text(access, visitor),
            label=self._say(visitor, step.spec.label),
            signer=await self._names(access).name_of(page.person),
            until=visitor.reader.instant(page.until) if page.until else "",
            link=page.link,
            code=Markup(segno.make_qr(page.link).svg_inline(scale=4, light="white")),  # noqa: S704  made of our link
        )

    async def _handed_over(self, access: FollowUpAccess, visitor: Visitor, form: dict[str, str]) -> PageLink:
        command = LinkHandover(actor=visitor.id, signer=form.get("signer", ""))
        op = self._responses.guard.op(visitor.name, form)
        send = partial(self._send, access.what.reference, command.replace(op=op), op)
        issuer = LinkIssuer(self._shared.context.store, self._links)
        return await issuer.issue(access.what.id, command, op, self._shared.clock(), send)

    async def ask(self, request: Request, visitor: Visitor) -> Response:
        access, step = await self._read_access(request, visitor), _step(request)
        if access is None or step is None or not access.permits(step):
            return await self._responses.inside(NOT_THERE, visitor)
        if step not in access.steps:
            return self._responses.renderer.to_desk(at_desk(access.what))
        return await self._asking(step, access, visitor, {"signer": request.query_params.get("person", "")})

    async def act(self, request: Request, visitor: Visitor, form: dict[str, str]) -> Response:
        """Carry it out, once however often the form is sent."""
        access, step = await self._read_access(request, visitor), _step(request)
        if access is None or step is None:
            return await self._responses.inside(NOT_THERE, visitor)
        page = at_desk(access.what)
        if not access.permits(step, form):
            late = access.too_late(step)
            return self._responses.renderer.to_desk(page) if late else await self._responses.inside(NOT_THERE, visitor)
        sent = await send_form(self._sent(step, access, visitor, form), access.what.reference)
        if isinstance(sent, FormFailure):
            if sent.fault is FailureReason.ENDED:
                return self._responses.renderer.to_desk(f"{page}?done={_LATE}")
            return await self._asking(step, access, visitor, form, sent)
        confirmation = step.address.rpartition("/")[2] if sent.state is not OperationState.OPEN else _UNDER_WAY
        return self._responses.renderer.to_desk(f"{page}?done={confirmation}")

    async def _sent(self, step: ActionForm, access: FollowUpAccess, visitor: Visitor, form: dict[str, str]) -> Receipt:
        if step.action is Action.EXEMPT and access.view.all_reviews:
            refuse_own(visitor.id, await askers(self._shared.directory, access.view.requester))
        successor = await self._taker(access, form.get("to", "")) if step.action is Action.DELEGATE else None
        posted = PostedForm(visitor.id, form, part=step.part, signer=form.get("signer", ""), to=successor)
        op = self._responses.guard.op(visitor.name, form)
        return await self._send(access.what.reference, step.spec.command(posted).replace(op=op), op)

    async def _taker(self, access: FollowUpAccess, typed: str) -> str | None:
        """A colleague named by the task, else a person of the directory."""
        if typed in access.view.delegates:
            return typed
        person = await self._shared.directory.named(typed)
        if person is not None:
            return person.id
        people = await self._shared.directory.search(typed, FOUND_AT_MOST + 1)
        if len(people) > 1:
            raise CommandRefused(Rejection.SEVERAL_OF_THAT_NAME.to_message())
        return people[0].id if people else None

    async def _colleagues(self, access: FollowUpAccess, names: PeopleNames, typed: str) -> list[tuple[str, str]]:
        """Whom to choose from: those that the task names, else whom the words find, without those who ask or are asked,
        and whom Core Signature would refuse. Without words who could act for those who have left.
        """
        if access.view.delegates:
            return [(person, await names.name_of(person)) for person in access.view.delegates]
        if not typed:
            return [(person, await names.name_of(person)) for person in proposed_people(access.view)]
        concerned = {access.view.requester, *(line.person for line in access.view.lines)}
        people = await self._taken_addresses.leave_out(
            await self._shared.directory.search(typed, FOUND_AT_MOST), access.view
        )
        return [(person.id, person.name) for person in people if person.id not in concerned]

    async def _read_access(self, request: Request, visitor: Visitor) -> FollowUpAccess | None:
        name = _workflow_name(request)
        return await self.access_of(name, visitor) if name and is_request_id(name.id) else None

    async def access_of(self, name: WorkflowName, visitor: Visitor) -> FollowUpAccess | None:
        """None when it does not concern the visitor."""
        view = await self._shared.look(name.reference)
        if view is None:
            return None
        role = await self._shared.roles.role_of(visitor.id)
        rights = await self._files.rights(role, view)
        if role.operator:
            with suppress(StoreFailure):
                view = await with_holds(self._shared.context.store, view)
        return FollowUpAccess(name, view, rights, role) if Right.STATUS in rights else None

    async def _build_text(self, access: FollowUpAccess, visitor: Visitor) -> FollowUpText:
        names = self._names(access)
        titled = await self._titled(access)
        return await build_text(
            access.view,
            visitor,
            names.name_of,
            self._shared.clock(),
            kind=await self._shared.kinds.label(access.view.kind, visitor.reader.language),
            rights=access.rights,
            titled=titled,
            steps=access.steps,
            reasons=await self._reasons(access),
        )

    async def _list_passwords(self, access: FollowUpAccess) -> list[PersonRow]:
        """For the requester, who tells them to signers."""
        view = access.view
        if view.status.has_ended or view.requester not in access.role.known_as:
            return []
        verified = [line for line in view.lines if isinstance(line, SignerLine)]
        names, password_by_person = self._names(access), self._passwords.derive_all(view.id, verified)
        return [PersonRow(await names.name_of(person), at=password) for person, password in password_by_person.items()]

    async def _reasons(self, access: FollowUpAccess) -> dict[str, str]:
        """Why parts were declined about which the visitor decides, by part."""
        to_decide = {step.part for step in access.steps if step.part}
        runs = {part.id: named(part.workflow) for part in access.view.parts if part.id in to_decide and part.workflow}
        looks = [(id, run) for id, run in runs.items() if run][:PARTS_SHOWN_AT_MOST]
        views = await asyncio.gather(*(self._shared.look(run.reference) for _, run in looks))
        reasons = (
            (id, next(iter(part.reasons.values()), "") if part else "")
            for (id, _), part in zip(looks, views, strict=True)
        )
        return dict(reasons)

    async def _titled(self, access: FollowUpAccess) -> bool:
        return Right.TITLE in access.rights or await self._shared.kinds.lets_titles_be_read(access.view.kind)

    async def title(self, access: FollowUpAccess, visitor: Visitor) -> str:
        """What the visitor may call it."""
        language, pages = visitor.reader.language, KIND_PAGES[access.what.kind]
        kind = await self._shared.kinds.label(access.view.kind, language)
        return (
            (access.view.title or access.view.id)
            if await self._titled(access)
            else language.say(pages.untitled, kind=kind)
        )

    async def _asking(
        self,
        step: ActionForm,
        access: FollowUpAccess,
        visitor: Visitor,
        form: Mapping[str, str] = MappingProxyType({}),
        failure: FormFailure | None = None,
    ) -> Response:
        """The confirmation page; with the sent `form` and why it failed."""
        spec, language, names = step.spec, visitor.reader.language, self._names(access)
        say, frame = language.say, await self._responses.frame(visitor)
        answer = access.view.given_answer if step.action is Action.DONE else None
        places, proposed = access.places(step.action), proposed_people(access.view)
        colleagues = await self._colleagues(access, names, form.get("to", ""))
        return self._responses.renderer.page(
            "act.html",
            language,
            frame=frame,
            status=failure.status if failure else 200,
            follow_up=await self._build_text(access, visitor),
            part=_title_of(step.part, access.view),
            action=step.address,
            label=say(spec.label),
            hint=say(spec.hint),
            field=answer.label if answer else say(spec.field) if spec.field else "",
            needed=answer.required if answer else spec.is_needed,
            force=say(spec.force) if spec.force else "",
            grave=spec.grave,
            question=access.view.question,
            due=form.get("due") or usual_due([access.view], self._shared.clock()),
            member=await names.name_of(form.get("signer", "")) if step.action is Action.EXEMPT and not places else "",
            places=[(person, await names.name_of(person)) for person in places],
            colleagues=colleagues,
            taker=form.get("to") or next((person for person, _ in colleagues if person in proposed), ""),
            form=form,
            # What was not confirmed is sent again as the same change.
            token=form["token"] if failure and failure.fault is not FailureReason.REFUSED else frame.token,
            refusal=failure.phrase_in(language) if failure else "",
        )

    async def _offered(self, access: FollowUpAccess, visitor: Visitor) -> OfferedFiles:
        if Right.DOWNLOAD not in access.rights:
            return NO_FILES
        return await self._files.offered(access.view, at_desk(access.what), visitor.reader.language)

    def _list_behind(self, access: FollowUpAccess, visitor: Visitor, request: Request) -> Tab:
        """Of a part the onboarding whose page led to it."""
        address = request.query_params.get("list", "")
        onboarding = named_at_desk(address)
        if onboarding and onboarding.kind.spec.has_parts and access.what.id.startswith(f"{onboarding.id}."):
            label = visitor.reader.language.say(KIND_PAGES[onboarding.kind].called, id=onboarding.id)
            return Tab(at_desk(onboarding), label)
        tab = access.list_behind(address, visitor.id)
        return replace(tab, label=self._say(visitor, tab.label))

    def _names(self, access: FollowUpAccess) -> PeopleNames:
        return PeopleNames(self._shared.directory, access.what.workflow_id)

    def _own_page(self, access: FollowUpAccess, visitor: Visitor) -> str:
        """The link for somebody whose turn it is; of a decision, the onboarding's desk page."""
        if visitor.id not in in_turn(access.view) or access.view.status.has_ended:
            return ""
        if onboarding := onboarding_to_decide(access.view):
            return self._links.desk(onboarding.reference)
        return self._links.link(access.what.reference, visitor.id, link_use_of(access.view, visitor.id))

    def _preview(self, access: FollowUpAccess) -> str:
        """The customer's view, which has what people wrote."""
        if Right.TEXTS not in access.rights or not access.view.previewed:
            return ""
        return preview_link(self._links, of_type(OnboardingShow, access.view), now=self._shared.clock()).link

    def _say(self, visitor: Visitor, text: str) -> str:
        return visitor.reader.language.say(text)


def usual_due(views: Iterable[Shown], now: datetime) -> str:
    """The date that is offered for an extension: a week after the latest present one, or after today."""
    latest = max([now, *(view.due_at for view in views if view.due_at)])
    return (latest + USUAL_EXTENSION).date().isoformat()


def done_message(confirmation: str, kind: Kind, visitor: Visitor) -> str:
    """The message about an action just done."""
    say = visitor.reader.language.say
    if confirmation in _NEWS:
        return say(_NEWS[confirmation])
    step = (KIND_PAGES[kind].decides_parts and ActionForm.for_part("", confirmation)) or ActionForm.from_address(
        confirmation, kind
    )
    return say(step.spec.confirmation) if step else ""


def _title_of(part: str, view: Shown) -> str:
    return next((candidate.title for candidate in view.parts if candidate.id == part), "")


def _workflow_name(request: Request) -> WorkflowName | None:
    return named_at_desk(request.url.path.removeprefix("/desk/"))


def _step(request: Request) -> ActionForm | None:
    name, params = _workflow_name(request), request.path_params
    if "part" in params:
        return ActionForm.for_part(params["part"], params["choice"])
    return ActionForm.from_address(params["action"], name.kind) if name else None
