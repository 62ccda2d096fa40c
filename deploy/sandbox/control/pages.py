"""Pages for people: inbox, signing page, index, fault switches."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from deploy.sandbox.core_signature.service import CoreSignature
from deploy.sandbox.http.errors import HttpRefusal
from deploy.sandbox.push.phones import PhoneNetwork
from deploy.sandbox.state.faults import ArmedFault
from deploy.sandbox.state.records import (
    UNFINISHED,
    WAITING_FOR_SIGNERS,
    CoreDocument,
    CoreRequest,
    CoreSigner,
    CoreStatus,
    Push,
    SigningCase,
    iso,
)
from deploy.sandbox.state.state import SandboxState

HERE = Path(__file__).parent
BROWSER = "browser"
MINUTE, HOUR, DAY = 60, 3_600, 86_400
# A page's address is a permission, so caches must not keep the page.
HEADERS = {"cache-control": "no-store"}

environment = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def ago(instant: float, now: float) -> str:
    seconds = max(now - instant, 0)
    for unit, unit_name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {unit_name} ago"
    return "now"


def openable(link: str | None) -> bool:
    """A web address, not a script."""
    return link is not None and link.startswith(("http://", "https://"))


environment.tests["openable"] = openable
environment.filters["iso"] = iso
environment.filters["ago"] = ago


def render(template: str, status: int = 200, **values: object) -> Response:
    return HTMLResponse(environment.get_template(template).render(values), status, HEADERS)


@dataclass(frozen=True)
class PhoneScreen:
    name: str
    notices: list[Push]


class InboxPages:
    def __init__(self, state: SandboxState, phones: PhoneNetwork) -> None:
        self._state = state
        self._phones = phones

    def routes(self) -> list[Route]:
        return [Route("/inbox/{person}", self.page), Route("/inbox/{person}/screen", self.screen)]

    async def page(self, request: Request) -> Response:
        return self._render("inbox.html", request)

    async def screen(self, request: Request) -> Response:
        """Without the frame, for the page's script."""
        return self._render("screen.html", request)

    def _render(self, template: str, request: Request) -> Response:
        person = request.path_params["person"]
        mails = list(reversed(self._state.database.mails.where(person.lower())))
        screens = [PhoneScreen(_device(token), notices) for token, notices in self._phones.screens(person).items()]
        now = self._state.clock()
        limit = self._state.settings.notices
        is_full = 0 < limit <= max((_count_last_hour(screen.notices, now) for screen in screens), default=0)
        return render(template, person=person, screens=screens, mails=mails, now=now, limit=limit if is_full else 0)


def _count_last_hour(notices: list[Push], now: float) -> int:
    return sum(now - notice.at < HOUR for notice in notices)


def _device(token: str) -> str:
    _, tilde, number = token.rpartition("~")
    if number.startswith(BROWSER):
        return f"Browser {number.removeprefix(BROWSER)}"
    return f"Phone {number}" if tilde else "App"


def signer_rows(request: CoreRequest, document: CoreDocument) -> list[dict[str, str]]:
    """`uuid, name, state` of everyone who acts or gets a copy; not of a sender who only sends."""
    listed = [signer for signer in request.signers if _is_listed(signer)]
    return [{"uuid": s.uuid, "name": s.full_name or s.email, "state": _state(s, request, document)} for s in listed]


def _is_listed(signer: CoreSigner) -> bool:
    return signer.forwarded_on is None and not (signer.is_sender and not signer.needs_to_sign)


def _state(signer: CoreSigner, request: CoreRequest, document: CoreDocument) -> str:
    if signer.signed_on is not None:
        return "approved" if signer.approve_only else "signed"
    if signer.declined_on is not None:
        return "declined"
    if not signer.needs_to_sign:
        return "gets a copy"
    if document.status not in UNFINISHED:
        return "not asked any more"
    return "to act now" if request.is_turn(signer) else "later"


STATUS_WORDS = {
    CoreStatus.CONVERTING: "converting",
    CoreStatus.NEW: "not sent",
    CoreStatus.SENT: "sent",
    CoreStatus.VIEWED: "viewed",
    CoreStatus.SIGNED: "signed",
    CoreStatus.DECLINED: "declined",
    CoreStatus.CANCELLED: "cancelled",
    CoreStatus.EXPIRED: "expired",
    CoreStatus.CONVERT_ERROR: "not convertible",
    CoreStatus.SENDING_ERROR: "not sendable",
}
MOST_SHOWN = 50


