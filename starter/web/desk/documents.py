"""What somebody signed, acknowledged or did: their own part, and the files that they may have of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.notifications.links import at_desk
from activities.people.language import Language, phrase
from activities.people.reader import Reader
from activities.records.cover_sheet import CoverSheet
from activities.records.downloads import Way
from activities.records.evidence import KeptFileName
from starter.web.desk.access import View
from starter.web.desk.fixed_screens import NOT_THERE
from starter.web.desk.responses import RequestContext
from starter.web.desk.sessions import Visitor
from starter.web.downloads import FileRequest, PersonalFiles
from starter.web.rights import ReaderRole, Right
from starter.web.screens.screens import NO_FILE, NO_FILES, FileLink, OfferedFiles, PersonRow
from starter.web.screens.status import STATES, Chip, StateOwner
from workflows.kinds import Kind, WorkflowName
from workflows.model.signature import SignerState
from workflows.model.subject import Role
from workflows.model.views import Shown
from workflows.task.state import AssigneeState

_SENT: Final = "sent"
"""The end of the address of a document as it was sent."""
_ACTED: Final = (SignerState.SIGNED, SignerState.APPROVED)
_WAITS: Final = phrase("waits for you")
_OWN: Final[Mapping[str, str]] = {
    SignerState.WAITING: phrase("not your turn yet"),
    SignerState.TURN: _WAITS,
    SignerState.VIEWED: _WAITS,
    SignerState.BOUNCED: _WAITS,
    SignerState.SIGNED: phrase("signed"),
    SignerState.APPROVED: phrase("approved"),
    SignerState.DECLINED: phrase("declined"),
    SignerState.REASSIGNED: phrase("handed over"),
    SignerState.COPIED: phrase("a copy for you"),
    SignerState.CHANGES: phrase("asks for changes"),
    SignerState.EXEMPT: phrase("need not review"),
    AssigneeState.ASKED: _WAITS,
    AssigneeState.DONE: phrase("done"),
    AssigneeState.SPARED: phrase("you need not act"),
}
"""The states of a person, in words for themselves."""
_OPEN: Final = tuple(state for state, label in _OWN.items() if label in (_WAITS, _OWN[SignerState.WAITING]))


class OwnDocuments:
    def __init__(self, shared: RequestContext, files: PersonalFiles) -> None:
        self._shared = shared
        self._files = files

    def routes(self) -> list[BaseRoute]:
        path, visitors = f"/desk/{View.MINE}/{{id}}/{_SENT}", self._shared.responses.visitors
        return [Route(path, visitors(self.download), methods=["GET"])]

    def part_of(self, view: Shown, person: str, reader: Reader, now: datetime) -> PersonRow | None:
        """Where the person stands, and since when."""
        reviews = (line for line in reversed(view.all_reviews) if line.role is Role.REVIEW)
        theirs = [line for line in (*view.lines, *reviews) if line.person == person]
        line = next(
            (candidate for candidate in theirs if candidate.state != SignerState.REASSIGNED), next(iter(theirs), None)
        )
        if line is None or line.state not in _OWN or (line.state in _OPEN and view.status.has_ended):
            return None
        look = STATES[StateOwner.PERSON][line.state][1]
        acted_at = reader.shortly(line.at, now) if line.at and line.state not in _OPEN else ""
        return PersonRow("", Chip(reader.language.say(_OWN[line.state]), look), acted_at)

    async def files_of(self, view: Shown, role: ReaderRole, language: Language) -> OfferedFiles:
        """What is kept of it; of a document that is not, as it was sent to them. Raises `StoreFailure`."""
        if Right.DOWNLOAD not in await self._files.rights(role, view):
            return NO_FILES
        if view.kept_files.document or await self._sent(view, role.person) is None:
            return await self._files.offered(view, at_desk(WorkflowName(view.type, view.id)), language)
        link = FileLink(f"{View.MINE}/{view.id}/{_SENT}", language.say(phrase("The document as it was sent")))
        kept_files = await self._files.offered(view, at_desk(WorkflowName(view.type, view.id)), language)
        return replace(kept_files, links=(link, *kept_files.links))

    async def download(self, request: Request, visitor: Visitor) -> Response:
        """The document as it was sent, for somebody who has signed or acknowledged it."""
        responses, id = self._shared.responses, request.path_params["id"]
        view = await self._shared.look(Kind.REQUEST.workflow_id(id))
        sent = await self._sent(view, visitor.id) if view and not view.partial else None
        if view is None or sent is None:
            return await responses.inside(NOT_THERE if view is None else NO_FILE, visitor)
        file_request = FileRequest(Kind.REQUEST.workflow_id(id), KeptFileName.DOCUMENT, visitor.id, Way.DESK, sent=sent)
        answer = await self._files.answer_with(request, file_request)
        return answer if isinstance(answer, Response) else await responses.inside(answer, visitor)

    async def _sent(self, view: Shown, person: str) -> str | None:
        """The SHA-256 of what was sent to a person who has signed it; None for a template of Core Signature."""
        signed = (line for line in view.lines if line.role is not Role.REVIEW and line.state in _ACTED)
        has_acted = any(line.person == person for line in signed)
        if not (view.type.spec.document and has_acted):
            return None
        cover = await CoverSheet.read(self._shared.context.store, view.id)
        return cover.sha256 if cover else None
