"""Sends somebody their way in: to each of their devices, else by mail. Says who it is for to nobody else."""

from typing import Final

from temporalio import activity

from activities.directory import Directory, DirectoryFailure, UnknownPerson
from activities.failures import directory_failure, passing_failure
from activities.language import phrase
from activities.person import Person
from activities.push.cloud_messaging import CloudMessaging
from activities.push.dialect import MessageFate, PushDialect
from activities.push.fallback import OutboundMailSender, reference_of
from activities.push.limiter import DeviceLimiter
from activities.push.message import Message, screen_key
from activities.push.once import SendOnce
from activities.push.phones import DeviceSender
from activities.reader import Reader
from activities.sign_in.ways_in import WayIn, WaysIn
from activities.store.failures import StoreFailure
from activities.store.store import Store
from workflows.model.notices import NoticeAction
from workflows.model.sign_in import SignInOrder, SignInReport
from workflows.model.subject import Code
from workflows.ports import SignInService

_STAGE: Final = "sign-in"
_TITLE: Final = phrase("Sign in")
_BODY: Final = phrase("Tap to come in, or type {code} where you asked for it. Nobody else ever needs this number.")


class SignInMessages(SignInService):
    """Sends in one dialect and by `messaging`; None means that there is no such channel."""

    def __init__(
        self,
        *,
        dialect: PushDialect | None,
        directory: Directory,
        ways_in: WaysIn,
        store: Store,
        messaging: CloudMessaging | None = None,
        limiter: DeviceLimiter | None = None,
    ) -> None:
        self._phones = DeviceSender(dialect, directory, limiter or DeviceLimiter())
        self._letters = OutboundMailSender(messaging, SendOnce(store))
        self._directory = directory
        self._ways_in = ways_in

    async def send(self, order: SignInOrder) -> SignInReport:
        """See the port."""
        try:
            person = await self._directory.person(order.person)
            told = await self._tell(person, self._message(person, WayIn.of(order)), order)
        except UnknownPerson:
            return SignInReport()
        except DirectoryFailure as failure:
            raise directory_failure(failure) from failure
        except StoreFailure as failure:
            raise passing_failure(Code.UNREACHABLE, str(failure)) from failure
        if not told:
            raise passing_failure(Code.UNREACHABLE, "neither a device nor an address could be reached")
        return SignInReport(told=told)

    async def withdraw(self, order: SignInOrder) -> SignInReport:
        """See the port."""
        try:
            person = await self._directory.person(order.person)
            sent = await self._phones.send(person, await self._phones.living(person), _withdrawal(person, order))
        except UnknownPerson:
            return SignInReport()
        except DirectoryFailure as failure:
            raise directory_failure(failure) from failure
        return SignInReport(told=sum(one.fate is MessageFate.ACCEPTED for _, one in sent))

    async def _tell(self, person: Person, message: Message, order: SignInOrder) -> int:
        devices = await self._phones.living(person)
        sent = await self._phones.send(person, devices, message)
        if told := sum(one.fate is MessageFate.ACCEPTED for _, one in sent):
            return told
        if not self._letters.may_reach(person):
            activity.logger.warning("%s has no device that can be reached, and there is no other channel", person.id)
            return 0
        reference = reference_of(f"{_STAGE}/{order.ask}")
        _, letter = await self._letters.send(person, message, reference, urgent=False)
        return int(letter.fate is MessageFate.ACCEPTED)

    def _message(self, person: Person, way: WayIn) -> Message:
        language = Reader.of(person).language
        return Message(
            heading=language.say(_TITLE),
            body=language.say(_BODY, code=self._ways_in.code(way)),
            document="Countersign",
            request="",
            stage=_STAGE,
            key=_key(person, way.ask),
            link=self._ways_in.link(way),
            action=NoticeAction.OPEN,
        )


def _withdrawal(person: Person, order: SignInOrder) -> Message:
    """Takes the notice with the same key off a screen; it has no words and no way in."""
    key = _key(person, order.ask)
    return Message("", "", "", request="", stage=_STAGE, key=key, link="", action=NoticeAction.WITHDRAW)


def _key(person: Person, ask: str) -> str:
    """One for each ask: what a stranger asks for takes no number of the person's own off their screens."""
    return screen_key(f"{_STAGE}/{ask}", person.id)