class IndexPage:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        return [Route("/", self.page)]

    async def page(self, request: Request) -> Response:
        """Newest first, `MOST_SHOWN` on a `page`."""
        memory = self._state.database
        persons = sorted({str(person) for person in [*memory.pushes.values(), *memory.mails.values()]})
        number = _number(request.query_params.get("page", ""))
        newest = list(reversed(list(memory.documents)))
        shown_documents = newest[(number - 1) * MOST_SHOWN : number * MOST_SHOWN]
        older = number + 1 if len(newest) > number * MOST_SHOWN else None
        documents = [self._row(document) for document in shown_documents]
        return render(
            "index.html", persons=persons, documents=documents, total=len(newest), newer=number - 1, older=older
        )

    def _row(self, document: CoreDocument) -> dict[str, object]:
        request = self._state.database.request_of(document)
        signers = signer_rows(request, document) if request else []
        status_text = STATUS_WORDS[document.status]
        return {"name": document.name, "id": document.external_id, "status": status_text, "signers": signers}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) < 7 and int(text) else 1


COMMON_FAULTS: dict[str, dict[str, object]] = {
    "Core Signature is down": {"path": "/api/v1/*", "fault": "503"},
    "Core Signature is slow, three seconds an answer": {"path": "/api/v1/*", "fault": "slow", "delay": 3},
    "Core Signature refuses our credentials": {"path": "/api/v1/*", "fault": "401"},
    "Core Signature throttles us": {"path": "/api/v1/*", "fault": "429", "retry_after": 5},
    "answers to created documents are lost": {"method": "POST", "path": "/api/v1/documents/", "fault": "cut"},
    "the push service is down": {"path": "*/messages:send", "fault": "503"},
    "the push service of browsers is down": {"path": "/webpush/*", "fault": "503"},
    "callbacks never come": {"method": "CALLBACK", "fault": "drop"},
    "callbacks come twice": {"method": "CALLBACK", "fault": "duplicate"},
    "callbacks are forged": {"method": "CALLBACK", "fault": "forge"},
}
"""Common faults by their labels; others are for programs."""
HOW_OFTEN = {"once": 1, "ten times": 10, "until it is mended": None}


class FaultsPage:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        return [Route("/faults", self.page, methods=["GET", "POST"])]

    async def page(self, request: Request) -> Response:
        """GET shows what is armed; POST `fault` and `times` arms one, POST `mend` clears all, and redirects to GET."""
        if request.method == "POST":
            form = await request.form()
            if form.get("mend"):
                self._state.faults.clear()
            else:
                self._arm(str(form.get("fault", "")), str(form.get("times", "")))
            return RedirectResponse("/faults", 303)
        armed = [fault.summary() for fault in self._state.faults.armed()]
        return render("faults.html", switches=COMMON_FAULTS, often=HOW_OFTEN, armed=armed)

    def _arm(self, name: str, times: str) -> None:
        if name not in COMMON_FAULTS or times not in HOW_OFTEN:
            return
        try:
            fault = ArmedFault.model_validate({**COMMON_FAULTS[name], "times": HOW_OFTEN[times]})
        except ValidationError:
            return
        self._state.arm(fault)


@dataclass(frozen=True)
class PageText:
    """A heading, a sentence, their style (`calm`, `good`, `stop`), and the HTTP status of the page."""

    heading: str
    text: str
    mood: str = "calm"
    http_status: int = 200


READY = PageText("", "")
WAITING = PageText("It is not your turn yet", "Somebody signs before you. You will be told when it is up to you.")
PREPARING = PageText("Almost there", "The document is still being prepared. Please look again in a moment.")
SIGNED = PageText("You have signed", "Thank you. There is nothing left for you to do.", "good")
APPROVED = PageText("You have approved", "Thank you. There is nothing left for you to do.", "good")
DECLINED = PageText("You have declined", "The sender has been told, with your reason.", "stop")
COPY = PageText("Nothing to sign", "You receive a copy of this document for your information.")
UNKNOWN = PageText(
    "This link is no longer valid", "There is no document to sign under this address.", "stop", http_status=404
)
REPLACED = PageText(
    "This link is no longer valid",
    "Somebody else was asked to sign in your place. You need not do anything.",
    "stop",
    http_status=410,
)
FAILED = PageText("This document cannot be signed", "It could not be converted or sent.", "stop")
ENDED = {
    CoreStatus.CANCELLED: PageText("The request was cancelled", "The sender has withdrawn this document.", "stop"),
    CoreStatus.EXPIRED: PageText("The request has expired", "The time to sign this document is over.", "stop"),
    CoreStatus.DECLINED: PageText("Another signer declined", "This document cannot be signed any more.", "stop"),
    CoreStatus.CONVERT_ERROR: FAILED,
    CoreStatus.SENDING_ERROR: FAILED,
}


