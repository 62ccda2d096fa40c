"""One notice as every dialect sends it: words, data, identity on the screen, and its size.

Its title is the action and the document, its body who asks, by the company's name, and until when. Nothing personal is
in it beyond that and our link; of a kind whose `lock_screen` is `generic` not even the document's name.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import regex  # type: ignore[import-untyped]

from activities.notifications.links import FIRST_SERIAL, LinkUse, SigningLinks
from activities.notifications.words import OWN_REFUSAL, SIGNED_ALONE, NotificationText, isolated, unturned, words_for
from activities.people.reader import Reader, due_sentence
from workflows.follow_up.notification_types import is_by_day, is_for_on_call, is_quiet
from workflows.kinds import Kind
from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder
from workflows.model.subject import LockScreen, Status

LIFETIME: Final = timedelta(days=28)
"""The longest FCM keeps a notice for a phone that is off: a newer one replaces it, an ended one is withdrawn."""

_TEXT_AT_MOST: Final = 600
"""Bytes of somebody's own words."""
_ELLIPSIS: Final = "…"
_BETWEEN: Final = " · "
_USES: Final = {NoticeAction.SIGN: LinkUse.SIGN, NoticeAction.APPROVE: LinkUse.SIGN, NoticeAction.DO: LinkUse.DO}
_WIRE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Message:
    """What a phone shows and what our app gets; `heading` holds `{document}` where the name goes.

    `key` identifies the notice on the screen: a newer message with the same key replaces it, a `withdrawal` removes it.
    """

    heading: str
    body: str
    document: str
    request: str
    stage: str
    key: str
    link: str
    action: NoticeAction
    at_rest: bool = False
    """Whether it comes to its reader at an hour at which it is to make no sound."""

    @property
    def title(self) -> str:
        """The line on the screen by which one notice is told from another."""
        return self.heading.format(document=isolated(self.document))

    @property
    def withdrawal(self) -> bool:
        """Whether the message only takes an earlier one off the screen."""
        return self.action is NoticeAction.WITHDRAW

    @property
    def quiet(self) -> bool:
        """Whether the phone is to make no sound, and to be woken by nothing."""
        return self.at_rest or is_quiet(self.stage)

    @property
    def data(self) -> dict[str, str]:
        """What our app reads; none of these keys is reserved by FCM."""
        return {
            "request": self.request,
            "stage": self.stage,
            "key": self.key,
            "link": self.link,
            "action": self.action,
        }


def screen_key(request: str, person: str) -> str:
    """The identity of a person's notice about a request: 22 base64url characters, within every platform's limit."""
    digest = hashlib.sha256(f"{request}/{person}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii")[:22]


def compose(
    delivery: Delivery,
    notice: NotificationOrder,
    reader: Reader,
    links: SigningLinks,
    company: str = "",
    *,
    text: str = "",
    serial: str = FIRST_SERIAL,
    at_rest: bool = False,
) -> Message:
    """The message of `notice` in the words of its stage, in the language and with the clock of its `reader`.

    `text` is what it says in somebody's own words: its first line is the title, unless a locked screen shows little.
    `serial` is what the reader's links must have in them. `at_rest`: they are not at work now.
    """
    use, reference = _USES.get(notice.action, LinkUse.VIEW), delivery.subject.reference
    first, _, rest = text.strip().partition("\n")
    heading, body = _texts(delivery, notice, reader, company, rest.strip())
    return Message(
        heading=heading,
        body=body,
        document=unturned(first or notice.title or delivery.subject.title),
        request=delivery.subject.id,
        stage=notice.stage,
        key=screen_key(reference, notice.person),
        link=_at_desk(delivery, notice, links)
        if _leads_to_the_desk(delivery, notice)
        else links.link(reference, notice.person, use, serial),
        action=notice.action,
        at_rest=at_rest and is_by_day(notice.stage),
    )


