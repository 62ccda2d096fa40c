"""What every push dialect promises: one message to one address, and an honest word on what became of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from activities.device import AddressKind
from activities.failures import verdict
from activities.http.calling import Cause, ServiceFailure
from activities.push.message import Message
from workflows.model.subject import Code

_WRONG_ADDRESS: Final = (404, 405)


class MessageFate(StrEnum):
    """What became of one message to one device."""

    ACCEPTED = "accepted"
    UNREGISTERED = "unregistered"
    """The vendor calls the app gone from the device: never send there again."""
    OTHER_SENDER = "other_sender"
    """The token belongs to another push project: it is kept, and somebody should know."""
    MISMATCH = "mismatch"
    """So do those of many others: our credentials are the wrong ones, no device is at fault."""
    REFUSED = "refused"
    """What we sent is at fault, so a repetition changes nothing."""
    LATER = "later"
    """The service could not take it now."""
    PENDING = "pending"
    """It was taken, and nobody knows yet what became of it."""
    UNDELIVERED = "undelivered"
    """It was taken and did not arrive."""
    UNKNOWN = "unknown"
    """It may have been taken, more than once, and is not sent again."""
    PLATFORM = "platform"
    """Apple, or who runs the browser, does not let the push service in by what it has of us: the device is kept."""
    UNAUTHORISED = "unauthorised"
    """We are not let in, by our credentials, the certificate or the address: no device is at fault, all are kept."""

    @property
    def dead(self) -> bool:
        """Whether the vendor says that the device will never take a message from us again."""
        return self is MessageFate.UNREGISTERED

    @property
    def hopeless(self) -> bool:
        """Whether this message will not reach the device, however often it is sent: time for another channel."""
        return self in (
            MessageFate.UNREGISTERED,
            MessageFate.OTHER_SENDER,
            MessageFate.REFUSED,
            MessageFate.UNDELIVERED,
        )


@dataclass(frozen=True)
class MessageResult:
    """The fate of one message, and the failure behind it unless it was accepted."""

    fate: MessageFate
    failure: ServiceFailure | None = None
    job: str | None = None
    """What the service calls it, where what becomes of it can be asked."""
    asks_for: float = 0
    """How many seconds there is nothing to ask, of what is pending."""

    @property
    def wait(self) -> float:
        """How many seconds the service wants to be left alone."""
        if self.failure is None:
            return self.asks_for
        return max(self.failure.retry_after or 0, verdict(self.failure).at_least or 0)


class PushDialect(Protocol):
    """A push service's HTTP; knows nothing of Temporal, persons or devices beyond the address."""

    async def send(self, address: str, message: Message, kind: AddressKind = AddressKind.TOKEN) -> MessageResult:
        """Send `message` to one device; never raises for an answer, nor for its absence."""
        ...

    async def check(self) -> None:
        """For `doctor`: whether the service is there and knows us; raises `ServiceFailure` when not."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


def fate_of(failure: ServiceFailure) -> MessageResult:
    """What a failed call means by the one table of failures; dialects look for their own codes first."""
    meaning = verdict(failure)
    if meaning.passes:
        return MessageResult(MessageFate.LATER, failure)
    refused = meaning.code is Code.REFUSED and failure.status not in _WRONG_ADDRESS
    return MessageResult(MessageFate.REFUSED if refused else MessageFate.UNAUTHORISED, failure)


def too_soon(seconds: float, says: str = "as many messages this minute as one device may get") -> MessageResult:
    """The fate of a message we hold back ourselves for so long."""
    return MessageResult(MessageFate.LATER, ServiceFailure("push limiter", Cause.BOUND, says, retry_after=seconds))


def no_place() -> MessageResult:
    """The fate of a message for which there was no place among those on their way: the service is slow."""
    return MessageResult(
        MessageFate.LATER, ServiceFailure("push limiter", Cause.LATER, "too many messages are on their way")
    )