def page_text(case: SigningCase | None) -> PageText:
    """`UNKNOWN` without a case."""
    if case is None:
        return UNKNOWN
    signer, request, document = case
    if signer.forwarded_on is not None:
        return REPLACED
    if signer.signed_on is not None:
        return APPROVED if signer.approve_only else SIGNED
    if signer.declined_on is not None:
        return DECLINED
    return ENDED.get(document.status) or _open_text(signer, request, document)


def _open_text(signer: CoreSigner, request: CoreRequest, document: CoreDocument) -> PageText:
    if not signer.needs_to_sign:
        return COPY
    if document.status not in WAITING_FOR_SIGNERS:
        return PREPARING
    return READY if request.is_turn(signer) else WAITING


WRONG_WORD = "This is not right."
REASON_MISSING = "Please say why you decline: the sender gets to read it."
LONGEST_REASON = 1_000


class SigningPages:
    """The signer's uuid is the permission, as in the vendor's links."""

    def __init__(self, core: CoreSignature) -> None:
        self._core = core

    def routes(self) -> list[Route]:
        return [Route("/sign/{uuid}", self.page, methods=["GET", "POST"])]

    async def page(self, request: Request) -> Response:
        """GET shows the state and counts as viewed; POST `choice=verify|sign|decline` acts and redirects to GET. A
        signer who is to be verified sees nothing before.
        """
        case = self._core.state.database.signer(request.path_params["uuid"])
        if request.method == "POST" and case is not None:
            return self._act(case, await request.form(), request)
        if case is not None and request.method == "GET":
            if case[0].is_to_be_verified and page_text(case) is READY:
                self._core.ask_to_verify(case)
            else:
                self._core.view(case, by_mail=request.query_params.get("from") == "mail")
        return self._show(case)

    def _act(self, case: SigningCase, form: FormData, request: Request) -> Response:
        reason = str(form.get("reason", "")).strip()[:LONGEST_REASON]
        try:
            match form.get("choice"):
                case "verify" if not case[0].is_verified_by(word := str(form.get("word", ""))):
                    return self._show(case, problem=WRONG_WORD, status=403)
                case "verify":
                    self._core.verify(case, word)
                case "sign":
                    self._core.sign(case)
                case "decline" if reason:
                    self._core.decline(case, reason)
                case "decline":
                    return self._show(case, problem=REASON_MISSING, status=422)
        except HttpRefusal:
            # Another action was faster; the page shows the present state.
            pass
        return RedirectResponse(request.url.path, 303)

    def _show(self, case: SigningCase | None, *, problem: str | None = None, status: int | None = None) -> Response:
        outcome = page_text(case)
        values: dict[str, object] = {"outcome": outcome, "ready": outcome is READY, "problem": problem, "verifies": ""}
        if case is not None and outcome is READY and case[0].is_to_be_verified:
            values |= {"verifies": "Your password" if case[0].password else "The code that was sent to your phone"}
        elif case is not None and outcome is not REPLACED:
            values |= self._details(case)
        return render("sign.html", status or outcome.http_status, **values)

    def _details(self, case: SigningCase) -> dict[str, object]:
        signer, request, document = case
        back = request.redirect_url_declined if signer.declined_on else request.redirect_url
        signer_redirect_url = signer.redirect_url_declined if signer.declined_on else signer.redirect_url
        acted = signer.signed_on is not None or signer.declined_on is not None
        return {
            "document": document,
            "signer": signer,
            "request": request,
            "sender": request.from_email_name or request.from_email,
            "verb": "Approve" if signer.approve_only else "Sign",
            "others": signer_rows(request, document),
            "file": self._file(document),
            "back": (signer_redirect_url or back) if acted else None,
        }

    def _file(self, document: CoreDocument) -> dict[str, object]:
        sha256 = document.final or document.source
        size = len(self._core.state.database.files.read(sha256) or b"")
        name = "Signed document" if document.status is CoreStatus.SIGNED else "Document"
        return {"path": self._core.links.issue(sha256, "document.pdf"), "name": name, "kilobytes": -(-size // 1024)}


def page_routes(core: CoreSignature, phones: PhoneNetwork) -> list[BaseRoute]:
    return [
        *InboxPages(core.state, phones).routes(),
        *SigningPages(core).routes(),
        *IndexPage(core.state).routes(),
        *FaultsPage(core.state).routes(),
        Mount("/assets", StaticFiles(directory=HERE / "assets")),
    ]