def _at_desk(delivery: Delivery, notice: NotificationOrder, links: SigningLinks) -> str:
    """Where it can be followed: of many that were sent at once in the list of them."""
    if is_quiet(notice.stage) and notice.count is not None:
        return links.asked()
    return links.desk(None if is_for_on_call(notice.stage) else delivery.subject.reference)


def _leads_to_the_desk(delivery: Delivery, notice: NotificationOrder) -> bool:
    """Whether whoever gets it has no page of their own: of an onboarding only the customer's people have one, of a
    campaign nobody: whoever is asked has that of their request."""
    if delivery.subject.type is Kind.CAMPAIGN:
        return True
    if delivery.subject.type is Kind.ONBOARDING:
        return all(notice.person != one.person for one in delivery.subject.people)
    return is_quiet(notice.stage) or is_for_on_call(notice.stage)


def speaking_for(message: Message, others: int, reader: Reader, company: str = "") -> Message:
    """The message, saying how many things wait for its reader; the link leads to the first of them."""
    if not others:
        return message
    say = reader.language
    heading = say.say_count("{count} thing waits for you", "{count} things wait for you", others + 1)
    body = say.say("Please begin with the one that opens here.")
    return replace(message, heading=heading, body=_BETWEEN.join(filter(None, (isolated(company), body))))


def fitted(message: Message, size: Callable[[Message], int], limit: int) -> Message:
    """The message with its document name cut so far that `size` is at most `limit` bytes."""
    excess = size(message) - limit
    if excess <= 0:
        return message
    return replace(message, document=shorten(message.document, wire_size(message.document) - excess))


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` bytes on the wire, cut between graphemes and closed with an ellipsis."""
    if wire_size(text) <= limit:
        return text
    room = limit - wire_size(_ELLIPSIS)
    kept = []
    for grapheme in regex.findall(r"\X", text):
        room -= wire_size(grapheme)
        if room < 0:
            break
        kept.append(grapheme)
    return "".join(kept).rstrip() + _ELLIPSIS


def wire_size(value: object) -> int:
    """Bytes of `value` as JSON without the quotes of a text: what a service counts, or a little more."""
    encoded = _WIRE.encode(value).encode()
    return len(encoded) - 2 if isinstance(value, str) else len(encoded)


def _texts(delivery: Delivery, notice: NotificationOrder, reader: Reader, company: str, text: str) -> tuple[str, str]:
    if notice.action is NoticeAction.WITHDRAW:
        return "", ""
    brief, language = delivery.subject, reader.language
    words = (_own_ending(delivery, notice) or _words_of(delivery, notice)).told(language, notice)
    heading = words.title if brief.lock_screen is LockScreen.GENERIC else words.named
    if brief.urgent and not words.closing:
        heading = language.say("Urgent · {title}", title=heading)
    due = delivery.due_at if not words.closing else None
    until = due_sentence(due, reader, delivery.now, short=True) if due else ""
    said = "" if brief.lock_screen is LockScreen.GENERIC else unturned(shorten(text, _TEXT_AT_MOST))
    sentences = " ".join(filter(None, (said or words.body, until))) or language.say("Please open it.")
    return heading, _BETWEEN.join(filter(None, (isolated(company), sentences)))


def _own_ending(delivery: Delivery, notice: NotificationOrder) -> NotificationText | None:
    """What the ending of a request is to the one who declined it, or of one that one person alone has signed."""
    if delivery.outcome is Status.DECLINED and notice.person in delivery.acted:
        return OWN_REFUSAL
    return SIGNED_ALONE if delivery.outcome is Status.SIGNED and len(delivery.acted) == 1 else None


def _words_of(delivery: Delivery, notice: NotificationOrder) -> NotificationText:
    brief = delivery.subject
    return words_for(
        notice.stage,
        notice.action,
        delivery.outcome,
        of=brief.type,
        to_requester=notice.person == brief.requester,
        overdue=bool(delivery.due_at and delivery.now and delivery.due_at <= delivery.now),
    )
