"""What a signer's page asks beside their link before it leads to Core Signature: a code, or a sign-in at the desk. It
needs the database, which counts the tries of all processes and keeps who has proved who they are, when and how.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final

import structlog
from starlette.responses import Response

from activities.errors import StoreFailure
from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.links import LinkContent
from activities.notifications.message import NotificationMessage
from activities.notifications.outbound_mail import reference_of
from activities.notifications.push_services import MessageFate, MessageResult
from activities.people.directory import Directory
from activities.people.language import phrase
from activities.people.person import Person
from activities.people.ways import code_channel
from activities.records.allowances import Rate
from activities.records.cover_sheet import CoverSheet
from activities.records.store import Store
from activities.records.user_texts import keep_page
from starter.web.acting.actions import Action
from starter.web.pages.visits import PageVisit
from starter.web.proofs import CONFIRM, CodeRequest, IdentityCookies, Proof, micros_of
from starter.web.screens.screens import Entry, MainButton, Screen, ScreenDraft, ScreenName, ScreenTone
from workflows.model.notifications import ONE_MESSAGE_EVERY, Channel, LogPage, NoticeAction
from workflows.model.subject import Identity
from workflows.model.timeline import EventType, TimelineEntry

TRIES_AT_MOST: Final = 5
"""Codes that may be tried for one signer of a request, from whatever device and link."""
TRIES: Final = Rate(TRIES_AT_MOST, 1 / timedelta(hours=1).total_seconds())
CODES: Final = Rate(burst=5, per_second=5 / timedelta(hours=1).total_seconds())
"""Codes that are sent to one person."""
_NONCE_BYTES: Final = 16
_SENT_WORDS: Final = {
    Channel.SMS: phrase("We have sent a code of six digits to your phone by SMS. It is valid for ten minutes."),
    Channel.MAIL: phrase("We have sent a code of six digits to your mailbox. It is valid for ten minutes."),
}
_ASKED: Final = ScreenDraft(
    ScreenName.CODE,
    200,
    phrase("Please enter the code"),
    button=MainButton(
        Action.SIGN,
        phrase("Go on"),
        phrase("If none has come, open your link again after a minute, and press its button."),
        entry=Entry("code", phrase("Code"), code=True),
    ),
    tone=ScreenTone.ASK,
)
_WRONG: Final = phrase("This code is not right. Tries left: {left}.")
_OLD: Final = phrase("This code is not valid any more. We have sent another one.")
_LOCKED: Final = ScreenDraft(
    ScreenName.CODE,
    429,
    phrase("Too many wrong codes"),
    (
        phrase("Five wrong codes were entered. The next one can be entered in an hour."),
        phrase("If it was not you, please tell whoever sent you the document."),
    ),
)
_TOO_MANY_CODES: Final = ScreenDraft(
    ScreenName.CODE,
    429,
    phrase("Too many codes"),
    (phrase("You have been sent several codes within an hour. Please try again in a quarter of an hour."),),
    retry_after=900,
)
_NOT_SENT: Final = ScreenDraft(
    ScreenName.CODE,
    503,
    phrase("The code could not be sent"),
    (phrase("Please try again in a minute. Nothing is lost, and your link still works."),),
    retry_after=60,
)
_NO_CHANNEL: Final = ScreenDraft(
    ScreenName.CODE,
    403,
    phrase("We cannot send you a code"),
    (
        phrase("A code has to reach you in another way than the notice, and we know of none."),
        phrase("Please ask whoever sent you the document."),
    ),
)
NO_PAGE: Final = ScreenDraft(
    ScreenName.BY_MAIL,
    403,
    phrase("This cannot be signed here"),
    (
        phrase("We have to know who signs, and Core Signature offers no page on which we could ask."),
        phrase("Please ask whoever sent you the document."),
    ),
)
"""Core Signature gave no signing page: its mail would lead past what we ask."""
_TITLE: Final = phrase("Your code")
_BODY: Final = phrase(
    "{code} is your code to sign. Enter it on the page where you asked for it, and give it to nobody."
)
_LOGGER: Final = structlog.get_logger("countersign.pages")


@dataclass(frozen=True)
class IdentityAnswer:
    """Whether the signer may go on; else the `screen`, or the page of the desk that asks."""

    proof: Proof | None = None
    request: CodeRequest | None = None
    screen: Screen | None = None
    desk: str = ""


class IdentityGate:
    """Asks signers who they are; `messaging` sends the codes. Raises `StoreFailure`, `DirectoryFailure`."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        cookies: IdentityCookies,
        messaging: CloudMessaging | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._directory = directory
        self._cookies = cookies
        self._messaging = messaging
        self._clock = clock

    async def identity_of(self, claim: LinkContent) -> Identity:
        """What the link's page asks: as its notice says, else as the request was sent."""
        if claim.identity is not None:
            return claim.identity
        try:
            cover = await CoverSheet.read(self._store, claim.request)
        except ValueError:
            raise StoreFailure("the cover sheet of this request cannot be read") from None
        return cover.identity if cover else Identity.LINK

    async def is_asked(self, claim: LinkContent) -> bool:
        return await self.identity_of(claim) is not Identity.LINK

    async def check(self, visit: PageVisit, form: dict[str, str]) -> IdentityAnswer:
        """For a press of the signing button."""
        identity = await self.identity_of(visit.claim)
        if identity is Identity.LINK:
            return IdentityAnswer()
        proof = self._cookies.proof(visit.cookies)
        if proof and proof.holds(visit.claim, self._clock()):
            return await self._go_on(visit, proof)
        if identity is Identity.SIGN_IN:
            return IdentityAnswer(desk=f"../desk/{CONFIRM}/{visit.ref}")
        return await self._by_code(visit, form.get("code", ""))

    def keep(self, response: Response, answer: IdentityAnswer) -> Response:
        """With the cookies of this answer."""
        if answer.proof:
            self._cookies.keep_proof(response, answer.proof)
        if answer.request:
            self._cookies.keep_request(response, answer.request)
        return response

    def forget(self, response: Response, answer: IdentityAnswer) -> Response:
        """So that the browser keeps nothing of it."""
        self._cookies.forget(response, answer.proof)
        return response

    async def _by_code(self, visit: PageVisit, typed: str) -> IdentityAnswer:
        now = self._clock()
        if wait := await self._store.allowances.look(_tries_of(visit), TRIES, now):
            return _lock(visit, wait)
        request = self._cookies.request(visit.cookies)
        if request is None or not request.is_of(visit.claim, now):
            return await self._send_code(visit, _OLD if typed else None)
        if typed.strip():
            return await self._enter(visit, request, typed)
        if now < request.at + ONE_MESSAGE_EVERY:
            return IdentityAnswer(screen=_ask(visit, request.channel))
        return await self._send_code(visit)

    async def _send_code(self, visit: PageVisit, refusal: str | None = None) -> IdentityAnswer:
        """At most so many an hour to one person, whatever asks for them."""
        claim, language, now = visit.claim, visit.reader.language, self._clock()
        person = await self._directory.person(claim.person, claim.workflow_id)
        devices = await self._directory.devices(person)
        channel = code_channel(person, devices, has_messaging=self._messaging is not None)
        if channel is None:
            _LOGGER.error("no second channel for a code", request=claim.request, person=claim.person)
            return IdentityAnswer(screen=_NO_CHANNEL.in_language(language))
        if (await self._store.allowances.take(f"identity codes {claim.person}", CODES, now)).wait:
            return IdentityAnswer(screen=_TOO_MANY_CODES.in_language(language))
        request = CodeRequest(claim.request, claim.person, secrets.token_hex(_NONCE_BYTES), channel, now)
        sent = await self._deliver(person, visit, request)
        if sent.fate is not MessageFate.ACCEPTED:
            _LOGGER.warning("code not sent", request=claim.request, channel=channel, fate=sent.fate)
            return IdentityAnswer(screen=_NOT_SENT.in_language(language))
        await self._note(visit, EventType.CODE_SENT, channel, now)
        return IdentityAnswer(request=request, screen=_ask(visit, channel, language.say(refusal) if refusal else None))

    async def _deliver(self, person: Person, visit: PageVisit, request: CodeRequest) -> MessageResult:
        language, code = visit.reader.language, self._cookies.code(request)
        message = NotificationMessage(
            heading=language.say(_TITLE),
            body=language.say(_BODY, code=code),
            document="Countersign",
            request="",
            stage="code",
            key=request.nonce,
            link="",
            action=NoticeAction.OPEN,
        )
        reference = reference_of(f"code/{request.nonce}")
        if self._messaging is None:
            return MessageResult(MessageFate.REFUSED)
        if request.channel is Channel.SMS:
            return await self._messaging.text(person.phone or "", message, reference)
        return await self._messaging.mail(person.email or "", message, reference)

    async def _enter(self, visit: PageVisit, request: CodeRequest, typed: str) -> IdentityAnswer:
        """Counted before it is compared, so that processes together allow no more."""
        language, now = visit.reader.language, self._clock()
        attempt = await self._store.allowances.take(_tries_of(visit), TRIES, now)
        if attempt.wait:
            return _lock(visit, attempt.wait)
        digits = "".join(filter(str.isdigit, typed))
        if not self._cookies.accepts(request, digits):
            if attempt.remaining:
                refusal = language.say(_WRONG, left=attempt.remaining)
                return IdentityAnswer(screen=replace(_ask(visit, request.channel, refusal), status=403))
            await self._note(visit, EventType.CODES_WRONG, request.channel, now)
            return _lock(visit, 1 / TRIES.per_second)
        if not await self._store.one_use.use(request.at.astimezone(UTC).date(), f"{request.nonce}-code"):
            return await self._send_code(visit, _OLD)
        await self._store.allowances.refill(_tries_of(visit))
        return await self._go_on(visit, Proof(request.request, request.person, request.channel, now))

    async def _go_on(self, visit: PageVisit, proof: Proof) -> IdentityAnswer:
        """Recorded once for each proof, before anybody is led on."""
        await self._note(visit, EventType.IDENTIFIED, proof.way, proof.at)
        return IdentityAnswer(proof=proof)

    async def _note(self, visit: PageVisit, event_type: EventType, way: str, at: datetime) -> None:
        entry = TimelineEntry(at=at, happened=event_type, about=way, who=visit.claim.person)
        page = LogPage(number=micros_of(at), timeline=(entry,))
        await keep_page(self._store, visit.claim.workflow_id, page)


def _ask(visit: PageVisit, channel: Channel, refusal: str | None = None) -> Screen:
    language = visit.reader.language
    sentences = (language.say(_SENT_WORDS[channel]),)
    return replace(_ASKED.in_language(language), sentences=sentences, refusal=refusal)


def _lock(visit: PageVisit, seconds: float) -> IdentityAnswer:
    return IdentityAnswer(screen=replace(_LOCKED.in_language(visit.reader.language), retry_after=ceil(seconds)))


def _tries_of(visit: PageVisit) -> str:
    return f"identity tries {visit.claim.request} {visit.claim.person}"
