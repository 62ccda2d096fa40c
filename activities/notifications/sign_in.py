"""Sign-in links and codes for the desk, by push to each device, else by mail."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from temporalio import activity

from activities.errors import StoreFailure
from activities.keys import BadSeal, KeyRing, Purpose
from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.message import NotificationMessage, screen_key
from activities.notifications.outbound_mail import OutboundMailSender, SendOnce, reference_of
from activities.notifications.phones import DeviceLimiter, DeviceSender
from activities.notifications.push_services import MessageFate, PushDialect
from activities.notifications.web_push import WebPush
from activities.notifications.words import NOTHING_LEFT
from activities.people.directory import Directory, DirectoryFailure, UnknownPerson
from activities.people.language import phrase
from activities.people.person import Person
from activities.people.reader import Reader
from activities.records.store import Store
from activities.temporal.failures import directory_failure, passing_failure
from workflows.model.notifications import VALID_FOR, NoticeAction, SignInOrder, SignInReport
from workflows.model.subject import Code
from workflows.ports import SignInService

_ASK_LENGTH: Final = 32
_STAGE: Final = "sign-in"
_TITLE: Final = phrase("Sign in")
_BODY: Final = phrase("Tap to sign in, or type {code} where you asked for it. Nobody else ever needs this number.")


class BadSignInLink(ValueError):
    """Not ours, or expired."""


@dataclass(frozen=True)
class SignInLink:
    """The content of a sign-in link: `person` may sign in once until it expires; `ask` identifies the attempt."""

    person: str
    ask: str
    until: datetime

    @classmethod
    def from_order(cls, order: SignInOrder) -> Self:
        return cls(order.person, order.ask, order.expires_at.astimezone(UTC).replace(microsecond=0))

    @property
    def asked_at(self) -> datetime:
        return self.until - VALID_FOR


def ask_of(nonce: str) -> str:
    """The public id of the browser that asked, derived from its secret `nonce`: 32 hex digits."""
    return hashlib.sha256(nonce.encode()).hexdigest()[:_ASK_LENGTH]


class SignInLinks:
    """Makes and opens sign-in links below `base` (`LINK_BASE`)."""

    def __init__(self, base: str, key_ring: KeyRing) -> None:
        self._base = base.rstrip("/")
        self._seal = key_ring.seal(Purpose.SIGN_IN)

    def url(self, link: SignInLink) -> str:
        """The page with the sign-in button: `LINK_BASE/desk/in/<ref>`."""
        return f"{self._base}/desk/in/{self._seal.seal(_text(link))}"

    def open(self, ref: str, now: datetime) -> SignInLink:
        """The content of `ref`; raises `BadSignInLink`."""
        try:
            person, ask, expiry = self._seal.open(ref).split("\n")
            link = SignInLink(person, ask, datetime.fromtimestamp(int(expiry), UTC))
        except (BadSeal, ValueError):
            raise BadSignInLink("not a link of ours") from None
        if link.until <= now:
            raise BadSignInLink("its time is over")
        return link

    def code(self, link: SignInLink) -> str:
        """Six digits to enter in the browser that asked."""
        return self._seal.code(_text(link))

    def accepts(self, link: SignInLink, digits: str) -> bool:
        """Whether these are its six digits."""
        return self._seal.accepts_code(_text(link), digits)


def _text(link: SignInLink) -> str:
    return f"{link.person}\n{link.ask}\n{int(link.until.timestamp())}"


class SignInMessages(SignInService):
    """Sends in one dialect and by `messaging`; None means no such channel."""

    def __init__(
        self,
        *,
        dialect: PushDialect | None,
        web: WebPush | None = None,
        directory: Directory,
        sign_in_links: SignInLinks,
        store: Store,
        messaging: CloudMessaging | None = None,
        limiter: DeviceLimiter | None = None,
    ) -> None:
        self._phones = DeviceSender(dialect, directory, limiter or DeviceLimiter(), web)
        self._outbound = OutboundMailSender(messaging, SendOnce(store))
        self._directory = directory
        self._links = sign_in_links

    async def send(self, order: SignInOrder) -> SignInReport:
        try:
            person = await self._directory.person(order.person)
            told_count = await self._tell(person, self._message(person, SignInLink.from_order(order)), order)
        except UnknownPerson:
            return SignInReport()
        except DirectoryFailure as failure:
            raise directory_failure(failure) from failure
        except StoreFailure as failure:
            raise passing_failure(Code.UNREACHABLE, str(failure)) from failure
        if not told_count:
            raise passing_failure(Code.UNREACHABLE, "neither a device nor an address could be reached")
        return SignInReport(told=told_count)

    async def withdraw(self, order: SignInOrder) -> SignInReport:
        try:
            person = await self._directory.person(order.person)
            sent = await self._phones.send(person, await self._phones.living(person), _withdrawal(person, order))
        except UnknownPerson:
            return SignInReport()
        except DirectoryFailure as failure:
            raise directory_failure(failure) from failure
        return SignInReport(told=sum(result.fate is MessageFate.ACCEPTED for _, result in sent))

    async def _tell(self, person: Person, message: NotificationMessage, order: SignInOrder) -> int:
        devices = await self._phones.living(person)
        sent = await self._phones.send(person, devices, message)
        if told_count := sum(result.fate is MessageFate.ACCEPTED for _, result in sent):
            return told_count
        if not self._outbound.may_reach(person):
            activity.logger.warning("%s has no device that can be reached, and there is no other channel", person.id)
            return 0
        reference = reference_of(f"{_STAGE}/{order.ask}")
        _, mail = await self._outbound.send(person, message, reference, urgent=False)
        return int(mail.fate is MessageFate.ACCEPTED)

    def _message(self, person: Person, link: SignInLink) -> NotificationMessage:
        language = Reader.from_person(person).language
        return NotificationMessage(
            heading=language.say(_TITLE),
            body=language.say(_BODY, code=self._links.code(link)),
            document="Countersign",
            request="",
            stage=_STAGE,
            key=_key(person, link.ask),
            link=self._links.url(link),
            action=NoticeAction.OPEN,
            lifetime=VALID_FOR,
        )


def _withdrawal(person: Person, order: SignInOrder) -> NotificationMessage:
    key, language = _key(person, order.ask), Reader.from_person(person).language
    texts = language.say(_TITLE), language.say(NOTHING_LEFT)
    return NotificationMessage(*texts, "", request="", stage=_STAGE, key=key, link="", action=NoticeAction.WITHDRAW)


def _key(person: Person, ask: str) -> str:
    # Distinct for each `ask`, so that a stranger's attempts never replace the person's own notice.
    return screen_key(f"{_STAGE}/{ask}", person.id)
