"""A letter, mail or SMS, is sent once as far as that can be known: that it is about to be sent is noted before.

A push takes the place of the one before it on the screen; a second mail annoys, and a second SMS costs. So an attempt
that finds a note without an outcome sends nothing for a while, then again, and three times at most: from then on nobody
knows whether it arrived. What was refused before anything was done is sent as often as it takes.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic import AwareDatetime, BaseModel, ValidationError
from temporalio import activity

from activities.http.calling import Cause, ServiceFailure
from activities.push.dialect import MessageFate, MessageResult
from activities.store.failures import StoreFailure
from activities.store.store import Store
from workflows.model.notices import Channel

AGAIN_AFTER: Final = (60.0, 900.0)
"""Seconds before a letter is sent again of which nobody knows whether it was taken: more than an attempt at it can
last, and together more than a gateway is usually away."""
TRIES_AT_MOST: Final = len(AGAIN_AFTER) + 1
"""Times that it is sent."""


class OutboundMail(BaseModel):
    """One letter: how often it may have been sent, when last, by which channel, and whether it surely was taken.

    `job` is what cloud messaging calls it.
    """

    tries: int
    at: AwareDatetime
    channel: Channel
    taken: bool = False
    job: str | None = None

    @property
    def given_up(self) -> bool:
        """Whether it may have been sent as often as that may be."""
        return not self.taken and self.tries >= TRIES_AT_MOST

    def wait(self, now: datetime) -> float:
        """Seconds before it may be sent once more; 0 when it may be sent now."""
        if not self.tries:
            return 0.0
        left = self.pause - (now - self.at).total_seconds()
        return min(self.pause, max(0.0, left))

    @property
    def pause(self) -> float:
        """Seconds that are left between the last time it was sent and the next."""
        return AGAIN_AFTER[min(self.tries, len(AGAIN_AFTER)) - 1]

    def tried(self, now: datetime) -> "OutboundMail":
        """The same, about to be sent."""
        return self.model_copy(update={"tries": self.tries + 1, "at": now})


class SendOnce:
    """Sends letters, and keeps what is known of them in `store`."""

    def __init__(self, store: Store) -> None:
        self._letters = store.letters

    async def send(
        self, references: Sequence[str], channel: Channel, send: Callable[[], Awaitable[MessageResult]]
    ) -> tuple[OutboundMail, MessageResult]:
        """The one letter that tells of all of these; sent by `send` unless it was, or may have been, already.

        Raises `StoreFailure` when that cannot be known, or not be noted: then nothing is sent.
        """
        now = datetime.now(UTC)
        unsent = OutboundMail(tries=0, at=now, channel=channel)
        contents = zip(references, await self._letters.read(references), strict=True)
        known = {one: _read(content, unsent) for one, content in contents}
        due = {one: letter for one, letter in known.items() if _is_due(letter, now)}
        if not due or not await self._begun(due, unsent, now):
            return next(iter(known.values())), _not_sent(known.values(), now)
        return await self._ended(due, now, await send())

    async def _begun(self, due: Mapping[str, OutboundMail], unsent: OutboundMail, now: datetime) -> bool:
        """Note that they are about to be sent; False when somebody else is just at it."""
        for reference, letter in due.items():
            content = _written(letter.tried(now))
            if letter is not unsent:
                await self._letters.note(reference, content)
            elif not await self._letters.begin(reference, content):
                return False
        return True

    async def _ended(
        self, due: Mapping[str, OutboundMail], now: datetime, sent: MessageResult
    ) -> tuple[OutboundMail, MessageResult]:
        """Note what came of it: what may have been taken all the same stands as it was begun."""
        tried = next(iter(due.values())).tried(now)
        failure = sent.failure
        if failure is None:
            taken = tried.model_copy(update={"taken": True, "job": sent.job})
            await self._note(dict.fromkeys(due, taken))
            return taken, sent
        if failure.did_nothing:
            await self._note(due)
            return tried, sent
        if all(letter.tried(now).given_up for letter in due.values()):
            return tried, MessageResult(MessageFate.UNKNOWN, failure)
        return tried, MessageResult(MessageFate.LATER, failure.not_before(tried.pause))

    async def _note(self, letters: Mapping[str, OutboundMail]) -> None:
        """What the store does not take costs nobody the result: at worst the letter is sent once more."""
        try:
            for reference, letter in letters.items():
                await self._letters.note(reference, _written(letter))
        except StoreFailure as failure:
            activity.logger.error("what became of a letter was not noted", extra={"says": str(failure)})


def _is_due(letter: OutboundMail, now: datetime) -> bool:
    return not letter.taken and not letter.given_up and not letter.wait(now)


def _not_sent(letters: Iterable[OutboundMail], now: datetime) -> MessageResult:
    """What is to be said of letters of which none is sent now."""
    open_ = [letter for letter in letters if not letter.taken]
    if not open_:
        return MessageResult(MessageFate.ACCEPTED)
    waits = [letter.wait(now) or AGAIN_AFTER[0] for letter in open_ if not letter.given_up]
    if not waits:
        return MessageResult(MessageFate.UNKNOWN)
    says = "it may have been sent a moment ago, and is not sent again yet"
    return MessageResult(MessageFate.LATER, ServiceFailure("the letter", Cause.LATER, says, retry_after=max(waits)))


def _read(content: bytes | None, unsent: OutboundMail) -> OutboundMail:
    """What cannot be read is of a letter that may have been sent."""
    if content is None:
        return unsent
    try:
        return OutboundMail.model_validate_json(content)
    except ValidationError:
        return unsent.model_copy(update={"tries": TRIES_AT_MOST})


def _written(letter: OutboundMail) -> bytes:
    return letter.model_dump_json().encode()
